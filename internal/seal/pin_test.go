package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	pin      = "482913"
	wrongPIN = "482914"
)

func TestPINOpens(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{PIN: pin})
	b.opens(seal.Proof{PIN: pin}, want)
	b.refuses(seal.Proof{}, seal.ErrPINNeeded)
	b.refuses(seal.Proof{PIN: "letmein"}, seal.ErrPINShape)
	if s, err := seal.Inspect(t.Context(), b.device, b.header); err != nil || !s.PIN || s.Level != seal.Bound {
		t.Fatal(s, err)
	}
	if _, failed, _, _, err := seal.Lockout(t.Context(), b.device); err != nil || failed != 0 {
		t.Fatal("a PIN that was none was counted", failed, err)
	}
}

func TestPINAtLevelMeasured(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, proof := p.measured("image 1", "1")
	setup.PIN = pin
	want := b.provision(setup)
	proof.PIN = pin
	b.opens(proof, want)
	b.boot("secure boot on", "image 2")
	b.refuses(proof, seal.ErrUnsignedBoot) // and the PIN is not tried
	b.boot("secure boot on", "image 1")
	proof.PIN = wrongPIN
	b.refuses(proof, seal.ErrPIN)
}

// TestTenWrongPINs: the TPM counts, across restarts, and says how long to wait.
func TestTenWrongPINs(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{PIN: pin})
	held, failed, triesMax, forgottenS, err := seal.Lockout(t.Context(), b.device)
	if err != nil || !held || failed != 0 || triesMax != 10 || forgottenS != 600 {
		t.Fatal(held, failed, triesMax, forgottenS, err)
	}
	pins := new(seal.Pins)
	try := func(text string) error {
		k, err := seal.UnsealWith(t.Context(), b.device, b.header, seal.Proof{PIN: text}, pins)
		if err == nil {
			defer k.Wipe()
			if k.Derive("test") != want {
				t.Fatal("another root key")
			}
		}
		return err
	}
	// Three wrong ones, then the right one: the count starts over.
	for left := 9; left >= 7; left-- {
		wrong(t, try(wrongPIN), left)
	}
	if err := try(pin); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	for left := 9; left >= 5; left-- {
		wrong(t, try(wrongPIN), left)
	}
	// A restart does not help: one without TPM2_Shutdown, as at a power cut, even
	// counts as a wrong attempt after there was one.
	b.boot("secure boot on", "image 1")
	for left := 3; left >= 1; left-- {
		wrong(t, try(wrongPIN), left)
	}
	locked(t, try(wrongPIN))
	locked(t, try(pin))
	b.boot("secure boot on", "image 1")
	locked(t, try(pin))
	if _, failed, _, _, err = seal.Lockout(t.Context(), b.device); err != nil || failed != 10 {
		t.Fatal(failed, err)
	}
	// A store without a PIN does not suffer from it.
	other := filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), b.device, other, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	if k, err = seal.Unseal(t.Context(), b.device, other, seal.Proof{}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	// Nobody resets the count without the authorization that the store keeps.
	if err := seal.ResetLockout(t.Context(), b.device, ""); err == nil {
		t.Fatal("the empty authorization resets the count")
	}
	locked(t, try(pin))
}

// wrong fails the test unless err is a wrong PIN with so many attempts left.
func wrong(t *testing.T, err error, left int) {
	t.Helper()
	want := fault.New(fault.Sealed, "The PIN is wrong. Attempts left before the TPM locks itself: %v. Enter it again, or use the recovery sheet if nobody knows it (SEAL-019).", fault.Int(left))
	if !isFault(err, seal.ErrPIN) || fault.Message(err) != want.Message() {
		t.Fatalf("%v; want %v", err, want)
	}
}

// locked fails the test unless err is the lockout with its ten minutes.
func locked(t *testing.T, err error) {
	t.Helper()
	if !isFault(err, seal.ErrLockout) || !strings.Contains(fault.Message(err), "for 10 minutes at most") {
		t.Fatal(err, seal.Detail(err))
	}
}

