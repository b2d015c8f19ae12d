package simplify

import (
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// typeOf returns the type of transaction of a kind of command.
func typeOf(k protocol.Kind) string {
	switch k {
	case protocol.Sale:
		return TypeSale
	case protocol.Refund:
		return TypeReturn
	case protocol.Void:
		return TypeVoid
	}
	return ""
}

// Dollars returns an amount as the wire has it: "150.00".
func Dollars(a money.Amount) string { return fmt.Sprintf("%d.%02d", a/100, a%100) }

// ParseAmount reads an amount of up to 12 digits: "150.00", or "15000", which
// is cents. Empty is zero.
func ParseAmount(s string) (money.Amount, error) {
	whole, cents, point := strings.Cut(s, ".")
	switch {
	case s == "":
		return 0, nil
	case point && (len(cents) != 2 || whole == ""):
		return 0, ErrFormat
	}
	digits := whole + cents
	if len(digits) > 12 || strings.Trim(digits, "0123456789") != "" {
		return 0, ErrFormat
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, ErrFormat
	}
	return money.Amount(n), nil
}

// outcomeOf returns what an answer to a command of this kind and amount says.
// An approval that does not agree with the command is in doubt.
func outcomeOf(m Message, kind protocol.Kind, requested money.Amount) protocol.Outcome {
	o := kept(m)
	o.Kind, o.Requested = kind, requested
	v := verdictOf(m)
	o.Result, o.Reason = v.Result, v.Reason
	if o.Result != protocol.Approved {
		return o
	}
	sum, err := ParseAmount(m[FieldAmount])
	if err != nil || m[FieldType] != typeOf(kind) {
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
		return o
	}
	o.Approved = sum
	if kind == protocol.Void && m[FieldAmount] == "" {
		o.Approved = requested
	}
	return o.Agree(kind, requested)
}

// strayOf returns the outcome in a late answer: that of the command whose
// reference it bears. Only approvals are taken: what a refusal is worth depends
// on how often the command was sent, which nobody here knows. The reply to a
// void bears the reference of what it voids, and so says nothing of its own
// attempt. Requested is zero, and a partial approval is Approved with what was
// approved.
func strayOf(m Message) (protocol.Outcome, bool) {
	kinds := map[string]protocol.Kind{TypeSale: protocol.Sale, TypeReturn: protocol.Refund}
	kind, ok := kinds[m[FieldType]]
	if !ok || protocol.Ref(m[FieldRef]) == "" || verdictOf(m).Result != protocol.Approved {
		return protocol.Outcome{}, false
	}
	sum, err := ParseAmount(m[FieldAmount])
	if err != nil || sum == 0 {
		return protocol.Outcome{}, false
	}
	o := kept(m)
	o.Kind, o.Result, o.Reason, o.Approved = kind, protocol.Approved, protocol.ReasonApproved, sum
	return o, true
}

// kept returns the fields of an answer that may be kept, cleaned; every other
// field ends here.
func kept(m Message) protocol.Outcome {
	return protocol.Outcome{
		Ref:         protocol.Ref(m[FieldRef]),
		DeviceCode:  protocol.Word(m[FieldGateway], 6),
		HostCode:    protocol.Word(m[FieldHost], 8),
		HostText:    protocol.Text(words(m), 40),
		AuthCode:    protocol.Word(m[FieldAuth], 12),
		HostRef:     hostRef(m),
		TerminalRef: protocol.Word(m[FieldTrace], 12),
		Batch:       protocol.Word(m[FieldBatch], 12),
		Card: protocol.Card{
			Brand:     brand(m[FieldBrand]),
			LastFour:  protocol.LastFour(m[FieldMasked]),
			EntryMode: entryMode(m),
		},
		Token:  token(m),
		EMV:    emv(m),
		At:     clock(m),
		Serial: protocol.Word(m[FieldSerial], 32),
	}
}

// words returns what the bank says, or else the gateway or the PIN pad.
func words(m Message) string {
	if m[FieldHostText] != "" {
		return m[FieldHostText]
	}
	return m[FieldText]
}

// token returns the gateway's token of the card. Anything else in its field,
// such as encrypted account data, is dropped.
func token(m Message) protocol.Token {
	t, ok := strings.CutPrefix(m[FieldAccount], tokenPrefix)
	if !ok {
		return ""
	}
	return protocol.TokenOf(t)
}

func hostRef(m Message) string {
	if r := protocol.Word(m[FieldHostRef], 40); r != "" {
		return r
	}
	return protocol.Word(m[FieldRetrieval], 40)
}

// emv maps fields to chip data ("EMV", table of tags).
func emv(m Message) protocol.EMV {
	label := m[FieldPreferred]
	if label == "" {
		label = m[FieldLabel]
	}
	return protocol.EMV{
		AID: protocol.Hexadecimal(m[FieldAID], 32), Label: protocol.Text(label, 32),
		TVR: protocol.Hexadecimal(m[FieldTVR], 10), TSI: protocol.Hexadecimal(m[FieldTSI], 4),
		IAD: protocol.Hexadecimal(m[FieldIAD], 64), ARC: protocol.Word(m[FieldARC], 4),
		Cryptogram: protocol.Hexadecimal(m[FieldCryptogram], 16), CVM: cvm(m[FieldCVM]),
	}
}

// cvm reads the result of verifying the holder (EMV Book 3, annex C3): the low
// six bits of its first byte are the method.
func cvm(results string) string {
	if len(results) < 2 {
		return ""
	}
	b, err := strconv.ParseUint(results[:2], 16, 8)
	if err != nil {
		return ""
	}
	switch b & 0x3f {
	case 0x01, 0x02, 0x03, 0x04, 0x05:
		return "pin"
	case 0x1e:
		return "signature"
	case 0x1f:
		return "none"
	}
	return ""
}

func entryMode(m Message) string {
	switch m[FieldProximity] {
	case "0":
		return "chip"
	case "2", "3":
		return "contactless"
	case "5":
		return "swipe"
	}
	switch m[FieldEntry] {
	case "01":
		return "manual"
	case "05":
		return "chip"
	case "07", "91":
		return "contactless"
	case "80":
		return "fallback"
	case "02", "90":
		return "swipe"
	}
	return ""
}

var brands = map[string]string{
	"VI": "Visa", "MC": "Mastercard", "AX": "American Express", "DI": "Discover", "DC": "Diners Club", "JC": "JCB",
}

func brand(code string) string {
	if b, ok := brands[code]; ok || code == "" {
		return b
	}
	return "Card"
}

// clock joins date and time: MMDDYY and HHMMSS become YYYYMMDDhhmmss.
func clock(m Message) string {
	d, t := protocol.Digits(m[FieldDate], 6), protocol.Digits(m[FieldTime], 6)
	if d == "" || t == "" {
		return ""
	}
	return "20" + d[4:] + d[:4] + t
}
