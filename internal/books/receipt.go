package books

import (
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Receipt returns the credit postings for amount received from a client: to
// receivables (1100) as far as charges are open, and the rest to the client's
// credit (2100). The caller adds the debit.
func Receipt(tx *vault.Tx, sub ledger.Sub, amount money.Amount) ([]ledger.Posting, error) {
	balance, err := Client(tx, sub)
	if err != nil {
		return nil, err
	}
	if amount <= 0 {
		return nil, ledger.ErrZero
	}
	settled := min(balance.Due, amount)
	return nonzero(
		ledger.Posting{Account: Receivables, Sub: sub, Amount: -settled},
		ledger.Posting{Account: Credits, Sub: sub, Amount: -(amount - settled)},
	), nil
}

// Refund returns the debit postings for amount given back to a client: from
// the client's credit (2100) as far as there is any; the rest becomes due
// again (1100). The caller adds the credit.
func Refund(tx *vault.Tx, sub ledger.Sub, amount money.Amount) ([]ledger.Posting, error) {
	balance, err := Client(tx, sub)
	if err != nil {
		return nil, err
	}
	if amount <= 0 {
		return nil, ledger.ErrZero
	}
	credit := min(balance.Credit, amount)
	return nonzero(
		ledger.Posting{Account: Credits, Sub: sub, Amount: credit},
		ledger.Posting{Account: Receivables, Sub: sub, Amount: amount - credit},
	), nil
}

func nonzero(postings ...ledger.Posting) []ledger.Posting {
	var out []ledger.Posting
	for _, p := range postings {
		if p.Amount != 0 {
			out = append(out, p)
		}
	}
	return out
}

// moneySide returns the one posting of a receipt or refund that is not to a
// client's own two accounts, and the client; or ErrReceipt.
func moneySide(e ledger.Entry) (ledger.Posting, ledger.Sub, error) {
	var side ledger.Posting
	var sub ledger.Sub
	for _, p := range e.Postings {
		switch {
		case byItem(p.Account) && (sub == "" || sub == p.Sub):
			sub = p.Sub
		case !byItem(p.Account) && side == ledger.Posting{}:
			side = p
		default:
			return ledger.Posting{}, "", ErrReceipt
		}
	}
	if sub == "" || (side.Amount > 0) != e.Event.IsReceipt() {
		return ledger.Posting{}, "", ErrReceipt
	}
	return side, sub, nil
}

// splits reports whether a pending entry is split anew when it is settled.
func splits(e ledger.Entry) bool {
	if e.Event.IsReceipt() {
		return true
	}
	if e.Event != ledger.EventRefund {
		return false
	}
	for _, p := range e.Postings {
		if byItem(p.Account) {
			return true
		}
	}
	return false
}

// settleable returns the fault of a pending entry that Settle could not post.
func settleable(e ledger.Entry) error {
	if !splits(e) {
		return nil
	}
	_, _, err := moneySide(e)
	return err
}

// resplit returns the postings with which a pending entry is posted for
// amount. A receipt settles what is open now, a refund takes from the credit
// that is there now: in between, another payment or charge may have come.
func resplit(tx *vault.Tx, e ledger.Entry, amount money.Amount) ([]ledger.Posting, error) {
	if !splits(e) {
		posted, err := ledger.Post(e, amount)
		return posted.Postings, err
	}
	side, sub, err := moneySide(e)
	if err != nil {
		return nil, err
	}
	var rest []ledger.Posting
	if e.Event.IsReceipt() {
		side.Amount = amount
		rest, err = Receipt(tx, sub, amount)
	} else {
		side.Amount = -amount
		rest, err = Refund(tx, sub, amount)
	}
	return append([]ledger.Posting{side}, rest...), err
}

// ApplyCredit settles a client's open charges with the client's credit, the
// oldest of both first, and returns what was settled: zero when there is
// nothing to settle or nothing to settle it with.
func ApplyCredit(tx *vault.Tx, sub ledger.Sub) (money.Amount, error) {
	balance, err := Client(tx, sub)
	if err != nil {
		return 0, err
	}
	amount := min(balance.Due, balance.Credit)
	if amount == 0 {
		return 0, nil
	}
	a := allocator{tx: tx, left: map[ledger.Key][]Item{}}
	none := ident.ID[ident.Entry]{}
	used, err := a.take(Credits, sub, -amount, none)
	if err != nil {
		return 0, err
	}
	var allocations []Allocation
	for _, u := range used {
		u.Money = u.Item
		settled, err := a.take(Receivables, sub, u.Amount, none)
		if err != nil {
			return 0, err
		}
		for i := range settled {
			settled[i].Money = u.Money
		}
		allocations = append(append(allocations, u), settled...)
	}
	_, err = insert(tx, entryOf(tx, ledger.Posted, ledger.Draft{
		Event: ledger.EventCreditApply,
		Postings: []ledger.Posting{
			{Account: Credits, Sub: sub, Amount: amount},
			{Account: Receivables, Sub: sub, Amount: -amount},
		},
	}), allocations)
	return amount, err
}
