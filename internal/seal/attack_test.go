package seal_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// alter changes the header as somebody can who has no key: with a true digest.
func alter(t *testing.T, header string, change func(h *seal.Header)) {
	t.Helper()
	if err := seal.Alter(header, change); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
}

// TestEveryFieldOfTheHeader changes each field in turn, with a true digest.
func TestEveryFieldOfTheHeader(t *testing.T) {
	b, p := newBox(t), newPublisher(t)
	setup, proof := p.measured("image 1", "1")
	setup.PIN, proof.PIN = pin, pin
	setup.Recovery = recovery.New().Public()
	b.provision(setup)
	whole, stranger := read(t, b.header), recovery.New().Public()
	other := newPublisher(t)
	pins := new(seal.Pins)
	slot := func(change func(s *seal.TPMSlot)) func(h *seal.Header) {
		return func(h *seal.Header) { change(&h.Roots[0].TPM[0]) }
	}
	for name, c := range map[string]struct {
		change func(h *seal.Header)
		want   *fault.Error
	}{
		"version":       {func(h *seal.Header) { h.Version = 0 }, seal.ErrHeader},
		"newer version": {func(h *seal.Header) { h.Version++ }, seal.ErrLevel},
		"store":         {func(h *seal.Header) { h.StoreID[15]++ }, seal.ErrHeader},
		"no store":      {func(h *seal.Header) { h.StoreID = ident.ID[ident.Store]{} }, seal.ErrHeader},
		"created":       {func(h *seal.Header) { h.Created = h.Created.AddDate(1, 0, 0) }, seal.ErrHeader},
		"pin of SRK":    {func(h *seal.Header) { h.SRKName[5]++ }, seal.ErrOtherTPM},
		"MAC":           {func(h *seal.Header) { h.MAC[0]++ }, seal.ErrHeader},
		"no roots":      {func(h *seal.Header) { h.Roots = nil }, seal.ErrHeader},
		"root":          {func(h *seal.Header) { h.Roots[0].Gen++ }, seal.ErrHeader},
		"root zero":     {func(h *seal.Header) { h.Roots[0].Gen = 0 }, seal.ErrHeader},
		"auths":         {func(h *seal.Header) { h.Roots[0].Auths[20]++ }, seal.ErrHeader},
		"no auths":      {func(h *seal.Header) { h.Roots[0].Auths = nil }, seal.ErrHeader},
		"no slots":      {func(h *seal.Header) { h.Roots[0].TPM = nil }, seal.ErrHeader},
		"level bound":   {slot(func(s *seal.TPMSlot) { s.Level = seal.Bound }), seal.ErrHeader},
		"all of bound": {slot(func(s *seal.TPMSlot) {
			s.Level, s.ReleaseKey, s.Epoch, s.SignedPCRs, s.Literal = seal.Bound, nil, "", nil, nil
		}), seal.ErrHeader},
		"all of secureboot": {slot(func(s *seal.TPMSlot) {
			s.Level, s.ReleaseKey, s.Epoch, s.SignedPCRs = seal.SecureBoot, nil, "", nil
		}), seal.ErrHeader},
		"software":        {slot(func(s *seal.TPMSlot) { s.Level = seal.Software }), seal.ErrSoftware},
		"unknown level":   {slot(func(s *seal.TPMSlot) { s.Level = "quantum" }), seal.ErrLevel},
		"public":          {slot(func(s *seal.TPMSlot) { s.Public[20]++ }), seal.ErrHeader},
		"no public":       {slot(func(s *seal.TPMSlot) { s.Public = nil }), seal.ErrHeader},
		"private":         {slot(func(s *seal.TPMSlot) { s.Private[20]++ }), seal.ErrHeader},
		"no private":      {slot(func(s *seal.TPMSlot) { s.Private = nil }), seal.ErrHeader},
		"release key":     {slot(func(s *seal.TPMSlot) { s.ReleaseKey = other.pkix() }), seal.ErrUnsignedBoot},
		"no release key":  {slot(func(s *seal.TPMSlot) { s.ReleaseKey = nil }), seal.ErrHeader},
		"epoch":           {slot(func(s *seal.TPMSlot) { s.Epoch = "0" }), seal.ErrUnsignedBoot},
		"no epoch":        {slot(func(s *seal.TPMSlot) { s.Epoch = "" }), seal.ErrHeader},
		"signed PCRs":     {slot(func(s *seal.TPMSlot) { s.SignedPCRs = []int{12} }), seal.ErrHeader},
		"literal value":   {slot(func(s *seal.TPMSlot) { s.Literal[7] = hex.EncodeToString(bytes.Repeat([]byte{9}, 32)) }), seal.ErrFirmwareChanged},
		"literal PCR":     {slot(func(s *seal.TPMSlot) { s.Literal[8] = s.Literal[7] }), seal.ErrHeader},
		"literal, short":  {slot(func(s *seal.TPMSlot) { s.Literal[7] = s.Literal[7][2:] }), seal.ErrHeader},
		"index":           {slot(func(s *seal.TPMSlot) { s.GenIndex += 2 }), seal.ErrCounterMissing},
		"index of anchor": {slot(func(s *seal.TPMSlot) { s.GenIndex++ }), seal.ErrHeader},
		"anchor":          {func(h *seal.Header) { h.Anchor-- }, seal.ErrHeader},
		"no anchor":       {func(h *seal.Header) { h.Anchor = 0 }, seal.ErrHeader},
		"attestation key": {func(h *seal.Header) { h.Attestation.PKIX[40]++ }, seal.ErrHeader},
		"no attestation":  {func(h *seal.Header) { h.Attestation.Private = nil }, seal.ErrHeader},
		"sheet":           {func(h *seal.Header) { h.Recovery[700]++ }, seal.ErrHeader},
		"another's sheet": {func(h *seal.Header) { h.AnothersSheet(stranger) }, seal.ErrHeader},
		"no sheet":        {func(h *seal.Header) { h.Recovery = nil }, seal.ErrHeader},
		"no sheet at all": {func(h *seal.Header) { h.Recovery, h.Roots[0].Recovery = nil, nil }, seal.ErrHeader},
		"sheet's suite":   {func(h *seal.Header) { h.Roots[0].Recovery.KEM = "X25519" }, seal.ErrLevel},
		"sheet's slot":    {func(h *seal.Header) { h.Roots[0].Recovery.Enc[1200]++ }, seal.ErrHeader},
		"sheet's name":    {func(h *seal.Header) { h.Roots[0].Recovery.PubFP[0]++ }, seal.ErrHeader},
		"huge slot":       {func(h *seal.Header) { h.Roots[0].Recovery.Enc = make([]byte, 2049) }, seal.ErrHeader},
		"index of no NV":  {slot(func(s *seal.TPMSlot) { s.GenIndex = 0x81000001 }), seal.ErrHeader},
		"value":           {slot(func(s *seal.TPMSlot) { s.GenValue++ }), seal.ErrGeneration},
		"no PIN":          {slot(func(s *seal.TPMSlot) { s.PIN = nil }), seal.ErrHeader},
		"salt":            {slot(func(s *seal.TPMSlot) { s.PIN.Salt[0]++ }), seal.ErrPIN},
		"short salt":      {slot(func(s *seal.TPMSlot) { s.PIN.Salt = s.PIN.Salt[:8] }), seal.ErrLevel},
		"passes":          {slot(func(s *seal.TPMSlot) { s.PIN.Passes = 1 << 30 }), seal.ErrLevel},
		"memory":          {slot(func(s *seal.TPMSlot) { s.PIN.MemoryKiB = 1 << 31 }), seal.ErrLevel},
		"threads":         {slot(func(s *seal.TPMSlot) { s.PIN.Threads = 0 }), seal.ErrLevel},
		"commitment":      {slot(func(s *seal.TPMSlot) { s.PIN.Commitment[0]++ }), seal.ErrHeader},
		"wrap":            {slot(func(s *seal.TPMSlot) { s.Wrap[20]++ }), seal.ErrHeader},
		"no wrap":         {slot(func(s *seal.TPMSlot) { s.Wrap = nil }), seal.ErrHeader},
		"fourth slot": {func(h *seal.Header) {
			h.Roots[0].TPM = slices.Repeat(h.Roots[0].TPM, 4)
		}, seal.ErrHeader},
		"slot twice": {func(h *seal.Header) {
			h.Roots[0].TPM = slices.Repeat(h.Roots[0].TPM, 2)
		}, seal.ErrHeader},
	} {
		write(t, b.header, whole)
		alter(t, b.header, c.change)
		k, err := seal.UnsealWith(t.Context(), b.device, b.header, proof, pins)
		if err == nil {
			k.Wipe()
		}
		if !isFault(err, c.want) {
			t.Errorf("%s: %v (%s); want %s", name, err, seal.Detail(err), seal.Code(c.want))
		}
	}
	write(t, b.header, whole)
	k, err := seal.UnsealWith(t.Context(), b.device, b.header, proof, pins)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
}

