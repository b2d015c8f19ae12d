package sim

import (
	"fmt"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
)

// paxTerminal is the personality of a PAX terminal.
type paxTerminal struct{ *Sim }

func (p paxTerminal) lacks() []Kind { return nil }

func (p paxTerminal) wire(d door) wire {
	_, tcp := d.(*socket) // there the driver's own ACK is the end of an exchange
	return wire{
		decoder: func() decoder { return &frame.Decoder{} }, frame: framed, max: frame.SizeMax, checked: true,
		ack: []byte{frame.ACK}, nak: []byte{frame.NAK}, eot: []byte{frame.EOT}, answered: true, waits: !tcp,
	}
}

// framed puts a payload in a frame, also one that is too long for a frame.
func framed(payload []byte) []byte {
	b := append([]byte{frame.STX}, payload...)
	return append(b, frame.ETX, frame.LRC(payload))
}

func (p paxTerminal) parse(payload []byte) (order, error) {
	req, err := pax.ParseRequest(payload)
	return paxOrder{p, req}, err
}

func (p paxTerminal) clear(reply []byte) bool {
	r, err := pax.ParseResponse(reply)
	if err != nil {
		return false
	}
	switch r.Code {
	case codeOK, codeDecline, codeTimeout, codeAborted:
		return true
	}
	return false
}

// Codes of the device, where the protocol's sources name them. That of a
// record that is not found and those of bad commands differ between models.
const (
	codeOK             = "000000"
	codeDecline        = "000100"
	codeTimeout        = "100001"
	codeAborted        = "100002"
	codeBadCommand     = "100003"
	codeUnsupported    = "100004"
	codeConnect        = "100007"
	codeLocalDuplicate = "100011"
	codeNotFound       = "100023"
	codeHostDuplicate  = "103000"
)

// paxOrder is a command of the driver.
type paxOrder struct {
	p   paxTerminal
	req pax.Request
}

func (o paxOrder) name() string { return o.req.Command }

func (o paxOrder) is(message string) bool {
	return message == o.req.Command || message == replyTo(o.req.Command)
}

func (o paxOrder) class() class {
	switch c := o.req.Command; {
	case odd(c):
		return replying
	case c == pax.Cancel:
		return cancelling
	case c == pax.Initialise:
		return shaking
	case isMoney(c):
		return moving
	case c == pax.FindRecord:
		return seeking
	}
	return other
}

// odd reports whether a message has the name of a reply.
func odd(command string) bool { return (command[len(command)-1]-'0')%2 == 1 }

func (o paxOrder) refuse(l *link, _ []byte) { l.put(l.wire.eot) }

func (o paxOrder) cancel(l *link, _ []byte) {
	l.put(l.wire.eot)
	o.p.abort()
}

func (o paxOrder) carryOut(t *tx) {
	p := o.p
	switch o.req.Command {
	case pax.Initialise:
		p.answer(t, p.identity())
	case pax.Reset, "A26", "A12", "A10", "A04":
		p.answer(t, plain(o.req.Command, codeOK, "OK"))
		if o.req.Command == "A26" {
			p.after(p.o.rebootWait(), func() { p.powerCycle(0) })
		}
	case pax.Credit:
		p.credit(t, o.req)
	case pax.FindRecord:
		p.answer(t, p.findRecord(o.req))
	case "R00":
		p.answer(t, p.totals())
	case pax.CloseBatch:
		p.settle(t, func(o Truth, lines []Truth) { p.answer(t, batchReply(o, lines)) })
	default:
		p.answer(t, plain(o.req.Command, codeUnsupported, "UNSUPPORT COMMAND"))
	}
}

// credit is T00.
func (p paxTerminal) credit(t *tx, req pax.Request) {
	m, err := pax.ParseMoney(req)
	if err != nil {
		p.answer(t, plain(req.Command, codeBadCommand, "INVALID PARAMETER"))
		return
	}
	acts := map[string]Act{pax.TypeSale: Charge, pax.TypeReturn: Refund, pax.TypeVoid: Void, pax.TypeVoidSale: Void, "18": Void}
	t.typ, t.act = m.Type, acts[m.Type]
	t.ref, t.invoice, t.amount, t.override = m.Ref, m.Invoice, m.Amount, m.DupOverride
	t.href, t.termRef, t.origRef, t.report = m.HostRef, m.TerminalRef, field(req, 3, 6), m.ReportStatus
	switch {
	case t.act == "":
		p.answer(t, plain(pax.Credit, codeUnsupported, "UNSUPPORT TRANS"))
	case t.act != Void && t.amount <= 0, t.act == Void && !t.refersTo():
		p.answer(t, plain(pax.Credit, codeBadCommand, "INVALID PARAMETER"))
	default:
		p.begin(t)
	}
}

// field returns an item of a request's group, or "".
func field(req pax.Request, group, n int) string {
	if group < len(req.Groups) && n < len(req.Groups[group]) {
		return req.Groups[group][n]
	}
	return ""
}

// replyTo returns the name of the reply to a command: the next number, which
// is odd. No command has an odd number.
func replyTo(command string) string {
	if len(command) != 3 {
		return command
	}
	n := int(command[1]-'0')*10 + int(command[2]-'0') + 1
	return fmt.Sprintf("%c%02d", command[0], n)
}
