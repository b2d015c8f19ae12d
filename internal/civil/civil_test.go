package civil

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

func TestDatesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Date(rapid.Int32Range(-200_000, 200_000).Draw(t, "date"))
		if d.Year() < 0 || d.Year() > 9999 {
			return
		}
		if back, err := Parse(d.String()); err != nil || back != d {
			t.Fatalf("%d prints as %s and reads as %d, %v", d, d, back, err)
		}
		if New(d.Year(), d.Month(), d.Day()) != d {
			t.Fatalf("%s is not made of its own parts", d)
		}
	})
}

// TestInstantBelongsToTheZonesDay crosses a change to summer time, where a
// day has 23 hours, and compares midnight with the day it starts.
func TestInstantBelongsToTheZonesDay(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for d := New(2026, 3, 6); d <= New(2026, 3, 10); d++ {
		start := d.In(zone)
		if Of(start) != d || Of(start.Add(-time.Nanosecond)) != d-1 {
			t.Errorf("%s does not begin at %s", d, start)
		}
	}
	late := time.Date(2026, 3, 31, 23, 30, 0, 0, zone)
	if Of(late) != New(2026, 3, 31) || Of(late.UTC()) != New(2026, 4, 1) {
		t.Error("the zone decides the date")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "2026-02-30", "2026-13-01", "26-01-01", "2026/01/01", "2026-1-1", "01-02-2026", "2026-01-01T00:00"} {
		if d, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %s", s, d)
		}
	}
}

func TestMonths(t *testing.T) {
	for in, want := range map[string]string{"2024-02-10": "2024-02-29", "2026-02-01": "2026-02-28", "2026-12-31": "2026-12-31", "2100-02-05": "2100-02-28"} {
		d, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		m := MonthOf(d)
		if m.Last.String() != want || m.First.Day() != 1 || !m.Contains(d) || m.Contains(m.Last.AddDays(1)) {
			t.Errorf("month of %s is %s to %s", in, m.First, m.Last)
		}
	}
	if (Range{First: 5, Last: 4}).Contains(5) {
		t.Error("an empty range contains nothing")
	}
}
