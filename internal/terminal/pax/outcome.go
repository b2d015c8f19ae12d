package pax

import (
	"strings"

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
	o.Result, o.Reason = v.result, v.reason
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
	return agree(o, kind, requested)
}

// agree compares an approval with the amount that was asked for. Only a sale
// may be approved in part.
func agree(o protocol.Outcome, kind protocol.Kind, requested money.Amount) protocol.Outcome {
	o.Requested = requested
	switch {
	case o.Result != protocol.Approved:
	case o.Approved == requested:
	case kind == protocol.Sale && o.Approved > 0 && o.Approved < requested:
		o.Result, o.Reason = protocol.Partial, protocol.ReasonPartial
	default:
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
	}
	return o
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
	if err != nil || !isRef(m.Trace.Ref) {
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
	o.Result, o.Reason = v.result, v.reason
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
		Ref:         refOf(f.trace.Ref),
		Approved:    f.approved,
		DeviceCode:  word(f.code, 6),
		HostCode:    word(f.host.Code, 8),
		HostText:    text(f.host.Text, 40),
		AuthCode:    word(f.host.Auth, 12),
		HostRef:     word(hostRef(f), 40),
		TerminalRef: word(f.trace.TerminalRef, 12),
		Batch:       word(f.host.Batch, 12),
		Card: protocol.Card{
			Brand:     brand(f.account.CardType),
			LastFour:  lastFour(f.account.LastFour),
			EntryMode: entryModes[f.account.EntryMode],
		},
		EMV:    emv(f.ext),
		At:     digits(f.trace.At, 14),
		Serial: word(f.ext["SN"], 32),
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
		AID: hexadecimal(ext["AID"], 32), Label: text(ext["APPLAB"], 32),
		TVR: hexadecimal(ext["TVR"], 10), TSI: hexadecimal(ext["TSI"], 4),
		IAD: hexadecimal(ext["IAD"], 64), ARC: word(ext["ARC"], 4),
		Cryptogram: hexadecimal(cryptogram, 16), CVM: cvms[ext["CVM"]],
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

// lastFour returns the four digits at the end of a masked account, or "".
func lastFour(s string) string {
	if len(s) < 4 || !isDigits(s[len(s)-4:]) || !masked([]byte(s)) {
		return ""
	}
	return s[len(s)-4:]
}

func refOf(s string) string {
	if isRef(s) {
		return s
	}
	return ""
}

// text returns the words of a bank: printable ASCII, without anything that
// could be a card number.
func text(s string, sizeMax int) string {
	s = clean(s, sizeMax)
	if hasCardNumber([]byte(s)) {
		return ""
	}
	return s
}

// word returns s when it is one of letters, digits and dashes, not longer than
// sizeMax and without anything that could be a card number, else "".
func word(s string, sizeMax int) string {
	s = strings.TrimSpace(s)
	if len(s) > sizeMax || !isID(s) || hasCardNumber([]byte(s)) {
		return ""
	}
	return s
}

func digits(s string, size int) string {
	if len(s) == size && isDigits(s) {
		return s
	}
	return ""
}

// hexadecimal returns s in upper case when it is of hexadecimal digits and not
// longer than sizeMax, else "".
func hexadecimal(s string, sizeMax int) string {
	if len(s) > sizeMax {
		return ""
	}
	s = strings.ToUpper(s)
	for _, c := range []byte(s) {
		if !isDigit(c) && (c < 'A' || c > 'F') {
			return ""
		}
	}
	return s
}
