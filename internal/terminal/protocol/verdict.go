package protocol

// Verdict is what a code means for a payment.
type Verdict struct {
	Result Result
	Reason Reason
}

// Refused returns the verdict of a code that says that no money moved.
func Refused(r Reason) Verdict { return Verdict{Declined, r} }

// Stated returns what a reason means for a payment when a terminal states it;
// false for one that no terminal can state, and for an approval.
func Stated(r Reason) (Verdict, bool) {
	switch r {
	case ReasonAborted, ReasonTimeout:
		return Verdict{Cancelled, r}, true
	case ReasonLocalDuplicate, ReasonHostDuplicate:
		return Verdict{Duplicate, r}, true
	case ReasonHostLost:
		return Verdict{InDoubt, r}, true
	case ReasonDeclined, ReasonCallBank, ReasonFunds, ReasonExpired, ReasonPIN, ReasonPINTries, ReasonLimit, ReasonCard,
		ReasonPickUp, ReasonNotAllowed, ReasonAmount, ReasonHostDown, ReasonMerchant, ReasonUnsupported, ReasonCardRead,
		ReasonAlreadyVoided, ReasonNoOriginal, ReasonBatch, ReasonTerminalError, ReasonRepeat, ReasonBusy:
		return Refused(r), true
	}
	return Verdict{}, false
}

// HostVerdict returns what the bank's response code (ISO 8583 field 39, as
// American processors use it) says when it is no approval; false for a code
// that is not known.
func HostVerdict(code string) (Verdict, bool) {
	v, known := hostVerdicts[code]
	return v, known
}

var hostVerdicts = map[string]Verdict{
	"01": Refused(ReasonCallBank),
	"02": Refused(ReasonCallBank),
	"03": Refused(ReasonMerchant),
	"04": Refused(ReasonPickUp),
	"05": Refused(ReasonDeclined),
	"06": Refused(ReasonRepeat),
	"07": Refused(ReasonPickUp),
	"12": Refused(ReasonUnsupported),
	"13": Refused(ReasonAmount),
	"14": Refused(ReasonCard),
	"15": Refused(ReasonCard),
	"19": Refused(ReasonRepeat),
	"21": Refused(ReasonNoOriginal),
	"25": Refused(ReasonNoOriginal),
	"28": Refused(ReasonRepeat),
	"39": Refused(ReasonCard),
	"41": Refused(ReasonPickUp),
	"43": Refused(ReasonPickUp),
	"46": Refused(ReasonCard),
	"51": Refused(ReasonFunds),
	"52": Refused(ReasonCard),
	"53": Refused(ReasonCard),
	"54": Refused(ReasonExpired),
	"55": Refused(ReasonPIN),
	"57": Refused(ReasonNotAllowed),
	"58": Refused(ReasonMerchant),
	"59": Refused(ReasonDeclined),
	"61": Refused(ReasonLimit),
	"62": Refused(ReasonNotAllowed),
	"63": Refused(ReasonDeclined),
	"65": Refused(ReasonLimit),
	"75": Refused(ReasonPINTries),
	"78": Refused(ReasonCard),
	"91": Refused(ReasonHostDown),
	"92": Refused(ReasonHostDown),
	"94": {InDoubt, ReasonHostDuplicate}, // it names no original: only the record tells
	"96": Refused(ReasonRepeat),
}

// HostApproves reports whether the bank's code is an approval, whole or in
// part.
func HostApproves(code string) bool {
	switch code {
	case "00", "0", "000", "85", "10":
		return true
	}
	return false
}
