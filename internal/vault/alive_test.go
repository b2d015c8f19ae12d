package vault

import (
	"errors"
	"testing"

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
