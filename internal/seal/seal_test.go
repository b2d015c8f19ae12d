package seal_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// store provisions a seal in the test's TPM and returns the header's path and
// a derivation that tells root keys apart.
func store(t *testing.T) (header string, want [32]byte) {
	t.Helper()
	header = filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), sealtest.TPM(t), header, now)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	return header, k.Derive("test")
}

// refuses fails the test unless the header is refused with want.
func refuses(t *testing.T, device, header string, want *fault.Error) {
	t.Helper()
	k, err := seal.Unseal(t.Context(), device, header)
	if err == nil {
		k.Wipe()
		t.Fatalf("unsealed; want %s", seal.Code(want))
	}
	if !errors.Is(err, want) {
		t.Fatalf("refused with %q (%s); want %s", err, seal.Detail(err), seal.Code(want))
	}
	if kind := fault.KindOf(err); kind != want.Kind() {
		t.Fatalf("kind %v; want %v", kind, want.Kind())
	}
}

func TestUnsealGivesTheProvisionedKey(t *testing.T) {
	header, want := store(t)
	for range 5 { // more often than the TPM has session slots
		k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header)
		if err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		if k.Derive("test") != want {
			t.Fatal("another root key")
		}
		if k.Derive("other") == want {
			t.Fatal("two labels give one key")
		}
		if k.StoreID().IsZero() || k.Generation() != 1 {
			t.Fatalf("store %v generation %d", k.StoreID(), k.Generation())
		}
		if s := k.Status(); s.Level != "bound" || s.Manufacturer != "IBM" || s.Generation == 0 {
			t.Fatalf("status %+v", s)
		}
		k.Wipe()
		k.Wipe()
	}
	fi, err := os.Stat(header)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("header mode %v, %v", fi.Mode(), err)
	}
}
