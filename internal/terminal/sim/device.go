package sim

import (
	"fmt"
	"slices"
	"time"

	"coffer/internal/money"
)

// Screen is what the device shows.
type Screen string

// The screens.
const (
	Off        Screen = "off"
	Booting    Screen = "booting"
	Idle       Screen = "idle"
	Present    Screen = "present card"
	PIN        Screen = "enter PIN"
	Processing Screen = "processing"
	Remove     Screen = "remove card"
)

// tx is a transaction on the device.
type tx struct {
	link     *link
	order    order
	payload  []byte // the order as it came
	typ      string // its type, as the protocol has it
	act      Act
	ref      string
	invoice  string
	amount   money.Amount
	override bool   // no duplicate check
	href     string // host reference of the original
	termRef  string // terminal reference of the original
	origRef  string // ECR reference of the original
	of       *Truth // the original, when it was found
	report   bool   // the driver wants status reports

	card  Card
	entry string
	flaws []*Fault // the faults that have met this exchange
}

func (t *tx) refersTo() bool { return t.href != "" || t.termRef != "" || t.origRef != "" }

// hit reports whether a fault of that kind has met the exchange.
func (t *tx) hit(k Kind) bool { return find(t.flaws, k) != nil }

func find(flaws []*Fault, k Kind) *Fault {
	i := slices.IndexFunc(flaws, func(f *Fault) bool { return f.Kind == k })
	if i < 0 {
		return nil
	}
	return flaws[i]
}

// begin puts a transaction on the device.
func (s *Sim) begin(t *tx) {
	s.tx, s.said = t, ""
	if t.refersTo() {
		s.refer(t)
	}
	if t.act == Void || t.of != nil || t.refersTo() || t.card.LastFour != "" {
		s.process(t)
		return
	}
	s.show(Present)
	s.wait(s.o.CardTimeout, func() { s.finish(t, verdict{end: timedOut}, Truth{}) })
	if !s.o.Manual && !t.hit(Timeout) {
		s.hand = s.after(s.o.CardDelay, func() {
			if s.tx == t && s.screen == Present {
				s.present(Cards()["visa"], entryContactless)
			}
		})
	}
}

// refer finds the original that a void or refund names.
func (s *Sim) refer(t *tx) {
	lines := s.book.lines
	if t.act == Void {
		lines = s.book.open()
	}
	o, ok := newest(lines, func(o Truth) bool {
		named := t.href != "" && o.HostRef == t.href || t.href == "" && t.termRef != "" && o.TerminalRef == t.termRef ||
			t.href == "" && t.termRef == "" && o.Ref == t.origRef
		return named && (o.Act == Charge || o.Act == Refund && t.act == Void)
	})
	if !ok {
		return
	}
	t.of = &o
	t.card = cardOf(o)
	t.entry = o.EntryMode
	if t.act == Void {
		t.amount = o.Amount
	}
}

// cardOf returns the card of a ledger line, as far as the line tells.
func cardOf(o Truth) Card {
	for _, c := range Cards() {
		if c.LastFour == o.LastFour && c.Brand == o.Brand {
			return c
		}
	}
	return Card{Brand: o.Brand, LastFour: o.LastFour, typ: "99"}
}

// Entry modes, as the ledger has them.
const (
	entrySwipe       = "1"
	entryContactless = "2"
	entryChip        = "4"
)

// present is the moment at which a card meets the reader.
func (s *Sim) present(c Card, entry string) {
	t := s.tx
	t.card, t.entry = c, entry
	if entry == entryChip && s.o.PINDelay > 0 {
		s.show(PIN)
		s.wait(s.o.PINDelay, func() { s.process(t) })
		return
	}
	s.process(t)
}

// process asks the issuer.
func (s *Sim) process(t *tx) {
	s.show(Processing)
	if f := find(t.flaws, PowerBefore); f != nil {
		t.link.written(func() { s.powerCycle(time.Duration(f.Delay)) })
		return
	}
	r, delay := s.ruling(t)
	s.wait(delay, func() { s.decide(t, r) })
}

