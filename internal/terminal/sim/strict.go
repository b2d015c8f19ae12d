package sim

import (
	"time"
)

// Rule names of Violation. They are stable.
const (
	AckMissing      = "ack-missing"        // a reply that was sent whole was never acknowledged
	ResendAfterAck  = "resend-after-ack"   // a money command was sent again after its ACK
	ResendAfterRep  = "resend-after-reply" // the same, after a byte of its reply
	BadLRC          = "bad-lrc"            // a frame of the driver has a wrong check byte
	BrokenFrame     = "broken-frame"       // a frame of the driver stopped, or was too long
	BadMessage      = "bad-message"        // a frame that holds no message
	ASCIIAck        = "ascii-ack"          // text, such as "06" or "36", where an ACK byte is due
	Garbage         = "garbage"            // bytes outside of any frame
	StrayControl    = "stray-control"      // ACK, NAK or EOT to nothing, or ENQ
	NakGood         = "nak-good-frame"     // a reply that was sent whole was refused
	BrokenOff       = "broken-off"         // EOT while a command runs, or in place of an ACK
	LeftExchange    = "left-exchange"      // the driver hung up while its command was running
	NothingToCancel = "nothing-to-cancel"  // A14 while nothing runs and nothing is open
	BusyCommand     = "busy-command"       // a command while another one runs
	EarlyWrite      = "write-before-eot"   // the next command came before the end of the last
	UnknownCommand  = "unknown-command"    // the protocol has no message of this name
	UnknownType     = "unknown-type"       // the protocol has no transaction of this type
	BadAmount       = "bad-amount"         // no amount, or one that is not 1 to 12 digits, or zero
	BadRef          = "bad-ref"            // an ECR reference that is too long, or no reference
	RefReused       = "ref-reused"         // an ECR reference stands for another amount or type
	RefMissing      = "ref-missing"        // a money command without an ECR reference
	OriginalMissing = "original-missing"   // a void or a look-up that does not say of what
	Forbidden       = "forbidden"          // a message that can return card data
	AccountFilled   = "account-filled"     // card number, expiry or CVV in a command
	StampMissing    = "stamp-missing"      // a financial message without date and time
)

// Violation is one fault of whoever drives the terminal.
type Violation struct {
	Rule    string    `json:"rule"`
	Message string    `json:"message,omitempty"` // the newest command, such as T00
	Text    string    `json:"text"`
	Time    time.Time `json:"time"`
}

// watch looks for violations, and reports each once. It judges only what the
// driver could have known: an exchange that a fault has touched excuses
// whatever the fault explains.
//
// # What counts as one
//
// Bytes that belong to no frame are one fault for as long as nothing good
// comes between them and no silence of Options.GapTimeout; frames that begin
// among them belong to them. A frame that stops is one fault together with
// what comes of it afterwards. A reply that is never acknowledged is one,
// however often it is sent.
//
// # What a line loss allows
//
// A driver that has lost its line, or was started again, cannot know what the
// terminal is doing. It must find out without moving money, and so may
//
//   - acknowledge or refuse each frame that reaches it, once for each time that
//     it was sent, whoever had asked for it; and end with EOT one that was
//     asked for on another line;
//   - send A00 while a command of another line runs, or one that it has sent
//     A14 for: the terminal answers EOT while it is busy;
//   - send A14 once, and again after each A00, although nothing runs, for as
//     long as it may have a money command whose end it does not know: from the
//     beginning of a line, and from a money command until that was sent once
//     only and its clear answer was acknowledged on the line it came from.
//
// Nothing is open on the first line of a terminal whose ledger is empty, until
// a money command comes. At a pseudo-terminal a driver that comes back cannot be
// seen: there each A00 but the first stands for a new line. On a TCP line a
// driver need not wait for EOT. Nothing else is allowed.
type watch struct {
	s     *Sim
	found []Violation
	money map[string]*seen // by ECR reference
	met   bool             // a driver was here before: on another line, or with a money command
	last  string           // the newest command
	chunk *link            // the link that ended an exchange within the bytes now read, if one did
}

// conduct is what the watch knows of one line.
type conduct struct {
	until      time.Time // until then bytes that mean nothing belong to the fault reported last
	bad        bool      // so do the bytes that came in one piece with a frame that could not be read
	within     bool      // the frame that has begun did so among such bytes
	unanswered int       // times that a frame was sent and neither acknowledged nor refused
	open       bool      // the driver may not know the end of a money command
	ended      bool      // A14 came for that, and no A00 since
	cancelled  bool      // A14 came for the command that runs
}

// seen is what the driver has been shown of a money command.
type seen struct {
	sense   string // what its reference stands for
	sends   int
	acked   bool // an ACK went out whole
	replied bool // a byte of the reply went out
}

func (w *watch) report(rule, text string) {
	if !w.s.o.Strict {
		return
	}
	v := Violation{Rule: rule, Message: w.last, Text: text, Time: w.s.o.Now()}
	w.found = append(w.found, v)
	if w.s.o.OnViolation != nil {
		w.s.o.OnViolation(v)
	}
}

