package backup

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
)

const (
	retryAfter = 15 * time.Minute // a target that failed is tried again
	pollEvery  = time.Minute      // the clock may be set, and the box may sleep
)

// Run keeps the schedule until ctx ends: the commits of each hour to the
// targets that take them, and each night a full backup to every target and
// then a drill of the newest. What failed is tried again after a quarter of an
// hour; a drill that failed is not, as people must look. Without a recovery
// sheet nothing is done. It returns what keeping the schedule itself failed by.
func (k *Keeper) Run(ctx context.Context, agent access.Agent) error {
	p, err := k.past(ctx, request(agent, access.BackupWrite))
	if err != nil {
		return err
	}
	s := &schedule{k: k, agent: agent, past: p, tried: map[string]time.Time{}}
	for {
		if err := s.due(ctx); err != nil && ctx.Err() == nil {
			k.options.Log.LogAttrs(ctx, slog.LevelError, "the backup schedule was interrupted",
				slog.String("kind", fault.KindOf(err).String()), slog.String("code", string(Code(err))))
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// schedule is what Run knows between two looks at the clock.
type schedule struct {
	k     *Keeper
	agent access.Agent
	past  *past
	tried map[string]time.Time // by target and task
}

// due does what is due now.
func (s *schedule) due(ctx context.Context) error {
	k := s.k
	now := k.clock()
	if sealed := k.key().Recovery(); sealed.IsZero() {
		return nil
	}
	night, hour := lastNight(now, k.options.Night), now.Truncate(time.Hour)
	for _, t := range k.options.Targets {
		var err error
		switch {
		case !since(s.past.full[t.Name], night, now) || s.past.full[t.Name].Generation != k.options.Vault.Status().Generation:
			err = s.try(ctx, t, TaskBackup, now, k.full)
		case t.Hourly && !since(s.past.shipped[t.Name], hour, now):
			err = s.try(ctx, t, TaskIncrement, now, k.increment)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
	if s.past.newest.Before(night) || since(s.past.drill, night, now) {
		return nil
	}
	return s.drill(ctx, now)
}

// try does a task at a target, unless it failed only now.
func (s *schedule) try(ctx context.Context, t *Target, task Task, now time.Time, do func(context.Context, access.Agent, *Target) Outcome) error {
	at := string(task) + "/" + t.Name
	if s.justTried(at, now) {
		return nil
	}
	if err := s.k.begin(task); errors.Is(err, ErrBusy) {
		return nil
	}
	defer s.k.end()
	s.tried[at] = now
	o := do(ctx, s.agent, t)
	if ctx.Err() != nil { // the daemon stops: nothing has failed
		return nil
	}
	if o.OK && o.Name == "" { // no commit since the last
		o.At = now
		s.past.shipped[t.Name] = &o
		return nil
	}
	s.past.add(o)
	return s.k.note(ctx, s.agent, access.BackupWrite, o)
}

// drill drills the newest backup once a night.
func (s *schedule) drill(ctx context.Context, now time.Time) error {
	if s.justTried(string(TaskDrill), now) {
		return nil
	}
	o, err := s.k.Drill(ctx, s.agent, "", "")
	if errors.Is(err, ErrBusy) {
		return nil
	}
	s.tried[string(TaskDrill)] = now
	if err == nil {
		s.past.add(o)
	}
	return err
}

// justTried reports whether a task was tried only now. A time that is still to
// come is that of a clock which was set back since, and counts for nothing.
func (s *schedule) justTried(what string, now time.Time) bool {
	ago := now.Sub(s.tried[what])
	return ago >= 0 && ago < retryAfter
}

// since reports whether a task went on at a moment or after it, and not at one
// that is still to come, as justTried.
func since(o *Outcome, moment, now time.Time) bool {
	return o != nil && !o.At.Before(moment) && !o.At.After(now)
}

// lastNight returns the last moment at which a night's work began, in the
// zone of now.
func lastNight(now time.Time, night time.Duration) time.Time {
	y, m, d := now.Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, now.Location()).Add(night)
	if at.After(now) {
		at = time.Date(y, m, d-1, 0, 0, 0, 0, now.Location()).Add(night)
	}
	return at
}
