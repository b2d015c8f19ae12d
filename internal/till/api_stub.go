package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/vault"
	"time"
)

type lane struct{ id ident.ID[ident.Terminal] }

func newLane(*Till, *terminal.Terminal) *lane { return &lane{} }
func (l *lane) drain(context.Context)         {}

type backoff struct{ min, max time.Duration }

// Begin records a card payment and hands it to the terminal; it does not wait
// for the outcome, which Payment tells. The same Command gives the same
// attempt, however often and whenever it is asked.
//
// With ErrDuplicate, ErrLocked, ErrBusy and ErrRecovering the identifier is
// that of the payment that stands in the way, if there is one.
func (t *Till) Begin(ctx context.Context, agent access.Agent, s Sale) (ident.ID[ident.Attempt], error) {
	return ident.ID[ident.Attempt]{}, ErrClosed
}

// Cash records a cash payment, which is final at once. It returns the attempt;
// with ErrDuplicate and ErrLocked the one in the way.
func (t *Till) Cash(ctx context.Context, agent access.Agent, s CashSale) (ident.ID[ident.Attempt], error) {
	return ident.ID[ident.Attempt]{}, ErrClosed
}

// Void takes back a whole payment by its own tender.
func (t *Till) Void(ctx context.Context, agent access.Agent, v Void) (ident.ID[ident.Attempt], error) {
	return ident.ID[ident.Attempt]{}, ErrClosed
}

// Refund gives back part or all of a card payment to the card.
func (t *Till) Refund(ctx context.Context, agent access.Agent, r Refund) (ident.ID[ident.Attempt], error) {
	return ident.ID[ident.Attempt]{}, ErrClosed
}

// Cancel asks the terminal to stop a payment that waits for the card
// (Payment.MayCancel); else ErrTooLate. The result is still awaited: an
// approval may win.
func (t *Till) Cancel(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) error {
	return ErrNotFound
}

// AnswerSame answers the duplicate question (Payment.Choice): it is the same
// payment. Nothing is charged again.
func (t *Till) AnswerSame(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) error {
	return ErrNoChoice
}

// AnswerSecond answers the duplicate question: it is really a second payment.
// It begins a new attempt under a new reference, whose identifier it returns;
// command makes the answer repeatable.
func (t *Till) AnswerSecond(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt], command ident.ID[ident.Command]) (ident.ID[ident.Attempt], error) {
	return ident.ID[ident.Attempt]{}, ErrNoChoice
}

// Resolve states what became of a payment in StageManual. It takes effect when
// a second person states the same; until then done is false.
func (t *Till) Resolve(ctx context.Context, agent access.Agent, r Resolution) (done bool, err error) {
	return false, ErrNotManual
}

// Payment returns what a page shows of one payment.
func (t *Till) Payment(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Payment, error) {
	return Payment{}, ErrNotFound
}

// Payments returns a client's payments, the newest first, at most limit.
func (t *Till) Payments(ctx context.Context, agent access.Agent, client ident.ID[ident.Client], limit int) ([]Payment, error) {
	return nil, nil
}

// Today returns the payments of the day, the newest first.
func (t *Till) Today(ctx context.Context, agent access.Agent) ([]Payment, error) { return nil, nil }

// Unresolved returns the payments whose outcome is not known or that wait for
// a person, the oldest first.
func (t *Till) Unresolved(ctx context.Context, agent access.Agent) ([]Payment, error) {
	return nil, nil
}

// Receipt returns the receipt of a payment to show on the screen, or
// ErrNoReceipt.
func (t *Till) Receipt(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Receipt, error) {
	return Receipt{}, ErrNoReceipt
}

// Print returns the receipt of a payment for paper or a PDF and records that it
// was given out: from the second time on it is a copy.
func (t *Till) Print(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Receipt, error) {
	return Receipt{}, ErrNoReceipt
}

// Terminals returns the terminals in the order of Options.
func (t *Till) Terminals(ctx context.Context, agent access.Agent) ([]TerminalStatus, error) {
	return nil, nil
}

// Recover must be called once at start. It closes what the last run left
// behind as far as the journal alone proves it, and leaves the rest to each
// terminal, which is asked as soon as it is attached and before it gets any new
// command. It does not wait for terminals.
func (t *Till) Recover(ctx context.Context) error { return nil }

// Finding is one attempt whose state contradicts the ledger.
type Finding struct {
	Attempt ident.ID[ident.Attempt]
	What    string // one sentence
}

// Check compares every attempt with its ledger entry: money that moved is
// posted for the same amount, money that did not is released, and what is not
// resolved is pending. It returns what does not agree.
func Check(tx *vault.Tx) ([]Finding, error) { return nil, nil }
