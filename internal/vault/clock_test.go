package vault_test

import (
	"slices"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// TestClockSetBackTwoYears sets the clock back under the running store and
// while it is stopped, and forward again. The store opens each time, the order
// of events is that of their numbers, each step is on record, and each
// checkpoint is the beginning of the next.
func TestClockSetBackTwoYears(t *testing.T) {
	const twoYears = 2 * 365 * 24 * time.Hour
	wall, elapsed := time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC), time.Duration(0)
	v := vaulttest.OpenWith(t, vault.Options{Now: func() time.Time { return wall }, Elapsed: func() time.Duration { return elapsed }})
	var heads []audit.Signed
	act := func() {
		t.Helper()
		wall, elapsed = wall.Add(10*time.Minute), elapsed+10*time.Minute
		happen(t, v, 3)
		s, err := v.Checkpoint(t.Context(), checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, s)
	}
	act()
	wall = wall.Add(-twoYears)
	act()
	wall = wall.Add(twoYears)
	act()
	wall = wall.Add(-twoYears) // while nobody measures the elapsed time
	v = vaulttest.Reopen(t, v)
	act()
	v = vaulttest.Reopen(t, v)
	act()
	if _, err := v.Check(t.Context(), verify); err != nil {
		t.Error(err)
	}
	page := trailOf(t, v, vault.TrailQuery{Limit: 1000})
	slices.Reverse(page.Events)
	var steps, clocks []string
	for i, e := range page.Events {
		if e.Seq != uint64(i) {
			t.Errorf("event %d stands at place %d", e.Seq, i)
		}
		for _, d := range e.Details {
			switch {
			case e.Act == string(access.StoreClock) && d.Key == "step":
				steps = append(steps, d.Value)
			case e.Act == string(access.StoreOpen) && d.Key == "clock":
				clocks = append(clocks, d.Value)
			}
		}
	}
	if want := []string{"-17520h0m0s", "+17520h0m0s"}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if want := []string{"behind", "behind"}; !slices.Equal(clocks, want) {
		t.Errorf("openings said of the clock %v, want %v", clocks, want)
	}
	for i, old := range heads {
		for _, new := range heads[i:] {
			proof, err := v.Consistency(t.Context(), witness, old.Size, new.Size)
			if err != nil || audit.CheckConsistency(proof, old.Head, new.Head) != nil {
				t.Errorf("from %d to %d: %v", old.Size, new.Size, err)
			}
		}
	}
}