// TestHostileFirstSlot: a header with two slots, the first of which is
// somebody's. The second opens, and so the header is found out.
func TestHostileFirstSlot(t *testing.T) {
	header, want := store(t)
	device := sealtest.TPM(t)
	whole := read(t, header)
	_, elsewhere := another(t)
	foreign := new(seal.Header)
	if err := seal.Alter(elsewhere, func(h *seal.Header) { *foreign = *h }); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]func(s *seal.TPMSlot){
		"huge parts":          func(s *seal.TPMSlot) { s.Public, s.Private = make([]byte, 2500), make([]byte, 2500) },
		"empty":               func(s *seal.TPMSlot) { *s = seal.TPMSlot{Level: seal.Bound} },
		"public of the SRK":   func(s *seal.TPMSlot) { s.Public = seal.StorageKeyPublic() },
		"private for public":  func(s *seal.TPMSlot) { s.Public, s.Private = s.Private, s.Public },
		"counter of none":     func(s *seal.TPMSlot) { s.GenIndex = 0x01800cff },
		"counter of a handle": func(s *seal.TPMSlot) { s.GenIndex = 0x40000001 },
		"next value":          func(s *seal.TPMSlot) { s.GenValue++ },
		"greatest value":      func(s *seal.TPMSlot) { s.GenValue = ^uint64(0) },
		"slot of another box": func(s *seal.TPMSlot) {
			v := s.GenValue
			*s = foreign.Roots[0].TPM[0]
			s.GenValue = v
		},
	} {
		write(t, header, whole)
		alter(t, header, func(h *seal.Header) {
			hostile := h.Roots[0].TPM[0]
			c(&hostile)
			h.Roots[0].TPM = []seal.TPMSlot{hostile, h.Roots[0].TPM[0]}
		})
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err == nil {
			k.Wipe()
		}
		if !isFault(err, seal.ErrHeader) {
			t.Errorf("%s: %v (%s)", name, err, seal.Detail(err))
		}
	}
	write(t, header, whole)
	k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
	if err != nil || k.Derive("test") != want {
		t.Fatal(err)
	}
	k.Wipe()
}