// command judges a whole message before it is carried out.
func (w *watch) command(l *link, o order, payload []byte) {
	w.last = o.name()
	s := w.s
	same := l.cur != nil && string(l.cur.answer) == string(payload)
	switch {
	case o.class() == cancelling:
		w.cancel(l)
	case s.tx != nil && string(s.tx.payload) != string(payload):
		w.busy(l, o)
	case l.wire.answered && l.cur != nil && !l.cur.wait && !same && !l.garbled && !l.cur.stale && !l.cur.blamed:
		w.report(AckMissing, "a command came although the last reply was not acknowledged")
	case l.wire.waits && !l.noEOT.IsZero() && time.Since(l.noEOT) < s.o.eotGrace():
		w.report(EarlyWrite, "a command came before EOT, and before the wait for it was over")
	}
	_, sticky := l.door.(*tty) // a driver that comes back is not seen
	switch o.class() {
	case moving:
		w.met, l.conduct.open, l.conduct.ended, l.conduct.cancelled = true, true, false, false
	case shaking:
		l.conduct.open = l.conduct.open || sticky && w.history()
		l.conduct.ended, w.met = false, w.met || sticky
	case seeking:
		l.conduct.ended = l.conduct.ended && !l.wire.asks
	}
	o.judge(w)
}

// attached is a new line.
func (w *watch) attached(l *link) {
	_, sticky := l.door.(*tty) // whether a driver is there is not seen
	l.conduct.open = w.history()
	w.met = w.met || !sticky
}

// history reports whether a driver may come with an open question.
func (w *watch) history() bool { return w.met || len(w.s.book.lines) > 0 }

// cancel judges A14. It may cross with the reply.
func (w *watch) cancel(l *link) {
	switch {
	case w.s.tx != nil:
		l.conduct.cancelled = true
	case l.cur != nil, l.garbled:
	case l.conduct.open && !l.conduct.ended:
		l.conduct.ended = true
	default:
		w.report(NothingToCancel, "A14 came while no command runs, and there is none whose end is not known")
	}
}

// busy judges a command that comes while another one runs.
func (w *watch) busy(l *link, o order) {
	_, sticky := l.door.(*tty)
	asks := o.class() == shaking || o.class() == seeking && l.wire.asks
	if asks && (w.s.tx.link != l || l.conduct.cancelled || l.garbled || sticky) {
		return
	}
	w.report(BusyCommand, "a command came while another one is running")
}

// shown marks what the driver has seen of the money command in payload.
func (w *watch) shown(payload []byte, mark func(*seen)) {
	o, err := w.s.p.parse(payload)
	if err != nil || o.class() != moving {
		return
	}
	ref, _ := o.key()
	if old := w.money[ref]; old != nil {
		mark(old)
	}
}

// concluded is a reply that was acknowledged: if it is a clear answer to a
// money command, the driver knows the end.
func (w *watch) concluded(l *link, p *parcel) {
	if p.stale || l.garbled || !w.s.p.clear(p.payload) {
		return
	}
	w.shown(p.answer, func(m *seen) {
		if m.sends == 1 {
			l.conduct.open = false
		}
	})
}

// once judges a money command by its reference: one reference, one command.
func (w *watch) once(o order) {
	ref, sense := o.key()
	old, known := w.money[ref]
	if !known {
		if w.money == nil {
			w.money = make(map[string]*seen)
		}
		w.money[ref] = &seen{sense: sense, sends: 1}
		return
	}
	old.sends++
	switch {
	case old.sense != sense:
		w.report(RefReused, "an ECR reference was used before, for another amount or type")
	case old.acked:
		w.report(ResendAfterAck, "a money command was sent again after its ACK")
	case old.replied:
		w.report(ResendAfterRep, "a money command was sent again after a byte of its reply")
	}
}

// unacked is a reply whose ACK is overdue.
func (w *watch) unacked(l *link) {
	if !l.garbled && !l.cur.blamed {
		l.cur.blamed = true
		w.report(AckMissing, "a reply was not acknowledged in time")
	}
}

// naked is a reply that was refused.
func (w *watch) naked(l *link) {
	if !l.garbled && !l.unreadable(l.cur) {
		w.report(NakGood, "a reply that was sent whole was refused with NAK")
	}
}

// left is a driver that hung up of itself.
func (w *watch) left(l *link) {
	if l.dead {
		return
	}
	if l.dec.Inside() {
		w.broken(l, BrokenFrame, "the driver hung up inside a frame", 0)
	}
	p := l.cur
	if p == nil && len(l.out) > 0 {
		p = l.out[0]
	}
	switch {
	case l.garbled:
	case w.s.tx != nil && w.s.tx.link == l:
		w.report(LeftExchange, "the driver hung up while its command was running")
	case p != nil && l.wire.answered && !p.stale && !p.blamed:
		w.report(AckMissing, "the driver hung up without acknowledging the reply")
	}
}

// deserted looks, when the terminal ends, for drivers that have gone from a
// pseudo-terminal, where that is not to be heard. One that is still there may
// have been about to go on.
func (w *watch) deserted() {
	if !w.s.o.Strict {
		return
	}
	for _, l := range w.s.links {
		if d, ok := l.door.(*tty); ok && d.deserted() {
			w.left(l)
		}
	}
}

// unreadable reports whether a parcel cannot be read even undamaged.
func (l *link) unreadable(p *parcel) bool { return len(p.payload) > l.wire.max }
