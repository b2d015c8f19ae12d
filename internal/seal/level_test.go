package seal_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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

// publisher signs releases, as the release key's holder does offline.
type publisher struct {
	t   *testing.T
	key crypto.Signer
}

func newPublisher(t *testing.T) publisher {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{t, k}
}

func newRSAPublisher(t *testing.T) publisher {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{t, k}
}

func (p publisher) pkix() []byte {
	p.t.Helper()
	b, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// signed is one entry of tpm2-pcr-signature.json.
type signed struct {
	PCRs []int  `json:"pcrs"`
	PKFP string `json:"pkfp"`
	Pol  string `json:"pol"`
	Sig  string `json:"sig"`
}

// sign signs software for an epoch: what PCR 11 is after it was measured once.
func (p publisher) sign(software, epoch string) signed {
	p.t.Helper()
	event := sha256.Sum256([]byte(software))
	value := sha256.Sum256(append(make([]byte, 32), event[:]...))
	pol := pcr11Policy(value[:])
	digest := sha256.Sum256(append(pol, epoch...))
	sig, err := p.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	fp := sha256.Sum256(p.pkix())
	return signed{[]int{11}, hex.EncodeToString(fp[:]), hex.EncodeToString(pol), base64.StdEncoding.EncodeToString(sig)}
}

// pcr11Policy computes TPM2_PolicyPCR's digest by hand (TPM 2.0 part 3, 23.7).
func pcr11Policy(value []byte) []byte {
	digest := sha256.Sum256(value)
	b := make([]byte, 32)
	b = append(b, 0, 0, 0x01, 0x7f)                        // TPM_CC_PolicyPCR
	b = append(b, 0, 0, 0, 1, 0, 0x0b, 3, 0x00, 0x08, 0x0) // one selection: SHA-256, PCR 11
	b = append(b, digest[:]...)
	pol := sha256.Sum256(b)
	return pol[:]
}

// file is tpm2-pcr-signature.json.
func file(t *testing.T, entries ...signed) []byte {
	t.Helper()
	b, err := json.Marshal(map[string][]signed{"sha1": {}, "sha256": entries})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// measured returns the Setup and the Proof of a release.
func (p publisher) measured(software, epoch string) (seal.Setup, seal.Proof) {
	f := file(p.t, p.sign("some other phase", epoch), p.sign(software, epoch))
	return seal.Setup{Level: seal.Measured, Release: seal.Release{Key: p.pkix(), Epoch: epoch, Signatures: f}}, seal.Proof{Signatures: f}
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

// TestSignatureOfAnotherPolicyIsRefusedByTheTPM passes the check on this side:
// the file is looked at, and then the TPM decides.
func TestMeasuredSystemdSignatureWithoutEpoch(t *testing.T) {
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

// FuzzSignatures: the file comes with the image, from outside.
func FuzzSignatures(f *testing.F) {
	f.Add([]byte(`{"sha256":[{"pcrs":[11],"pkfp":"00","pol":"00","sig":"AA=="}]}`))
	f.Add([]byte(`{"sha256":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := seal.ReadSignatures(b); err != nil && !isFault(err, seal.ErrUnsignedBoot) {
			t.Fatal(err)
		}
	})
}
