package till

import (
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/phi"
)

// Sale asks for a card payment. The same Command always means the same attempt:
// a repeated request changes nothing and returns the first one's attempt.
type Sale struct {
	Command  ident.ID[ident.Command]
	Client   ident.ID[ident.Client]
	Amount   money.Amount
	Terminal ident.ID[ident.Terminal]
	// ConfirmDuplicate says that a person confirmed a second payment of the
	// same amount for the same client within DuplicateWindow.
	ConfirmDuplicate bool
	// DueOnly refuses more than the client owes at the moment of the commit,
	// with ErrOverDue. Without it the rest becomes the client's credit.
	DueOnly bool
}

// CashSale asks for a cash payment. Tendered is what the client handed over;
// zero means exactly Amount.
type CashSale struct {
	Command          ident.ID[ident.Command]
	Client           ident.ID[ident.Client]
	Amount           money.Amount
	Tendered         money.Amount
	ConfirmDuplicate bool
	DueOnly          bool
}

// CheckSale takes a check. Number is the one printed on it.
type CheckSale struct {
	Command          ident.ID[ident.Command]
	Client           ident.ID[ident.Client]
	Amount           money.Amount
	Number           string
	ConfirmDuplicate bool
	DueOnly          bool
}

// CheckReturn records that the bank returned a check.
type CheckReturn struct {
	Command ident.ID[ident.Command]
	Attempt ident.ID[ident.Attempt]
	Fee     money.Amount // charged to the client; zero: none
}

// GiveBack asks for money of an earlier payment to go back to the client, by
// the payment's own tender: to the card by its reference, out of the drawer of
// whoever gives it, the check itself while it waits for its deposit, or after
// that a check of the clinic's own.
type GiveBack struct {
	Command  ident.ID[ident.Command]
	Original ident.ID[ident.Attempt]
	// Kind is KindVoid, which takes the whole payment back while the terminal's
	// batch is open, or KindRefund.
	Kind     Kind
	Amount   money.Amount             // of a refund; of a void the whole payment's, or zero
	Terminal ident.ID[ident.Terminal] // of a card payment; zero: where it was made
	Check    string                   // number of the clinic's own check
	Reason   Reason
	Note     phi.Text // for whoever approves it; due with ReasonOther
}

// Reason says why money is given back. It is a closed list; what is to be said
// beside it is the note.
type Reason string

// The reasons.
const (
	ReasonMistake Reason = "mistake" // wrong amount, or the wrong client
	ReasonDouble  Reason = "double"  // paid twice
	ReasonNotHeld Reason = "not_held"
	ReasonCredit  Reason = "credit" // a prepayment that is not used
	ReasonOther   Reason = "other"
)

// Reasons are all reasons, in the order of a page.
var Reasons = []Reason{ReasonMistake, ReasonDouble, ReasonNotHeld, ReasonCredit, ReasonOther}

// Evidence is what two people looked at before they decided by hand what became
// of a payment. It is a closed list: no free text enters the journal.
type Evidence string

// The kinds of evidence.
const (
	EvidenceSlip      Evidence = "terminal_slip"     // the terminal's own slip or transaction list
	EvidenceBatch     Evidence = "batch_report"      // the terminal's batch report
	EvidenceProcessor Evidence = "processor_portal"  // the processor's portal or statement
	EvidenceBank      Evidence = "bank_confirmation" // the card holder's bank
)

// Resolution is one person's statement of what became of a payment that
// Payment.MayResolve offers. It takes effect when a second person states the
// same.
type Resolution struct {
	Attempt  ident.ID[ident.Attempt]
	Charged  bool
	Approved money.Amount // when Charged
	Evidence Evidence
	// Client says whose money a stray approval is that names no payment of this
	// journal (StageStray and a zero Payment.Client), when Charged. Else zero.
	Client ident.ID[ident.Client]
}