func TestTPMCannotBeClearedByRootWithAPIN(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{PIN: pin})
	if err := seal.WithOwner(t.Context(), b.device, seal.Owner.Clear); err == nil {
		t.Fatal("cleared with the empty lockout authorization")
	}
	if err := seal.WithOwner(t.Context(), b.device, seal.Owner.ClearInFirmware); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	b.refuses(seal.Proof{PIN: pin}, seal.ErrOtherTPM)
	// The cleared TPM is free for a new store with a PIN.
	b.header = filepath.Join(t.TempDir(), "coffer.seal")
	if again := b.provision(seal.Setup{PIN: pin}); again == want {
		t.Fatal("the same root key")
	}
	b.refuses(seal.Proof{}, seal.ErrPINNeeded)
}

// TestLockoutThatSomebodyElseHolds: a second store leaves it alone, unless it
// allows too many guesses.
func TestLockoutThatSomebodyElseHolds(t *testing.T) {
	b := newBox(t)
	if err := seal.HoldLockout(t.Context(), b.device, "cafe", 32, 600); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	b.provision(seal.Setup{PIN: pin}) // which proves that it opens
	wrong(t, b.try(wrongPIN), 31)
	for _, weak := range [][2]uint32{{1000, 600}, {10, 0}, {0, 600}} {
		b := newBox(t)
		if err := seal.HoldLockout(t.Context(), b.device, "cafe", weak[0], weak[1]); err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		k, err := seal.Provision(t.Context(), b.device, b.header, seal.Setup{Now: now, PIN: pin})
		if !isFault(err, seal.ErrLockoutHeld) {
			if err == nil {
				k.Wipe()
			}
			t.Fatal(weak, err)
		}
	}
}

func (b *box) try(pin string) error {
	k, err := seal.Unseal(b.t.Context(), b.device, b.header, seal.Proof{PIN: pin})
	if err == nil {
		k.Wipe()
	}
	return err
}

// TestLockoutValueIsOnDiskBeforeItIsSet: a kill between the two heals at the
// next unseal.
func TestLockoutValueIsOnDiskBeforeItIsSet(t *testing.T) {
	b := newBox(t)
	killed(t, "provision-pin", "header", b.device, b.header)
	if held, _, _, _, err := seal.Lockout(t.Context(), b.device); err != nil || held {
		t.Fatal(held, err)
	}
	k, err := seal.Unseal(t.Context(), b.device, b.header, seal.Proof{PIN: pin})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	held, _, triesMax, _, err := seal.Lockout(t.Context(), b.device)
	if err != nil || !held || triesMax != 10 {
		t.Fatal(held, triesMax, err)
	}
	_, _, lockout, err := seal.Auths(k, b.header)
	if err != nil || len(lockout) != 32 {
		t.Fatal(err)
	}
	if err := seal.ResetLockout(t.Context(), b.device, lockout); err != nil {
		t.Fatal("the value on disk is not the TPM's: ", err)
	}
}

func TestResealToAnotherPIN(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{})
	old := read(t, b.header)
	b.reseal(seal.Proof{}, seal.Setup{PIN: pin})
	b.refuses(seal.Proof{}, seal.ErrPINNeeded)
	const second = "000000000000"
	b.reseal(seal.Proof{PIN: pin}, seal.Setup{PIN: second})
	wrong(t, b.try(pin), 9)
	b.opens(seal.Proof{PIN: second}, want)
	write(t, b.header, old)
	b.refuses(seal.Proof{}, seal.ErrGeneration)
}

