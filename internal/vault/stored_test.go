package vault_test

import (
	"bytes"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

func TestStoredValuesAreTheCommit(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	plant(t, v, 20)
	s := snapshot(t, v)
	got, err := vault.VerifyStored(v.Options().Key, seqOf(stored(t, s)))
	if err != nil || got.StoreID != s.StoreID || got.Seq != s.Seq || got.Head.Root != s.AuditRoot || !bytes.Equal(got.Set, s.Set) || got.Records != 40 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestStoredValuesThatAreNotTheCommit: whatever is left out, exchanged for an
// older one or moved is found, without a file.
func TestStoredValuesThatAreNotTheCommit(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	plant(t, v, 10)
	older := stored(t, snapshot(t, v))
	plant(t, v, 10)
	values := stored(t, snapshot(t, v))
	bad := func(what string, i int, values []vault.Stored) {
		t.Helper()
		if _, err := vault.VerifyStored(v.Options().Key, seqOf(values)); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("value %d %s: %v", i, what, err)
		}
	}
	if _, err := vault.VerifyStored(sealtest.Key(t), seqOf(values)); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("another root: %v", err)
	}
	for i := range values {
		bad("left out", i, append(append([]vault.Stored{}, values[:i]...), values[i+1:]...))
		swapped := append([]vault.Stored{}, values...)
		swapped[i], swapped[(i+1)%len(values)] = swapped[(i+1)%len(values)], swapped[i]
		bad("moved", i, swapped)
		if i < len(older) && values[i].Bucket == older[i].Bucket && !bytes.Equal(values[i].Value, older[i].Value) {
			mixed := append([]vault.Stored{}, values...)
			mixed[i] = older[i]
			bad("replayed", i, mixed)
		}
	}
}