// another provisions in a TPM of its own.
func another(t *testing.T) (device, header string) {
	t.Helper()
	device, header = sealtest.Another(t), filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	return device, header
}

func TestHeaderOfAnotherBox(t *testing.T) {
	header, _ := store(t)
	_, foreign := another(t)
	write(t, header, read(t, foreign))
	refuses(t, sealtest.TPM(t), header, seal.ErrOtherTPM)
}

// TestPCRThatMovesDuringTheUnseal: once costs a second try, always is said.
func TestPCRThatMovesDuringTheUnseal(t *testing.T) {
	b := newBox(t)
	want := b.provision(seal.Setup{Level: seal.SecureBoot})
	bus, device := tap(t, b.device)
	for name, c := range map[string]struct {
		times int
		want  *fault.Error
	}{"once": {1, nil}, "twice": {2, seal.ErrPCRChanged}} {
		left := c.times
		bus.meddle(func(command []byte, tpm net.Conn) {
			if binary.BigEndian.Uint32(command[6:]) != ccUnseal || left == 0 {
				return
			}
			left--
			if _, err := tpm.Write(extendPCR10); err != nil {
				t.Error(err)
			}
			if answer, err := message(tpm); err != nil || binary.BigEndian.Uint32(answer[6:]) != 0 {
				t.Errorf("%x %v", answer, err)
			}
		})
		k, err := seal.Unseal(t.Context(), device, b.header, seal.Proof{})
		switch {
		case c.want != nil && !isFault(err, c.want), c.want == nil && err != nil:
			t.Fatalf("%s: %v %s", name, err, seal.Detail(err))
		case err == nil:
			if k.Derive("test") != want {
				t.Fatal("another root key")
			}
			k.Wipe()
		}
	}
}

const ccUnseal = 0x15e

