package sim

import (
	"errors"
	"strconv"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/upa"
)

// upaTerminal is the personality of a terminal with the Unified Payments
// Application.
type upaTerminal struct{ *Sim }

// upaMax is the longest message that a driver is expected to read.
const upaMax = 1 << 20

// lacks: on TCP no byte is damaged, there is no report of what the screen shows,
// and no driver may repeat a command.
func (p upaTerminal) lacks() []Kind {
	return []Kind{DropByte, FlipBit, WrongLRC, CheckByte, Chatter, NoAckBusy, EOTForAck}
}

func (p upaTerminal) wire(door) wire {
	word := func(w string) []byte { return upa.Frame(upa.Signal(w)) }
	return wire{
		decoder: func() decoder { return &upaDecoder{upa.NewDecoder(upaMax)} }, frame: upa.Frame, max: upaMax,
		ack: word(upa.Ack), nak: word(upa.Nak), eot: word(upa.Ready), answered: true, signals: true, waits: true,
	}
}

// upaDecoder gives a driver's ACK, a message by itself, as the byte that it
// means.
type upaDecoder struct{ *upa.Decoder }

func (d *upaDecoder) Push(c byte) (frame.Event, bool) {
	e, ok := d.Decoder.Push(c)
	if !ok || e.Kind != frame.Frame {
		return e, ok
	}
	kind, _, err := upa.ParseRequest(e.Payload)
	switch {
	case err != nil:
	case kind == upa.Ack:
		return frame.Event{Kind: frame.Control, Byte: frame.ACK}, true
	case kind == upa.Nak:
		return frame.Event{Kind: frame.Control, Byte: frame.NAK}, true
	}
	return e, ok
}

func (p upaTerminal) parse(payload []byte) (order, error) {
	kind, r, err := upa.ParseRequest(payload)
	o := upaOrder{p: p, r: r, leak: errors.Is(err, upa.ErrLeak)}
	if !o.leak && (err != nil || kind != upa.Msg || r.Command == "") {
		return o, upa.ErrFormat
	}
	return o, nil
}

func (p upaTerminal) clear(reply []byte) bool {
	r, err := upa.ParseReply(reply)
	return err == nil && (r.Result == upa.Success || r.Code == upaSayings[timedOut].code || r.Code == upaSayings[aborted].code)
}

// upaOrder is a command of the driver.
type upaOrder struct {
	p    upaTerminal
	r    upa.Request
	leak bool // it holds what looks like card data; nothing else of it is known
}

func (o upaOrder) name() string { return o.r.Command }

func (o upaOrder) is(message string) bool { return message == o.r.Command }

// upaActs are the commands that move money.
var upaActs = map[string]Act{upa.Sale: Charge, upa.Refund: Refund, upa.Void: Void}

func (o upaOrder) class() class {
	switch o.r.Command {
	case upa.Ping, upa.GetAppInfo:
		return shaking
	case upa.Cancel:
		return cancelling
	case upa.GetBatch:
		return seeking
	case upa.Sale, upa.Refund, upa.Void:
		return moving
	}
	return other
}

func (o upaOrder) refuse(l *link, _ []byte) { l.put(upa.Frame(upa.Signal(upa.Busy))) }

// cancel ends what waits for a card: the answer is that command's. Otherwise it
// has one of its own.
func (o upaOrder) cancel(l *link, payload []byte) {
	p := o.p
	l.put(l.wire.ack)
	if p.abort() {
		return
	}
	reply := upa.Reply{Kind: upa.Msg, Command: upa.Cancel, ID: o.r.ID, Result: upa.Success}
	if p.tx != nil {
		reply.Result, reply.Code, reply.Text = upa.Failed, upaUnsupported, "TOO LATE"
	}
	l.push(&parcel{payload: reply.JSON(), answer: payload, wait: p.tx != nil})
}

func (o upaOrder) carryOut(t *tx) {
	p := o.p
	ok := upa.Reply{Result: upa.Success}
	switch o.r.Command {
	case upa.Ping, "ReturnToIdle":
		p.answer(t, ok)
	case upa.GetAppInfo:
		ok.Device = upa.Device{Serial: p.serial, App: p.app, OS: p.o.OS}
		p.answer(t, ok)
	case upa.GetBatch:
		p.listing(t)
	case "Reboot":
		p.answer(t, ok)
		p.after(p.o.rebootWait(), func() { p.powerCycle(0) })
	case "EODProcessing":
		p.settle(t, func(line Truth, _ []Truth) {
			ok.Host = upa.Host{Batch: line.Batch, Ref: line.HostRef, Code: "00"}
			p.answer(t, ok)
		})
	case upa.Sale, upa.Refund, upa.Void:
		o.money(t)
	default:
		p.answer(t, upa.Reply{Result: upa.Failed, Code: upaUnsupported, Text: "COMMAND NOT SUPPORTED"})
	}
}

// money is a sale, a refund or a void.
func (o upaOrder) money(t *tx) {
	t.typ, t.act = o.r.Command, upaActs[o.r.Command]
	t.ref, t.invoice, t.amount, t.override = o.r.Ref, o.r.Ref, o.r.Amount, o.r.Duplicate
	t.href, t.termRef = o.r.HostRef, o.r.TerminalRef
	switch {
	case t.act == Void && !t.refersTo():
		o.p.answer(t, upa.Reply{Result: upa.Failed, Code: "TRAN009", Text: "TRAN ID IS MISSING"})
	case t.act != Void && t.amount <= 0:
		o.p.answer(t, upa.Reply{Result: upa.Failed, Code: "TRAN007", Text: "INVALID AMOUNT"})
	default:
		o.p.begin(t)
	}
}

// listing is what the open batch holds.
func (p upaTerminal) listing(t *tx) {
	var records []upa.Record
	for _, line := range p.book.open() {
		records = append(records, p.record(line))
	}
	total := strconv.Itoa(len(records))
	if n := len(records) / 2; t.hit(MultiPacket) && n > 0 {
		p.answer(t,
			upa.Reply{Result: upa.Success, Total: total, Records: records[:n], More: true},
			upa.Reply{Result: upa.Success, Total: total, Records: records[n:]})
		return
	}
	if len(records) == 0 {
		p.answer(t, upa.Reply{Result: upa.Failed, Code: "BATCH01", Text: "EMPTY BATCH"})
		return
	}
	p.answer(t, upa.Reply{Result: upa.Success, Total: total, Records: records})
}
