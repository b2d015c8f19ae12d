package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Finding is one attempt whose state contradicts the ledger.
type Finding struct {
	Attempt ident.ID[ident.Attempt]
	What    string // one sentence
}

// Check compares every attempt with its ledger entries: money that moved is
// posted, once and for the same amount; money that did not is released; what is
// not resolved is pending. An approval that belongs to no attempt is a finding
// too, until two people have decided. It returns what does not agree, how many
// attempts it compared, and an error only when it cannot read.
func Check(tx *vault.Tx) (found []Finding, compared uint64, err error) {
	refs := map[string]bool{}
	for row, err := range attempts.All(tx) {
		if err != nil {
			return nil, 0, err
		}
		a := &row.Shared
		what, err := checkOne(tx, a)
		if err != nil {
			return nil, 0, err
		}
		compared++
		if what == "" && a.Ref != "" && refs[a.Ref] {
			what = "Its reference was used before."
		}
		refs[a.Ref] = true
		if what != "" {
			found = append(found, Finding{a.ID, what})
		}
	}
	waiting, err := checkStrays(tx)
	return append(found, waiting...), compared, err
}

// Check is the function Check in a view of its own, for whoever may verify the
// store.
func (t *Till) Check(ctx context.Context, agent access.Agent) (found []Finding, compared uint64, err error) {
	request := access.Request{Agent: agent, Action: access.StoreVerify, Entity: access.None, Purpose: access.Operations}
	err = t.vault.View(ctx, request, func(tx *vault.Tx) error {
		found, compared, err = Check(tx)
		return err
	})
	return found, compared, err
}

// checkOne returns what is wrong with one attempt, or "".
func checkOne(tx *vault.Tx, a *attempt) (string, error) {
	open, err := isPending(tx, a)
	if err != nil {
		return "", err
	}
	if a.unresolved() {
		if !open && a.State != Manual {
			return "It is not resolved, but nothing is pending in the ledger.", nil
		}
		return unposted(a), nil
	}
	if open {
		return "It is resolved, but still pending in the ledger.", nil
	}
	if !a.Result.moved() {
		return unposted(a), nil
	}
	return checkMoved(tx, a)
}

func unposted(a *attempt) string {
	if !a.Entry.IsZero() {
		return "Money stands in the ledger that is not known to have moved."
	}
	return ""
}

// checkMoved compares an attempt that moved money with its entry and receipt.
func checkMoved(tx *vault.Tx, a *attempt) (string, error) {
	if a.Entry.IsZero() {
		return "Money moved, but nothing is posted in the ledger.", nil
	}
	e, err := books.Read(tx, a.Entry)
	if err != nil {
		return "", err
	}
	if !e.Kind.IsPosted() || moved(e, a) != a.Approved {
		return "The ledger has another amount than what moved.", nil
	}
	r, ok, err := receipts.First(tx, indexAttempt, a.ID.String())
	if err != nil {
		return "", err
	}
	if !ok || r.Shared.Number != a.Receipt || r.Shared.Amount != a.Approved {
		return "Its receipt is missing or says another amount.", nil
	}
	if a.Returned > a.Approved || a.Voided && a.Returned != 0 {
		return "More was given back than was paid.", nil
	}
	return "", nil
}

// moved returns how much money an entry says came in, or went out for a void
// or refund.
func moved(e ledger.Entry, a *attempt) money.Amount {
	var sum money.Amount
	for _, p := range e.Postings {
		switch p.Account {
		case books.CardClearing, books.Drawers, books.Checks, books.Bank:
			sum += p.Amount
		}
	}
	if a.Kind != KindSale {
		return -sum
	}
	return sum
}

// Net returns what all card payments of the journal took, less what was given
// back: what the terminals' own records must come to.
func Net(tx *vault.Tx) (money.Amount, error) {
	var net money.Amount
	for row, err := range attempts.All(tx) {
		if err != nil {
			return 0, err
		}
		a := &row.Shared
		if a.Tender != TenderCard || !a.Result.moved() {
			continue
		}
		part := a.Approved
		if a.Kind != KindSale {
			part = -part
		}
		if net, err = net.Add(part); err != nil {
			return 0, err
		}
	}
	return net, nil
}
