package till

import (
	"cmp"

	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// takeAtDesk records a payment in cash or by check or the giving back of one,
// whole, in the commit that asks for it.
func (t *Till) takeAtDesk(tx *vault.Tx, in intent) (begun, error) {
	a, err := attemptOf(tx, in)
	if err != nil {
		return begun{}, err
	}
	a.Approved, a.Result, a.State, a.Ended = a.Amount, Approved, Closed, tx.Now()
	if err := postAtDesk(tx, &a); err != nil {
		return begun{}, err
	}
	if err := held(tx, &a); err != nil {
		return begun{}, err
	}
	if err := giveBack(tx, &a); err != nil {
		return begun{}, err
	}
	if err := t.writeReceipt(tx, &a, receiptBody{}); err != nil {
		return begun{}, err
	}
	tx.Detail("attempt", a.ID)
	tx.Detail("amount", a.Amount)
	if _, err := attempts.Insert(tx, attemptRow{Shared: a}); err != nil {
		return begun{}, err
	}
	for _, e := range []event{
		{Name: string(Created), Amount: a.Amount},
		{Name: string(Resulted), Result: Approved, Amount: a.Approved},
		{Name: string(Closed)},
	} {
		if err := note(tx, a.ID, e); err != nil {
			return begun{}, err
		}
	}
	return begun{id: a.ID, attempt: a, fresh: true, final: true}, nil
}

// held refuses to give back cash that its drawer does not hold any more: it is
// on its way to the bank.
func held(tx *vault.Tx, a *attempt) error {
	if a.Kind == KindSale {
		return nil
	}
	e, err := books.Read(tx, a.Entry)
	if err != nil {
		return err
	}
	for _, p := range e.Postings {
		if p.Account != books.Drawers {
			continue
		}
		left, err := books.Balance(tx, p.Account, p.Sub)
		if err != nil || left < 0 {
			return cmp.Or(err, error(ErrDrawer))
		}
	}
	return nil
}

// postAtDesk brings cash or a check into the books, or takes it back out of
// them.
func postAtDesk(tx *vault.Tx, a *attempt) error {
	if a.Kind == KindVoid {
		original, err := rowOf(tx, a.Original)
		if err != nil {
			return err
		}
		e, err := books.Reverse(tx, original.Shared.Entry, "voided")
		if err == nil {
			a.Entry = e.ID
		}
		if err == nil || fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	return postLate(tx, a)
}
