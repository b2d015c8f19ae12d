package tilltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// sales is, by client, how many sales a campaign meant to make.
type sales map[ident.ID[ident.Client]]int

// judge compares a quiet desk with what its terminals' issuers did.
func (d *Desk) judge(ctx context.Context, r *Report, meant sales, truth []sim.Truth) error {
	byRef := map[string][]sim.Truth{}
	for _, t := range truth {
		byRef[t.Ref] = append(byRef[t.Ref], t)
		if t.Act == sim.Charge {
			r.count(&r.Charges, 1)
		}
	}
	for client, want := range meant {
		list, err := d.Till.Payments(ctx, d.Cashier, client, 1000)
		if err != nil {
			return err
		}
		charges := 0
		for _, p := range list {
			charges += r.judgePayment(p, byRef[p.Ref])
			delete(byRef, p.Ref)
			if err := d.scanReceipt(ctx, r, p); err != nil {
				return err
			}
		}
		if charges > want {
			r.count(&r.Doubled, 1)
			r.problem("client %v was charged %d times for %d sales", client, charges, want)
		}
	}
	for ref, lines := range byRef {
		r.count(&r.Lost, 1)
		r.problem("reference %s moved %v and is in no journal", ref, sim.Net(lines))
	}
	return d.judgeBooks(ctx, r, sim.Net(truth))
}

// judgePayment compares one payment with the issuer's lines of its reference
// and returns how often the card was charged.
func (r *Report) judgePayment(p till.Payment, lines []sim.Truth) (charges int) {
	var moved money.Amount
	for _, t := range lines {
		moved += t.Amount
		if t.Act == sim.Charge {
			charges++
		}
	}
	switch {
	case !p.Final:
		r.count(&r.Unresolved, 1)
		r.problem("payment %v (%s) is %s at the end: %v", p.ID, p.Ref, p.Stage, p.Steps)
	case len(lines) > 1:
		r.count(&r.Doubled, 1)
		r.problem("payment %v (%s) moved money %d times", p.ID, p.Ref, len(lines))
	case moved > p.Approved:
		r.count(&r.Lost, 1)
		r.problem("payment %v (%s) is %s with %v, but %v moved", p.ID, p.Ref, p.Stage, p.Approved, moved)
	case moved < p.Approved:
		r.count(&r.Doubled, 1)
		r.problem("payment %v (%s) is %s with %v, but only %v moved", p.ID, p.Ref, p.Stage, p.Approved, moved)
	}
	return charges
}

// judgeBooks compares journal, ledger and issuers as wholes, and checks the
// store.
func (d *Desk) judgeBooks(ctx context.Context, r *Report, truth money.Amount) error {
	found, net, err := d.Check(ctx)
	if err != nil {
		return err
	}
	for _, f := range found {
		r.problem("attempt %v: %s", f.Attempt, f.What)
	}
	var clearing money.Amount
	req := access.Request{Agent: d.IT, Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	if err := d.Vault.View(ctx, req, func(tx *vault.Tx) (err error) {
		clearing, err = books.Balance(tx, books.CardClearing, "")
		return err
	}); err != nil {
		return err
	}
	if net != truth || clearing != truth {
		r.problem("the issuers took %v, the journal has %v, the ledger %v", truth, net, clearing)
	}
	if _, err := d.Vault.Check(ctx, req); err != nil {
		r.problem("check of the store: %v", err)
	}
	return nil
}

// scanReceipt looks for card numbers in all that the store gives out about a
// payment.
func (d *Desk) scanReceipt(ctx context.Context, r *Report, p till.Payment) error {
	slip, err := d.Till.Receipt(ctx, d.Cashier, p.ID)
	if err != nil && !errors.Is(err, till.ErrNoReceipt) {
		return err
	}
	text, err := json.Marshal(struct {
		P till.Payment
		R till.Receipt
	}{p, slip})
	if err != nil {
		return fmt.Errorf("tilltest: %w", err)
	}
	if n := CardNumbers(text); n > 0 {
		r.problem("payment %v: %d card numbers in its record", p.ID, n)
	}
	return nil
}

// CardNumbers counts the runs of 13 to 19 digits in b that begin like a card
// number and pass its check digit.
func CardNumbers(b []byte) int {
	found := 0
	for i := 0; i < len(b); {
		if b[i] < '0' || b[i] > '9' {
			i++
			continue
		}
		end := i
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		if n := end - i; n >= 13 && n <= 19 && b[i] >= '3' && b[i] <= '6' && luhn(b[i:end]) {
			found++
		}
		i = end
	}
	return found
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
