package pax

import (
	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// facts is what an answer and a record have in common.
type facts struct {
	code, text    string
	host          Host
	kind          string // TYPE
	approved      money.Amount
	amountPresent bool
	account       Account
	trace         Trace
	ext           map[string]string
}

func (m MoneyReply) facts() facts {
	return facts{m.Code, m.Text, m.Host, m.Type, m.Approved, m.amountPresent, m.Account, m.Trace, m.Ext}
}

func (f FindReply) facts() facts {
	return facts{f.Code, f.Text, f.Host, f.Type, f.Approved, f.amountPresent, f.Account, f.Trace, f.Ext}
}

// outcomeOf returns what an answer to a command of this kind and amount says.
// An approval that does not agree with the command is in doubt.
func outcomeOf(f facts, kind protocol.Kind, requested money.Amount) protocol.Outcome {
	o := kept(f)
	o.Kind, o.Requested = kind, requested
	v := verdictOf(f.code, f.host.Code)
	o.Result, o.Reason = v.Result, v.Reason
	if o.Result != protocol.Approved {
		if o.Result != protocol.Duplicate {
			o.Approved = 0
		}
		return o
	}
	if kind == protocol.Void && !f.amountPresent {
		o.Approved = requested
	}
	if !isType(f.kind, kind) {
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
		return o
	}
	return o.Agree(kind, requested)
}

// isType reports whether a transaction type is one that a command of this
// kind leads to.
func isType(t string, kind protocol.Kind) bool {
	return t == typeOf(kind) || kind == protocol.Void && t == TypeVoidSale
}

// strayOf returns the outcome in a late answer: that of the command whose
// reference it bears. Nobody here knows what was asked, so Requested is zero
// and a partial approval is Approved with what was approved.
func strayOf(r Response) (protocol.Outcome, bool) {
	m, err := ParseMoneyReply(r)
	if err != nil || protocol.Ref(m.Trace.Ref) == "" {
		return protocol.Outcome{}, false
	}
	if m.Code == CodeLocalDuplicate || m.Code == CodeHostDuplicate {
		return protocol.Outcome{}, false // it bears the original's reference, not its own
	}
	f := m.facts()
	o := kept(f)
	for _, k := range []protocol.Kind{protocol.Sale, protocol.Refund, protocol.Void} {
		if isType(m.Type, k) {
			o.Kind = k
		}
	}
	v := verdictOf(m.Code, m.Host.Code)
	o.Result, o.Reason = v.Result, v.Reason
	if o.Result == protocol.Approved && o.Kind == "" {
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
	}
	if o.Result != protocol.Approved {
		o.Approved = 0
	}
	return o, true
}

// kept returns the fields of an answer that may be kept, cleaned; every other
// field ends here.
func kept(f facts) protocol.Outcome {
	return protocol.Outcome{
		Ref:         protocol.Ref(f.trace.Ref),
		Approved:    f.approved,
		DeviceCode:  protocol.Word(f.code, 6),
		HostCode:    protocol.Word(f.host.Code, 8),
		HostText:    protocol.Text(f.host.Text, 40),
		AuthCode:    protocol.Word(f.host.Auth, 12),
		HostRef:     protocol.Word(hostRef(f), 40),
		TerminalRef: protocol.Word(f.trace.TerminalRef, 12),
		Batch:       protocol.Word(f.host.Batch, 12),
		Card: protocol.Card{
			Brand:     brand(f.account.CardType),
			LastFour:  protocol.LastFour(f.account.LastFour),
			EntryMode: entryModes[f.account.EntryMode],
		},
		EMV:    emv(f.ext),
		At:     protocol.Digits(f.trace.At, 14),
		Serial: protocol.Word(f.ext["SN"], 32),
	}
}

// hostRef prefers the reference by which voids and refunds name the original.
func hostRef(f facts) string {
	if r := f.ext["HREF"]; r != "" {
		return r
	}
	return f.host.Ref
}

func emv(ext map[string]string) protocol.EMV {
	cryptogram := ext["TC"]
	for _, key := range []string{"ARQC", "AAC"} {
		if cryptogram == "" {
			cryptogram = ext[key]
		}
	}
	return protocol.EMV{
		AID: protocol.Hexadecimal(ext["AID"], 32), Label: protocol.Text(ext["APPLAB"], 32),
		TVR: protocol.Hexadecimal(ext["TVR"], 10), TSI: protocol.Hexadecimal(ext["TSI"], 4),
		IAD: protocol.Hexadecimal(ext["IAD"], 64), ARC: protocol.Word(ext["ARC"], 4),
		Cryptogram: protocol.Hexadecimal(cryptogram, 16), CVM: cvms[ext["CVM"]],
	}
}

var entryModes = map[string]string{
	"0": "manual", "1": "swipe", "2": "contactless", "3": "scanner", "4": "chip", "5": "fallback",
}

// cvms names how the card's holder was verified. The numbers are assumed to
// follow the order of EMV Book 3, annex C3.
var cvms = map[string]string{
	"1": "pin", "2": "pin", "3": "pin", "4": "pin", "5": "pin", "6": "signature", "7": "none", "8": "device",
}

func brand(cardType string) string {
	switch cardType {
	case "01", "1":
		return "Visa"
	case "02", "2":
		return "Mastercard"
	case "03", "3":
		return "American Express"
	case "04", "4":
		return "Discover"
	case "05", "5":
		return "Diners Club"
	case "07", "7":
		return "JCB"
	case "":
		return ""
	}
	return "Card"
}
