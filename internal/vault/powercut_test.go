package vault_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"coffer/internal/access/accesstest"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

const sectorBytes = 512

// cut is what a power cut can leave while one commit is under way: of the
// sectors that were written and not yet synced, any. The files are real ones,
// from before and after the commit.
type cut struct {
	before, after files
	random        *rand.Rand
}

// used returns the part of a store file that its head pages name.
func used(b []byte) []byte {
	top := max(binary.LittleEndian.Uint64(b[16+40:]), binary.LittleEndian.Uint64(b[4096+16+40:]))
	return b[:top*4096]
}

// sectors returns the file as it was, with each changed sector that take
// chooses from after. A file that grew may have its old length still.
func (c *cut) sectors(name string, take func(sector int) bool) []byte {
	old, now := c.before[name], c.after[name]
	b := bytes.Clone(old)
	if len(now) > len(old) && c.random.IntN(4) > 0 {
		b = append(b, make([]byte, len(now)-len(old))...)
	}
	for at := 0; at < min(len(now), len(b)); at += sectorBytes {
		end := min(at+sectorBytes, len(now), len(b))
		if take(at / sectorBytes) {
			copy(b[at:end], now[at:end])
		}
	}
	return b
}

func (c *cut) some() func(int) bool {
	share := c.random.IntN(101)
	return func(int) bool { return c.random.IntN(100) < share }
}

// head reports whether a sector is of the head pages.
func head(sector int) bool { return sector < 2*4096/sectorBytes }

// written is as some, without the head pages.
func (c *cut) written() func(int) bool {
	some := c.some()
	return func(sector int) bool { return !head(sector) && some(sector) }
}

// grown is the file as the commit leaves it, with the length of the file durable.
func (c *cut) grown(name string) []byte { return bytes.Clone(c.after[name]) }

// states returns a state of each phase of the commit, and whether somebody may
// have been told of the commit then.
func (c *cut) states() (states []files, told []bool) {
	add := func(db, journal, last []byte, acked bool) {
		states, told = append(states, files{"coffer.db": db, "coffer.journal": journal, "coffer.last": last, "coffer.lock": nil}), append(told, acked)
	}
	old := c.before["coffer.last"]
	add(c.before["coffer.db"], c.sectors("coffer.journal", c.some()), old, false)               // the frame is being written
	add(c.sectors("coffer.db", c.written()), c.sectors("coffer.journal", c.some()), old, false) // pages and frame, before any sync
	add(c.sectors("coffer.db", c.written()), c.grown("coffer.journal"), old, false)             // the frame is synced, the pages are not
	pages := c.grown("coffer.db")
	copy(pages[:8192], c.before["coffer.db"][:8192])
	add(pages, c.sectors("coffer.journal", c.some()), old, false) // the pages are synced, the head is not written
	add(c.grown("coffer.db"), c.sectors("coffer.journal", c.some()), old, false)
	add(c.grown("coffer.db"), c.grown("coffer.journal"), old, true)
	add(c.grown("coffer.db"), c.grown("coffer.journal"), c.after["coffer.last"], true)
	return states, told
}

// TestPowerCuts opens what a power cut can leave in each phase of many commits:
// all that was told is there, whole, and nothing has to be asked of anybody.
func TestPowerCuts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	o := vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	type moment struct {
		files files
		acked map[string]bool
	}
	moments := []moment{{readAll(t, o.Dir), map[string]bool{}}}
	commits := 9
	if *vault.Full {
		commits = 200
	}
	for i := range commits {
		tag := fmt.Sprint(i, strings.Repeat("x", random.IntN(3)*random.IntN(4000)))
		update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, tag) })
		acked := map[string]bool{tag: true}
		for told := range moments[i].acked {
			acked[told] = true
		}
		moments = append(moments, moment{readAll(t, o.Dir), acked})
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		m.files["coffer.db"] = used(m.files["coffer.db"])
	}
	for i := range len(moments) - 1 {
		c := &cut{moments[i].files, moments[i+1].files, random}
		states, told := c.states()
		for n, state := range states {
			acked := moments[i].acked
			if told[n] {
				acked = moments[i+1].acked
			}
			state.write(t, o.Dir)
			survive(t, o, fmt.Sprintf("commit %d, phase %d", i, n), acked)
		}
	}
}

// survive opens what a cut left and compares it with what was told.
func survive(t *testing.T, o vault.Options, name string, acked map[string]bool) {
	t.Helper()
	v, err := vault.Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatalf("%s: %v (%s)", name, err, vault.Detail(err))
	}
	if s := v.Status(); s.Lost != 0 || s.Journal == vault.JournalForeign || s.Witness != vault.WitnessKnown {
		t.Errorf("%s: %+v", name, s)
	}
	view(t, v, func(tx *vault.Tx) error { return whole(tx, acked) })
	if _, err := v.Check(t.Context(), verify); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if err := v.Close(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestLyingDisk loses or tears any of the last commit's sectors although the
// disk had said that they were durable. The commit comes back, or is known to
// be lost, or the store refuses to open; it never shows anything else.
func TestLyingDisk(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	k := newKilled(t)
	before := files{"coffer.db": used(k.oldFile), "coffer.journal": k.oldJournal, "coffer.last": k.oldLast}
	after := files{"coffer.db": used(k.file), "coffer.journal": k.journal, "coffer.last": k.last}
	c := &cut{before, after, random}
	healed, lost, refused := 0, 0, 0
	states := 60
	if *vault.Full {
		states = 5000
	}
	for range states {
		f := files{"coffer.db": c.sectors("coffer.db", c.some()), "coffer.last": k.last, "coffer.lock": nil, "coffer.journal": c.grown("coffer.journal")}
		if random.IntN(2) == 0 {
			f["coffer.journal"] = c.sectors("coffer.journal", c.some())
		}
		f.write(t, k.options.Dir)
		v, err := vault.Open(t.Context(), accesstest.System("test"), k.options)
		if err != nil {
			if code := vault.Code(err); code == "" {
				t.Errorf("refused without a code: %v", err)
			}
			refused++
			continue
		}
		s := v.Status()
		switch {
		case s.Records == 12 && s.Lost == 0:
			healed++
		case s.Records == 10 && s.Lost == k.sequence:
			lost++
		default:
			t.Errorf("%+v", s)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d whole or healed, %d known to be lost, %d refused", healed, lost, refused)
	if healed == 0 || lost == 0 {
		t.Error("the model makes too few states")
	}
}
