package seal_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// box is a machine with a TPM that can be started again: its PCRs begin anew
// and take up what firmware and software measure.
type box struct {
	t      *testing.T
	dir    string
	device string
	stop   func() error
	header string
}

// newBox starts a machine whose firmware measures Secure Boot as on.
func newBox(t *testing.T) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, dir: dir, header: filepath.Join(t.TempDir(), "coffer.seal")}
	t.Cleanup(func() {
		b.off()
		os.RemoveAll(dir)
	})
	b.boot("secure boot on", "image 1")
	return b
}

// off takes the power away.
func (b *box) off() {
	b.t.Helper()
	if b.stop == nil {
		return
	}
	if err := b.stop(); err != nil {
		b.t.Fatal(err)
	}
	b.stop = nil
}

// boot starts the machine anew: firmware goes to PCR 7, software to PCR 11.
func (b *box) boot(firmware, software string) {
	b.t.Helper()
	b.off()
	var err error
	if b.device, b.stop, err = seal.StartSoftwareTPM(context.Background(), b.dir); err != nil {
		b.t.Fatal(err, seal.Detail(err))
	}
	if firmware != "" {
		b.extend(7, firmware)
	}
	b.extend(11, software)
}

func (b *box) extend(pcr uint, event string) {
	b.t.Helper()
	if err := seal.Extend(b.t.Context(), b.device, pcr, event); err != nil {
		b.t.Fatal(err, seal.Detail(err))
	}
}

// provision seals a new store and returns what tells its root key.
func (b *box) provision(s seal.Setup) [32]byte {
	b.t.Helper()
	s.Now = now
	k, err := seal.Provision(b.t.Context(), b.device, b.header, s)
	if err != nil {
		b.t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	return k.Derive("test")
}

// opens fails the test unless the header opens to the root key of want.
func (b *box) opens(p seal.Proof, want [32]byte) {
	b.t.Helper()
	k, err := seal.Unseal(b.t.Context(), b.device, b.header, p)
	if err != nil {
		b.t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if k.Derive("test") != want {
		b.t.Fatal("another root key")
	}
}

// refuses fails the test unless the header is refused with want.
func (b *box) refuses(p seal.Proof, want *fault.Error) {
	b.t.Helper()
	refusesProof(b.t, b.device, b.header, p, want)
}

func (b *box) reseal(p seal.Proof, s seal.Setup) {
	b.t.Helper()
	if err := seal.Reseal(b.t.Context(), b.device, b.header, p, s); err != nil {
		b.t.Fatal(err, seal.Detail(err))
	}
}

func TestMeasuredOpensWhatIsSignedOnly(t *testing.T) {
	for name, p := range map[string]publisher{"ecdsa": newPublisher(t), "rsa": newRSAPublisher(t)} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			b := newBox(t)
			setup, first := p.measured("image 1", "2026-1")
			want := b.provision(setup)
			b.opens(first, want)

			b.boot("secure boot on", "image 2")
			_, second := p.measured("image 2", "2026-1")
			b.opens(second, want) // a new release needs no re-seal
			b.refuses(first, seal.ErrUnsignedBoot)
			b.refuses(seal.Proof{}, seal.ErrUnsignedBoot)

			b.boot("secure boot on", "image 1 with another command line")
			b.refuses(first, seal.ErrUnsignedBoot) // the stolen signature signs another image
			_, foreign := newPublisher(t).measured("image 1 with another command line", "2026-1")
			b.refuses(foreign, seal.ErrUnsignedBoot)
			renamed := newPublisher(t).sign("image 1 with another command line", "2026-1")
			fp := sha256.Sum256(p.pkix())
			renamed.PKFP = hex.EncodeToString(fp[:])
			b.refuses(seal.Proof{Signatures: file(t, renamed)}, seal.ErrUnsignedBoot)

			b.boot("secure boot off", "image 1")
			b.refuses(first, seal.ErrFirmwareChanged)
			b.boot("", "image 1")
			b.refuses(first, seal.ErrSecureBootOff)
			b.boot("secure boot on", "image 1")
			b.opens(first, want)
		})
	}
}

// TestSignatureWithoutEpoch is systemd's own: it signs for no epoch of ours.
func TestSignatureWithoutEpoch(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, first := p.measured("image 1", "2026-1")
	want := b.provision(setup)
	b.refuses(seal.Proof{Signatures: file(t, p.sign("image 1", ""))}, seal.ErrUnsignedBoot)
	b.opens(first, want)
}

