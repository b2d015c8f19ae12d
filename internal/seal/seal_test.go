package seal_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	k, err := seal.Provision(t.Context(), sealtest.TPM(t), header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	return header, k.Derive("test")
}

// refuses fails the test unless the header is refused with want.
func refuses(t *testing.T, device, header string, want *fault.Error) {
	t.Helper()
	refusesProof(t, device, header, seal.Proof{}, want)
}

// refusesProof does so for somebody who shows p.
func refusesProof(t *testing.T, device, header string, p seal.Proof, want *fault.Error) {
	t.Helper()
	k, err := seal.Unseal(t.Context(), device, header, p)
	if err == nil {
		k.Wipe()
		t.Fatalf("unsealed; want %s", seal.Code(want))
	}
	if !isFault(err, want) {
		t.Fatalf("refused with %q (%s); want %s", err, seal.Detail(err), seal.Code(want))
	}
}

// isFault reports whether err is the sentinel, of its kind and with its code.
func isFault(err error, want *fault.Error) bool {
	return errors.Is(err, want) && fault.KindOf(err) == want.Kind() && seal.Code(err) == seal.Code(want)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnsealGivesTheProvisionedKey(t *testing.T) {
	header, want := store(t)
	for range 5 { // more often than the TPM has session slots
		k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header, seal.Proof{})
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

func TestProvisionRefusesToReplaceAHeader(t *testing.T) {
	header, _ := store(t)
	before, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	_, err = seal.Provision(t.Context(), sealtest.TPM(t), header, seal.Setup{Now: now})
	if !errors.Is(err, seal.ErrExists) || fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	after, err := os.ReadFile(header)
	if err != nil || string(before) != string(after) {
		t.Fatal("the header changed", err)
	}
}

func TestTwoStoresInOneTPM(t *testing.T) {
	a, wantA := store(t)
	b, wantB := store(t)
	if wantA == wantB {
		t.Fatal("one root key twice")
	}
	if err := seal.Reseal(t.Context(), sealtest.TPM(t), b, seal.Proof{}, seal.Setup{}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	for header, want := range map[string][32]byte{a: wantA, b: wantB} {
		k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header, seal.Proof{})
		if err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		if k.Derive("test") != want {
			t.Fatal("another root key")
		}
		k.Wipe()
	}
}

func TestNoTPM(t *testing.T) {
	header, _ := store(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{filepath.Join(t.TempDir(), "none"), file, "/dev/null"} {
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err == nil {
			k.Wipe()
			t.Fatalf("%s: unsealed", device)
		}
		if fault.KindOf(err) != fault.Sealed {
			t.Fatalf("%s: %v", device, err)
		}
	}
	refuses(t, filepath.Join(t.TempDir(), "none"), header, seal.ErrNoTPM)
	refuses(t, sealtest.TPM(t), filepath.Join(t.TempDir(), "none"), seal.ErrNoHeader)
}

func TestOtherTPMIsRefused(t *testing.T) {
	header, _ := store(t)
	other := sealtest.Another(t)
	refuses(t, other, header, seal.ErrOtherTPM) // no storage key
	k, err := seal.Provision(t.Context(), other, filepath.Join(t.TempDir(), "coffer.seal"), seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	refuses(t, other, header, seal.ErrOtherTPM) // another storage key
	if _, err := seal.Inspect(t.Context(), other, header); !errors.Is(err, seal.ErrOtherTPM) {
		t.Fatal(err)
	}
}

// owner acts as whoever holds the TPM's owner authorization.
func owner(t *testing.T, act func(o seal.Owner) error) {
	t.Helper()
	if err := seal.WithOwner(t.Context(), sealtest.TPM(t), act); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
}

func TestClearedTPMIsRefused(t *testing.T) {
	header, _ := store(t)
	owner(t, seal.Owner.Clear)
	refuses(t, sealtest.TPM(t), header, seal.ErrOtherTPM)
}

func TestForeignKeyAtTheStorageKeysPlace(t *testing.T) {
	owner(t, seal.Owner.SealSomethingElse)
	_, err := seal.Provision(t.Context(), sealtest.TPM(t), filepath.Join(t.TempDir(), "coffer.seal"), seal.Setup{Now: now})
	if !errors.Is(err, seal.ErrHandleTaken) {
		t.Fatal(err, seal.Detail(err))
	}
}

func TestRemovedAndRemadeCounterIsRefused(t *testing.T) {
	header, _ := store(t)
	index, err := seal.CounterIndex(header)
	if err != nil {
		t.Fatal(err)
	}
	owner(t, func(o seal.Owner) error { return o.RemoveCounter(index) })
	refuses(t, sealtest.TPM(t), header, seal.ErrCounterMissing)
	owner(t, func(o seal.Owner) error { return o.MakeCounter(index, true) })
	refuses(t, sealtest.TPM(t), header, seal.ErrGeneration) // it went on counting
	owner(t, func(o seal.Owner) error { return o.RemoveCounter(index) })
	owner(t, func(o seal.Owner) error { return o.MakeCounter(index, false) })
	refuses(t, sealtest.TPM(t), header, seal.ErrCounterForged) // another Name
}

// TestRemadeCounterAtTheNextValueIsForged strikes while a re-seal is half
// done: the header already has a slot for the next value, which the forged
// counter reaches under the same Name.
func TestRemadeCounterAtTheNextValueIsForged(t *testing.T) {
	header, _ := store(t)
	index, err := seal.CounterIndex(header)
	if err != nil {
		t.Fatal(err)
	}
	killed(t, "reseal", "both", sealtest.TPM(t), header)
	owner(t, func(o seal.Owner) error { return o.RemoveCounter(index) })
	owner(t, func(o seal.Owner) error { return o.MakeCounter(index, true) })
	refuses(t, sealtest.TPM(t), header, seal.ErrCounterForged)
}

func TestOldHeaderIsRefusedAfterReseal(t *testing.T) {
	header, want := store(t)
	old, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.Reseal(t.Context(), sealtest.TPM(t), header, seal.Proof{}, seal.Setup{}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if k.Derive("test") != want {
		t.Fatal("another root key")
	}
	k.Wipe()
	if err := os.WriteFile(header, old, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, sealtest.TPM(t), header, seal.ErrGeneration)
}

func TestCounterRangeFull(t *testing.T) {
	store(t) // takes the first two
	owner(t, func(o seal.Owner) error {
		for i := range uint32(14) {
			if err := o.MakeCounter(0x01800cf2+i, true); err != nil {
				return err
			}
		}
		return nil
	})
	_, err := seal.Provision(t.Context(), sealtest.TPM(t), filepath.Join(t.TempDir(), "coffer.seal"), seal.Setup{Now: now})
	if !errors.Is(err, seal.ErrTPMFull) {
		t.Fatal(err, seal.Detail(err))
	}
}

func TestErrorsHaveCodesAndNextSteps(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range []*fault.Error{
		seal.ErrNoTPM, seal.ErrOtherTPM, seal.ErrGeneration, seal.ErrHeader, seal.ErrBusTampered,
		seal.ErrLockout, seal.ErrTPMBusy, seal.ErrCounterMissing, seal.ErrCounterForged, seal.ErrExists,
		seal.ErrNoHeader, seal.ErrTPMFull, seal.ErrHandleTaken, seal.ErrLevel, seal.ErrMemory,
		seal.ErrWrite, seal.ErrTPM, seal.ErrSoftwareTPM, seal.ErrPIN, seal.ErrPINNeeded, seal.ErrPINShape,
		seal.ErrUnsignedBoot, seal.ErrFirmwareChanged, seal.ErrSecureBootOff, seal.ErrPCRChanged, seal.ErrSoftware,
		seal.ErrUnreadable, seal.ErrRelease, seal.ErrSetup, seal.ErrLockoutHeld, seal.ErrOwnerHeld, seal.ErrNoRecovery, seal.ErrRotating,
		seal.ErrTPMDenied,
	} {
		code := seal.Code(e)
		if code == "" || seen[code] || !strings.Contains(e.Message(), "("+code+")") {
			t.Errorf("code %q of %q", code, e.Message())
		}
		seen[code] = true
		sentence := strings.ReplaceAll(strings.TrimSuffix(e.Message(), " ("+code+")."), "%v", "N")
		if !strings.Contains(string(manual), "| "+code+" | "+sentence+". |") {
			t.Errorf("docs/operating.md lacks %s as it is", code)
		}
	}
	if seal.Code(errors.New("other")) != "" {
		t.Error("a code for a stranger")
	}
}

func TestManyKeysOfOneTest(t *testing.T) {
	seen := map[[32]byte]bool{}
	for range 16 {
		seen[sealtest.Key(t).Derive("test")] = true
	}
	if len(seen) != 16 {
		t.Fatalf("%d root keys", len(seen))
	}
}
