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
	if n := CardNumbers(text); n > 0 {
		r.problem("payment %v: %d card numbers in its record", p.ID, n)
	}
	return nil
}

// CardNumbers counts the runs of digits in b that are or hold a card number, by
// the rule that the driver of the terminals keeps: 13 to 19 digits that begin
// like a card scheme's and pass the check digit; in a longer run, any 16 of them.
// A single space or dash between digits does not end a run.
func CardNumbers(b []byte) int {
	found := 0
	var run []byte
	for i, c := range b {
		switch {
		case isDigit(c):
			run = append(run, c)
		case (c == ' ' || c == '-') && len(run) > 0 && isDigit(b[i-1]) && i+1 < len(b) && isDigit(b[i+1]):
		default:
			found += cardsIn(run)
			run = run[:0]
		}
	}
	return found + cardsIn(run)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cardsIn returns 1 if a card number stands in the run of digits, else 0.
func cardsIn(run []byte) int {
	if n := len(run); n >= 13 && n <= 19 && scheme(run) && luhn(run) {
		return 1
	}
	for from := 0; len(run) > 19 && from+16 <= len(run); from++ {
		if scheme(run[from:]) && luhn(run[from:from+16]) {
			return 1
		}
	}
	return 0
}

// scheme reports whether the digits begin like those of a card scheme.
func scheme(run []byte) bool {
	switch prefix := int(run[1]-'0')*100 + int(run[2]-'0')*10 + int(run[3]-'0'); run[0] {
	case '2':
		return prefix >= 221 && prefix <= 720
	case '3':
		return run[1] == '0' || run[1] >= '4'
	default:
		return run[0] >= '4' && run[0] <= '6'
	}
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