func TestAfterReadyNothingUnseals(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, first := p.measured("image 1", "1")
	want := b.provision(setup)
	k, err := seal.Unseal(t.Context(), b.device, b.header, first)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if err := seal.MeasureReady(t.Context(), b.device); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	b.refuses(first, seal.ErrUnsignedBoot)
	forged := first
	forged.Key = k
	b.refuses(forged, seal.ErrUnsignedBoot) // Unseal asks the TPM, whatever is in memory

	// The daemon that has the key can still seal it anew, to what it was
	// started from only.
	next, second := p.measured("image 1", "2")
	unsigned := next
	unsigned.Release.Signatures = file(t, p.sign("image 2", "2"))
	held := seal.Proof{Key: k}
	if err := seal.Reseal(t.Context(), b.device, b.header, held, unsigned); !isFault(err, seal.ErrUnsignedBoot) {
		t.Fatal(err)
	}
	b.reseal(held, next)
	b.refuses(second, seal.ErrUnsignedBoot)
	b.boot("secure boot on", "image 1")
	b.opens(second, want)
}

// TestRotationAfterReady: the running daemon exchanges the root key at level
// measured, with a PIN and nobody there, though the TPM gives it nothing any
// more; the next start opens by what was started and the PIN.
func TestRotationAfterReady(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, proof := p.measured("image 1", "1")
	setup.PIN, proof.PIN = pin, pin
	b.provision(setup)
	k, err := seal.Unseal(t.Context(), b.device, b.header, proof)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if err := seal.MeasureReady(t.Context(), b.device); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	held := seal.Proof{Key: k, Signatures: proof.Signatures}
	next, err := seal.BeginRotation(t.Context(), b.device, b.header, held)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer next.Wipe()
	held.Key = next
	if err := seal.EndRotation(t.Context(), b.device, b.header, held); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	b.refuses(proof, seal.ErrUnsignedBoot)
	b.boot("secure boot on", "image 1")
	b.opens(proof, next.Derive("test"))
}

func TestOldReleaseIsShutOutByTheEpoch(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, first := p.measured("image 1", "1")
	want := b.provision(setup)
	old := read(t, b.header)

	b.boot("secure boot on", "image 2")
	both := seal.Proof{Signatures: file(t, p.sign("image 2", "1"), p.sign("image 2", "2"))}
	b.opens(both, want) // still under the first epoch
	next, _ := p.measured("image 2", "2")
	next.Release.Signatures = nil // Proof has them
	b.reseal(both, next)
	b.opens(both, want)

	b.boot("secure boot on", "image 1")
	b.refuses(first, seal.ErrUnsignedBoot)
	write(t, b.header, old)
	b.refuses(first, seal.ErrGeneration)
}

func TestSecureBootLevel(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{Level: seal.SecureBoot})
	b.opens(seal.Proof{}, want)
	b.extend(7, "a driver of somebody's") // and the daemon starts again
	b.refuses(seal.Proof{}, seal.ErrFirmwareChanged)
	if _, err := seal.Inspect(t.Context(), b.device, b.header); !isFault(err, seal.ErrFirmwareChanged) {
		t.Fatal(err)
	}
	b.boot("secure boot on", "whatever")
	b.opens(seal.Proof{}, want)
	if s, err := seal.Inspect(t.Context(), b.device, b.header); err != nil || s.Level != seal.SecureBoot || s.PIN {
		t.Fatal(s, err)
	}
	b.boot("another db", "whatever")
	b.refuses(seal.Proof{}, seal.ErrFirmwareChanged)
}

func TestNothingIsSealedToASecureBootThatIsOff(t *testing.T) {
	b := newBox(t)
	b.boot("", "image 1")
	for _, level := range []seal.Level{seal.SecureBoot, seal.Measured} {
		setup, _ := newPublisher(t).measured("image 1", "1")
		setup.Level, setup.Now = level, now
		_, err := seal.Provision(t.Context(), b.device, b.header, setup)
		if !isFault(err, seal.ErrSecureBootOff) {
			t.Fatal(level, err)
		}
	}
	b.boot("on", "image 1")
	off, err := hex.DecodeString(seal.SecureBootOff)
	if err != nil {
		t.Fatal(err)
	}
	_, err = seal.Provision(t.Context(), b.device, b.header, seal.Setup{Now: now, Level: seal.SecureBoot, Firmware: off})
	if !isFault(err, seal.ErrSecureBootOff) {
		t.Fatal(err)
	}
}

