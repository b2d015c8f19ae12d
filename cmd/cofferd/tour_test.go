package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTour runs the demo's tour with the real programs: sales, a decline, two
// kills and a pulled cable, then books against terminal and verification.
func TestTour(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t, "cofferd"), "demo", "--tour").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "All held.") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("\n%s", out)
}
