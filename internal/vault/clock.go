package vault

import (
	"os"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/host"
)

// The wall clock is compared with the elapsed time, which no one can set. A
// difference that grew by more than stepMax is an event of its own, before the
// event at which it was seen. The order of events is that of their numbers
// and never asks a clock. (PCI DSS 10.6.)
const stepMax = 2 * time.Second

const (
	factStep = "step" // of the wall clock, "+1h0m0s"
	factSync = "sync" // whether the kernel says that the clock is synchronized
)

// reading returns the wall clock and the time elapsed since the store was
// opened.
func (v *Vault) reading() (wall time.Time, elapsed time.Duration) {
	wall = v.options.Now()
	if v.options.Elapsed != nil {
		return wall, v.options.Elapsed() - v.began.elapsed
	}
	return wall, wall.Sub(v.began.wall) // by the monotonic readings, if there are any
}

// moment is a reading of both clocks.
type moment struct {
	wall    time.Time
	elapsed time.Duration
}

// begin notes when the store was opened.
func (v *Vault) begin() {
	v.began.wall = v.options.Now()
	if v.options.Elapsed != nil {
		v.began.elapsed = v.options.Elapsed()
	}
}

// noteStep records a step of the wall clock.
func (v *Vault) noteStep(b *batch) error {
	wall, elapsed := v.reading()
	offset := wall.Round(0).Sub(v.began.wall.Round(0)) - elapsed
	step := offset - b.state.offset
	if step.Abs() <= stepMax {
		return nil
	}
	b.state.offset = offset
	text := step.Round(time.Millisecond).String()
	if step > 0 {
		text = "+" + text
	}
	return v.append(b, v.clockRequest(), audit.OK, v.clock(), []audit.Detail{{Key: factStep, Value: text}})
}

func (v *Vault) clockRequest() access.Request {
	return access.Request{Agent: v.agent, Action: access.StoreClock, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
}

// clockSync returns the kernel's word on the clock.
func clockSync() string { return string(host.ClockFacts(os.DirFS("/")).Sync) }
