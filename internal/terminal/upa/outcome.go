package upa

import (
	"encoding/hex"
	"strconv"
	"strings"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// commandOf returns the message of a kind of command.
func commandOf(k protocol.Kind) string {
	switch k {
	case protocol.Sale:
		return Sale
	case protocol.Void:
		return Void
	case protocol.Refund:
		return Refund
	}
	return ""
}

// kindOf returns the kind of command of a message, or of a type in a record.
func kindOf(name string) protocol.Kind {
	switch strings.ToLower(name) {
	case "sale":
		return protocol.Sale
	case "void":
		return protocol.Void
	case "refund", "return":
		return protocol.Refund
	}
	return ""
}

// outcomeOf returns what an answer to a command of this kind and amount says.
// An approval that does not agree with the command is in doubt.
func outcomeOf(p protocol.Profile, r Reply, kind protocol.Kind, requested money.Amount) protocol.Outcome {
	o := kept(r.Host, r.Payment)
	o.Ref, o.Kind, o.Requested = protocol.Ref(r.ID), kind, requested
	o.DeviceCode, o.EMV = protocol.Word(r.Code, 12), emv(r.EMV)
	v := verdictOf(p, r)
	o.Result, o.Reason = v.Result, v.Reason
	switch o.Result {
	case protocol.Duplicate:
		// What the answer describes is the original, if it names one.
		o.Ref = ""
		if other := protocol.Ref(r.Payment.Ref); other != r.ID {
			o.Ref = other
		}
		o.Approved, _ = r.Host.moved(0)
	case protocol.Approved:
		o = r.Host.approve(o)
		if r.Payment.Ref != "" && r.Payment.Ref != r.ID {
			o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
		}
	}
	return o
}

// approve fills in what was approved, and compares it with what was asked for.
func (h Host) approve(o protocol.Outcome) protocol.Outcome {
	var ok bool
	o.Approved, ok = h.moved(o.Requested)
	if o.Kind == protocol.Void && ok && !h.Total.Present && !h.Authorized.Present {
		o.Approved = o.Requested
	}
	o = o.Agree(o.Kind, o.Requested)
	if !ok || h.part() && o.Result == protocol.Approved {
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
	}
	return o
}

// part reports whether the bank says that it has approved a part only.
func (h Host) part() bool { return h.Code == "10" || h.Partial == "1" }

// moved returns how much was approved; false when the sums of the answer
// contradict each other. What is still due says how much of the total that was
// asked for it is; requested is zero when that is not known.
func (h Host) moved(requested money.Amount) (money.Amount, bool) {
	if h.Total.Bad || h.Authorized.Bad || h.Due.Bad {
		return 0, false
	}
	a := h.Total.Amount
	due := h.Due.Amount
	switch {
	case h.Authorized.Present:
		a = h.Authorized.Amount
	case due > 0 && requested > 0 && a == requested:
		a = requested - due
	}
	return a, due == 0 || requested == 0 || a+due == requested
}

// strayOf returns the outcome in a late answer: that of the command whose
// reference it bears. Nobody here knows what was asked, so Requested is zero
// and a partial approval is Approved with what was approved.
func strayOf(p protocol.Profile, r Reply) (protocol.Outcome, bool) {
	kind := kindOf(r.Command)
	if kind == "" || protocol.Ref(r.ID) == "" {
		return protocol.Outcome{}, false
	}
	o := outcomeOf(p, r, kind, 0)
	if o.Result == protocol.Duplicate {
		return protocol.Outcome{}, false
	}
	v := verdictOf(p, r)
	o.Result, o.Reason, o.Approved = v.Result, v.Reason, 0
	sum, ok := r.Host.moved(0)
	switch {
	case o.Result != protocol.Approved:
	case !ok, sum <= 0 && kind != protocol.Void, r.Payment.Ref != "" && r.Payment.Ref != r.ID,
		(r.Host.part() || r.Host.Due.Amount > 0) && !r.Host.Authorized.Present:
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
	default:
		o.Approved = sum
	}
	return o, true
}

// kept returns the fields of an answer or a record that may be kept, cleaned.
func kept(h Host, p Payment) protocol.Outcome {
	return protocol.Outcome{
		HostCode:    protocol.Word(h.Code, 8),
		HostText:    protocol.Text(h.Text, 40),
		AuthCode:    protocol.Word(h.Auth, 12),
		HostRef:     protocol.Word(h.Ref, 40),
		TerminalRef: protocol.Word(h.TerminalRef, 12),
		Batch:       protocol.Word(h.Batch, 12),
		Card: protocol.Card{
			Brand:     brand(p.Brand),
			LastFour:  protocol.LastFour(p.Masked),
			EntryMode: entryModes[strings.ToLower(p.EntryMode)],
		},
		At: clock(h.At),
	}
}

var entryModes = map[string]string{
	"contact": "chip", "contactless": "contactless", "swipe": "swipe", "manual": "manual", "scan": "scanner",
}

func brand(name string) string {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "":
		return ""
	case "VISA":
		return "Visa"
	case "MASTERCARD", "MC":
		return "Mastercard"
	case "AMERICAN EXPRESS", "AMEX":
		return "American Express"
	case "DISCOVER":
		return "Discover"
	case "DINERS", "DINERS CLUB":
		return "Diners Club"
	case "JCB":
		return "JCB"
	}
	return "Card"
}

// clock reads 2026-03-02T09:00:00… as YYYYMMDDhhmmss, or gives "".
func clock(s string) string {
	if len(s) < 19 {
		return ""
	}
	return protocol.Digits(strings.NewReplacer("-", "", "T", "", ":", "", " ", "").Replace(s[:19]), 14)
}

// emv returns what a receipt shows of a chip card.
func emv(tags map[string]string) protocol.EMV {
	if len(tags) == 0 {
		return protocol.EMV{}
	}
	aid := tags["4f"]
	for _, tag := range []string{"9f06", "84"} {
		if aid == "" {
			aid = tags[tag]
		}
	}
	return protocol.EMV{
		AID: protocol.Hexadecimal(aid, 32), Label: protocol.Text(plain(tags["50"]), 32),
		TVR: protocol.Hexadecimal(tags["95"], 10), TSI: protocol.Hexadecimal(tags["9b"], 4),
		IAD: protocol.Hexadecimal(tags["9f10"], 64), ARC: protocol.Word(plain(tags["8a"]), 4),
		Cryptogram: protocol.Hexadecimal(tags["9f26"], 16), CVM: cvm(tags["9f34"]),
	}
}

// plain returns the text that hexadecimal digits stand for, or "".
func plain(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return ""
	}
	return string(b)
}

// cvm names how the card's holder was verified, from the CVM Results (EMV Book
// 3, annex C3): the first byte is the method, without its upper two bits.
func cvm(results string) string {
	if len(results) < 2 {
		return ""
	}
	n, err := strconv.ParseUint(results[:2], 16, 8)
	if err != nil {
		return ""
	}
	switch n & 0x3f {
	case 0x01, 0x02, 0x03, 0x04, 0x05:
		return "pin"
	case 0x1e:
		return "signature"
	case 0x1f:
		return "none"
	}
	return ""
}
