package till

import (
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ledger"
	"coffer/internal/vault"
)

// source names an attempt in the ledger.
func source(a *attempt) string { return "attempt/" + a.ID.String() }

// sub is the client's sub-ledger.
func sub(a *attempt) ledger.Sub { return ledger.Sub(a.Account) }

// moneySide is the account that the money comes to or goes from: card clearing
// by the terminal, whose batches bear its serial number, the drawer of the
// cashier, the checks to deposit, or the bank on which the clinic draws a check.
func moneySide(a *attempt) ledger.Posting {
	switch {
	case a.Tender == TenderCash:
		return ledger.Posting{Account: books.Drawers, Sub: ledger.Sub(a.Cashier)}
	case a.Tender == TenderCheck && a.Kind == KindRefund:
		return ledger.Posting{Account: books.Bank} // a check of the clinic's own
	case a.Tender == TenderCheck:
		return ledger.Posting{Account: books.Checks}
	case a.Serial != "":
		return ledger.Posting{Account: books.CardClearing, Sub: ledger.Sub(a.Serial)}
	}
	return ledger.Posting{Account: books.CardClearing, Sub: ledger.Sub(a.Terminal.String())}
}

// draft is what the ledger says of a when it has moved a.Amount: money from
// the client, or back to the client.
func draft(tx *vault.Tx, a *attempt) (ledger.Draft, error) {
	side := moneySide(a)
	d := ledger.Draft{Source: source(a)}
	var rest []ledger.Posting
	var err error
	switch {
	case a.Kind != KindSale:
		d.Event, side.Amount = ledger.EventRefund, -a.Amount
		rest, err = books.Refund(tx, sub(a), a.Amount)
	case a.Tender == TenderCash:
		d.Event, side.Amount = ledger.EventPaymentCash, a.Amount
		rest, err = books.Receipt(tx, sub(a), a.Amount)
	case a.Tender == TenderCheck:
		d.Event, side.Amount = ledger.EventPaymentCheck, a.Amount
		rest, err = books.Receipt(tx, sub(a), a.Amount)
	default:
		d.Event, side.Amount = ledger.EventPaymentCard, a.Amount
		rest, err = books.Receipt(tx, sub(a), a.Amount)
	}
	d.Postings = append([]ledger.Posting{side}, rest...)
	return d, err
}

// pend writes the pending entry of a card command: what the ledger will say if
// the terminal approves.
func pend(tx *vault.Tx, a *attempt) error {
	d, err := draft(tx, a)
	if err != nil {
		return err
	}
	e, err := books.Pend(tx, d)
	a.Pending = e.ID
	return err
}

// isPending reports whether the attempt's pending entry is not resolved yet.
func isPending(tx *vault.Tx, a *attempt) (bool, error) {
	if a.Pending.IsZero() {
		return false, nil
	}
	_, resolved, err := books.Resolution(tx, a.Pending)
	return !resolved, err
}

// post brings a.Approved into the books and names the entry in a.
func post(tx *vault.Tx, a *attempt) error {
	open, err := isPending(tx, a)
	if err != nil {
		return err
	}
	if a.Kind == KindVoid {
		done, err := reverse(tx, a, open)
		if err != nil || done {
			return err
		}
	}
	if open {
		e, err := books.Settle(tx, a.Pending, a.Approved)
		a.Entry = e.ID
		return err
	}
	return postLate(tx, a)
}

// reverse takes the voided payment's entry back, and reports false when the
// books cannot any more, because the money has been moved on: then the void is
// posted as a payment to the client.
func reverse(tx *vault.Tx, a *attempt, open bool) (bool, error) {
	original, err := rowOf(tx, a.Original)
	if err != nil {
		return false, err
	}
	e, err := books.Reverse(tx, original.Shared.Entry, "voided")
	if fault.KindOf(err) == fault.Conflict && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a.Entry = e.ID
	if open {
		_, err = books.Release(tx, a.Pending, "voided")
	}
	return true, err
}

// postLate posts money that moved although the attempt's pending entry was
// released before: an approval that contradicts what the terminal had said.
func postLate(tx *vault.Tx, a *attempt) error {
	late := *a
	late.Amount = a.Approved
	d, err := draft(tx, &late)
	if err != nil {
		return err
	}
	if !a.Pending.IsZero() {
		d.Source += "/late"
	}
	e, err := books.Post(tx, d)
	a.Entry = e.ID
	return err
}

// release voids the attempt's pending entry, if it is not resolved yet.
func release(tx *vault.Tx, a *attempt, why string) error {
	open, err := isPending(tx, a)
	if err != nil || !open {
		return err
	}
	reason := ledger.Reason(why)
	if reason.Validate() != nil {
		reason = "not_charged"
	}
	_, err = books.Release(tx, a.Pending, reason)
	return err
}

// giveBack writes into the original payment what an approved void or refund
// took of it.
func giveBack(tx *vault.Tx, a *attempt) error {
	if a.Kind == KindSale {
		return nil
	}
	row, err := rowOf(tx, a.Original)
	if err != nil {
		return err
	}
	name := "voided"
	if a.Kind == KindVoid {
		row.Shared.Voided = true
	} else {
		name = "refunded"
		row.Shared.Returned += a.Approved
	}
	if err := attempts.Replace(tx, row); err != nil {
		return err
	}
	if !a.Act.IsZero() {
		if err := duty.Finish(tx, a.Act); err != nil {
			return err
		}
	}
	return note(tx, a.Original, event{Name: name, Amount: a.Approved, Ref: a.Ref})
}
