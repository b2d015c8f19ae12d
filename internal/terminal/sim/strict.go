package sim

import (
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
)

// Rule names of Violation. They are stable.
const (
	AckMissing     = "ack-missing"        // a reply that arrived whole was never acknowledged
	ResendAfterAck = "resend-after-ack"   // a money command was sent again after its ACK
	ResendAfterRep = "resend-after-reply" // the same, after a byte of its reply
	BadLRC         = "bad-lrc"            // a frame of the driver has a wrong check byte
	BrokenFrame    = "broken-frame"       // a frame of the driver stopped, or was too long
	BadMessage     = "bad-message"        // a frame that holds no message
	ASCIIAck       = "ascii-ack"          // "06" or "36" in letters, where an ACK byte is due
	Garbage        = "garbage"            // bytes outside of any frame
	NakGood        = "nak-good-frame"     // a reply that was sent whole was refused
	BusyCommand    = "busy-command"       // a command while another one runs
	RefReused      = "ref-reused"         // an ECR reference stands for another amount or type
	RefMissing     = "ref-missing"        // a money command without an ECR reference
	Forbidden      = "forbidden"          // a message that can return card data
	AccountFilled  = "account-filled"     // card number, expiry or CVV in a command
	EarlyWrite     = "write-before-eot"   // the next command came before the end of the last
)

// Violation is one fault of whoever drives the terminal.
type Violation struct {
	Rule    string    `json:"rule"`
	Message string    `json:"message,omitempty"` // the command concerned, such as T00
	Text    string    `json:"text"`
	Time    time.Time `json:"time"`
}

// watch looks for violations. It judges only what the driver could have known:
// an exchange that a fault has touched excuses whatever the fault explains.
type watch struct {
	s     *Sim
	found []Violation
	money map[string]*seen // by ECR reference
	last  string           // the newest command
	chunk *link            // the link that ended an exchange within the bytes now read, if one did
	digit byte             // the last byte outside of frames
}

// seen is what the driver has been shown of a money command.
type seen struct {
	typ     string
	amount  money.Amount
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

// started is the first byte of a frame.
func (w *watch) started(l *link) {
	if w.chunk == l {
		w.report(EarlyWrite, "a command began before EOT was sent")
	}
	w.chunk = nil
}

// noise is a byte outside of frames.
func (w *watch) noise(l *link, c byte) {
	before := w.digit
	w.digit = c
	switch {
	case l.cur != nil && c == '6' && (before == '3' || before == '0'):
		w.report(ASCIIAck, "an acknowledgement came as text; it is the single byte 06")
	case c != '3' && c != '0' && !l.garbled:
		w.report(Garbage, "a byte came that belongs to no frame")
	}
}

// command judges a whole message before it is carried out.
func (w *watch) command(l *link, req pax.Request, payload []byte) {
	w.last = req.Command
	s := w.s
	same := l.cur != nil && string(l.cur.answer) == string(payload)
	switch {
	case req.Command == pax.Cancel:
	case s.tx != nil && string(s.tx.payload) != string(payload) && req.Command != pax.Initialise:
		w.report(BusyCommand, "a command came while another one is running")
	case l.cur != nil && !l.cur.wait && !same && !l.garbled:
		w.report(AckMissing, "a command came although the last reply was not acknowledged")
	case !l.noEOT.IsZero() && time.Since(l.noEOT) < s.o.eotGrace():
		w.report(EarlyWrite, "a command came before EOT, and before the wait for it was over")
	}
	if forbidden(req.Command) {
		w.report(Forbidden, "this message can return card data")
	}
	if isMoney(req.Command) {
		w.moneyCommand(req)
	}
}

func isMoney(command string) bool { return command == "T00" || command == "T02" }

// forbidden lists the messages that can return a card number, a track or a PIN
// block.
func forbidden(command string) bool {
	switch command {
	case "A28", "A30", "A32", "A36", "A40", "A42", "A46", "A48", "A50", "A52":
		return true
	}
	return command >= "T04" && command <= "T13"
}

func (w *watch) moneyCommand(req pax.Request) {
	for i := range 3 {
		if field(req, 2, i) != "" {
			w.report(AccountFilled, "a card number, expiry or security code stands in a command")
			break
		}
	}
	m, err := pax.ParseMoney(req)
	if err != nil {
		return
	}
	if m.Ref == "" {
		w.report(RefMissing, "a money command has no ECR reference: its end could not be looked up")
		return
	}
	old, known := w.money[m.Ref]
	switch {
	case !known:
		if w.money == nil {
			w.money = make(map[string]*seen)
		}
		w.money[m.Ref] = &seen{typ: m.Type, amount: m.Amount}
	case old.typ != m.Type || old.amount != m.Amount:
		w.report(RefReused, "an ECR reference was used before, for another amount or type")
	case old.acked:
		w.report(ResendAfterAck, "a money command was sent again after its ACK")
	case old.replied:
		w.report(ResendAfterRep, "a money command was sent again after a byte of its reply")
	}
}

// shown marks what the driver has seen of the money command in payload.
func (w *watch) shown(payload []byte, mark func(*seen)) {
	req, err := pax.ParseRequest(payload)
	if err != nil || !isMoney(req.Command) {
		return
	}
	if old := w.money[field(req, 3, 0)]; old != nil {
		mark(old)
	}
}

// unacked is a reply whose ACK is overdue.
func (w *watch) unacked(l *link) {
	if !l.garbled {
		w.report(AckMissing, "a reply was not acknowledged in time")
	}
}

// naked is a reply that was refused.
func (w *watch) naked(l *link) {
	if !l.garbled && !unreadable(l.cur) {
		w.report(NakGood, "a reply that was sent whole was refused with NAK")
	}
}

// unreadable reports whether a parcel cannot be read even undamaged.
func unreadable(p *parcel) bool { return len(p.frame) > frame.SizeMax }
