package terminal

import (
	"context"
	"sync/atomic"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// job is a command or a lookup on its way through the terminal's goroutine.
type job struct {
	machine protocol.Machine
	hooks   Hooks
	money   bool
	blank   protocol.Outcome // what it is when nothing was done
	cancel  atomic.Bool      // somebody wants it stopped
	sent    bool             // the hook Sending has succeeded
	probe   bool             // a handshake
	device  protocol.Device  // of a probe that went well
	result  chan result      // gets exactly one
}

type result struct {
	outcome protocol.Outcome
	err     error
}

// end says how the job ended.
func (j *job) end(o protocol.Outcome, err error) { j.result <- result{o, err} }

// nothing is the outcome of a job for which nothing was done.
func (j *job) nothing(why protocol.Reason) protocol.Outcome {
	o := j.blank
	o.Reason = why
	return o
}

func (h Hooks) step(s protocol.Step) {
	if h.Step != nil {
		h.Step(s)
	}
}

// submit waits for the job's turn, hands it to the goroutine and waits for
// its end.
func (t *Terminal) submit(ctx context.Context, j *job) (protocol.Outcome, error) {
	j.result = make(chan result, 1)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return j.nothing(protocol.ReasonWithdrawn), nil
	}
	defer func() { <-t.turn }()
	if ctx.Err() != nil {
		return j.nothing(protocol.ReasonWithdrawn), nil
	}
	if why := t.offer(j); why != protocol.ReasonNone {
		return j.nothing(why), nil
	}
	select {
	case r := <-j.result:
		return r.outcome, r.err
	case <-ctx.Done():
	}
	j.cancel.Store(true)
	t.mu.Lock()
	t.wake()
	t.mu.Unlock()
	r := <-j.result
	return r.outcome, r.err
}

// offer puts the job before the goroutine, or says why that cannot be.
func (t *Terminal) offer(j *job) protocol.Reason {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return protocol.ReasonClosed
	case j.money && t.status.Quarantined && t.lock == protocol.ReasonNone:
		return t.verdict
	case j.money && t.status.Quarantined:
		return protocol.ReasonQuarantined
	case !t.status.Attached:
		return protocol.ReasonUnplugged
	}
	t.job = j
	t.wake()
	return protocol.ReasonNone
}

// next returns the job that waits, if any.
func (t *Terminal) next() *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.job
}

// finished takes the job away and tells who waits for it.
func (t *Terminal) finished(j *job, o protocol.Outcome, err error) {
	t.mu.Lock()
	t.job = nil
	t.mu.Unlock()
	j.end(o, err)
}

// detach notes that there is no line. A job that still waits ends unsent.
func (t *Terminal) detach(why protocol.Reason) {
	t.change(func(s *Status) {
		s.Attached = false
		if !s.Quarantined {
			s.Reason = why
		}
	})
	if j := t.next(); j != nil {
		t.finished(j, j.nothing(why), nil)
	}
}

// stray hands a late answer to whoever keeps them.
func (t *Terminal) stray(o protocol.Outcome) error {
	t.mu.Lock()
	keep := t.keep
	if keep == nil {
		t.hold(o)
	}
	t.mu.Unlock()
	if keep == nil {
		return errNobody
	}
	return keep(o)
}

// lateMax is how many late answers wait for OnStray.
const lateMax = 16

// errNobody: OnStray was not called yet.
var errNobody = fault.New(fault.Unavailable, "Nobody keeps late answers yet.")

// hold keeps a late answer in memory, once. t.mu must be held.
func (t *Terminal) hold(o protocol.Outcome) {
	for _, other := range t.late {
		if other == o {
			return
		}
	}
	if len(t.late) < lateMax {
		t.late = append(t.late, o)
	}
}