// extendPCR10 is TPM2_PCR_Event of one byte, as the kernel's IMA does.
var extendPCR10 = []byte{
	0x80, 0x02, 0, 0, 0, 30, 0, 0, 0x01, 0x3c, 0, 0, 0, 10,
	0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 'x',
}

// TestBusyTPMForThreeAndForThirtySeconds: the one is waited for, the other is
// given up after five.
func TestBusyTPMForThreeAndForThirtySeconds(t *testing.T) {
	for _, rc := range []uint32{rcRetry, rcTesting, rcNVRate} {
		for busy, want := range map[time.Duration]*fault.Error{3 * time.Second: nil, 30 * time.Second: seal.ErrTPMBusy} {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				defer here.Close()
				since := time.Now()
				go func() {
					defer there.Close()
					for {
						if _, err := message(there); err != nil {
							return
						}
						answer := code(rc)
						if time.Since(since) >= busy {
							answer = code(0)
						}
						if _, err := there.Write(answer); err != nil {
							return
						}
					}
				}()
				_, err := seal.Insist(t.Context(), here, code(0))
				if want == nil && err != nil || want != nil && !isFault(err, want) {
					t.Fatalf("busy for %v: %v", busy, err)
				}
				if took := time.Since(since); took > 5*time.Second {
					t.Fatalf("took %v", took)
				}
			})
		}
	}
}

// TestEveryCommandIsRepeated has the TPM ask for each command of an unseal
// once more.
func TestEveryCommandIsRepeated(t *testing.T) {
	header, want := store(t)
	b, device := tap(t, sealtest.TPM(t))
	again := map[int]bool{}
	b.reset(nil)
	b.refuse(func(n int) bool {
		first := !again[n]
		again[n] = true
		return first
	})
	k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if k.Derive("test") != want || b.answers() < 10 {
		t.Fatal("another root key", b.answers())
	}
}

// TestSessionsOfAKilledDaemonDoNotFillTheTPM: every command of an unseal may
// be its last.
func TestSessionsOfAKilledDaemonDoNotFillTheTPM(t *testing.T) {
	header, _ := store(t)
	b, device := tap(t, sealtest.TPM(t))
	for n := 1; n < 25; n++ {
		b.reset(func(i int, answer []byte) []byte {
			if i >= n {
				return []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // of no size: the daemon gives up
			}
			return answer
		})
		if k, err := seal.Unseal(t.Context(), device, header, seal.Proof{}); err == nil {
			k.Wipe()
		}
	}
	k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
}

func TestOwnerWithAPassword(t *testing.T) {
	header, _ := store(t)
	owner(t, seal.Owner.TakePassword)
	refuses(t, sealtest.TPM(t), header, seal.ErrOwnerHeld)
}

func TestHeaderThatTheSystemKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coffer.seal")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	refuses(t, sealtest.TPM(t), path, seal.ErrUnreadable)
	refuses(t, sealtest.TPM(t), filepath.Join(os.Args[0], "coffer.seal"), seal.ErrUnreadable)
}

// TestWithoutRights has somebody else's account unseal: first what it may not
// read is the header, then the TPM.
func TestWithoutRights(t *testing.T) {
	dir, err := os.MkdirTemp("", "rights")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	header, device := filepath.Join(dir, "coffer.seal"), sealtest.Another(t)
	k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	for _, c := range []struct {
		header, device os.FileMode
		want           *fault.Error
	}{{0, 0o755, seal.ErrUnreadable}, {0o444, 0, seal.ErrTPMDenied}} {
		if err := errors.Join(os.Chmod(header, c.header), os.Chmod(filepath.Dir(device), c.device)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "", device, header)
		cmd.Env = append(os.Environ(), childEnv+"=unseal-without-rights")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), c.want.Message()) {
			t.Errorf("%v %s; want %s", err, out, seal.Code(c.want))
		}
	}
	if err := os.Chmod(filepath.Dir(device), 0o700); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkUnseal is the whole of Unseal without a PIN; it must stay under 50
// ms, so that a box is not slower to start for it.
func BenchmarkUnseal(b *testing.B) {
	device, header := sealtest.TPM(b), filepath.Join(b.TempDir(), "coffer.seal")
	k, err := seal.Provision(b.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		b.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	for b.Loop() {
		k, err := seal.Unseal(b.Context(), device, header, seal.Proof{})
		if err != nil {
			b.Fatal(err, seal.Detail(err))
		}
		k.Wipe()
	}
}
