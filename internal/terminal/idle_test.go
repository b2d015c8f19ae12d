package terminal

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	firmwareconfig "coffer/firmware-config"
)

var full = flag.Bool("full", false, "watch a terminal without its cable for a whole minute")

// TestCableOutIsIdle has a terminal's cable out, and measures what its owner
// does about it: next to nothing. The processor's own time is measured, so that
// a busy machine does not matter. No other test runs beside it.
func TestCableOutIsIdle(t *testing.T) {
	span := 1500 * time.Millisecond
	if *full {
		span = time.Minute
	}
	for _, id := range []string{"sim-pax", "sim-simplify"} {
		p, err := firmwareconfig.Profile(id)
		if err != nil {
			t.Fatal(err)
		}
		tm := Start(Config{Address: "serial:" + filepath.Join(t.TempDir(), "term-1"), Profile: p})
		before := cpu(t)
		select {
		case <-time.After(span):
		case <-t.Context().Done():
		}
		used := cpu(t) - before
		if err := tm.Close(); err != nil {
			t.Error(err)
		}
		limit := span / 20 // of a short look, under the race detector too
		if *full {
			limit = span / 100
		}
		t.Logf("%s: %v of processor time in %v", id, used, span)
		if used > limit {
			t.Errorf("%s: %v of processor time in %v, want %v at most", id, used, span, limit)
		}
	}
}
