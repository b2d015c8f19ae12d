package ops

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/fault"
)

// nightHour is the hour of the night, in the clinic's zone, from which the
// nightly chores are due.
const nightHour = 2

// Keep goes on with a re-key that a crash left unfinished. Then it does what is
// to be done again and again, until stop is called: backups
// as the boot file says, and each night the check of the books and the restore
// drill. (The vault signs checkpoints by itself.) What fails is logged,
// shown by Doctor, and tried again at the next time it is due. stop also breaks
// off what pages began (Begin): Rest waits for it.
func (o *Ops) Keep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var backups sync.WaitGroup
	if store, _, _ := o.look(); store != nil && store.Backups != nil {
		backups.Go(func() {
			o.keepOne("backups", func() error { return store.Backups.Run(ctx, o.machine.Daemon) })
		})
	}
	go func() {
		defer close(done)
		defer backups.Wait()
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		o.keepOne("rekey", func() error { return o.finishRekey(ctx) })
		for {
			o.keep(ctx, o.machine.Now())
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		o.end()
		<-done
	}
}

// keep does what is due now.
func (o *Ops) keep(ctx context.Context, now time.Time) {
	if o.isDue(choreBooks, now) {
		o.keepOne("books", func() error {
			_, err := o.CheckBooks(ctx, o.machine.Daemon)
			return err
		})
	}
}

// isDue reports whether a nightly chore was last done in a former night. A
// store that never did it waits for the first night that the daemon sees.
func (o *Ops) isDue(c chore, now time.Time) bool {
	last, _ := o.lastOf(c)
	at := last.at()
	if last.At == 0 {
		at = o.started
	}
	return nightOf(at.In(now.Location())).Before(nightOf(now))
}

// nightOf returns when the night began to which t belongs: the last time that
// it was nightHour.
func nightOf(t time.Time) time.Time {
	n := time.Date(t.Year(), t.Month(), t.Day(), nightHour, 0, 0, 0, t.Location())
	if n.After(t) {
		n = time.Date(t.Year(), t.Month(), t.Day()-1, nightHour, 0, 0, 0, t.Location())
	}
	return n
}

// keepOne does one chore and logs how it failed.
func (o *Ops) keepOne(name string, do func() error) {
	if err := do(); err != nil {
		o.machine.Log.Warn("upkeep failed", slog.String("chore", name), slog.String("kind", fault.KindOf(err).String()), slog.String("code", Code(err)))
	}
}
