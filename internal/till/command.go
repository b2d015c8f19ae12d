package till

import (
	"coffer/internal/ident"
	"coffer/internal/money"
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

// Void takes back a whole payment: at the terminal for a card payment (only
// before its batch is closed; else the terminal declines and Refund is due),
// out of the drawer for a cash payment.
type Void struct {
	Command  ident.ID[ident.Command]
	Original ident.ID[ident.Attempt]
	Terminal ident.ID[ident.Terminal] // zero: where the payment was made
}

// Refund gives back Amount of a card payment to the card.
type Refund struct {
	Command  ident.ID[ident.Command]
	Original ident.ID[ident.Attempt]
	Amount   money.Amount
	Terminal ident.ID[ident.Terminal] // zero: where the payment was made
}

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
