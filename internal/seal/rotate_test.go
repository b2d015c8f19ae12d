package seal_test

import (
	"bytes"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// begun begins a rotation and returns the next key.
func begun(t *testing.T, device, header string, p seal.Proof) *seal.Key {
	t.Helper()
	next, err := seal.BeginRotation(t.Context(), device, header, p)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(next.Wipe)
	return next
}

func ended(t *testing.T, device, header string, p seal.Proof) {
	t.Helper()
	if err := seal.EndRotation(t.Context(), device, header, p); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
}

// holds fails unless k holds the root keys of want.
func holds(t *testing.T, k *seal.Key, want ...[32]byte) {
	t.Helper()
	for i, w := range want {
		at, ok := k.At(uint32(i + 1))
		if w == [32]byte{} {
			if ok {
				t.Fatalf("generation %d is held", i+1)
			}
			continue
		}
		if !ok || at.Derive("test") != w || at.Generation() != uint32(i+1) || at.StoreID() != k.StoreID() {
			t.Fatalf("generation %d is another, or none", i+1)
		}
		if s := at.Slot(); !s.IsZero() && s.Generation() != uint32(i+1) {
			t.Fatalf("generation %d has the slot of %d", i+1, s.Generation())
		}
	}
}

var gone32 [32]byte // a generation that is not held

func TestRotation(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{PIN: pin})
	one, original := k.Derive("test"), read(t, header)
	next := begun(t, device, header, seal.Proof{Key: k}) // nobody types a PIN
	two := next.Derive("test")
	if one == two || next.Generation() != 2 || k.Generation() != 1 || k.StoreID() != next.StoreID() {
		t.Fatalf("generation %d after %d", next.Generation(), k.Generation())
	}
	holds(t, next, one, two)
	holds(t, k, one, two)
	both := read(t, header)
	restarted := unsealed(t, device, header, seal.Proof{PIN: pin}, next)
	holds(t, restarted, one, two)
	if s := restarted.Status(); !s.Rotating || !s.Recovery || !s.PIN {
		t.Fatalf("%+v", s)
	}
	for name, err := range map[string]error{
		"re-seal":   seal.Reseal(t.Context(), device, header, seal.Proof{PIN: pin}, seal.Setup{}),
		"new sheet": seal.SetRecovery(t.Context(), device, header, seal.Proof{Key: k}, sheet(2).Public()),
	} {
		if !isFault(err, seal.ErrRotating) {
			t.Fatal(name, err)
		}
	}
	again := begun(t, device, header, seal.Proof{PIN: pin})
	holds(t, again, one, two)
	holds(t, begun(t, device, header, seal.Proof{Key: k}), one, two)
	if !bytes.Equal(both, read(t, header)) {
		t.Fatal("the header changed")
	}
	anchor := anchorValue(t, device, k)
	ended(t, device, header, seal.Proof{Key: k})
	holds(t, k, gone32, two)
	if k.Status().Rotating || k.Slot().Generation() != 2 || anchorValue(t, device, k) != anchor {
		t.Fatalf("%+v", k.Status())
	}
	holds(t, unsealed(t, device, header, seal.Proof{PIN: pin}, next), gone32, two)
	if err := seal.TestRecovery(header, sheet(1)); err != nil {
		t.Fatal(err)
	}
	for name, old := range map[string][]byte{"first": original, "both": both} {
		write(t, header+"."+name, old)
		refusesProof(t, device, header+"."+name, seal.Proof{PIN: pin}, seal.ErrGeneration)
	}
	done := read(t, header)
	ended(t, device, header, seal.Proof{Key: k})
	if !bytes.Equal(done, read(t, header)) {
		t.Fatal("a finished rotation was ended again")
	}
	three := begun(t, device, header, seal.Proof{PIN: pin})
	holds(t, three, gone32, two, three.Derive("test"))
	ended(t, device, header, seal.Proof{PIN: pin})
	unsealed(t, device, header, seal.Proof{PIN: pin}, three)
}

// TestRotationAtLevelMeasured: the TPM gives the root key out no more once the
// box is ready, and the rotation needs it not.
func TestRotationAtLevelMeasured(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, proof := p.measured("image 1", "1")
	setup.Recovery = sheet(1).Public()
	b.provision(setup)
	k, err := seal.Unseal(t.Context(), b.device, b.header, proof)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(k.Wipe)
	if err := seal.MeasureReady(t.Context(), b.device); err != nil {
		t.Fatal(err)
	}
	b.refuses(proof, seal.ErrUnsignedBoot)
	held := proof
	held.Key = k
	next := begun(t, b.device, b.header, held)
	two := next.Derive("test")
	ended(t, b.device, b.header, held)
	b.boot("secure boot on", "image 1")
	b.opens(proof, two)
	b.boot("secure boot on", "image 2")
	b.refuses(proof, seal.ErrUnsignedBoot)
}

// TestKilledRotationOpensAtTheStoresGeneration: as long as the store may name
// either generation, both open; and what was cut short is finished.
func TestKilledRotationOpensAtTheStoresGeneration(t *testing.T) {
	device := sealtest.TPM(t)
	for _, step := range []string{"both", "incremented", "one"} {
		header, k := sheeted(t, device, seal.Setup{})
		one, original := k.Derive("test"), read(t, header)
		killed(t, "begin-rotation", "both generations", device, header)
		next := begun(t, device, header, seal.Proof{})
		two, whole := next.Derive("test"), read(t, header)
		holds(t, unsealed(t, device, header, seal.Proof{}, next), one, two)
		killed(t, "end-rotation", step, device, header)
		k = unsealed(t, device, header, seal.Proof{}, next)
		holds(t, k, gone32, two)
		if k.Status().Rotating != (step != "one") {
			t.Fatalf("after %q: %+v", step, k.Status())
		}
		ended(t, device, header, seal.Proof{Key: k})
		if k = unsealed(t, device, header, seal.Proof{}, next); k.Status().Rotating {
			t.Fatalf("after %q: not finished", step)
		}
		for _, old := range [][]byte{original, whole} {
			write(t, header+".old", old)
			refuses(t, device, header+".old", seal.ErrGeneration)
		}
	}
}
