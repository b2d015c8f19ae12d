package sim

import (
	"bytes"
	"time"
)

// command takes a whole frame from the driver.
func (l *link) command(payload []byte) {
	s := l.s
	o, err := s.p.parse(payload)
	if err != nil {
		s.watch.last = ""
		s.watch.report(BadMessage, "a frame holds no message")
		l.unanswerable()
		return
	}
	s.watch.command(l, o, payload)
	switch {
	case o.class() == replying:
		l.unanswerable()
	case o.class() == cancelling:
		o.cancel(l, payload)
	case l.repeated(payload):
	case s.tx != nil:
		o.refuse(l, payload)
	default:
		l.abandon()
		l.exchange(o, payload)
	}
}

// unanswerable acknowledges a frame to which there is no reply.
func (l *link) unanswerable() { l.put(append(bytes.Clone(l.wire.ack), l.wire.eot...)) }

// repeated takes a command that is being carried out or answered already: it
// is acknowledged once more, and not carried out once more.
func (l *link) repeated(payload []byte) bool {
	s := l.s
	switch {
	case s.tx != nil && bytes.Equal(s.tx.payload, payload):
		if s.tx.hit(NoAckBusy) {
			l.put(l.wire.eot)
			return true
		}
		s.tx.link = l
		l.confirm(payload, nil)
		return true
	case l.cur != nil && !l.cur.wait && bytes.Equal(l.cur.answer, payload):
		l.confirm(payload, nil)
		l.again()
		return true
	}
	return false
}

// exchange begins with a command that is new.
func (l *link) exchange(o order, payload []byte) {
	s := l.s
	l.garbled, l.noEOT = false, time.Time{}
	if l.naks > 0 {
		l.naks--
		l.garbled = true
		l.put(l.wire.nak)
		return
	}
	flaws := s.strike(o)
	l.garbled = len(flaws) > 0
	switch {
	case find(flaws, DropCommand) != nil:
		return
	case find(flaws, Nak) != nil:
		l.naks = max(find(flaws, Nak).Count, 1) - 1
		l.put(l.wire.nak)
		return
	case find(flaws, Busy) != nil:
		o.refuse(l, payload)
		return
	}
	l.confirm(payload, flaws)
	s.stats.Commands++
	if find(flaws, Reboot) != nil {
		l.written(func() { s.powerCycle(time.Duration(find(flaws, Reboot).Delay)) })
		return
	}
	s.alter(flaws)
	o.carryOut(&tx{link: l, order: o, payload: payload, flaws: flaws})
}

// alter makes the device another one, as the faults have it.
func (s *Sim) alter(flaws []*Fault) {
	if find(flaws, Swap) != nil {
		s.serial = swappedSerial
	}
	if find(flaws, Downgrade) != nil {
		s.app = oldApp
	}
	if f := find(flaws, ClockJump); f != nil {
		s.skew = orElse(time.Duration(f.Delay), clockJump)
	}
}

// What the faults swap, downgrade and clock-jump bring, until the power goes.
const (
	swappedSerial = "99887766"
	oldApp        = "BroadPOS V1.01.00_20190401"
	clockJump     = 26 * time.Hour
)

// now is the time by the device's own clock.
func (s *Sim) now() time.Time { return s.o.Now().Add(s.skew) }

// Times of faults that name none, in proportion to the terminal's own timers,
// so that they are long or short for the driver too.

// mergeWait is how long an ACK is held for the fault merge.
func (o Options) mergeWait() time.Duration { return o.AckTimeout / 7 }

// lateAck is how late an ACK is by the fault late-ack.
func (o Options) lateAck() time.Duration { return o.AckTimeout * 2 / 7 }

// gap is longer than a driver's timer between two bytes.
func (o Options) gap() time.Duration { return 3 * o.GapTimeout }

// splitPause is between the pieces of a split reply: shorter than a driver's
// timer between two bytes.
func (o Options) splitPause() time.Duration { return o.GapTimeout / 25 }

// rebootWait lets the reply to an order to restart be acknowledged before the
// terminal goes.
func (o Options) rebootWait() time.Duration { return o.AckTimeout / 14 }

// eotGrace is how long a driver waits for a missing EOT before it may go on.
func (o Options) eotGrace() time.Duration { return o.AckTimeout / 10 }

// confirm acknowledges a command, as its faults have it.
func (l *link) confirm(payload []byte, flaws []*Fault) {
	ack := func() {
		if !l.dead {
			l.put(l.wire.ack)
			l.s.watch.shown(payload, func(m *seen) { m.acked = true })
		}
	}
	switch {
	case find(flaws, NoAck) != nil, find(flaws, NoAckBusy) != nil:
	case find(flaws, EOTForAck) != nil:
		l.put(l.wire.eot)
	case find(flaws, LateAck) != nil:
		l.s.after(orElse(time.Duration(find(flaws, LateAck).Delay), l.s.o.lateAck()), ack)
	case find(flaws, Merge) != nil:
		l.held = true
		l.s.after(l.s.o.mergeWait(), func() {
			if l.held {
				l.held = false
				ack()
			}
		})
	default:
		ack()
	}
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}
