package books

import (
	"slices"

	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Reverse takes a posted entry back with a new entry, dated today and linked
// with it, once.
//
// Reversing a receipt opens the charges again that its money settles now, and
// takes the rest from the client's credit. Reversing a charge first moves the
// money that settled it to the client's credit, in an entry of its own; an
// adjustment of the charge has to be reversed before. A refusal has written
// nothing.
func Reverse(tx *vault.Tx, id ident.ID[ident.Entry], reason ledger.Reason) (ledger.Entry, error) {
	r, err := reversible(tx, id)
	if err != nil {
		return ledger.Entry{}, err
	}
	if err := reason.Validate(); err != nil {
		return ledger.Entry{}, err
	}
	back, err := takeBack(tx, &r)
	if err != nil {
		return ledger.Entry{}, err
	}
	e, err := ledger.Reverse(r.entry())
	if err != nil {
		return ledger.Entry{}, err
	}
	e.Postings = placed(e.Postings, back)
	e.Reason = reason
	stamp(tx, &e, tx.Today())
	return insert(tx, e, back)
}

// reversible returns a posted entry that may be reversed.
func reversible(tx *vault.Tx, id ident.ID[ident.Entry]) (entryRecord, error) {
	r, err := record(tx, id)
	if err != nil {
		return r, err
	}
	switch {
	case r.Kind == ledger.Reversal:
		return r, ErrReversal
	case !r.Kind.IsPosted():
		return r, ledger.ErrNotPosted
	case r.Event == ledger.EventCreditApply || r.Event == ledger.EventCreditRelease:
		return r, ErrDerived
	}
	if _, ok, err := Resolution(tx, id); err != nil {
		return r, err
	} else if ok {
		return r, ErrReversed
	}
	return r, nil
}

// placed returns a reversal's postings with those to a client's two accounts
// replaced by what the allocations say: the money may stand elsewhere now
// than where the entry had put it. The sum by client stays the same.
func placed(mirror []ledger.Posting, back []Allocation) []ledger.Posting {
	out := slices.DeleteFunc(mirror, func(p ledger.Posting) bool { return byItem(p.Account) })
	at := map[ledger.Key]int{}
	for _, a := range back {
		k := ledger.Key{Account: a.Account, Sub: a.Sub}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, ledger.Posting{Account: a.Account, Sub: a.Sub})
		}
		out[i].Amount += a.Amount
	}
	return slices.DeleteFunc(out, func(p ledger.Posting) bool { return p.Amount == 0 })
}

// takeBack returns the allocations that take an entry's allocations back.
func takeBack(tx *vault.Tx, r *entryRecord) ([]Allocation, error) {
	var back []Allocation
	brought := map[ledger.Sub]money.Amount{} // money of the entry, by client
	charged := map[ledger.Sub]money.Amount{} // charges of the entry, by client
	for _, a := range r.Allocations {
		if a.Money == r.ID {
			brought[a.Sub] -= a.Amount
			continue
		}
		if a.Item == r.ID {
			charged[a.Sub] += a.Amount
		}
		a.Amount = -a.Amount
		back = append(back, a)
	}
	for _, sub := range sortedSubs(brought) {
		found, err := locate(tx, r.ID, sub, brought[sub])
		if err != nil {
			return nil, err
		}
		back = append(back, found...)
	}
	return back, free(tx, r.ID, sortedSubs(charged))
}

func sortedSubs(m map[ledger.Sub]money.Amount) []ledger.Sub {
	subs := make([]ledger.Sub, 0, len(m))
	for sub := range m {
		subs = append(subs, sub)
	}
	slices.Sort(subs)
	return subs
}

// locate returns the allocations that take money out of where it stands now:
// the charges that it settles and the credit that is left of it. It gives
// ErrRefunded when less of it is there than was brought.
func locate(tx *vault.Tx, source ident.ID[ident.Entry], sub ledger.Sub, brought money.Amount) ([]Allocation, error) {
	settles, err := uses(tx, "money", key(source), func(a Allocation) (ident.ID[ident.Entry], bool) {
		return a.Item, a.Money == source && a.Account == Receivables && a.Sub == sub
	})
	if err != nil {
		return nil, err
	}
	var back []Allocation
	for _, u := range settles {
		back = append(back, Allocation{Account: Receivables, Sub: sub, Item: u.id, Amount: -u.amount, Money: source})
		brought += u.amount
	}
	row, ok, err := items.First(tx, "item", itemKey(Credits, sub, source))
	if err != nil {
		return nil, err
	}
	if ok && row.Shared.Open != 0 {
		back = append(back, Allocation{Account: Credits, Sub: sub, Item: source, Amount: -row.Shared.Open, Money: source})
		brought += row.Shared.Open
	}
	if brought != 0 {
		return nil, ErrRefunded
	}
	return back, nil
}

// free moves the money that settled the charges of an entry to the clients'
// credit, so that the charges are wholly open. It gives ErrAdjusted when an
// adjustment settled part of one.
func free(tx *vault.Tx, charge ident.ID[ident.Entry], subs []ledger.Sub) error {
	settled := make([][]use, len(subs))
	for i, sub := range subs {
		var err error
		settled[i], err = uses(tx, "allocated", itemKey(Receivables, sub, charge), func(a Allocation) (ident.ID[ident.Entry], bool) {
			return a.Money, a.Item == charge && a.Account == Receivables && a.Sub == sub
		})
		if err != nil {
			return err
		}
		for _, u := range settled[i] {
			if u.id.IsZero() {
				return ErrAdjusted
			}
		}
	}
	for i, sub := range subs {
		if err := release(tx, charge, sub, settled[i]); err != nil {
			return err
		}
	}
	return nil
}

// release records that money which settled a client's charge is credit now.
func release(tx *vault.Tx, charge ident.ID[ident.Entry], sub ledger.Sub, settled []use) error {
	if len(settled) == 0 {
		return nil
	}
	var allocations []Allocation
	var sum money.Amount
	for _, u := range settled {
		sum -= u.amount
		allocations = append(allocations,
			Allocation{Account: Receivables, Sub: sub, Item: charge, Amount: -u.amount, Money: u.id},
			Allocation{Account: Credits, Sub: sub, Item: u.id, Amount: u.amount, Money: u.id})
	}
	_, err := insert(tx, entryOf(tx, ledger.Posted, ledger.Draft{
		Event: ledger.EventCreditRelease,
		Postings: []ledger.Posting{
			{Account: Receivables, Sub: sub, Amount: sum},
			{Account: Credits, Sub: sub, Amount: -sum},
		},
	}), allocations)
	return err
}

// use is a sum of allocations.
type use struct {
	id     ident.ID[ident.Entry]
	amount money.Amount
}

// uses adds up the allocations that pick accepts, by the identifier that it
// returns, over the entries of an index value, in the order of the journal
// and without what came to zero. Allocations of an entry to items that it
// opened itself are left out.
func uses(tx *vault.Tx, index, value string, pick func(Allocation) (ident.ID[ident.Entry], bool)) ([]use, error) {
	var sums []use
	for row, err := range entries.Find(tx, index, value) {
		if err != nil {
			return nil, err
		}
		for _, a := range row.Shared.Allocations {
			id, ok := pick(a)
			if !ok || a.Item == row.Shared.ID {
				continue
			}
			i := slices.IndexFunc(sums, func(u use) bool { return u.id == id })
			if i < 0 {
				i = len(sums)
				sums = append(sums, use{id: id})
			}
			sums[i].amount += a.Amount
		}
	}
	return slices.DeleteFunc(sums, func(u use) bool { return u.amount == 0 }), nil
}
