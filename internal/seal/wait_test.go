package seal_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// soon runs fn and fails the test when it takes as long as a TPM command may.
func soon(t *testing.T, fn func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("it waits")
		return nil
	}
}

// TestOnlyARegularFileIsAHeader: a FIFO must not make a start wait for somebody
// to write to it.
func TestOnlyARegularFileIsAHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coffer.seal")
	for name, place := range map[string]func() error{
		"fifo":      func() error { return unix.Mkfifo(path, 0o600) },
		"directory": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := place(); err != nil {
			t.Fatal(err)
		}
		err := soon(t, func() error { _, err := seal.Unseal(t.Context(), sealtest.TPM(t), path, seal.Proof{}); return err })
		if seal.Code(err) != "SEAL-004" || fault.KindOf(err) != fault.Sealed || seal.Detail(err) != "not a regular file" {
			t.Errorf("%s: %v, detail %q", name, err, seal.Detail(err))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// mute is a socket whose owner takes connections and says nothing, as a
// stopped software TPM does.
func mute(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return filepath.Join(dir, "s")
}

// TestSilentTPMIsBusy: a TPM that is there and does not answer is no missing
// one, and who is told to stop does not wait for it.
func TestSilentTPMIsBusy(t *testing.T) {
	header, _ := store(t)
	device := mute(t)
	for name, bound := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		},
		"cancelled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := bound()
		defer cancel()
		if err := soon(t, func() error { _, err := seal.Unseal(ctx, device, header, seal.Proof{}); return err }); seal.Code(err) != "SEAL-007" {
			t.Errorf("%s: %v, detail %q", name, err, seal.Detail(err))
		}
	}
}