// TestSecureBootOffIsWhatFirmwareMeasures computes the constant: the empty
// variables of a machine without keys (TCG PC Client Platform Firmware
// Profile, UEFI_VARIABLE_DATA), and the separator.
func TestSecureBootOffIsWhatFirmwareMeasures(t *testing.T) {
	global := unhex(t, "61dfe48bca93d211aa0d00e098032b8c")
	images := unhex(t, "cbb219d73a3d9645a3bcdad00e67656f")
	var value [32]byte
	extend := func(event []byte) {
		sum := sha256.Sum256(event)
		value = sha256.Sum256(append(value[:], sum[:]...))
	}
	for _, v := range []struct {
		vendor []byte
		name   string
		data   []byte
	}{{global, "SecureBoot", []byte{0}}, {global, "PK", nil}, {global, "KEK", nil}, {images, "db", nil}, {images, "dbx", nil}} {
		event := append([]byte(nil), v.vendor...)
		event = append(event, byte(len(v.name)), 0, 0, 0, 0, 0, 0, 0, byte(len(v.data)), 0, 0, 0, 0, 0, 0, 0)
		for _, c := range []byte(v.name) {
			event = append(event, c, 0)
		}
		extend(append(event, v.data...))
	}
	extend(make([]byte, 4))
	if got := hex.EncodeToString(value[:]); got != seal.SecureBootOff {
		t.Fatal(got)
	}
}

// TestAnnouncedFirmware seals to the state before and after a firmware update:
// the box opens either way, and nothing else does.
func TestAnnouncedFirmware(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{Level: seal.SecureBoot})
	event := sha256.Sum256([]byte("secure boot on, new dbx"))
	announced := sha256.Sum256(append(make([]byte, 32), event[:]...))
	b.reseal(seal.Proof{}, seal.Setup{Level: seal.SecureBoot, Firmware: announced[:]})
	b.opens(seal.Proof{}, want)
	b.boot("secure boot on", "image 1") // the update did not happen
	b.opens(seal.Proof{}, want)
	b.boot("secure boot on, new dbx", "image 1")
	b.opens(seal.Proof{}, want)
	if _, err := seal.Inspect(t.Context(), b.device, b.header); err != nil {
		t.Fatal(err)
	}
	b.reseal(seal.Proof{}, seal.Setup{Level: seal.SecureBoot})
	b.opens(seal.Proof{}, want)
	b.boot("secure boot on", "image 1") // the old state is shut out now
	b.refuses(seal.Proof{}, seal.ErrFirmwareChanged)
}

func TestSetupsThatCannotBe(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	good, _ := p.measured("image 1", "1")
	release := func(key []byte, epoch string) seal.Setup {
		return seal.Setup{Level: seal.Measured, Release: seal.Release{Key: key, Epoch: epoch, Signatures: good.Release.Signatures}}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Log("this Go makes no small keys:", err)
		small = nil
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		setup seal.Setup
		want  *fault.Error
	}{
		"software":         {seal.Setup{Level: seal.Software}, seal.ErrSoftware},
		"unknown level":    {seal.Setup{Level: "none"}, seal.ErrSetup},
		"firmware, bound":  {seal.Setup{Firmware: make([]byte, 32)}, seal.ErrSetup},
		"firmware, short":  {seal.Setup{Level: seal.SecureBoot, Firmware: make([]byte, 31)}, seal.ErrSetup},
		"no release key":   {release(nil, "1"), seal.ErrRelease},
		"another curve":    {release(publisher{t, p384}.pkix(), "1"), seal.ErrRelease},
		"no epoch":         {release(p.pkix(), ""), seal.ErrRelease},
		"epoch of a novel": {release(p.pkix(), "it was the best of times"), seal.ErrRelease},
		"long epoch":       {release(p.pkix(), "123456789012345678901234567890123"), seal.ErrRelease},
		"unsigned":         {release(p.pkix(), "2"), seal.ErrUnsignedBoot},
		"short PIN":        {seal.Setup{PIN: "12345"}, seal.ErrPINShape},
		"long PIN":         {seal.Setup{PIN: "1234567890123"}, seal.ErrPINShape},
		"word for a PIN":   {seal.Setup{PIN: "passw0rd"}, seal.ErrPINShape},
	}
	if small != nil {
		cases["small key"] = struct {
			setup seal.Setup
			want  *fault.Error
		}{release(publisher{t, small}.pkix(), "1"), seal.ErrRelease}
	}
	for name, c := range cases {
		c.setup.Now = now
		k, err := seal.Provision(t.Context(), b.device, b.header, c.setup)
		if !isFault(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			k.Wipe()
		}
		if _, err := os.Stat(b.header); err == nil {
			t.Fatalf("%s: a header", name)
		}
	}
	// None of them keeps an index of the TPM.
	for range 8 {
		b.provision(seal.Setup{})
		if err := os.Remove(b.header); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResealThatWouldNotOpenChangesNothing is why the new seal is tried first.
func TestResealThatWouldNotOpenChangesNothing(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	want := b.provision(seal.Setup{Level: seal.SecureBoot})
	before := read(t, b.header)
	setup, _ := p.measured("an image that does not run", "1")
	if err := seal.Reseal(t.Context(), b.device, b.header, seal.Proof{}, setup); !isFault(err, seal.ErrUnsignedBoot) {
		t.Fatal(err)
	}
	if string(read(t, b.header)) != string(before) {
		t.Fatal("the header changed")
	}
	b.opens(seal.Proof{}, want)
}
