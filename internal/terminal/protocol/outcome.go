package protocol

import "coffer/internal/money"

// Kind is what a Command asks of a terminal.
type Kind string

// The kinds of command.
const (
	Sale   Kind = "sale"   // take money
	Void   Kind = "void"   // undo a sale that has not been settled
	Refund Kind = "refund" // give money back after settlement
)

// Command asks a terminal to move money.
type Command struct {
	Kind    Kind
	Ref     string       // the attempt's own reference: 1 to 12 digits, never used twice
	Amount  money.Amount // above zero, also for Void and Refund
	Invoice string       // printed beside the reference; at most 16 letters, digits or '-'

	Health Health // what of a sale is healthcare; sent where the profile says that the processor wants it

	OriginalRef         string // of the sale: its own reference
	OriginalHostRef     string // of the sale: what Void and Refund refer to
	OriginalTerminalRef string // of the sale: the terminal's own number for it
	OriginalToken       Token  // of the sale's card
	AllowDuplicate      bool   // somebody has said that this is a second payment
}

// Health are the parts of a sale for which a health savings or flexible spending
// account may pay. Their sum is what is healthcare of it.
type Health struct {
	Prescription, Vision, Clinic, Dental money.Amount
}

// Sum returns what is healthcare in all.
func (h Health) Sum() money.Amount { return h.Prescription + h.Vision + h.Clinic + h.Dental }

// within reports whether the parts are parts of an amount.
func (h Health) within(whole money.Amount) bool {
	return min(h.Prescription, h.Vision, h.Clinic, h.Dental) >= 0 &&
		max(h.Prescription, h.Vision, h.Clinic, h.Dental) <= whole && h.Sum() <= whole
}

// Result says how a command ended.
type Result string

// The results. Only the first two mean that this command moved money; after
// InDoubt nobody knows yet, and Lookup must find out.
const (
	Approved   Result = "approved"    // the whole amount
	Partial    Result = "partial"     // Outcome.Approved, less than was asked
	Declined   Result = "declined"    // by the bank or the terminal; no money moved
	Cancelled  Result = "cancelled"   // at the terminal or by Cancel; no money moved
	Duplicate  Result = "duplicate"   // refused as a repetition; the Outcome describes the original
	NotSent    Result = "not_sent"    // no terminal has acted on it; no money moved
	InDoubt    Result = "in_doubt"    // it may have moved money
	NotCharged Result = "not_charged" // looked up and proven by Outcome.Evidence: no money moved
)

// Final reports whether the result needs no Lookup.
func (r Result) Final() bool { return r != InDoubt }

// Outcome is all that is known of a command's end, and all that is kept of
// what the terminal said.
type Outcome struct {
	Result    Result
	Kind      Kind
	Ref       string // as echoed; of a Duplicate, the original's. Empty when the terminal named none
	Requested money.Amount
	Approved  money.Amount

	DeviceCode  string // the terminal's own verdict, six digits for PAX
	HostCode    string // the bank's verdict
	HostText    string // the bank's words
	AuthCode    string
	HostRef     string // the processor's number for it, needed by Void and Refund
	TerminalRef string // the terminal's number for it
	Batch       string
	Card        Card
	Token       Token // by which a void or refund names the card; empty where the protocol has none
	EMV         EMV
	At          string // the terminal's clock, YYYYMMDDhhmmss
	Serial      string // of the terminal, as the answer itself states it

	Evidence string // of NotCharged: one of the Evidence codes
	Reason   Reason // why it ended so; Words has the sentence for it
}

// Token stands for a card at the processor, which made it: with it money can be
// given back to the card, for the clinic's own account only. It says nothing of
// the card's number, and may look like one. It is kept under the client's key
// and never shown: printed, it is the word "token".
type Token string

// String hides the token.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "token"
}

// GoString hides the token from %#v.
func (t Token) GoString() string { return t.String() }

// MarshalJSON hides the token from logs.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// TokenOf returns s when it is of up to 40 letters, digits and dashes, else none.
func TokenOf(s string) Token {
	if !isID(s) {
		return ""
	}
	return Token(s)
}

// Card is what may be kept of a card.
type Card struct {
	Brand     string // "Visa", "Mastercard", …; "Card" when unknown
	LastFour  string // four digits, or empty
	EntryMode string // "chip", "contactless", "swipe", "fallback", "manual", "scanner" or empty
}

// EMV is what a receipt of a chip card has to show, in hexadecimal except for
// Label and CVM.
type EMV struct {
	AID, Label, TVR, TSI, IAD, ARC string
	Cryptogram                     string // TC or ARQC
	CVM                            string // how the holder was verified: "none", "pin", "signature", "device" or empty
}

// The codes of Outcome.Evidence.
const (
	// EvidenceOlder: the terminal does not know the reference, and the newest
	// record that it has bears a smaller one, so it never stored this attempt.
	EvidenceOlder = "newest_record_older"
	// EvidenceEmpty: the terminal does not know the reference and has no
	// record at all. A batch that was closed since the attempt looks the same:
	// believe it only for an attempt that is younger than the last batch.
	EvidenceEmpty = "no_records"
	// EvidenceRecord: the terminal's own record of the attempt says that no
	// money moved.
	EvidenceRecord = "record_not_approved"
	// EvidenceHost: the processor's own database has no record of the attempt
	// in the open batch. For an attempt of an earlier batch it proves nothing.
	EvidenceHost = "host_no_record"
)

// Device is what a terminal says of itself.
type Device struct {
	Serial, Model, OS, App string
}

// Step is what a person at the counter would see the terminal do.
type Step string

// The steps of a command, in their usual order.
const (
	StepQueued     Step = "queued"     // another command is running on this terminal
	StepSending    Step = "sending"    // the terminal is being told
	StepPresent    Step = "present"    // the terminal has it: the client presents the card
	StepProcessing Step = "processing" // the terminal reports that it works on it
	StepCancelling Step = "cancelling" // the terminal has been asked to stop
	StepResult     Step = "result"     // the answer is here and kept
	StepChecking   Step = "checking"   // Lookup is asking what became of it
)
