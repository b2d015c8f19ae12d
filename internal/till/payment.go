package till

import (
	"time"

	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/money"
)

// Kind says what an attempt does with money.
type Kind string

// The kinds of attempts.
const (
	KindSale   Kind = "sale"   // takes money
	KindVoid   Kind = "void"   // takes back a payment of the same batch, whole
	KindRefund Kind = "refund" // gives back money of an earlier payment
)

// Tender says by what means the money moves.
type Tender string

// The tenders.
const (
	TenderCard  Tender = "card"
	TenderCash  Tender = "cash"
	TenderCheck Tender = "check"
)

// Stage is what the cashier is told about a payment. It is derived from the
// journal's state and from what the terminal shows at the moment.
type Stage string

// The stages. Final stages do not change any more by themselves.
const (
	StageWaiting     Stage = "waiting"     // Coffer waits for the terminal to take the command
	StagePresent     Stage = "present"     // the terminal waits for the card
	StageProcessing  Stage = "processing"  // card read, the terminal talks to the bank
	StageCancelling  Stage = "cancelling"  // cancel asked for, the result is still to come
	StageApproved    Stage = "approved"    // final
	StagePartial     Stage = "partial"     // final: less than asked for was approved
	StageDeclined    Stage = "declined"    // final
	StageCancelled   Stage = "cancelled"   // final
	StageTimeout     Stage = "timeout"     // final: nobody presented a card in time
	StageNotSent     Stage = "not_sent"    // final: the terminal never got the command
	StageBusy        Stage = "busy"        // final: the terminal refused, it is busy
	StageNotCharged  Stage = "not_charged" // final: the terminal proved that nothing was charged
	StageUnknown     Stage = "unknown"     // not known yet: Coffer asks the terminal
	StageUnplugged   Stage = "unplugged"   // not known yet, and the terminal is away
	StageQuarantined Stage = "quarantined" // not known yet, and the terminal may not be used
	StageDuplicate   Stage = "duplicate"   // a person must say: the same payment, or really a second one
	StageSame        Stage = "same"        // final: it was the same payment, nothing charged again
	StageSecond      Stage = "second"      // final: judged to be a second payment, which is one of its own
	StageManual      Stage = "manual"      // terminal and journal disagree: two people decide
	StageStray       Stage = "stray"       // an approval that belongs to no attempt: two people decide
)

// Payment is what a page shows of one attempt. All texts are complete English
// sentences of the program itself; none holds anything that somebody typed.
type Payment struct {
	ID       ident.ID[ident.Attempt]
	Kind     Kind
	Tender   Tender
	Client   ident.ID[ident.Client]
	Original ident.ID[ident.Attempt] // of a void or refund: the payment it takes back; of a stray: the one it names

	Terminal     ident.ID[ident.Terminal] // zero for cash
	TerminalName string

	Amount    money.Amount          // asked for
	Approved  money.Amount          // moved; zero until known
	Remaining money.Amount          // of a partial approval: what is still to be paid
	Due       money.Amount          // the client's balance now; negative is a credit
	Tendered  money.Amount          // cash handed over
	Change    money.Amount          // cash handed back
	Check     string                // number of the check
	Serial    string                // of the terminal
	Deposited uint64                // number of the slip with which a check went to the bank; zero: not yet
	ToCharges money.Amount          // of a payment in the journal: what it settled
	ToCredit  money.Amount          // and what it left as credit, when it was posted
	Barred    bool                  // the bank will never approve this card: it must not be tried again
	Asked     int                   // how often Coffer has asked the terminal what became of it, since it started
	AskAgain  time.Duration         // how long it waits between two questions at the moment
	Returned  money.Amount          // given back so far
	Cashier   string                // sign-in name of who began it
	Entry     ident.ID[ident.Entry] // in the journal; zero while nothing is posted
	Act       *duty.Act             // to give it back, which waits for approval or to be carried out; nil: none

	Stage Stage
	Title string // a few words: "Approved"
	Words string // what is the case, one sentence
	Next  string // what the cashier does now, one sentence

	Final     bool // nothing more will change by itself: stop asking
	Unknown   bool // the outcome is not known yet
	MayCancel bool // the cancel button is armed
	MayVoid   bool // the one who asks can void it, alone or with a second person
	Voided    bool // the payment was taken back whole
	Bounced   bool // the bank returned the check
	MayRefund bool // the one who asks can refund it, or a part, likewise
	Choice    bool // a person must answer the duplicate question (AnswerSame, AnswerSecond)

	// MayResolve says that two people may state what became of it (Resolve).
	MayResolve bool
	// Proposal is what the first of them stated; nil while nobody has.
	Proposal *Proposal

	Brand    string // "Visa"; empty until known
	LastFour string
	AuthCode string
	Ref      string // what the terminal's slips and reports call it; empty for cash
	Receipt  uint64 // the receipt's number; zero while there is none

	Started time.Time
	Elapsed time.Duration // since Started, until the end when Final
	Steps   []Step        // what happened so far, oldest first
}

// Proposal is what one person stated about a payment. It takes effect when a
// second person states the same.
type Proposal struct {
	By       string // sign-in name of the person
	At       time.Time
	Charged  bool
	Approved money.Amount           // when Charged
	Client   ident.ID[ident.Client] // of a stray approval whose client is not known: whose it is
	Evidence Evidence               // what the person looked at
	Staff    ident.ID[ident.Staff]  // who must not be the second person
}

// Step is one line of a payment's history on its page.
type Step struct {
	Name  string // of the event, "resulted"
	At    time.Time
	Words string // "Sent to the terminal"
}

// TerminalStatus is what a page shows of one terminal.
type TerminalStatus struct {
	ID          ident.ID[ident.Terminal]
	Name        string
	Ready       bool // a payment may begin here now
	Attached    bool
	Busy        bool                    // a payment is running here
	Recovering  bool                    // an earlier outcome is not known yet
	Quarantined bool                    // must not be used
	Usual       bool                    // the one who asks took the latest card payment here
	Running     ident.ID[ident.Attempt] // the payment that runs or is unknown here; zero if none
	Serial      string
	Model       string
	Since       time.Time // of the last change
	Words       string    // what is the case
	Next        string    // what to do, empty when Ready
	Notice      string    // what is to be done soon, though it is Ready
	Waits       bool      // Quarantined until the register of devices says otherwise
}
