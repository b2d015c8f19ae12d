package seal_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// sheets are the recovery sheets of the tests, the same in each process.
var sheets = []string{
	"000G40R-R40M30F-E20918C-5GR38E1-1W81245-GK2GAH4-C5RR34E-D1P70X4-3RFHHAV-9KY",
	"0000001-0000002-0000003-0000004-0000005-0000006-0000007-0000008-0008K9R-Y1Q",
}

// sheet returns the n-th of them; the first is 1.
func sheet(n int) *recovery.Seed {
	s, err := recovery.Parse(sheets[n-1])
	if err != nil {
		panic(err)
	}
	return s
}

// sheeted provisions a store with sheet 1 in the TPM at device.
func sheeted(t *testing.T, device string, s seal.Setup) (header string, k *seal.Key) {
	t.Helper()
	header = filepath.Join(t.TempDir(), "coffer.seal")
	s.Now, s.Recovery = now, sheet(1).Public()
	k, err := seal.Provision(t.Context(), device, header, s)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(k.Wipe)
	return header, k
}

// knownPINs are stretched once.
var knownPINs seal.Pins

// unsealed opens the header and fails unless it is the store and root of want.
func unsealed(t *testing.T, device, header string, p seal.Proof, want *seal.Key) *seal.Key {
	t.Helper()
	k, err := seal.UnsealWith(t.Context(), device, header, p, &knownPINs)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(k.Wipe)
	sameKey(t, k, want)
	return k
}

func sameKey(t *testing.T, k, want *seal.Key) {
	t.Helper()
	if k.Derive("test") != want.Derive("test") || k.StoreID() != want.StoreID() || k.Generation() != want.Generation() {
		t.Fatalf("another root key: generation %d", k.Generation())
	}
}

func recovered(t *testing.T, device, header string, s seal.Setup, want *seal.Key) *seal.Key {
	t.Helper()
	s.Now = now
	k, err := seal.Recover(t.Context(), device, header, sheet(1), s)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(k.Wipe)
	sameKey(t, k, want)
	return k
}

func anchorValue(t *testing.T, device string, k *seal.Key) uint64 {
	t.Helper()
	v, err := seal.NewAnchor(device, k).Value(t.Context())
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	return v
}

// counts fails unless the anchor works.
func counts(t *testing.T, device string, k *seal.Key) {
	t.Helper()
	before := anchorValue(t, device, k)
	if err := seal.NewAnchor(device, k).Advance(t.Context()); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if v := anchorValue(t, device, k); v != before+1 {
		t.Fatalf("%d after %d", v, before)
	}
}

func TestRecoverOnAnotherBox(t *testing.T) {
	here, there := sealtest.TPM(t), sealtest.Another(t)
	header, k := sheeted(t, here, seal.Setup{})
	if err := seal.NewAnchor(here, k).Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuses(t, there, header, seal.ErrOtherTPM)
	got := recovered(t, there, header, seal.Setup{}, k)
	refuses(t, here, header, seal.ErrOtherTPM)
	k = unsealed(t, there, header, seal.Proof{}, k)
	counts(t, there, k)
	if s := k.Status(); !s.Recovery || s.Rotating || s.AttestationKey == "" || s != got.Status() {
		t.Fatalf("%+v; recovered: %+v", s, got.Status())
	}
	if err := seal.TestRecovery(header, sheet(1)); err != nil {
		t.Fatal(err)
	}
}

func TestRecoverAfterTheTPMWasCleared(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	owner(t, seal.Owner.Clear)
	refuses(t, device, header, seal.ErrOtherTPM)
	recovered(t, device, header, seal.Setup{}, k)
	unsealed(t, device, header, seal.Proof{}, k)
}

