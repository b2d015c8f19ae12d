package sim

import (
	"bytes"
	"time"

	"coffer/internal/terminal/frame"
)

// parcel is a frame on its way to the driver.
type parcel struct {
	payload []byte
	flaws   []*Fault // faults of its bytes and of its end
	wait    bool     // more packets follow, or it is a status report: no EOT after its ACK
	answer  []byte   // payload of the command that it answers
	stale   bool     // that command came on another line
	blamed  bool     // its missing ACK has been reported
	tries   int
}

// triesMax is how often a reply is sent before the terminal gives it up.
const triesMax = 3

// link is the terminal's side of the wire to one driver: it takes frames
// apart, acknowledges them, and sends one parcel at a time until that is
// acknowledged.
type link struct {
	s    *Sim
	door door
	line *line
	wire wire
	dec  decoder
	gap  *timer // silence inside a frame
	ack  *timer // the driver's ACK is due

	cur     *parcel // waits for its ACK
	out     []*parcel
	held    bool      // an ACK that goes out with the reply
	naks    int       // commands still to be refused
	noEOT   time.Time // when an EOT was withheld; zero if none is
	dead    bool
	due     func() // what written has promised
	garbled bool   // a fault has just touched this line: the driver may be out of step
	conduct conduct
}

// drop ends the link.
func (l *link) drop() {
	l.dead = true
	l.s.watch.met = true
	l.s.stop(&l.gap)
	l.s.stop(&l.ack)
	l.cur, l.out = nil, nil
	l.line.close()
	if l.due != nil {
		l.s.after(0, l.owed)
	}
}

// receive takes what came from the driver.
func (l *link) receive(b []byte) {
	if l.dead {
		return
	}
	defer l.s.watch.read(l)
	for _, c := range b {
		e, ok := l.dec.Push(c)
		if ok {
			l.event(e)
		}
		if l.dead {
			return
		}
	}
	l.s.stop(&l.gap)
	if l.dec.Inside() {
		l.gap = l.s.after(l.s.o.GapTimeout, l.brokenOff)
	}
}

func (l *link) event(e frame.Event) {
	switch e.Kind {
	case frame.Frame:
		if l.wire.signals {
			l.s.watch.started(l)
		}
		l.s.watch.good(l)
		if l.s.o.OnMessage != nil {
			l.s.o.OnMessage(bytes.Clone(e.Payload))
		}
		l.command(bytes.Clone(e.Payload))
	case frame.Control:
		l.s.watch.control(l, e.Byte)
		l.control(e.Byte)
	case frame.Start:
		if !l.wire.signals {
			l.s.watch.started(l)
		}
	case frame.BadSum:
		l.s.watch.broken(l, BadLRC, "a frame's check byte is wrong", 0)
		l.put(l.wire.nak)
	case frame.Restarted, frame.Oversize:
		l.s.watch.broken(l, BrokenFrame, "a frame was broken off by another, or is too long", l.s.o.GapTimeout)
		if e.Kind == frame.Oversize {
			l.put(l.wire.nak)
		}
	case frame.Noise:
		l.s.watch.noise(l, e.Byte)
	}
}

// brokenOff is the end of the wait for the rest of a frame.
func (l *link) brokenOff() {
	l.dec.Wipe()
	l.s.watch.broken(l, BrokenFrame, "a frame stopped before its end", l.s.o.AckTimeout)
	l.s.watch.read(l)
	l.put(l.wire.nak)
}

// control takes a byte outside of frames.
func (l *link) control(c byte) {
	switch c {
	case frame.ACK:
		l.acked()
	case frame.NAK:
		l.naked()
	case frame.EOT:
		// The driver has given up the reply; nothing more is sent of it.
		l.s.stop(&l.ack)
		l.cur = nil
		l.advance()
	}
}

// put sends an answer of the terminal, such as ACK; nothing where the wire has
// none.
func (l *link) put(b []byte) {
	if len(b) > 0 {
		l.line.send(piece{data: b})
	}
}

// linger is how long bytes stay readable before a fault takes the line away:
// a pseudo-terminal that hangs up forgets what nobody has read.
const linger = 30 * time.Millisecond

// written runs f once everything sent so far is on the wire, or can no longer
// be sent.
func (l *link) written(f func()) {
	if l.dead {
		f()
		return
	}
	l.due = f
	l.line.send(piece{pause: linger, then: l.owed})
}

// owed runs what written has promised, once.
func (l *link) owed() {
	f := l.due
	l.due = nil
	if f != nil {
		f()
	}
}

// push queues a parcel.
func (l *link) push(p *parcel) {
	if l.dead {
		return
	}
	l.out = append(l.out, p)
	if l.cur == nil {
		l.advance()
	}
}

// advance sends the next parcel.
func (l *link) advance() {
	if l.cur != nil || len(l.out) == 0 {
		return
	}
	l.cur, l.out = l.out[0], l.out[1:]
	l.transmit()
}

// transmit sends the current parcel, once more if need be.
func (l *link) transmit() {
	p := l.cur
	p.tries++
	l.conduct.unanswered++
	if find(p.flaws, DropFrame) == nil {
		l.s.watch.shown(p.answer, func(m *seen) { m.replied = true })
	}
	pieces := l.damage(p)
	if l.held {
		l.held = false
		pieces[0].data = append(bytes.Clone(l.wire.ack), pieces[0].data...)
	}
	last := &pieces[len(pieces)-1]
	then := last.then
	last.then = func() {
		if then != nil {
			then()
		}
		switch {
		case l.cur != p || l.dead:
		case l.wire.answered:
			l.s.stop(&l.ack)
			l.ack = l.s.after(l.s.o.AckTimeout, l.unacked)
		default:
			l.acked()
		}
	}
	l.line.send(pieces...)
}

// unacked is the driver's ACK being overdue.
func (l *link) unacked() {
	l.s.watch.unacked(l)
	l.again()
}

// naked is the driver's NAK.
func (l *link) naked() {
	if l.cur == nil {
		return
	}
	l.s.watch.naked(l)
	l.again()
}

// again sends the current parcel once more, or gives it up.
func (l *link) again() {
	l.s.stop(&l.ack)
	if l.cur.tries < triesMax {
		l.transmit()
		return
	}
	l.cur = nil
	l.put(l.wire.eot)
	l.advance()
}

// acked is the driver's ACK; on a wire without, the end of sending.
func (l *link) acked() {
	p := l.cur
	if p == nil {
		return // of a reply that came twice, or of noise
	}
	l.s.stop(&l.ack)
	l.cur = nil
	if !p.wait {
		l.s.stats.Replies++
		l.s.watch.concluded(l, p)
		l.finish(p)
	}
	l.advance()
}

// finish ends an exchange with EOT, where there is one.
func (l *link) finish(p *parcel) {
	if take(p.flaws, MissingEOT) {
		l.noEOT = time.Now()
		return
	}
	n := l.s.stats.Replies
	l.line.send(piece{data: l.wire.eot, then: func() {
		if l.s.o.OnExchange != nil {
			l.s.o.OnExchange(n)
		}
	}})
	l.s.watch.chunk = l
}

// abandon forgets what was to be sent.
func (l *link) abandon() {
	l.s.stop(&l.ack)
	l.cur, l.out = nil, nil
}
