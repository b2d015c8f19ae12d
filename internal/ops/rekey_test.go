package ops

import (
	"context"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// TestAnUnfinishedRekeyIsFinished cuts a re-key off between two of its commits:
// the doctor names it, and the daemon's next start goes on with it by itself.
func TestAnUnfinishedRekeyIsFinished(t *testing.T) {
	v := vaulttest.Open(t, nil, Tables()...)
	daemon := accesstest.System("ops")
	err := v.Update(t.Context(), request(daemon, access.BooksCheck), func(tx *vault.Tx) error {
		for range 2500 { // one commit of a re-key takes 2,000
			if _, err := upkeep.Insert(tx, vault.Row[upkeepRecord, vault.None]{Shared: upkeepRecord{Chore: choreBooks, OK: true}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cut := context.WithCancel(t.Context())
	under := context.WithValue(ctx, audit.DurableKey{}, func() { cut() })
	if err := v.Rekey(under, request(daemon, access.KeyRotate), vault.BucketUpkeep); err == nil {
		t.Fatalf("the re-key was not cut: %v", err)
	}
	if l := keysLine(v.Status()); l.Verdict != Warn || v.Status().Rekeying != 1 {
		t.Fatalf("%+v", l)
	}
	v = vaulttest.Reopen(t, v)
	o := New(Machine{State: t.TempDir(), Now: time.Now, Daemon: daemon})
	if err := o.Opened(t.Context(), Store{Vault: v}); err != nil {
		t.Fatal(err)
	}
	stop := o.Keep(t.Context())
	defer stop()
	late, again := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for v.Status().Rekeying != 0 {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("nobody goes on with the re-key")
		}
	}
	if l := keysLine(v.Status()); l.Verdict != OK {
		t.Errorf("%+v", l)
	}
}
