package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// bus stands between the daemon and the TPM: it hears every byte and may
// change the answers.
type bus struct {
	mu     sync.Mutex
	heard  bytes.Buffer
	n      int                               // answers so far
	change func(n int, answer []byte) []byte // nil: only listen
	before func(command []byte, tpm net.Conn)
	retry  func(n int) bool
	asked  int // commands so far, repeated ones once
}

// meddle has fn act on the TPM before each command reaches it.
func (b *bus) meddle(fn func(command []byte, tpm net.Conn)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = fn
}

// refuse answers RETRY to the nth command for as long as fn says so.
func (b *bus) refuse(fn func(n int) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retry = fn
}

// sent is what happens to a command before the TPM sees it; it reports
// whether the TPM is to see it.
func (b *bus) sent(command []byte, tpm net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.before != nil {
		b.before(command, tpm)
	}
	if b.retry != nil && b.retry(b.asked) {
		return false
	}
	b.asked++
	return true
}

// tap puts a bus in front of device and returns the socket to use instead.
func tap(t *testing.T, device string) (*bus, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.serve(c, device)
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		os.RemoveAll(dir)
	})
	return b, path
}

// serve carries one connection until either side ends it.
func (b *bus) serve(c net.Conn, device string) {
	defer c.Close()
	d, err := net.Dial("unix", device)
	if err != nil {
		return
	}
	defer d.Close()
	for {
		command, err := message(c)
		if err != nil {
			return
		}
		if !b.sent(command, d) {
			if _, err := c.Write(code(rcRetry)); err != nil {
				return
			}
			continue
		}
		if _, err := d.Write(command); err != nil {
			return
		}
		answer, err := message(d)
		if err != nil {
			return
		}
		if _, err := c.Write(b.pass(command, answer)); err != nil {
			return
		}
	}
}

func (b *bus) pass(command, answer []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard.Write(command)
	b.heard.Write(answer)
	b.n++
	if b.change != nil {
		return b.change(b.n, answer)
	}
	return answer
}

// reset forgets what was heard and sets what to change from now on.
func (b *bus) reset(change func(n int, answer []byte) []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard.Reset()
	b.n, b.change = 0, change
}

func (b *bus) contains(secret []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.heard.Bytes(), secret)
}

func (b *bus) answers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// message reads one TPM command or answer: tag, size, the rest.
func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[2:]))
	copy(b, head)
	_, err := io.ReadFull(r, b[10:])
	return b, err
}

func TestBusHearsNoSecret(t *testing.T) {
	b, device := tap(t, sealtest.TPM(t))
	header := filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	root := bytes.Clone(seal.Root(k))
	k.Wipe()
	secret, err := seal.Secret(t.Context(), device, header, seal.Proof{}, false)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k, err = seal.Unseal(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	if !bytes.Equal(seal.Root(k), root) {
		t.Fatal("another root key")
	}
	if b.contains(secret) || b.contains(root) {
		t.Fatal("a secret crossed the bus in clear")
	}
	if _, err := seal.Secret(t.Context(), device, header, seal.Proof{}, true); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if !b.contains(secret) {
		t.Fatal("the bus hears nothing, so this test proves nothing")
	}
}

// TestChangedAnswersNeverGiveAWrongKey flips one bit in every answer of an
// unseal, at a spread of positions: the result is a refusal, or the right key
// where the flip did not matter.
func TestChangedAnswersNeverGiveAWrongKey(t *testing.T) {
	b, device := tap(t, sealtest.TPM(t))
	header := filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	want := k.Derive("test")
	k.Wipe()
	b.reset(nil)
	if k, err = seal.Unseal(t.Context(), device, header, seal.Proof{}); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	answers, refused, tampered := b.answers(), 0, 0
	for n := 1; n <= answers; n++ {
		for at := n % 3; at < 200; at += 4 * stride() {
			b.reset(flip(n, at))
			k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
			if err == nil {
				if k.Derive("test") != want {
					t.Fatalf("answer %d byte %d: a wrong key", n, at)
				}
				k.Wipe()
				continue
			}
			refused++
			if fault.KindOf(err) != fault.Sealed {
				t.Fatalf("answer %d byte %d: %v", n, at, err)
			}
			if errors.Is(err, seal.ErrBusTampered) {
				tampered++
			}
		}
	}
	if refused < answers || tampered == 0 {
		t.Fatalf("%d answers, %d refusals, %d named tampering", answers, refused, tampered)
	}
}

// flip flips a bit of byte at (modulo the length, sparing tag and size) of the
// nth answer.
func flip(nth, at int) func(int, []byte) []byte {
	return func(n int, answer []byte) []byte {
		if n == nth && len(answer) > 6 {
			answer[6+at%(len(answer)-6)] ^= 0x04
		}
		return answer
	}
}

// code makes an answer of nothing but an answer code.
func code(rc uint32) []byte {
	b := []byte{0x80, 0x01, 0, 0, 0, 10}
	return binary.BigEndian.AppendUint32(b, rc)
}

const (
	rcRetry   = 0x922
	rcTesting = 0x90a
	rcNVRate  = 0x920
	rcLockout = 0x921
)

func TestLockoutIsNamed(t *testing.T) {
	header, _ := store(t)
	b, device := tap(t, sealtest.TPM(t))
	b.reset(func(n int, answer []byte) []byte {
		if n == 6 {
			return code(rcLockout)
		}
		return answer
	})
	refuses(t, device, header, seal.ErrLockout)
}

func TestBusyTPMIsAskedAgain(t *testing.T) {
	for _, rc := range []uint32{rcRetry, rcTesting, rcNVRate} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			go func() {
				defer there.Close()
				for n := range 5 {
					if _, err := message(there); err != nil {
						return
					}
					answer := code(rc)
					if n == 4 {
						answer = code(0)
					}
					if _, err := there.Write(answer); err != nil {
						return
					}
				}
			}()
			got, err := seal.Insist(t.Context(), here, code(0))
			if err != nil || !bytes.Equal(got, code(0)) {
				t.Fatalf("%x %v", got, err)
			}
		})
	}
}

func TestBusyTPMIsGivenUpAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			for {
				if _, err := message(there); err != nil {
					return
				}
				if _, err := there.Write(code(rcRetry)); err != nil {
					return
				}
			}
		}()
		since := time.Now()
		_, err := seal.Insist(t.Context(), here, code(0))
		if !errors.Is(err, seal.ErrTPMBusy) {
			t.Fatal(err)
		}
		if took := time.Since(since); took < 4*time.Second || took > 5*time.Second {
			t.Fatalf("gave up after %v", took)
		}
	})
}

func TestAnswerOfHostileSizeIsRefused(t *testing.T) {
	for _, size := range []uint32{0, 9, 4097, 0xffffffff} {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			if _, err := message(there); err != nil {
				return
			}
			b := code(0)
			binary.BigEndian.PutUint32(b[2:], size)
			if _, err := there.Write(b); err != nil {
				return
			}
		}()
		if _, err := seal.Insist(t.Context(), here, code(0)); !errors.Is(err, seal.ErrBusTampered) {
			t.Fatalf("size %d: %v", size, err)
		}
		here.Close()
	}
}
