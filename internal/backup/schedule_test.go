package backup

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/access"
	"coffer/internal/vault"
)

// bubbled opens the clinic's store again inside a bubble, so that its clock is
// the bubble's.
func (c *clinic) bubbled(t *testing.T) *Keeper {
	t.Helper()
	return c.bubbledAt(t, time.Now)
}

// bubbledAt is bubbled with a clock of its own.
func (c *clinic) bubbledAt(t *testing.T, now func() time.Time) *Keeper {
	t.Helper()
	o := c.options()
	o.Anchor = nil
	o.Dir = filepath.Join(t.TempDir(), "store")
	zone := time.FixedZone("clinic", -5*3600)
	o.Now = func() time.Time { return now().In(zone) }
	var err error
	if c.v, err = vault.Create(context.Background(), system, o); err != nil {
		t.Fatal(err)
	}
	return New(Options{Vault: c.v, Self: system, Targets: []*Target{c.target}, Scratch: filepath.Join(t.TempDir(), "scratch")})
}

// TestThreeNights: in three days there are a backup and a drill each night,
// and what was committed each hour is shipped.
func TestThreeNights(t *testing.T) {
	c := newClinic(t)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k := c.bubbled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx, system) }()
		start := k.clock()
		time.Sleep(71*time.Hour + 30*time.Minute) // of the bubble
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		fulls, drills, hourly := times(t, k)
		if len(fulls) < 3 || len(drills) < 3 {
			t.Errorf("%d backups, %d drills", len(fulls), len(drills))
		}
		if len(hourly) < 70 {
			t.Errorf("%d hours of 72", len(hourly))
		}
		for _, at := range fulls[1:] {
			if at = at.In(start.Location()); at.Hour() != 2 || at.Minute() > 1 {
				t.Errorf("a nightly backup at %v", at)
			}
		}
		s, err := k.Status(t.Context(), it)
		if err != nil || s.Alarm {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(27 * time.Hour)
		if s, err = k.Status(t.Context(), it); err != nil || !s.Alarm {
			t.Errorf("no alarm after a day without a backup: %+v, %v", s, err)
		}
		if err := c.v.Close(); err != nil {
			t.Error(err)
		}
	})
}

// times returns when full backups and drills went well, and the hours in which
// something was shipped.
func times(t *testing.T, k *Keeper) (fulls, drills []time.Time, hours []time.Time) {
	t.Helper()
	r := request(system, access.BackupWrite)
	err := k.options.Vault.View(t.Context(), r, func(tx *vault.Tx) error {
		for r, err := range results.All(tx) {
			if err != nil {
				return err
			}
			o := r.Shared.outcome()
			if !o.OK {
				t.Errorf("%+v", o)
			}
			switch o.Task {
			case TaskBackup:
				fulls = append(fulls, o.At)
			case TaskDrill:
				drills = append(drills, o.At)
			}
			if h := o.At.Truncate(time.Hour); o.Task != TaskDrill && !slices.Contains(hours, h) {
				hours = append(hours, h)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fulls, drills, hours
}

// TestFailedTargetIsTriedAgain: every quarter of an hour, not every minute;
// and as soon as the disk is there the backup is made.
func TestFailedTargetIsTriedAgain(t *testing.T) {
	c := newClinic(t)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k := c.bubbled(t)
		there := c.target.dial
		var absent atomic.Bool
		absent.Store(true)
		c.target.dial = func(ctx context.Context) (session, error) {
			if absent.Load() {
				return nil, ErrTargetAbsent
			}
			return there(ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx, system) }()
		time.Sleep(59 * time.Minute)
		p, err := k.past(t.Context(), request(system, access.BackupWrite))
		if err != nil || p.last["disk"] == nil || p.last["disk"].OK || p.last["disk"].Code != string(Code(ErrTargetAbsent)) {
			t.Fatalf("%+v, %v", p, err)
		}
		if tries := c.v.Status().Records; tries != 4 {
			t.Errorf("%d tries in an hour", tries)
		}
		absent.Store(false)
		time.Sleep(16 * time.Minute)
		if p, err = k.past(t.Context(), request(system, access.BackupWrite)); err != nil || p.full["disk"] == nil || p.drill == nil || !p.drill.OK {
			t.Errorf("%+v, %v", p, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := c.v.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLastNight(t *testing.T) {
	zone := time.FixedZone("clinic", 3600)
	for now, want := range map[string]string{
		"2026-11-25T01:59:59+01:00": "2026-11-24T02:00:00+01:00",
		"2026-11-25T02:00:00+01:00": "2026-11-25T02:00:00+01:00",
		"2026-12-01T00:30:00+01:00": "2026-11-30T02:00:00+01:00",
	} {
		at, err := time.ParseInLocation(time.RFC3339, now, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := lastNight(at.In(zone), nightDefault).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s", now, got)
		}
	}
}

// TestClockThatWasAYearAhead: what was done while the clock was wrong keeps
// nothing from being done once it is right, and calls nobody off.
func TestClockThatWasAYearAhead(t *testing.T) {
	c := newClinic(t)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		ahead.Store(int64(365 * 24 * time.Hour))
		k := c.bubbledAt(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx, system) }()
		time.Sleep(5 * time.Minute)
		ahead.Store(0)
		if s, err := k.Status(t.Context(), it); err != nil || !s.Alarm {
			t.Errorf("a backup of next year is no alarm: %+v, %v", s, err)
		}
		time.Sleep(49 * time.Hour)
		fulls, drills, hourly := times(t, k)
		if len(fulls) < 3 || len(drills) < 3 || len(hourly) < 49 {
			t.Errorf("%d backups, %d drills, %d hours", len(fulls), len(drills), len(hourly))
		}
		if p, err := k.past(t.Context(), request(system, access.BackupWrite)); err != nil || p.drill.Made.After(k.clock()) {
			t.Errorf("the drill was of next year's backup: %+v, %v", p.drill, err)
		}
		list, _, err := c.target.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, increments, err := newestChain(list, c.key.StoreID(), k.clock()); err != nil || len(increments) < 18 {
			t.Errorf("%d increments follow the newest backup, %v", len(increments), err)
		}
		if s, err := k.Status(t.Context(), it); err != nil || s.Alarm || s.Verified.After(k.clock()) || s.Newest.After(k.clock()) {
			t.Errorf("%+v, %v", s, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := c.v.Close(); err != nil {
			t.Error(err)
		}
	})
}
