package sim

import (
	"bytes"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
)

// command takes a whole frame from the driver.
func (l *link) command(payload []byte) {
	s := l.s
	req, err := pax.ParseRequest(payload)
	if err != nil {
		s.watch.last = ""
		s.watch.report(BadMessage, "a frame holds no message")
		l.line.send(piece{data: []byte{frame.ACK, frame.EOT}})
		return
	}
	s.watch.command(l, req, payload)
	if odd(req.Command) {
		l.line.send(piece{data: []byte{frame.ACK, frame.EOT}}) // the name of a reply: there is no reply to it
		return
	}
	if req.Command == pax.Cancel {
		l.put(frame.EOT)
		s.abort()
		return
	}
	if l.repeated(payload) {
		return
	}
	if s.tx != nil {
		l.put(frame.EOT)
		return
	}
	l.abandon()
	l.exchange(req, payload)
}

// odd reports whether a message has the name of a reply.
func odd(command string) bool { return (command[len(command)-1]-'0')%2 == 1 }

// repeated takes a command that is being carried out or answered already: it
// is acknowledged once more, and not carried out once more.
func (l *link) repeated(payload []byte) bool {
	s := l.s
	switch {
	case s.tx != nil && bytes.Equal(s.tx.payload, payload):
		if s.tx.hit(NoAckBusy) {
			l.put(frame.EOT)
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
func (l *link) exchange(req pax.Request, payload []byte) {
	s := l.s
	l.garbled, l.noEOT = false, time.Time{}
	if l.naks > 0 {
		l.naks--
		l.garbled = true
		l.put(frame.NAK)
		return
	}
	flaws := s.strike(req.Command)
	l.garbled = len(flaws) > 0
	switch {
	case find(flaws, DropCommand) != nil:
		return
	case find(flaws, Nak) != nil:
		l.naks = max(find(flaws, Nak).Count, 1) - 1
		l.put(frame.NAK)
		return
	case find(flaws, Busy) != nil:
		l.put(frame.EOT)
		return
	}
	l.confirm(payload, flaws)
	s.stats.Commands++
	if find(flaws, Reboot) != nil {
		l.written(func() { s.powerCycle(time.Duration(find(flaws, Reboot).Delay)) })
		return
	}
	if find(flaws, Swap) != nil {
		s.serial = swappedSerial
	}
	s.carryOut(l, req, payload, flaws)
}

// swappedSerial is the serial number of the device that the fault swap brings.
const swappedSerial = "99887766"

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

// rebootWait lets the reply to A26 be acknowledged before the terminal goes.
func (o Options) rebootWait() time.Duration { return o.AckTimeout / 14 }

// eotGrace is how long a driver waits for a missing EOT before it may go on.
func (o Options) eotGrace() time.Duration { return o.AckTimeout / 10 }

// confirm acknowledges a command, as its faults have it.
func (l *link) confirm(payload []byte, flaws []*Fault) {
	ack := func() {
		if !l.dead {
			l.put(frame.ACK)
			l.s.watch.shown(payload, func(m *seen) { m.acked = true })
		}
	}
	switch {
	case find(flaws, NoAck) != nil, find(flaws, NoAckBusy) != nil:
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

// carryOut is the personality: what each command does.
func (s *Sim) carryOut(l *link, req pax.Request, payload []byte, flaws []*Fault) {
	t := &tx{link: l, payload: payload, flaws: flaws}
	switch req.Command {
	case pax.Initialise:
		s.reply(l, s.identity(t))
	case pax.Reset, "A26", "A12", "A10", "A04":
		s.reply(l, s.named(t, req.Command, codeOK, "OK"))
		if req.Command == "A26" {
			s.after(s.o.rebootWait(), func() { s.powerCycle(0) })
		}
	case pax.Credit:
		s.credit(t, req)
	case pax.FindRecord:
		s.reply(l, s.findRecord(t, req))
	case "R00":
		s.reply(l, s.totals(t, "R01"))
	case pax.CloseBatch:
		s.closeBatch(t)
	default:
		s.reply(l, s.named(t, req.Command, codeUnsupported, "UNSUPPORT COMMAND"))
	}
}

// credit is T00.
func (s *Sim) credit(t *tx, req pax.Request) {
	m, err := pax.ParseMoney(req)
	if err != nil {
		s.reply(t.link, s.named(t, req.Command, codeBadCommand, "INVALID PARAMETER"))
		return
	}
	acts := map[string]Act{pax.TypeSale: Charge, pax.TypeReturn: Refund, pax.TypeVoid: Void, pax.TypeVoidSale: Void, "18": Void}
	t.typ, t.act = m.Type, acts[m.Type]
	t.ref, t.invoice, t.amount, t.override = m.Ref, m.Invoice, m.Amount, m.DupOverride
	t.href, t.termRef, t.origRef, t.report = m.HostRef, m.TerminalRef, field(req, 3, 6), m.ReportStatus
	switch {
	case t.act == "":
		s.reply(t.link, s.plain(t, codeUnsupported, "UNSUPPORT TRANS"))
	case t.act != Void && t.amount <= 0, t.act == Void && !t.refersTo():
		s.reply(t.link, s.plain(t, codeBadCommand, "INVALID PARAMETER"))
	default:
		s.begin(t)
	}
}

// field returns an item of a request's group, or "".
func field(req pax.Request, group, n int) string {
	if group < len(req.Groups) && n < len(req.Groups[group]) {
		return req.Groups[group][n]
	}
	return ""
}
