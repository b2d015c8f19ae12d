package pax

import "coffer/internal/terminal/protocol"

// verdict is what a code means for a payment.
type verdict struct {
	result protocol.Result
	reason protocol.Reason
}

func declined(r protocol.Reason) verdict { return verdict{protocol.Declined, r} }

// deviceVerdicts has the terminal's own codes. 000000, 100001, 100002, 100011
// and 103000 are named by public client kits; the names of the others are
// assumed, and no decision about money rests on them: a code that means
// "something went wrong with the bank" leaves the attempt in doubt, to be
// looked up, and any code with an approval of the bank beside it does too.
var deviceVerdicts = map[string]verdict{
	CodeTimeout:        {protocol.Cancelled, protocol.ReasonTimeout},
	CodeAborted:        {protocol.Cancelled, protocol.ReasonAborted},
	CodeLocalDuplicate: {protocol.Duplicate, protocol.ReasonLocalDuplicate},
	CodeHostDuplicate:  {protocol.Duplicate, protocol.ReasonHostDuplicate},
	"100003":           declined(protocol.ReasonTerminalError),
	"100004":           declined(protocol.ReasonUnsupported),
	"100005":           declined(protocol.ReasonUnsupported),
	"100006":           declined(protocol.ReasonBatch),
	"100007":           declined(protocol.ReasonHostDown),
	"100008":           {protocol.InDoubt, protocol.ReasonHostLost},
	"100009":           {protocol.InDoubt, protocol.ReasonHostLost},
	"100010":           {protocol.InDoubt, protocol.ReasonHostLost},
	"100012":           declined(protocol.ReasonMerchant),
	"100013":           declined(protocol.ReasonMerchant),
	"100014":           declined(protocol.ReasonBusy),
	"100015":           declined(protocol.ReasonCardRead),
	"100016":           declined(protocol.ReasonCardRead),
	"100017":           declined(protocol.ReasonAmount),
	"100018":           declined(protocol.ReasonBatch),
	"100019":           declined(protocol.ReasonNoOriginal),
	"100020":           declined(protocol.ReasonUnsupported),
	"100021":           declined(protocol.ReasonAlreadyVoided),
	"100022":           declined(protocol.ReasonNotAllowed),
	"100023":           declined(protocol.ReasonNoOriginal),
	"101000":           declined(protocol.ReasonCardRead),
	"200001":           declined(protocol.ReasonMerchant),
}

// hostVerdicts has the bank's response codes (ISO 8583 field 39, as American
// processors use it).
var hostVerdicts = map[string]verdict{
	"01": declined(protocol.ReasonCallBank),
	"02": declined(protocol.ReasonCallBank),
	"03": declined(protocol.ReasonMerchant),
	"04": declined(protocol.ReasonPickUp),
	"05": declined(protocol.ReasonDeclined),
	"06": declined(protocol.ReasonRepeat),
	"07": declined(protocol.ReasonPickUp),
	"12": declined(protocol.ReasonUnsupported),
	"13": declined(protocol.ReasonAmount),
	"14": declined(protocol.ReasonCard),
	"15": declined(protocol.ReasonCard),
	"19": declined(protocol.ReasonRepeat),
	"21": declined(protocol.ReasonNoOriginal),
	"25": declined(protocol.ReasonNoOriginal),
	"28": declined(protocol.ReasonRepeat),
	"39": declined(protocol.ReasonCard),
	"41": declined(protocol.ReasonPickUp),
	"43": declined(protocol.ReasonPickUp),
	"46": declined(protocol.ReasonCard),
	"51": declined(protocol.ReasonFunds),
	"52": declined(protocol.ReasonCard),
	"53": declined(protocol.ReasonCard),
	"54": declined(protocol.ReasonExpired),
	"55": declined(protocol.ReasonPIN),
	"57": declined(protocol.ReasonNotAllowed),
	"58": declined(protocol.ReasonMerchant),
	"59": declined(protocol.ReasonDeclined),
	"61": declined(protocol.ReasonLimit),
	"62": declined(protocol.ReasonNotAllowed),
	"63": declined(protocol.ReasonDeclined),
	"65": declined(protocol.ReasonLimit),
	"75": declined(protocol.ReasonPINTries),
	"78": declined(protocol.ReasonCard),
	"91": declined(protocol.ReasonHostDown),
	"92": declined(protocol.ReasonHostDown),
	"94": {protocol.InDoubt, protocol.ReasonHostDuplicate}, // it names no original: only the record tells
	"96": declined(protocol.ReasonRepeat),
}

// hostApproves reports whether the bank's code is an approval, whole or in
// part.
func hostApproves(code string) bool {
	switch code {
	case "00", "0", "000", "85", "10":
		return true
	}
	return false
}

// verdictOf judges the two codes of a reply, before its amounts are looked
// at.
func verdictOf(device, host string) verdict {
	doubt := verdict{protocol.InDoubt, protocol.ReasonMismatch}
	v, known := deviceVerdicts[device]
	switch {
	case known && v.result == protocol.Duplicate:
		return v // the bank's code is that of the original
	case device == CodeOK && hostApproves(host):
		return verdict{protocol.Approved, protocol.ReasonApproved}
	case hostApproves(host):
		return doubt
	case device == CodeOK && host == "":
		return doubt
	case known:
		return v
	}
	if v, known := hostVerdicts[host]; known {
		return v
	}
	if device == CodeOK || device == CodeDecline || host != "" {
		return declined(protocol.ReasonDeclined)
	}
	return declined(protocol.ReasonTerminalError)
}
