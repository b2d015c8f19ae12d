package vault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"coffer/internal/access/accesstest"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// turnModel is what a store must hold, kept beside it.
type turnModel struct {
	turning
	v       *Vault
	dice    *rand.Rand
	private map[uint64]string // by key of the row
	owner   map[uint64]ident.ID[ident.Client]
	erased  map[ident.ID[ident.Client]]bool
	n       int
}

// TestKeysTurnAsTheModelSays mixes rows, deletions, steps of a re-key, whole
// re-keys, shredding, rotations of the root and restarts.
func TestKeysTurnAsTheModelSays(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &turnModel{
		turning: *newTurning(t), dice: rand.New(rand.NewPCG(seed, 0)),
		private: map[uint64]string{}, owner: map[uint64]ident.ID[ident.Client]{}, erased: map[ident.ID[ident.Client]]bool{},
	}
	var err error
	if m.v, err = Create(t.Context(), accesstest.System("test"), m.o); err != nil {
		t.Fatal(err)
	}
	acts := []func(*testing.T){m.insert, m.insert, m.insert, m.insert, m.delete, m.step, m.rekey, m.shred, m.rotate, m.reopen}
	for range 120 {
		acts[m.dice.IntN(len(acts))](t)
		m.same(t)
	}
	if _, err := m.v.Check(t.Context(), checking); err != nil {
		t.Fatalf("%v %s", err, Detail(err))
	}
	if err := m.v.Close(); err != nil {
		t.Fatal(err)
	}
}

func (m *turnModel) client() ident.ID[ident.Client] {
	return ident.ID[ident.Client]{1, byte(m.dice.IntN(12))}
}

func (m *turnModel) insert(t *testing.T) {
	id := m.client()
	m.n++
	text := fmt.Sprint("text ", m.n)
	var key uint64
	err := m.v.Update(t.Context(), canaryWriting, func(tx *Tx) (err error) {
		key, err = canaryClients.Insert(tx, Row[canary, canary]{Client: id, Shared: canary{text}, Private: canary{text}})
		return err
	})
	switch {
	case m.erased[id] != errors.Is(err, ErrShredded):
		t.Fatalf("erased %v: %v", m.erased[id], err)
	case err == nil:
		m.private[key], m.owner[key] = text, id
	}
}

func (m *turnModel) delete(t *testing.T) {
	key := 1 + m.dice.Uint64N(uint64(m.n)+1)
	err := m.v.Update(t.Context(), canaryWriting, func(tx *Tx) error { return canaryClients.Delete(tx, key) })
	if _, there := m.private[key]; there == errors.Is(err, ErrNoRow) {
		t.Fatal(err)
	}
	delete(m.private, key)
	delete(m.owner, key)
}

// step begins a re-key and leaves it after a few records.
func (m *turnModel) step(t *testing.T) {
	err := m.v.Update(t.Context(), rotating, func(tx *Tx) error {
		i, err := tx.slot(BucketClients.ID)
		if err != nil || tx.state.slots[i].keyID == 0 || tx.state.slots[i].oldID != 0 {
			return err
		}
		b := tx.own(i)
		tx.beginRekey(b)
		_, err = tx.move(b, 1+m.dice.IntN(10))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *turnModel) rekey(t *testing.T) {
	if err := m.v.Rekey(t.Context(), rotating, BucketClients); err != nil {
		t.Fatal(err)
	}
}

func (m *turnModel) shred(t *testing.T) {
	id := m.client()
	err := m.v.Shred(t.Context(), shredding(id), id)
	if err == nil {
		m.erased[id] = true
	} else if !errors.Is(err, ErrNoRow) || m.erased[id] {
		t.Fatal(err)
	}
}

func (m *turnModel) rotate(t *testing.T) {
	next, err := seal.BeginRotation(t.Context(), m.device, m.header, seal.Proof{})
	if err == nil {
		err = m.v.Rotate(t.Context(), rotating, next)
		next.Wipe()
	}
	if err == nil {
		err = seal.EndRotation(t.Context(), m.device, m.header, seal.Proof{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *turnModel) reopen(t *testing.T) {
	err := m.v.Close()
	if err == nil {
		m.o.Key, err = seal.Unseal(t.Context(), m.device, m.header, seal.Proof{})
	}
	if err == nil {
		m.v, err = Open(t.Context(), accesstest.System("test"), m.o)
	}
	if err != nil {
		t.Fatalf("%v %s", err, Detail(err))
	}
}

// same compares every row with the model.
func (m *turnModel) same(t *testing.T) {
	seen := 0
	err := m.v.View(t.Context(), canaryWriting, func(tx *Tx) error {
		for row, err := range canaryClients.All(tx) {
			if err != nil {
				return err
			}
			seen++
			want, gone := m.private[row.Key], m.erased[m.owner[row.Key]]
			if row.Shared.Text != want || row.Client != m.owner[row.Key] || gone == row.Erased.IsZero() || !gone && row.Private.Text != want || gone && row.Private.Text != "" {
				t.Fatalf("row %d is %+v, want %q, erased %v", row.Key, row, want, gone)
			}
			if _, found, err := canaryClients.First(tx, "word", want); err != nil || found == gone {
				t.Fatalf("row %d found by its private part: %v %v", row.Key, found, err)
			}
		}
		return nil
	})
	if err != nil || seen != len(m.private) {
		t.Fatalf("%d rows of %d, %v", seen, len(m.private), err)
	}
}
