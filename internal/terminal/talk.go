package terminal

import (
	"errors"
	"time"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// ending is how a conversation ended.
type ending struct {
	action protocol.Action // its End
	lost   bool            // the line is gone, or was given up
	closed bool            // by Close
	err    error           // of a hook
}

// reason returns why a conversation failed.
func (e ending) reason() protocol.Reason {
	if e.action.Reason == protocol.ReasonNone {
		return protocol.ReasonUnplugged
	}
	return e.action.Reason
}

// conversation is a machine on a line.
type conversation struct {
	t   *Terminal
	l   line
	m   protocol.Machine
	j   *job // nil for what the terminal does of itself
	end ending
}

// talk holds a conversation to its end. seed are bytes that were read
// already.
func (t *Terminal) talk(l line, m protocol.Machine, j *job, seed []byte) ending {
	c := &conversation{t: t, l: l, m: m, j: j}
	over := c.act(m.Start(time.Now()))
	if !over && len(seed) > 0 {
		over = c.act(m.Receive(time.Now(), seed))
	}
	buf := make([]byte, readSize)
	defer clear(buf)
	for !over {
		over = c.step(buf)
	}
	return c.end
}

// step waits for what comes next and lets the machine answer it.
func (c *conversation) step(buf []byte) (over bool) {
	if c.t.isClosed() {
		c.end.closed = true
		return c.lose()
	}
	if c.j != nil && c.j.cancel.Swap(false) {
		if c.act(c.m.Cancel(time.Now())) {
			return true
		}
	}
	n, err := c.l.Read(buf, c.m.Deadline())
	now := time.Now()
	switch {
	case err == nil:
		return c.act(c.m.Receive(now, buf[:n]))
	case !errors.Is(err, errTick):
		return c.lose()
	}
	if d := c.m.Deadline(); !d.IsZero() && !now.Before(d) {
		return c.act(c.m.Tick(now))
	}
	return false
}

// act takes the machine's actions; over when the conversation has ended.
func (c *conversation) act(actions []protocol.Action) (over bool) {
	for _, a := range actions {
		if a.Do == protocol.End {
			c.end.action = a
			return true
		}
		ok, end := c.deed(a)
		if end {
			return true
		}
		if !ok || len(a.Bytes) == 0 || c.end.lost {
			continue
		}
		if err := c.l.Write(a.Bytes, c.t.cfg.Profile.Timers.Write.Duration()); err != nil {
			return c.lose()
		}
	}
	return false
}

// lose tells the machine that there is no line any more; from then on nothing
// is written.
func (c *conversation) lose() (over bool) {
	if c.end.lost {
		return false // its actions are being taken already
	}
	c.end.lost = true
	if !c.act(c.m.Lost(time.Now())) {
		c.end.action = protocol.Action{Do: protocol.End, Reason: protocol.ReasonUnplugged}
	}
	return true
}

// deed does what an action asks for, except for writing its bytes. end says
// that the conversation cannot go on.
func (c *conversation) deed(a protocol.Action) (ok, end bool) {
	switch a.Do {
	case protocol.Sending:
		return c.sending()
	case protocol.Acked:
		if c.j != nil && c.j.hooks.Acked != nil {
			c.note("the acknowledgement of a command could not be kept", c.j.hooks.Acked())
		}
	case protocol.Persist:
		return c.persist(a.Outcome)
	case protocol.Stray:
		err := c.t.stray(a.Outcome)
		c.note("a late answer could not be kept", err)
		return err == nil, false
	case protocol.Show:
		if c.j != nil {
			c.j.hooks.step(a.Step)
		}
	case protocol.Warn:
		c.t.log.Warn("a terminal does not keep to its protocol", "reason", string(a.Reason))
	case protocol.Alarm:
		c.t.alarm(a.Reason)
	case protocol.Recognise:
		c.t.recognise(a.Device)
	}
	return true, false
}

// sending makes the attempt durable before its first byte.
func (c *conversation) sending() (ok, end bool) {
	if c.j.cancel.Load() {
		c.finish(c.j.nothing(protocol.ReasonWithdrawn), nil)
		return false, true
	}
	if c.j.hooks.Sending != nil {
		if err := c.j.hooks.Sending(); err != nil {
			c.finish(c.j.nothing(protocol.ReasonNotKept), err)
			return false, true
		}
	}
	c.j.sent = true
	return true, false
}

// persist makes the outcome durable before our ACK. When that fails, the
// terminal sends its answer again, and it is taken as a late one.
func (c *conversation) persist(o protocol.Outcome) (ok, end bool) {
	if c.j.hooks.Result == nil {
		return true, false
	}
	if err := c.j.hooks.Result(o); err != nil {
		c.finish(o, err)
		return false, true
	}
	return true, false
}

func (c *conversation) finish(o protocol.Outcome, err error) {
	c.end.action, c.end.err = protocol.Action{Do: protocol.End, Outcome: o}, err
}

func (c *conversation) note(text string, err error) {
	if err != nil {
		c.t.log.Error("a hook of a terminal failed", "what", text, "kind", fault.KindOf(err).String())
	}
}

// alarm puts the terminal into quarantine: until Release, or for a substitute
// until the terminal that belongs here answers again.
func (t *Terminal) alarm(why protocol.Reason) {
	t.log.Error("a terminal is locked", "reason", string(why))
	if why == protocol.ReasonSubstitute {
		t.change(func(s *Status) { t.verdict, t.judged = why, false; t.settle(s) })
		return
	}
	t.Lock(why)
	t.mu.Lock()
	tell := t.tell
	t.mu.Unlock()
	if tell == nil {
		return
	}
	if err := tell(why); err != nil {
		t.log.Error("that a terminal is locked could not be kept", "kind", fault.KindOf(err).String())
	}
}
