package terminal

import (
	"context"
	"errors"
	"time"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// own is the terminal's goroutine: attach, serve, and again.
func (t *Terminal) own(ctx context.Context) {
	defer close(t.done)
	timers := t.cfg.Profile.Timers
	wait := timers.RetryMin.Duration()
	for attempt := 0; ; attempt++ {
		w := watchDir(t.opener.dir)
		why, served := t.guardedSession(ctx, attempt)
		if served {
			wait = timers.RetryMin.Duration()
			attempt--
		}
		t.detach(why)
		if ctx.Err() != nil {
			w.stop()
			t.detach(protocol.ReasonClosed)
			return
		}
		t.pause(ctx, w, wait)
		w.stop()
		wait = min(2*wait, timers.RetryMax.Duration())
	}
}

// pause waits before the next attempt to attach: until the device's name
// appears, but not longer than d.
func (t *Terminal) pause(ctx context.Context, w watch, d time.Duration) {
	timer := time.NewTimer(max(d, 10*time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.C:
	case <-timer.C:
	}
}

// session opens a line and serves it until it is lost. served says that the
// terminal had answered.
func (t *Terminal) session(ctx context.Context, attempt int) (why protocol.Reason, served bool) {
	l, err := t.opener.open(ctx, attempt)
	if err != nil {
		if errors.Is(err, ErrPortBusy) {
			return protocol.ReasonBusy, false
		}
		return protocol.ReasonUnplugged, false
	}
	if !t.hang(l) {
		closeLine(l)
		return protocol.ReasonClosed, false
	}
	defer t.unhang(l)
	if why := t.attach(l); why != protocol.ReasonNone {
		return why, false
	}
	t.log.Info("a terminal is attached")
	why = t.serve(l)
	t.log.Warn("a terminal is detached", "reason", string(why))
	return why, true
}

// guardedSession is session, behind a recover: a defect of the program in one
// terminal's conversation must not take the others down with it. The terminal
// is locked, so that somebody looks into it.
func (t *Terminal) guardedSession(ctx context.Context, attempt int) (why protocol.Reason, served bool) {
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("a session with a terminal broke on a defect of the program")
			t.alarm(protocol.ReasonDefect)
			why, served = protocol.ReasonDefect, false
		}
	}()
	return t.session(ctx, attempt)
}

// hang makes the line known to Wake; false when the terminal was closed.
func (t *Terminal) hang(l line) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = l
	return !t.closed
}

func (t *Terminal) unhang(l line) {
	t.mu.Lock()
	t.line = nil
	t.mu.Unlock()
	closeLine(l)
}

// closeLine closes a line that is given up. What it says then changes
// nothing: the device may be gone.
func closeLine(l line) { _ = l.Close() }

// attach takes what the terminal has sent before, and asks it what it is.
func (t *Terminal) attach(l line) protocol.Reason {
	if end := t.talk(l, t.driver.Listen(), nil, nil); end.lost {
		return end.reason()
	}
	return t.shake(l)
}

// shake is the handshake, and has the device judged that answers.
func (t *Terminal) shake(l line) protocol.Reason {
	end := t.talk(l, t.driver.Handshake(), nil, nil)
	if end.lost || end.action.Reason != protocol.ReasonNone {
		return end.reason()
	}
	return t.recognise(end.action.Device)
}

// recognise takes note of the device that answers, once it is judged. A device
// that was judged since it was attached is the same device. The reason it
// returns is that there is no verdict.
func (t *Terminal) recognise(d protocol.Device) protocol.Reason {
	t.judging.Lock()
	defer t.judging.Unlock()
	t.mu.Lock()
	same := t.judged && t.status.Attached && t.status.Device == d
	t.mu.Unlock()
	if same {
		return protocol.ReasonNone
	}
	why, err := t.ask(d)
	t.change(func(s *Status) {
		s.Attached, s.Device = err == nil, d
		t.verdict, t.judged = why, err == nil
		t.settle(s)
	})
	if err != nil {
		return why
	}
	return protocol.ReasonNone
}

// serve runs jobs, and takes what comes between them, until the line is lost.
func (t *Terminal) serve(l line) protocol.Reason {
	buf := make([]byte, readSize)
	keepAlive := t.cfg.Profile.Timers.KeepAlive.Duration()
	for {
		if t.isClosed() {
			return protocol.ReasonClosed
		}
		if j := t.next(); j != nil {
			if t.runJob(l, j) {
				return protocol.ReasonUnplugged
			}
			continue
		}
		var until time.Time
		if keepAlive > 0 {
			until = time.Now().Add(keepAlive)
		}
		n, err := l.Read(buf, until)
		switch {
		case errors.Is(err, errTick):
			if until.IsZero() || time.Now().Before(until) {
				continue
			}
			if why := t.shake(l); why != protocol.ReasonNone {
				return why
			}
		case err != nil:
			return protocol.ReasonUnplugged
		default:
			lost := t.talk(l, t.driver.Listen(), nil, buf[:n]).lost
			clear(buf[:n])
			if lost {
				return protocol.ReasonUnplugged
			}
		}
	}
}

// readSize is how many bytes are read at once.
const readSize = 4096

func (t *Terminal) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// peek is how long runJob looks for bytes that came before the command.
const peek = 2 * time.Millisecond

// runJob carries out a job; lost says that the line is gone.
func (t *Terminal) runJob(l line, j *job) (lost bool) {
	if j.cancel.Load() {
		t.finished(j, j.nothing(protocol.ReasonWithdrawn), nil)
		return false
	}
	buf := make([]byte, readSize)
	n, err := l.Read(buf, time.Now().Add(peek))
	if err == nil {
		lost := t.talk(l, t.driver.Listen(), nil, buf[:n]).lost
		clear(buf[:n])
		if lost {
			return true // detach ends the job
		}
	} else if !errors.Is(err, errTick) {
		return true
	}
	end := t.guarded(l, j)
	o := end.action.Outcome
	if end.closed && o.Reason == protocol.ReasonUnplugged {
		o.Reason = protocol.ReasonClosed
	}
	if j.probe && !end.lost {
		if o.Reason = end.action.Reason; o.Reason == protocol.ReasonNone {
			j.device = end.action.Device
			t.recognise(j.device)
		}
	}
	t.finished(j, o, end.err)
	return end.lost
}

// guarded is talk, behind a recover that still tells whoever waits for the job.
func (t *Terminal) guarded(l line, j *job) (end ending) {
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("a conversation with a terminal broke on a defect of the program")
			t.alarm(protocol.ReasonDefect)
			o := j.nothing(protocol.ReasonDefect)
			if j.sent {
				o.Result = protocol.InDoubt
			}
			end = ending{action: protocol.Action{Do: protocol.End, Outcome: o}, lost: true,
				err: fault.New(fault.Internal, "A conversation with the terminal broke on a defect of the program. Call IT.")}
		}
	}()
	return t.talk(l, j.machine, j, nil)
}