// TestBusHearsNothingOfThePIN listens to provisioning, unsealing and a re-seal
// with a PIN: neither secret, root key, PIN, its halves nor an authorization
// value of the TPM's indexes and lockout hierarchy is heard.
func TestBusHearsNothingOfThePIN(t *testing.T) {
	b := newBox(t)
	bus, device := tap(t, b.device)
	k, err := seal.Provision(t.Context(), device, b.header, seal.Setup{Now: now, PIN: pin})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	root := bytes.Clone(seal.Root(k))
	generation, anchor, lockout, err := seal.Auths(k, b.header)
	if err != nil {
		t.Fatal(err)
	}
	k.Wipe()
	secret, err := seal.Secret(t.Context(), device, b.header, seal.Proof{PIN: pin}, false)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	pins := new(seal.Pins)
	if k, err = seal.UnsealWith(t.Context(), device, b.header, seal.Proof{PIN: pin}, pins); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	wrong(t, func() error {
		_, err := seal.UnsealWith(t.Context(), device, b.header, seal.Proof{PIN: wrongPIN}, new(seal.Pins))
		return err
	}(), 9)
	if k, err = seal.UnsealWith(t.Context(), device, b.header, seal.Proof{PIN: pin}, pins); err != nil { // resets the count
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	if err := seal.Reseal(t.Context(), device, b.header, seal.Proof{PIN: pin}, seal.Setup{PIN: pin}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	half, rest := pins.Halves()
	for name, heard := range map[string][]byte{
		"root": root, "secret": secret, "PIN": []byte(pin), "half": []byte(half), "half in binary": unhex(t, half), "rest": rest,
		"generation": []byte(generation), "anchor": []byte(anchor), "lockout": []byte(lockout),
	} {
		if len(heard) == 0 || bus.contains(heard) || bus.contains([]byte(hex.EncodeToString(heard))) {
			t.Errorf("%s crossed the bus in clear", name)
		}
	}
	if !bus.contains(root[:0]) || bus.answers() < 50 {
		t.Fatal("the bus hears nothing, so this test proves nothing")
	}
}

// full makes the tests that turn bytes turn every one, and those that kill do
// so a hundred times; else they take a sample.
var full = flag.Bool("full", false, "turn every byte of every answer and header; a hundred rounds of kills")

func stride() int {
	if *full {
		return 1
	}
	return 13
}

// guarded is a box with a PIN, somebody on its bus, and the lockout value that
// takes back what flipped bits make the TPM count as wrong PINs.
type guarded struct {
	*box
	bus     *bus
	tapped  string
	pins    seal.Pins
	want    [32]byte
	lockout string
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{box: newBox(t)}
	g.want = g.provision(seal.Setup{PIN: pin})
	g.bus, g.tapped = tap(t, g.device)
	k, err := seal.UnsealWith(t.Context(), g.device, g.header, seal.Proof{PIN: pin}, &g.pins)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if _, _, g.lockout, err = seal.Auths(k, g.header); err != nil {
		t.Fatal(err)
	}
	return g
}

// tryTapped unseals over the bus.
func (g *guarded) tryTapped() error {
	k, err := seal.UnsealWith(g.t.Context(), g.tapped, g.header, seal.Proof{PIN: pin}, &g.pins)
	if err != nil {
		return err
	}
	defer k.Wipe()
	if k.Derive("test") != g.want {
		g.t.Fatal("a wrong key")
	}
	return nil
}

// TestFlippedAnswersWithAPIN flips one bit of each byte (with -full) of each
// answer of an unseal with a PIN in turn: never a wrong key.
func TestFlippedAnswersWithAPIN(t *testing.T) {
	g := newGuarded(t)
	var sizes []int
	g.bus.reset(func(_ int, answer []byte) []byte {
		sizes = append(sizes, len(answer))
		return answer
	})
	if err := g.tryTapped(); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	refused, tampered := 0, 0
	for n, size := range sizes {
		for at := n % stride(); at < size; at += stride() {
			if at >= 2 && at < 6 {
				continue // the size of the answer: the transport's own test
			}
			g.bus.reset(func(i int, answer []byte) []byte {
				if i == n+1 && at < len(answer) {
					answer[at] ^= 1 << (at % 8)
				}
				return answer
			})
			err := g.tryTapped()
			if err == nil {
				continue
			}
			refused++
			if fault.KindOf(err) != fault.Sealed || seal.Code(err) == "" {
				t.Fatalf("answer %d byte %d: %v", n, at, err)
			}
			if errors.Is(err, seal.ErrBusTampered) {
				tampered++
			}
			// The count is taken back past the bus. Where a flip made the daemon
			// show a wrong lockout value, the TPM takes none for a day.
			if err := seal.ResetLockout(t.Context(), g.device, g.lockout); err != nil {
				g = newGuarded(t)
			}
		}
	}
	t.Logf("%d answers, %d refusals, %d of them named tampering", len(sizes), refused, tampered)
	if refused < len(sizes) || tampered < refused/4 {
		t.Fatalf("%d answers, %d refusals, %d named tampering", len(sizes), refused, tampered)
	}
}
