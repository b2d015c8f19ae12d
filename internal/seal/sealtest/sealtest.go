// Package sealtest gives tests a real TPM 2.0 in software (the program swtpm)
// and keys sealed in it. Starting one takes some 15 ms. Only tests import it.
package sealtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"coffer/internal/seal"
)

var (
	mu      sync.Mutex
	devices = map[testing.TB]string{}
	keys    = map[testing.TB]int{}
)

// TPM returns the unix socket of a software TPM of this test's own. Asked
// again by the same test it returns the same one. It stops at cleanup.
func TPM(t testing.TB) (device string) {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if d, ok := devices[t]; ok {
		return d
	}
	d := start(t)
	devices[t] = d
	t.Cleanup(func() {
		mu.Lock()
		delete(devices, t)
		delete(keys, t)
		mu.Unlock()
	})
	return d
}

// start runs a software TPM in a directory whose name is short enough for a
// socket, which t.TempDir's need not be.
func start(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	device, stop, err := seal.StartSoftwareTPM(context.Background(), dir)
	if err != nil {
		t.Fatalf("%v %s", err, seal.Detail(err))
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return device
}

// keysMax is how many keys Key seals in one TPM, which has room for eight.
const keysMax = 7

// device returns the TPM for one more key of Key.
func device(t testing.TB) string {
	t.Helper()
	mu.Lock()
	n := keys[t]
	keys[t]++
	mu.Unlock()
	if n%keysMax != 0 || n == 0 {
		return TPM(t)
	}
	d := start(t)
	mu.Lock()
	devices[t] = d
	mu.Unlock()
	return d
}

// Key returns a fresh key sealed in the test's TPM. It is wiped at cleanup.
func Key(t testing.TB) *seal.Key {
	t.Helper()
	k, err := seal.Provision(t.Context(), device(t), filepath.Join(t.TempDir(), "coffer.seal"), seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatalf("%v %s", err, seal.Detail(err))
	}
	t.Cleanup(k.Wipe)
	return k
}

// Another returns the unix socket of one more software TPM, which no other
// call returns: another box.
func Another(t testing.TB) (device string) {
	t.Helper()
	return start(t)
}
