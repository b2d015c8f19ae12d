package sim

import (
	"bytes"
	"strconv"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/simplify"
)

// simplifyTerminal is the personality of a PIN pad with Elavon's Simplify. The
// gateway behind it is the open batch of the ledger, and what it has refused
// since the power came on.
type simplifyTerminal struct {
	*Sim
	refused map[string][]byte // by reference: replies that say so
}

func (p *simplifyTerminal) lacks() []Kind {
	return []Kind{MissingEOT, EOTForAck, EOTForReply, MultiPacket, LowerCaseKeys, UpperCaseKeys, NoAckBusy, LocalDup}
}

func (p *simplifyTerminal) wire(d door) wire {
	if _, tcp := d.(*socket); tcp {
		return wire{
			decoder: func() decoder { return &simplify.Decoder{} }, frame: bytes.Clone, max: frame.SizeMax, asks: true,
		}
	}
	return wire{
		decoder: func() decoder { return &frame.Decoder{} }, frame: framed, max: frame.SizeMax, checked: true, asks: true,
		ack: []byte{frame.ACK}, nak: []byte{frame.NAK}, answered: true,
	}
}

func (p *simplifyTerminal) parse(payload []byte) (order, error) {
	m, err := simplify.ParseMessage(payload)
	return simplifyOrder{p, m}, err
}

// clear is true of the gateway's verdict, and of a card that was never read.
func (p *simplifyTerminal) clear(reply []byte) bool {
	m, err := simplify.ParseMessage(reply)
	if err != nil {
		return false
	}
	switch m[simplify.FieldGateway] {
	case simplifySayings[approved].code, simplifySayings[declined].code, simplifySayings[timedOut].code, simplifySayings[aborted].code:
		return true
	}
	return false
}

// simplifyOrder is a message of the driver.
type simplifyOrder struct {
	p *simplifyTerminal
	m simplify.Message
}

func (o simplifyOrder) name() string { return o.m[simplify.FieldType] }

func (o simplifyOrder) is(message string) bool { return message == o.name() }

func (o simplifyOrder) class() class {
	switch o.name() {
	case simplify.TypeHealth:
		return shaking
	case simplify.TypeCancel:
		return cancelling
	case simplify.TypeInquiry:
		return seeking
	case simplify.TypeSale, simplify.TypeReturn, simplify.TypeVoid, simplify.TypeVoidReturn:
		return moving
	}
	if simplify.IsStatus(o.name()) {
		return replying
	}
	return other
}

// refuse says that the PIN pad is busy; a Health message is echoed all the same.
func (o simplifyOrder) refuse(l *link, payload []byte) {
	l.put(l.wire.ack)
	reply := o.echo()
	if o.class() != shaking {
		o.p.say(reply, simplifySaying{"0030", "*SLR BUSY.", "0030", "0030"})
	}
	l.push(&parcel{payload: reply.Append(nil), answer: payload, wait: true})
}

// cancel ends what waits for a card; that has no reply of its own then.
func (o simplifyOrder) cancel(l *link, payload []byte) {
	p := o.p
	l.put(l.wire.ack)
	reply := o.echo()
	switch {
	case p.stoppable():
		p.clearDevice()
	case p.tx != nil:
		p.say(reply, simplifySaying{"0030", "*SLR Busy.", "0030", "0030"})
	}
	l.push(&parcel{payload: reply.Append(nil), answer: payload, wait: true})
}

// echo is the part of a message that a reply repeats.
func (o simplifyOrder) echo() simplify.Message {
	m := make(simplify.Message)
	for _, f := range []simplify.Field{simplify.FieldType, simplify.FieldRef, simplify.FieldDate, simplify.FieldTime, simplify.FieldAmount, simplify.FieldTerminal} {
		if v, ok := o.m[f]; ok {
			m[f] = v
		}
	}
	return m
}

func (o simplifyOrder) carryOut(t *tx) {
	p := o.p
	switch o.name() {
	case simplify.TypeHealth:
		p.answer(t, o.m)
	case simplify.TypeInquiry:
		p.inquiry(t, o)
	case simplify.TypeCloseBatch:
		p.settle(t, func(line Truth, lines []Truth) { p.answer(t, o.batchReply(line, lines)) })
	case simplify.TypeSale, simplify.TypeReturn, simplify.TypeVoid, simplify.TypeVoidReturn:
		o.money(t)
	default:
		o.invalid(t)
	}
}

// invalid is the answer to what the PIN pad cannot carry out.
func (o simplifyOrder) invalid(t *tx) {
	reply := o.echo()
	o.p.say(reply, simplifySaying{"0060", "*SLR INVALID FORMAT.", "99", ""})
	o.p.answer(t, reply)
}

// money is a sale, a return or a void.
func (o simplifyOrder) money(t *tx) {
	amount, err := simplify.ParseAmount(o.m[simplify.FieldAmount])
	acts := map[string]Act{simplify.TypeSale: Charge, simplify.TypeReturn: Refund, simplify.TypeVoid: Void, simplify.TypeVoidReturn: Void}
	t.typ, t.act, t.amount, t.ref, t.report = o.name(), acts[o.name()], amount, o.m[simplify.FieldRef], true
	if err != nil || amount <= 0 || t.ref == "" {
		o.invalid(t)
		return
	}
	if t.act == Void {
		t.origRef = t.ref
	}
	if token := o.m[simplify.FieldAccount]; t.act == Refund && token != "" {
		line, _ := newest(o.p.book.lines, func(l Truth) bool { return l.Act == Charge && tokenOf(l) == token })
		t.card = cardOf(line)
	}
	o.p.begin(t)
}

// inquiry is what the gateway knows of a reference and an amount.
func (p *simplifyTerminal) inquiry(t *tx, o simplifyOrder) {
	ref := o.m[simplify.FieldRef]
	amount, err := simplify.ParseAmount(o.m[simplify.FieldAmount])
	line, ok := newest(p.book.open(), func(l Truth) bool {
		return l.Ref == ref && (l.Requested == amount || l.Amount == amount)
	})
	reply := o.echo()
	switch {
	case err != nil || ref == "":
		o.invalid(t)
		return
	case ok && p.stored[line.HostRef]:
		p.standIn(reply)
	case ok:
		reply = p.record(line)
	case p.refused[ref] != nil:
		p.answerRaw(t, p.refused[ref])
		return
	default:
		p.say(reply, simplifySaying{"0007", "NO RECORDS FOUND", "", ""})
	}
	p.answer(t, reply)
}

// batchReply says what a batch held.
func (o simplifyOrder) batchReply(line Truth, lines []Truth) simplify.Message {
	reply := o.echo()
	o.p.say(reply, simplifySayings[approved])
	reply[simplify.FieldBatch] = line.Batch
	reply[simplify.FieldCount] = strconv.Itoa(len(lines))
	reply[simplify.FieldTotal] = dollars(Net(lines))
	return reply
}

// dollars writes a sum that may be below zero.
func dollars(a money.Amount) string {
	if a < 0 {
		return "-" + simplify.Dollars(-a)
	}
	return simplify.Dollars(a)
}