// TestRecoverInTheSameTPM: nobody knows the PIN, and the TPM has locked itself.
// What is whole stays: the anchor, the attestation key.
func TestRecoverInTheSameTPM(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{PIN: pin})
	if err := seal.NewAnchor(device, k).Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	value, old, pins := anchorValue(t, device, k), read(t, header), new(seal.Pins)
	for range 10 {
		if _, err := seal.UnsealWith(t.Context(), device, header, seal.Proof{PIN: "999999"}, pins); err == nil {
			t.Fatal("opened")
		}
	}
	refusesProof(t, device, header, seal.Proof{PIN: pin}, seal.ErrLockout)
	got := recovered(t, device, header, seal.Setup{PIN: "20262026"}, k)
	if _, failed, _, _, err := seal.Lockout(t.Context(), device); err != nil || failed != 0 {
		t.Fatalf("%d failures are remembered, %v", failed, err)
	}
	if anchorValue(t, device, got) != value || seal.AnchorIndex(got) != seal.AnchorIndex(k) {
		t.Fatal("the anchor is another one")
	}
	if !bytes.Equal(seal.NewAttestor(device, got).Public(), seal.NewAttestor(device, k).Public()) {
		t.Fatal("the attestation key is another one")
	}
	unsealed(t, device, header, seal.Proof{PIN: "20262026"}, k)
	if n, err := seal.Indexes(t.Context(), device); err != nil || n != 2 {
		t.Fatalf("%d indexes, %v", n, err)
	}
	write(t, header, old)
	refusesProof(t, device, header, seal.Proof{PIN: pin}, seal.ErrCounterMissing)
}

func TestRecoverWithCountersGoneOrForged(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	generation, err := seal.CounterIndex(header)
	if err != nil {
		t.Fatal(err)
	}
	anchor := seal.AnchorIndex(k)
	owner(t, func(o seal.Owner) error { return o.RemoveCounter(generation) })
	refuses(t, device, header, seal.ErrCounterMissing)
	k = recovered(t, device, header, seal.Setup{}, k)
	if seal.AnchorIndex(k) != anchor {
		t.Fatal("a whole anchor was replaced")
	}
	for _, forge := range []bool{false, true} {
		owner(t, func(o seal.Owner) error { return o.RemoveCounter(seal.AnchorIndex(k)) })
		if forge {
			owner(t, func(o seal.Owner) error { return o.MakeCounter(seal.AnchorIndex(k), true) })
		}
		k = recovered(t, device, header, seal.Setup{}, k)
		k = unsealed(t, device, header, seal.Proof{}, k)
		counts(t, device, k)
	}
}

func TestSheetsThatDoNotOpen(t *testing.T) {
	device := sealtest.TPM(t)
	header, _ := sheeted(t, device, seal.Setup{})
	whole := read(t, header)
	for _, device := range []string{device, sealtest.Another(t)} {
		_, err := seal.Recover(t.Context(), device, header, sheet(2), seal.Setup{Now: now})
		if !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatal(err, seal.Detail(err))
		}
	}
	if err := seal.TestRecovery(header, sheet(2)); !errors.Is(err, recovery.ErrWrongSeed) {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, header), whole) {
		t.Fatal("the header changed")
	}
	if n, err := seal.Indexes(t.Context(), device); err != nil || n != 2 {
		t.Fatalf("%d indexes, %v", n, err)
	}
	bare, _ := store(t)
	if _, err := seal.Recover(t.Context(), device, bare, sheet(1), seal.Setup{Now: now}); !isFault(err, seal.ErrNoRecovery) {
		t.Fatal(err)
	}
	if err := seal.TestRecovery(bare, sheet(1)); !isFault(err, seal.ErrNoRecovery) {
		t.Fatal(err)
	}
	if err := seal.TestRecovery(filepath.Join(t.TempDir(), "none"), sheet(1)); !isFault(err, seal.ErrNoHeader) {
		t.Fatal(err)
	}
}

