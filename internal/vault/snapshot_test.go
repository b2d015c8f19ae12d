package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

var backingUp = request(access.IT, access.BackupWrite, access.Entity{Kind: access.KindStore})

// furnish writes some of every kind of record.
func furnish(t testing.TB, v *vault.Vault) {
	t.Helper()
	for i := range 20 {
		update(t, v, func(tx *vault.Tx) error {
			_, err := clients.Insert(tx, vault.Row[note, person]{Client: client(t), Shared: note{Tag: fmt.Sprint(i), At: tx.Now()}, Private: person{phi.NewText("Ada Example")}})
			if err != nil {
				return err
			}
			_, err = entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: "x", Count: int64(i)}})
			return err
		})
	}
}

// snapshotOf returns the values of a snapshot and what it says of them.
func snapshotOf(t testing.TB, v *vault.Vault) (vault.Summary, []vault.Stored) {
	t.Helper()
	s, err := v.Snapshot(t.Context(), backingUp)
	if err != nil {
		t.Fatal(err)
	}
	var values []vault.Stored
	for r, err := range s.Records() {
		if err != nil {
			t.Fatal(err)
		}
		r.Value = bytes.Clone(r.Value)
		values = append(values, r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.Summary, values
}

func each(values []vault.Stored) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for _, r := range values {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestSnapshotIsTheStore(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	furnish(t, v)
	want, values := snapshotOf(t, v)
	update(t, v, func(*vault.Tx) error { return nil }) // goes on while the snapshot is kept
	if want.Records != uint64(len(values)) || want.Seq >= v.Status().Sequence {
		t.Fatalf("%+v of %d values", want, len(values))
	}
	got, err := vault.VerifyStored(v.Options().Key, each(values))
	if err != nil || got.Seq != want.Seq || got.Head != want.Head || !bytes.Equal(got.Set, want.Set) || got.Records != want.Records {
		t.Fatalf("%+v, %v", got, err)
	}
	o := v.Options()
	o.Dir = t.TempDir() + "/copy"
	if err := vault.Build(o.Dir, each(values)); err != nil {
		t.Fatal(err)
	}
	if err := vault.Build(o.Dir, each(values)); !errors.Is(err, vault.ErrExists) {
		t.Fatal(err)
	}
	w, err := vault.Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Check(t.Context(), verify); err != nil {
		t.Error(err)
	}
	view(t, w, func(tx *vault.Tx) error {
		if clients.Count(tx) != 20 || entries.Count(tx) != 20 {
			t.Errorf("%d clients, %d entries", clients.Count(tx), entries.Count(tx))
		}
		return nil
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestValuesThatAreNotTheSnapshot: whatever is left out, exchanged, doubled
// or moved is found, without a file.
func TestValuesThatAreNotTheSnapshot(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	furnish(t, v)
	_, older := snapshotOf(t, v)
	furnish(t, v)
	_, values := snapshotOf(t, v)
	if _, err := vault.VerifyStored(sealtest.Key(t), each(values)); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("another root: %v", err)
	}
	for i := range values {
		without := append(append([]vault.Stored{}, values[:i]...), values[i+1:]...)
		if _, err := vault.VerifyStored(v.Options().Key, each(without)); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("value %d of bucket %#x left out: %v", i, values[i].Bucket, err)
		}
	}
	for i := range min(len(values), len(older)) {
		if values[i].Bucket != older[i].Bucket || bytes.Equal(values[i].Value, older[i].Value) {
			continue
		}
		mixed := append([]vault.Stored{}, values...)
		mixed[i] = older[i]
		if _, err := vault.VerifyStored(v.Options().Key, each(mixed)); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("value %d replayed: %v", i, err)
		}
	}
}

func TestSnapshotIsAskedForInItsOwnName(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	if _, err := v.Snapshot(t.Context(), verify); fault.KindOf(err) != fault.Internal {
		t.Error(err)
	}
	denied := request(access.FrontDesk, access.BackupWrite, access.Entity{Kind: access.KindStore})
	if _, err := v.Snapshot(t.Context(), denied); fault.KindOf(err) != fault.Denied {
		t.Error(err)
	}
}
