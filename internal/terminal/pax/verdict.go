package pax

import "coffer/internal/terminal/protocol"

// deviceVerdicts has the terminal's own codes. 000000, 100001, 100002, 100011
// and 103000 are named by public client kits; the names of the others are
// assumed, and no approval rests on them: a code that means
// "something went wrong with the bank" leaves the attempt in doubt, to be
// looked up, and so does a code that is not here, and any code with an approval
// of the bank beside it.
var deviceVerdicts = map[string]protocol.Verdict{
	CodeTimeout:        {Result: protocol.Cancelled, Reason: protocol.ReasonTimeout},
	CodeAborted:        {Result: protocol.Cancelled, Reason: protocol.ReasonAborted},
	CodeLocalDuplicate: {Result: protocol.Duplicate, Reason: protocol.ReasonLocalDuplicate},
	CodeHostDuplicate:  {Result: protocol.Duplicate, Reason: protocol.ReasonHostDuplicate},
	"100003":           protocol.Refused(protocol.ReasonTerminalError),
	"100004":           protocol.Refused(protocol.ReasonUnsupported),
	"100005":           protocol.Refused(protocol.ReasonUnsupported),
	"100006":           protocol.Refused(protocol.ReasonBatch),
	"100007":           protocol.Refused(protocol.ReasonHostDown),
	"100008":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"100009":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"100010":           {Result: protocol.InDoubt, Reason: protocol.ReasonHostLost},
	"100012":           protocol.Refused(protocol.ReasonMerchant),
	"100013":           protocol.Refused(protocol.ReasonMerchant),
	"100014":           protocol.Refused(protocol.ReasonBusy),
	"100015":           protocol.Refused(protocol.ReasonCardRead),
	"100016":           protocol.Refused(protocol.ReasonCardRead),
	"100017":           protocol.Refused(protocol.ReasonAmount),
	"100018":           protocol.Refused(protocol.ReasonBatch),
	"100019":           protocol.Refused(protocol.ReasonNoOriginal),
	"100020":           protocol.Refused(protocol.ReasonUnsupported),
	"100021":           protocol.Refused(protocol.ReasonAlreadyVoided),
	"100022":           protocol.Refused(protocol.ReasonNotAllowed),
	"100023":           protocol.Refused(protocol.ReasonNoOriginal),
	"101000":           protocol.Refused(protocol.ReasonCardRead),
	"200001":           protocol.Refused(protocol.ReasonMerchant),
}

// verdictOf judges the two codes of a reply, before its amounts are looked
// at.
func verdictOf(device, host string) protocol.Verdict {
	doubt := protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}
	v, known := deviceVerdicts[device]
	switch {
	case known && v.Result == protocol.Duplicate:
		return v // the bank's code is that of the original
	case device == CodeOK && protocol.HostApproves(host):
		return protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}
	case protocol.HostApproves(host):
		return doubt
	case device == CodeOK && host == "":
		return doubt
	case known:
		return v
	}
	if v, known := protocol.HostVerdict(host); known {
		return v
	}
	if device == CodeDecline {
		return protocol.Refused(protocol.ReasonDeclined)
	}
	return protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}
}
