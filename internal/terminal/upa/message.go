package upa

import (
	"encoding/json"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/money"
	"coffer/internal/pan"
)

// The kinds of message: a command or its answer, and what either side says to
// one.
const (
	Msg   = "MSG"
	Ack   = "ACK"   // it has come
	Nak   = "NAK"   // it could not be read
	Busy  = "BUSY"  // it is refused: another one runs
	Ready = "READY" // the exchange is over
)

// The commands that this package sends.
const (
	Ping       = "Ping"
	GetAppInfo = "GetAppInfo"
	Sale       = "Sale"
	Void       = "Void"
	Refund     = "Refund"
	Cancel     = "CancelTransaction"
	GetBatch   = "GetBatchDetails"
)

// Results of a command.
const (
	Success = "Success"
	Failed  = "Failed"
)

// ErrLeak is returned for a message that holds what looks like card data. Its
// buffer must be wiped.
var ErrLeak = fault.New(fault.Invalid, "The terminal sent data that it must never send.")

// ecrID is the number of this till at the terminal: that of the public client
// kits, as one till drives one terminal.
const ecrID = "13"

// Signal returns a message that is a word: Ack, Nak, Busy or Ready.
func Signal(word string) []byte {
	if word == Ack {
		return []byte(`{"message":"ACK","data":""}`) // as the client kits have it
	}
	return []byte(`{"message":"` + word + `"}`)
}

// Request is a command to the terminal.
type Request struct {
	Command     string
	ID          string // echoed by the answer
	Amount      money.Amount
	Ref         string // our reference: invoiceNbr
	TerminalRef string // of the original: tranNo
	HostRef     string // of the original: referenceNumber
	Duplicate   bool   // do not check for duplicates
}

// JSON returns the message. No field of a card exists in it.
func (r Request) JSON() []byte {
	t := map[string]any{}
	put := func(key, value string) {
		if value != "" {
			t[key] = value
		}
	}
	switch r.Command {
	case Sale:
		t["baseAmount"], t["tipAmount"], t["taxAmount"] = r.Amount.String(), "0.00", "0.00"
		if r.Duplicate {
			t["allowDuplicate"] = 1
		}
	case Refund:
		t["totalAmount"] = r.Amount.String()
	}
	put("invoiceNbr", r.Ref)
	put("tranNo", r.TerminalRef)
	put("referenceNumber", r.HostRef)
	inner := map[string]any{}
	if len(t) > 0 {
		inner["transaction"] = t
	}
	switch r.Command {
	case Sale:
		inner["params"] = map[string]any{"tokenRequest": "0"}
	case GetBatch:
		inner["params"] = map[string]any{"reportOutput": "ReturnData"}
	}
	data := map[string]any{"command": r.Command, "EcrId": ecrID, "requestId": r.ID}
	if len(inner) > 0 {
		data["data"] = inner
	}
	return encoded(map[string]any{"message": Msg, "data": data})
}

// encoded writes what this package has built of plain strings and numbers.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // maps of strings, numbers and lists can be written
	}
	return b
}

// fields is where the values of a message go that may be kept.
type fields map[string]*string

// read walks through a message. Values of paths in into are kept, others are
// dropped. object, if set, is told of each object that begins.
func read(payload []byte, into fields, object func(path []byte)) error {
	w := walker{b: payload, object: object}
	if object == nil {
		w.object = func([]byte) {}
	}
	leaked := false
	w.value = func(path, value []byte) {
		if leaks(path, value) || pan.In(path) {
			leaked = true
			w.fail()
			return
		}
		if p := into[string(path)]; p != nil {
			*p = string(value[:min(len(value), valueMax)])
		}
	}
	ok := w.walk()
	w.wipe()
	switch {
	case leaked, !ok && pan.In(payload):
		return ErrLeak
	case !ok:
		return ErrFormat
	}
	return nil
}

// valueMax is how much of a value is read; every field that is kept is shorter.
const valueMax = 128

// ParseRequest reads a command. The kind of message is returned too: only of
// Msg is there a request.
func ParseRequest(payload []byte) (kind string, r Request, err error) {
	var base, total, duplicate string
	err = read(payload, fields{
		"message": &kind, "data.command": &r.Command, "data.requestid": &r.ID,
		"data.data.transaction.baseamount": &base, "data.data.transaction.totalamount": &total,
		"data.data.transaction.invoicenbr": &r.Ref, "data.data.transaction.tranno": &r.TerminalRef,
		"data.data.transaction.referencenumber": &r.HostRef, "data.data.transaction.allowduplicate": &duplicate,
	}, nil)
	if err != nil {
		return "", Request{}, err
	}
	if base == "" {
		base = total
	}
	sum := sumOf(base)
	if sum.Bad {
		return "", Request{}, ErrFormat
	}
	r.Amount, r.Duplicate = sum.Amount, duplicate == "1"
	return kind, r, nil
}

// Sum is an amount that a message may have.
type Sum struct {
	Amount  money.Amount
	Present bool
	Bad     bool // it is there, and no amount
}

// Of returns a sum that is there.
func Of(a money.Amount) Sum { return Sum{Amount: a, Present: true} }

// sumOf reads dollars, with a point and up to two decimals; zeros may lead.
func sumOf(s string) Sum {
	if s == "" {
		return Sum{}
	}
	if strings.Trim(s, "0123456789.") != "" {
		return Sum{Present: true, Bad: true}
	}
	if trimmed := strings.TrimLeft(s, "0"); trimmed == "" {
		s = "0"
	} else {
		s = trimmed
	}
	a, err := money.Parse(s)
	if err != nil {
		return Sum{Present: true, Bad: true}
	}
	return Of(a)
}
