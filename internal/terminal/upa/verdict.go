package upa

import (
	"strings"

	"coffer/internal/terminal/protocol"
)

// gatewayDuplicate is the processor's verdict that a payment repeats one
// (Portico, as hps client kits have it); it says nothing of the other.
const gatewayDuplicate = "2"

// gatewayGood reports whether the processor found nothing wrong.
func gatewayGood(code string) bool { return strings.Trim(code, "0") == "" }

// stored reports whether the terminal has approved by itself, and keeps the
// payment to tell the bank later.
func (h Host) stored() bool { return strings.Trim(h.Stored, "0") != "" }

// verdictOf judges the codes of an answer, before its amounts are looked at. An
// error code means what the profile says; one that it does not have leaves the
// attempt in doubt, unless the bank has refused.
func verdictOf(p protocol.Profile, r Reply) protocol.Verdict {
	doubt := protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}
	said, known := protocol.Stated(p.ErrorCodes[r.Code])
	known = known && r.Result == Failed
	bank, refused := protocol.HostVerdict(r.Host.Code)
	good := protocol.HostApproves(r.Host.Code) && gatewayGood(r.Host.Gateway)
	switch {
	case r.Host.Gateway == gatewayDuplicate:
		return protocol.Verdict{Result: protocol.Duplicate, Reason: protocol.ReasonHostDuplicate}
	case known && said.Result == protocol.Duplicate:
		return said
	case r.Result == Success && good && r.Host.stored():
		return protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost} // only the terminal has approved it
	case r.Result == Success && good:
		return protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}
	case protocol.HostApproves(r.Host.Code), r.Result == Success && r.Host.Code == "":
		return doubt
	case refused:
		return bank
	case known:
		return said
	}
	return protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}
}