// TestSwappedSlots: a recovery slot opens in its own store and generation only,
// and whoever forges a whole header for the sheet is found out by its MAC.
func TestSwappedSlots(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	other, _ := sheeted(t, device, seal.Setup{})
	next := begun(t, device, header, seal.Proof{})
	whole := read(t, header)
	var foreign seal.Header
	if err := seal.Alter(other, func(h *seal.Header) { foreign = *h }); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(h *seal.Header)
		want   *fault.Error
	}{
		"of another store":      {func(h *seal.Header) { h.Roots[1].Recovery = foreign.Roots[0].Recovery }, recovery.ErrWrongSeed},
		"of another generation": {func(h *seal.Header) { h.Roots[1].Recovery = h.Roots[0].Recovery }, recovery.ErrWrongSeed},
		"both swapped": {func(h *seal.Header) {
			h.Roots[0].Recovery, h.Roots[1].Recovery = h.Roots[1].Recovery, h.Roots[0].Recovery
		}, recovery.ErrWrongSeed},
		"older of another store": {func(h *seal.Header) { h.Roots[0].Recovery = foreign.Roots[0].Recovery }, seal.ErrHeader},
		"another store's name":   {func(h *seal.Header) { h.StoreID = foreign.StoreID }, recovery.ErrWrongSeed},
		"root of a thief":        {func(h *seal.Header) { h.Roots = h.Roots[1:]; h.AnothersSheet(sheet(1).Public()) }, seal.ErrHeader},
		"sheet of a thief":       {func(h *seal.Header) { h.Roots = h.Roots[1:]; h.AnothersSheet(sheet(2).Public()) }, recovery.ErrWrongSeed},
		"a later creation":       {func(h *seal.Header) { h.Created = h.Created.AddDate(1, 0, 0) }, seal.ErrHeader},
	} {
		write(t, header, whole)
		alter(t, header, c.change)
		_, err := seal.Recover(t.Context(), sealtest.TPM(t), header, sheet(1), seal.Setup{Now: now})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
		if err := seal.TestRecovery(header, sheet(1)); !errors.Is(err, c.want) {
			t.Errorf("%s: rehearsal: %v; want %v", name, err, c.want)
		}
	}
	write(t, header, whole)
	both := recovered(t, sealtest.Another(t), header, seal.Setup{}, next)
	if old, ok := both.At(k.Generation()); !ok || old.Derive("test") != k.Derive("test") {
		t.Fatal("the older generation is lost")
	}
}

func TestSetRecovery(t *testing.T) {
	device := sealtest.TPM(t)
	header, want := store(t)
	bare := read(t, header)
	k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Wipe)
	if !k.Slot().IsZero() || !k.Recovery().IsZero() || k.Status().Recovery || k.Slot().Bytes() != nil {
		t.Fatal("a sheet in force")
	}
	for n := range 2 {
		public := sheet(n + 1).Public()
		if err := seal.SetRecovery(t.Context(), device, header, seal.Proof{Key: k}, public); err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		if k.Slot().Fingerprint() != public.Fingerprint() || k.Recovery() != public || !k.Status().Recovery {
			t.Fatal("the key does not know")
		}
		if err := seal.TestRecovery(header, sheet(n+1)); err != nil {
			t.Fatal(err)
		}
		if err := seal.TestRecovery(header, sheet(2-n)); !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatal(err)
		}
		if _, err := os.Stat(header + ".prev"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("the former slot is kept", err)
		}
		unsealed(t, device, header, seal.Proof{}, k)
	}
	if k.Derive("test") != want {
		t.Fatal("another root key")
	}
	write(t, header, bare)
	refuses(t, device, header, seal.ErrGeneration)
	if err := seal.SetRecovery(t.Context(), device, header, seal.Proof{}, recovery.Public{}); !errors.Is(err, recovery.ErrPublic) {
		t.Fatal(err)
	}
}

// TestSetRecoveryKeepsThePIN: with the key in memory nobody types it.
func TestSetRecoveryKeepsThePIN(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{PIN: pin})
	for _, c := range []struct {
		p    seal.Proof
		want *fault.Error
	}{{seal.Proof{}, seal.ErrPINNeeded}, {seal.Proof{PIN: "1"}, seal.ErrPINShape}, {seal.Proof{PIN: "999999"}, seal.ErrPIN}} {
		if err := seal.SetRecovery(t.Context(), device, header, c.p, sheet(2).Public()); !isFault(err, c.want) {
			t.Fatal(err)
		}
	}
	if err := seal.SetRecovery(t.Context(), device, header, seal.Proof{Key: k, PIN: "999999"}, sheet(2).Public()); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k = unsealed(t, device, header, seal.Proof{PIN: pin}, k)
	if err := seal.Reseal(t.Context(), device, header, seal.Proof{Key: k}, seal.Setup{PIN: "20262026"}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if err := seal.SetRecovery(t.Context(), device, header, seal.Proof{Key: k}, sheet(1).Public()); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	unsealed(t, device, header, seal.Proof{PIN: "20262026"}, k)
}

