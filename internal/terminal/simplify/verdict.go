package simplify

import (
	"strings"

	"coffer/internal/terminal/protocol"
)

// complete is the gateway's word for success.
const complete = "COMPLETE"

// The PIN pad's own verdicts that the program itself tells apart, and the
// gateway's for an inquiry in vain at the PIN pad ("Simplify-Generated
// Messages").
const (
	saysBusy       = "*SLR BUSY"
	saysNoMatch    = "*SLR NO MATCHING RECORDS"
	saysNoHost     = "*SLR COMMUNICATIONS ERROR"
	saysSwitch     = "*SLR SWITCH TIMEOUT"
	saysStandIn    = "*SLR STAND-IN"
	codeBusy       = "30"
	codeApproved   = "0"
	codeProcessor  = "60" // the processor has not approved: its own code tells why
	codeNoMatching = "7"
)

// gatewayVerdicts has the verdicts of field 1003 (Fusebox, "Gateway Response
// Codes"; Simplify, "Simplify-Generated Messages" and those for SAF), without
// sign and leading zeros. Those after which Elavon asks for an inquiry, and
// those that do not say whether the bank was asked, leave the payment in doubt.
var gatewayVerdicts = map[string]protocol.Verdict{
	"3":            {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"4":            {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"5":            {Result: protocol.InDoubt, Reason: protocol.ReasonHostDuplicate}, // of our own reference: the record tells
	codeNoMatching: protocol.Refused(protocol.ReasonNoOriginal),
	"16":           protocol.Refused(protocol.ReasonAmount),
	"22":           protocol.Refused(protocol.ReasonBatch),
	codeBusy:       protocol.Refused(protocol.ReasonBusy),
	"37":           protocol.Refused(protocol.ReasonTerminalError),
	"41":           protocol.Refused(protocol.ReasonCard),
	"43":           protocol.Refused(protocol.ReasonAmount),
	"44":           protocol.Refused(protocol.ReasonAmount),
	"46":           protocol.Refused(protocol.ReasonCardRead),
	"47":           protocol.Refused(protocol.ReasonNotAllowed),
	"49":           protocol.Refused(protocol.ReasonExpired),
	"54":           protocol.Refused(protocol.ReasonTerminalError),
	"57":           protocol.Refused(protocol.ReasonMerchant),
	"59":           protocol.Refused(protocol.ReasonUnsupported),
	codeProcessor:  protocol.Refused(protocol.ReasonDeclined),
	"67":           protocol.Refused(protocol.ReasonTerminalError),
	"71":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"72":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"73":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"74":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"75":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"88":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"97":           protocol.Refused(protocol.ReasonTerminalError),
	"99":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"173":          protocol.Refused(protocol.ReasonNotAllowed),
	"174":          protocol.Refused(protocol.ReasonNotAllowed),
}

// padVerdicts has the PIN pad's own verdicts, by the beginning of field 1010.
// They stand above the code beside them. An *ICC verdict may follow an approval
// by the bank that the chip, or a card taken away too soon, has undone: only an
// inquiry tells.
var padVerdicts = []struct {
	says    string
	verdict protocol.Verdict
}{
	{saysStandIn, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
	{saysNoHost, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
	{saysSwitch, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
	{"*SLR SAF", protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
	{"*ICC", protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
	{saysBusy, protocol.Refused(protocol.ReasonBusy)},
	{saysNoMatch, protocol.Refused(protocol.ReasonNoOriginal)},
	{"*SLR FINAL $ TOO LRG", protocol.Refused(protocol.ReasonAmount)},
	{"*SLR MIFARE", protocol.Refused(protocol.ReasonNotAllowed)},
	{"*SLR BAD ACCT NUMBER", protocol.Refused(protocol.ReasonCard)},
	{"*SLR BAD CARD TYPE", protocol.Refused(protocol.ReasonNotAllowed)},
	{"*SLR BAD EXPIRATION", protocol.Refused(protocol.ReasonExpired)},
	{"*SLR INVALID FORMAT", protocol.Refused(protocol.ReasonUnsupported)},
	{"*SLR TRAN NOT ALLOWED", protocol.Refused(protocol.ReasonNotAllowed)},
	{"*SLR ACCOUNT NOT TOKEN ELIGIBLE", protocol.Refused(protocol.ReasonNotAllowed)},
	{"*SLR CANCEL", protocol.Verdict{Result: protocol.Cancelled, Reason: protocol.ReasonAborted}},
	{"*SLR TIMEOUT", protocol.Verdict{Result: protocol.Cancelled, Reason: protocol.ReasonTimeout}},
}

// bare returns a code without its sign and its leading zeros.
func bare(code string) string {
	code = strings.TrimPrefix(strings.TrimSpace(code), "-")
	if short := strings.TrimLeft(code, "0"); short != "" || code == "" {
		return short
	}
	return codeApproved
}

// says reports whether the words of a reply begin so.
func says(m Message, words string) bool {
	return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(m[FieldText])), words)
}

// verdictOf judges the codes of a reply, before its amount is looked at. A code
// that is not known is in doubt.
func verdictOf(m Message) protocol.Verdict {
	unknown := protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}
	for _, p := range padVerdicts {
		if says(m, p.says) {
			return p.verdict
		}
	}
	code := bare(m[FieldGateway])
	switch {
	case says(m, "*"):
		return unknown
	case code == codeApproved && says(m, complete):
		return protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}
	case protocol.HostApproves(m[FieldHost]):
		return protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}
	}
	v, known := gatewayVerdicts[code]
	switch {
	case !known:
		return unknown
	case code == codeProcessor:
		if host, ok := protocol.HostVerdict(m[FieldHost]); ok {
			return host
		}
	}
	return v
}
