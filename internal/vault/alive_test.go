package vault

import (
	"errors"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/seal/sealtest"
)

// TestAlive asks a store that works, one that had to stop, and a closed one.
func TestAlive(t *testing.T) {
	v, err := Create(t.Context(), accesstest.System("test"), Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Alive(t.Context()); err != nil {
		t.Errorf("a store that works says %v", err)
	}
	v.stop(errDamaged)
	if err := v.Alive(t.Context()); !errors.Is(err, errDamaged) {
		t.Errorf("a stopped store says %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Alive(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("a closed store says %v", err)
	}
}

// TestReaderOfAStoreThatStops: a commit whose frame could not be made durable
// is in the file and is published to nobody. A reader that meets it is told
// that the store has stopped, and does not look again for ever.
func TestReaderOfAStoreThatStops(t *testing.T) {
	v, err := Create(t.Context(), accesstest.System("test"), Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	before := v.published.Load()
	behind := before.durable.copy()
	behind.txid--
	v.published.Store(&published{durable: behind})
	read := make(chan error, 1)
	go func() {
		_, _, err := v.snapshot()
		read <- err
	}()
	time.Sleep(50 * time.Millisecond) // it looks again and again meanwhile
	v.stop(errDisk)
	select {
	case err := <-read:
		if !errors.Is(err, errDisk) {
			t.Errorf("the reader was told %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the reader still looks for the commit")
	}
	v.published.Store(before)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
