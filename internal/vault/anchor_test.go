package vault_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// anchored makes a store that is anchored in a real TPM, with 2 rows.
func anchored(t *testing.T) (vault.Options, *seal.Anchor) {
	t.Helper()
	device, header := sealtest.TPM(t), t.TempDir()+"/coffer.seal"
	key, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(key.Wipe)
	counter := seal.NewAnchor(device, key)
	o := vault.Options{Dir: t.TempDir() + "/store", Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30, Anchor: counter}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "first") })
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return o, counter
}

func value(t *testing.T, c vault.Counter) uint64 {
	t.Helper()
	n, err := c.Value(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reopen opens the store, and closes it after fn.
func reopen(t *testing.T, o vault.Options, fn func(v *vault.Vault)) error {
	t.Helper()
	v, err := vault.Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		return err
	}
	fn(v)
	return v.Close()
}

// TestRollbackAcrossAnAnchor puts the whole directory of an earlier stop back,
// with everything in it, after the store was anchored again.
func TestRollbackAcrossAnAnchor(t *testing.T) {
	o, counter := anchored(t)
	before := readAll(t, o.Dir)
	at := value(t, counter)
	if err := reopen(t, o, func(v *vault.Vault) {
		update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "payment") })
	}); err != nil {
		t.Fatal(err)
	}
	now := readAll(t, o.Dir)
	if value(t, counter) < at+2 {
		t.Errorf("counter %d, was %d: start and stop did not anchor", value(t, counter), at)
	}
	before.write(t, o.Dir)
	err := reopen(t, o, func(*vault.Vault) { t.Error("an older store was opened") })
	if !errors.Is(err, vault.ErrRollback) && vault.Code(err) != "STORE-013" {
		t.Fatalf("rolled back: %v", err)
	}
	if vault.Code(err) != "STORE-013" || fault.KindOf(err) != fault.Corrupt {
		t.Errorf("code %q", vault.Code(err))
	}
	before.with(files{"coffer.clean": nil, "coffer.journal": now["coffer.journal"]}).write(t, o.Dir)
	if err := reopen(t, o, func(v *vault.Vault) { // the journal of now heals even that
		if s := v.Status(); s.Records != 4 || s.Healed.To == 0 {
			t.Errorf("status = %+v", s)
		}
	}); err != nil {
		t.Fatalf("with the newest journal: %v", err)
	}
	before.write(t, o.Dir)
	unasked := o
	unasked.AcceptRollback = "the box was restored from the backup of last night"
	if err := reopen(t, unasked, func(v *vault.Vault) {
		if v.Status().Records != 2 {
			t.Errorf("status = %+v", v.Status())
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := reopen(t, o, func(*vault.Vault) {}); err != nil {
		t.Errorf("after it was accepted: %v", err)
	}
	now.write(t, o.Dir)
	if err := reopen(t, o, func(*vault.Vault) {}); vault.Code(err) != "STORE-013" {
		t.Errorf("the store that was given up: %v", err)
	}
}

// stuck is a counter whose next Advance does not happen.
type stuck struct {
	vault.Counter
	fails bool
}

func (s *stuck) Advance(ctx context.Context) error {
	if s.fails {
		return seal.ErrTPMBusy
	}
	return s.Counter.Advance(ctx)
}

// TestACutAnchorIsFinished cuts between the commit of an anchor and the
// counter, by a TPM that does not answer.
func TestACutAnchorIsFinished(t *testing.T) {
	o, counter := anchored(t)
	s := &stuck{Counter: counter}
	o.Anchor = s
	var at uint64
	err := reopen(t, o, func(v *vault.Vault) {
		at = value(t, counter)
		s.fails = true
		for range 2 {
			if err := v.Anchor(t.Context(), accesstest.System("test")); !errors.Is(err, seal.ErrTPMBusy) {
				t.Errorf("Anchor = %v", err)
			}
		}
	})
	if err != nil || value(t, counter) != at {
		t.Fatalf("%v; counter %d, was %d", err, value(t, counter), at)
	}
	s.fails = false
	if err := reopen(t, o, func(v *vault.Vault) {
		if value(t, counter) != at+2 {
			t.Errorf("counter %d, want %d finished and one of the opening", value(t, counter), at+1)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOtherCounters opens an anchored store without a counter, with one that is
// behind, and one that was advanced by somebody else.
func TestOtherCounters(t *testing.T) {
	o, counter := anchored(t)
	stopped := readAll(t, o.Dir)
	bare := o
	bare.Anchor = nil
	if err := reopen(t, bare, func(*vault.Vault) {}); !errors.Is(err, vault.ErrUnanchored) || vault.Code(err) != "STORE-018" {
		t.Errorf("without a counter: %v", err)
	}
	bare.AcceptRollback = "drill"
	if err := reopen(t, bare, func(*vault.Vault) {}); err != nil {
		t.Errorf("a drill's copy: %v", err)
	}
	stopped.write(t, o.Dir)
	behind := o
	behind.Anchor = past{counter, 2}
	if err := reopen(t, behind, func(*vault.Vault) {}); vault.Code(err) != "STORE-014" {
		t.Errorf("behind: %v", err)
	}
	if err := reopen(t, o, func(v *vault.Vault) {
		if err := counter.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.Anchor(t.Context(), accesstest.System("test")); vault.Code(err) != "STORE-013" {
			t.Errorf("advanced by another: %v", err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// past is a counter as it was some steps ago, as after the TPM was exchanged.
type past struct {
	vault.Counter
	by uint64
}

func (p past) Value(ctx context.Context) (uint64, error) {
	n, err := p.Counter.Value(ctx)
	return n - p.by, err
}

// TestMoneyIsAnchoredSoon: the counter rises by itself within seconds of a
// commit to the ledger.
func TestMoneyIsAnchoredSoon(t *testing.T) {
	o, counter := anchored(t)
	if err := reopen(t, o, func(v *vault.Vault) {
		at := value(t, counter)
		update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "payment") })
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		limit := time.After(time.Minute)
		for value(t, counter) == at {
			select {
			case <-tick.C:
			case <-limit:
				t.Fatal("not anchored within a minute")
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
