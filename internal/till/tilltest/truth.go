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
	"coffer/internal/pan"
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
		byRef[refOf(t)] = append(byRef[refOf(t)], t)
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
		refs := map[ident.ID[ident.Attempt]]string{}
		for _, p := range list {
			refs[p.ID] = p.Ref
		}
		for _, p := range list {
			ref := p.Ref
			if named := voidOf(refs[p.Original]); p.Kind == till.KindVoid && p.Approved > 0 && byRef[named] != nil {
				ref = named
			}
			charges += r.judgePayment(p, byRef[ref])
			delete(byRef, ref)
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

// refOf returns the reference under which an issuer's line belongs to a payment.
// Some protocols give a void no reference but that of what it voids.
func refOf(t sim.Truth) string {
	if t.Act == sim.Void && t.Ref == t.OfRef {
		return voidOf(t.OfRef)
	}
	return t.Ref
}

func voidOf(ref string) string { return "void of " + ref }

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
	r.digits(pan.In(text), fmt.Sprintf("the record of payment %v", p.ID))
	return nil
}
