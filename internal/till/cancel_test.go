package till

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// watched is a line that tells when its reader is woken, as Cancel does.
type watched struct {
	net.Conn
	woken func()
}

func (w watched) SetReadDeadline(at time.Time) error {
	if !at.IsZero() && at.Before(time.Unix(100, 0)) {
		w.woken()
	}
	return w.Conn.SetReadDeadline(at)
}

// The lane is held while the terminal is asked to stop, so that the attempt
// that is meant cannot end and the next one begin in between.
func TestCancelHoldsTheLane(t *testing.T) {
	s, err := sim.New(sim.Options{Seed: 1, Manual: true, CardTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var b *bench
	var asking atomic.Bool
	free := make(chan bool, 1)
	b = newBenchAt(t, terminal.Config{
		ID: ident.New[ident.Terminal](time.Now()),
		Dial: func(ctx context.Context) (net.Conn, error) {
			c, err := s.Dial(ctx)
			return watched{c, func() {
				if !asking.CompareAndSwap(true, false) {
					return
				}
				got := b.lane.mu.TryLock()
				if got {
					b.lane.mu.Unlock()
				}
				free <- got
			}}, err
		},
		Profile: protocol.Profile{
			ID: "sim", Protocol: "pax", Simulated: true, FrameMax: 65536, Version: "1.35",
			Messages: []string{"A00", "A14", "A35", "T00", "R02"},
			Timers: protocol.Timers{
				Ack: 3000, Byte: 1000, EOT: 1000, Settle: 500, Cancel: 3000, Whole: 30000, Quiet: 40, Drain: 200, Write: 1000, RetryMin: 10, RetryMax: 80,
				Answer: map[string]protocol.Millis{"A00": 3000, "T00": 20000, "R02": 3000},
			},
			Retries: protocol.Retries{Send: 3, NAK: 3, EOT: 4},
			Lookup:  protocol.Lookup{NotFound: []string{"100023"}, First: 1, Proof: true},
		},
	})
	for !b.lane.terminal.Status().Attached {
		<-b.lane.terminal.Changed()
	}
	presents := make(chan struct{}, 100)
	b.bell = func(string) { presents <- struct{}{} }
	a := b.sale()
	b.lane.run(a)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		if _, more := b.lane.turn(context.Background(), 0); !more {
			t.Error("the sale did not run")
		}
	}()
	for s.Status().Screen != sim.Present || !cancellable(b.stepNow(a)) {
		<-presents
	}
	asking.Store(true)
	if err := b.lane.askCancel(a.ID); err != nil {
		t.Fatal(err)
	}
	if <-free {
		t.Error("the lane was free while its terminal was asked to stop")
	}
	<-ran
	b.ok(a, Closed, Cancelled)
}

func (b *bench) stepNow(a attempt) protocol.Step {
	now, _ := b.lane.stepOf(a.ID)
	return now.step
}