// decide takes the issuer's answer: the ledger first, then everything else.
func (s *Sim) decide(t *tx, r Ruling) {
	v := s.judge(t, r)
	line := s.truth(t, v)
	switch {
	case v.moves():
		var err error
		if line, err = s.book.append(line); err != nil {
			s.breakDown(err)
			return
		}
	case v.original != nil:
		line = *v.original
	}
	if t.hit(Offline) && v.moves() {
		s.store(line)
	}
	if f := find(t.flaws, PowerAfter); f != nil {
		t.link.written(func() { s.powerCycle(time.Duration(f.Delay)) })
		return
	}
	if t.entry == entryChip && t.of == nil && s.o.RemoveDelay > 0 {
		s.show(Remove)
		s.wait(s.o.RemoveDelay, func() { s.finish(t, v, line) })
		return
	}
	s.finish(t, v, line)
}

// store keeps a payment that the device approved by itself until it has told
// the bank. The card holder's money is spoken for from the beginning: the
// ledger has the line.
func (s *Sim) store(line Truth) {
	s.stored[line.HostRef] = true
	s.after(s.o.SlowHost, func() { delete(s.stored, line.HostRef) })
}

// truth is the ledger line of a transaction that the issuer answers with v.
func (s *Sim) truth(t *tx, v verdict) Truth {
	n := len(s.book.lines) + 1
	o := Truth{
		Time: s.now(), Act: t.act, Ref: t.ref, Invoice: t.invoice,
		Requested: t.amount, Amount: v.approved,
		TerminalRef: fmt.Sprint(n), Batch: s.book.batch(),
		Brand: t.card.Brand, LastFour: t.card.LastFour, EntryMode: t.entry, Override: t.override,
	}
	switch {
	case v.moves():
		o.HostRef = fmt.Sprintf("2%010d", n)
	case v.asked():
		o.HostRef = fmt.Sprintf("9%010d", s.codes.IntN(1_000_000_000))
	}
	if v.moves() {
		o.AuthCode = fmt.Sprintf("%06d", s.codes.IntN(1_000_000))
	}
	if t.of != nil {
		o.Of, o.OfRef, o.OfAct = t.of.HostRef, t.of.Ref, t.of.Act
	}
	return o
}

// abort ends the transaction as long as the issuer has not been asked.
func (s *Sim) abort() bool {
	if !s.stoppable() {
		return false
	}
	t := s.tx
	s.finish(t, verdict{end: aborted}, Truth{})
	return true
}

// stoppable reports whether a transaction runs and the issuer has not been
// asked.
func (s *Sim) stoppable() bool {
	return s.tx != nil && (s.screen == Present || s.screen == PIN)
}

// finish takes the transaction off the device and sends its reply.
func (s *Sim) finish(t *tx, v verdict, line Truth) {
	s.clearDevice()
	s.said = saidOf(t, v)
	s.p.result(t, v, line)
}

// settle closes the batch at the issuer: the records leave the terminal. then
// answers t with the ledger's line and those of the batch.
func (s *Sim) settle(t *tx, then func(o Truth, lines []Truth)) {
	s.tx = t
	s.show(Processing)
	if f := find(t.flaws, PowerBefore); f != nil {
		t.link.written(func() { s.powerCycle(time.Duration(f.Delay)) })
		return
	}
	s.wait(s.o.HostDelay, func() {
		lines := s.book.open()
		o := Truth{Time: s.now(), Act: Batch, Amount: Net(lines), Batch: s.book.batch(),
			HostRef: fmt.Sprintf("2%010d", len(s.book.lines)+1)}
		if _, err := s.book.append(o); err != nil {
			s.breakDown(err)
			return
		}
		if f := find(t.flaws, PowerAfter); f != nil {
			t.link.written(func() { s.powerCycle(time.Duration(f.Delay)) })
			return
		}
		s.clearDevice()
		then(o, lines)
	})
}

// breakDown is a ledger that cannot be written: the terminal goes dark before
// it says anything that the ledger does not hold.
func (s *Sim) breakDown(err error) {
	s.o.Log.Error("The ledger cannot be written; the terminal is switched off.")
	s.broken = err
	s.book.abandon()
	s.powerOff()
}

func (s *Sim) clearDevice() {
	s.tx = nil
	s.stop(&s.clock)
	s.stop(&s.hand)
	s.screen = Idle
}

// wait arms the device's one clock.
func (s *Sim) wait(d time.Duration, f func()) {
	s.stop(&s.clock)
	s.clock = s.after(d, f)
}

// show changes the screen, and reports it to a driver that asked.
func (s *Sim) show(screen Screen) {
	s.screen = screen
	if s.tx != nil && (s.tx.report || s.tx.hit(Chatter)) {
		s.report(s.tx, screen)
	}
}