// adoptUntil adopts a slot and calls after each step.
func adoptUntil(ctx context.Context, device, header, slotHex string, after func(string)) error {
	b, err := hex.DecodeString(slotHex)
	if err != nil {
		return err
	}
	slot, err := seal.ParseSlot(b)
	if err != nil {
		return err
	}
	_, err = seal.AdoptSteps(ctx, device, header, slot, sheet(1), seal.Setup{Now: now}, after)
	return err
}

func TestAdoptFromABackup(t *testing.T) {
	here, there := sealtest.TPM(t), sealtest.Another(t)
	header, k := sheeted(t, here, seal.Setup{PIN: pin})
	slot, err := seal.ParseSlot(k.Slot().Bytes())
	if err != nil || slot.StoreID() != k.StoreID() || slot.Generation() != 1 || slot.Fingerprint() != sheet(1).Public().Fingerprint() {
		t.Fatal(err)
	}
	if _, err := seal.Adopt(t.Context(), here, header, slot, sheet(1), seal.Setup{Now: now}); !isFault(err, seal.ErrExists) {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "coffer.seal")
	if _, err := seal.Adopt(t.Context(), there, fresh, slot, sheet(2), seal.Setup{Now: now}); !errors.Is(err, recovery.ErrWrongSeed) {
		t.Fatal(err)
	}
	got, err := seal.Adopt(t.Context(), there, fresh, slot, sheet(1), seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(got.Wipe)
	sameKey(t, got, k)
	unsealed(t, there, fresh, seal.Proof{}, k)
	if err := seal.TestRecovery(fresh, sheet(1)); err != nil {
		t.Fatal(err)
	}
	next := begun(t, there, fresh, seal.Proof{Key: got})
	if err := seal.EndRotation(t.Context(), there, fresh, seal.Proof{Key: got}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	sameKey(t, got, next)
	unsealed(t, there, fresh, seal.Proof{}, next)

	// On the box that the backup was made on, the sheet ends a lockout too.
	if _, err := seal.Unseal(t.Context(), here, header, seal.Proof{PIN: "999999"}); !isFault(err, seal.ErrPIN) {
		t.Fatal(err)
	}
	again, err := seal.Adopt(t.Context(), here, filepath.Join(t.TempDir(), "coffer.seal"), slot, sheet(1), seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(again.Wipe)
	if _, failed, _, _, err := seal.Lockout(t.Context(), here); err != nil || failed != 0 {
		t.Fatalf("%d failures are remembered, %v", failed, err)
	}
}

func TestSlotsThatAreNone(t *testing.T) {
	_, k := sheeted(t, sealtest.TPM(t), seal.Setup{})
	whole := k.Slot().Bytes()
	for name, c := range map[string]struct {
		b    []byte
		want *fault.Error
	}{
		"empty":        {nil, seal.ErrHeader},
		"head alone":   {whole[:53], seal.ErrHeader},
		"too long":     {append(bytes.Clone(whole), make([]byte, 2048)...), seal.ErrHeader},
		"newer":        {append([]byte{2}, whole[1:]...), seal.ErrLevel},
		"generation 0": {append(append(bytes.Clone(whole[:17]), 0, 0, 0, 0), whole[21:]...), seal.ErrHeader},
		"of no store":  {append(append([]byte{1}, make([]byte, 16)...), whole[17:]...), seal.ErrHeader},
	} {
		if _, err := seal.ParseSlot(c.b); !isFault(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for at := 1; at < len(whole); at += 7 { // changed anywhere, it opens nothing
		if at >= 21 && at < 53 {
			continue // the fingerprint only helps a person
		}
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		slot, err := seal.ParseSlot(b)
		if err != nil {
			t.Fatal(at, err)
		}
		_, err = seal.Adopt(t.Context(), sealtest.TPM(t), filepath.Join(t.TempDir(), "x"), slot, sheet(1), seal.Setup{Now: now})
		if !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatal(at, err)
		}
	}
}

// FuzzParseSlot: what is read is written as it was.
func FuzzParseSlot(f *testing.F) {
	f.Add([]byte{1})
	f.Add(append(append([]byte{1}, bytes.Repeat([]byte{7}, 52)...), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := seal.ParseSlot(b)
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatalf("%x", s.Bytes())
		}
		if err != nil && !isFault(err, seal.ErrHeader) && !isFault(err, seal.ErrLevel) {
			t.Fatal(err)
		}
	})
}
