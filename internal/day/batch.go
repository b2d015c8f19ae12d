package day

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Totals is what a terminal states of the batch that it has closed.
type Totals struct {
	Command  ident.ID[ident.Command]
	Terminal string       // serial number, as the slips print it
	Batch    string       // the terminal's number of it; empty when it states none
	Count    uint32       // transactions
	Amount   money.Amount // sales less refunds
}

// Batch records what a terminal states of its batch and compares the amount, to
// the cent, with what was posted to card clearing since its last batch. A
// difference opens a work item, whose number it returns; 0 when there is none.
// The count is kept beside it: terminals differ in whether they count a voided
// payment. The same command again does nothing. Agent is who read the
// terminal's report, or the system when the terminal was asked.
func (d *Day) Batch(ctx context.Context, agent access.Agent, t Totals) (work uint64, err error) {
	switch {
	case t.Command.IsZero():
		return 0, ErrCommand
	case t.Terminal == "" || len(t.Terminal) > 40:
		return 0, ErrTerminal
	case t.Amount > money.Max || t.Amount < -money.Max:
		return 0, ErrAmount
	}
	err = d.vault.Update(ctx, of(agent, access.BatchState), func(tx *vault.Tx) error {
		row, ok, err := batches.First(tx, "command", t.Command.String())
		if ok && (string(row.Shared.Terminal) != t.Terminal || row.Shared.Amount != t.Amount || row.Shared.Count != t.Count) {
			err = ErrCommand
		}
		work = row.Shared.Work
		if err != nil || ok {
			return err
		}
		work, err = state(tx, t)
		return err
	})
	return work, err
}

func state(tx *vault.Tx, t Totals) (uint64, error) {
	r := batchRecord{
		Command: t.Command, Terminal: books.Sub(t.Terminal), Batch: t.Batch, Count: t.Count, Amount: t.Amount,
		Position: books.Count(tx), At: tx.Now().UnixMicro(), By: tx.Agent().Name(),
	}
	var since uint64
	for row, err := range batches.Find(tx, "terminal", t.Terminal) {
		if err != nil {
			return 0, err
		}
		since = row.Shared.Position
	}
	for e, err := range books.Latest(tx, books.CardClearing, r.Terminal) {
		if err != nil {
			return 0, err
		}
		if e.Number <= since {
			break
		}
		r.Posted++
		r.Clearing += at(e.Postings, books.CardClearing, r.Terminal)
	}
	r.Difference = r.Amount - r.Clearing
	tx.Detail("difference", r.Difference)
	if r.Difference != 0 {
		var err error
		if r.Work, err = open(tx, r, batches.Count(tx)+1); err != nil {
			return 0, err
		}
	}
	_, err := batches.Insert(tx, batchRow{Shared: r})
	return r.Work, err
}

// BatchOf returns when the batch of a terminal was stated that took a payment
// in, which was posted at an instant, and the number that the terminal gave it.
// Zero: it stands in the terminal's open batch.
func (d *Day) BatchOf(ctx context.Context, agent access.Agent, terminal string, posted time.Time) (stated time.Time, number string, err error) {
	req := access.Request{Agent: agent, Action: access.PaymentRead, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
	err = d.vault.View(ctx, req, func(tx *vault.Tx) error {
		for row, err := range batches.Find(tx, "terminal", terminal) {
			if err != nil {
				return err
			}
			if r := row.Shared; r.At >= posted.UnixMicro() {
				stated, number = time.UnixMicro(r.At).In(tx.Now().Location()), r.Batch
				return nil
			}
		}
		return nil
	})
	return stated, number, err
}

func at(postings []ledger.Posting, account books.Code, sub books.Sub) money.Amount {
	var sum money.Amount
	for _, p := range postings {
		if p.Account == account && p.Sub == sub {
			sum += p.Amount
		}
	}
	return sum
}

func (r batchRecord) shown(late bool) Batch {
	return Batch{r.Terminal, r.Batch, r.Count, r.Amount, r.Posted, r.Clearing, r.Difference, r.Work, r.By, late}
}
