package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// FeeMax is the highest fee for a returned check.
const FeeMax money.Amount = 100_00

// depositMax bounds the checks of one slip.
const depositMax = 50

// deposit is one slip of checks that went to the bank.
type deposit struct {
	Command ident.ID[ident.Command]   `cbor:"1,keyasint"`
	At      time.Time                 `cbor:"2,keyasint"`
	By      string                    `cbor:"3,keyasint"`
	Checks  []ident.ID[ident.Attempt] `cbor:"4,keyasint"`
	Amount  money.Amount              `cbor:"5,keyasint"`
	Entry   ident.ID[ident.Entry]     `cbor:"6,keyasint"`
}

// deposits are numbered from 1 without gaps: their row's key.
var deposits = vault.NewJournal(vault.BucketDeposits,
	vault.NewIndex(indexCommand, func(r vault.Row[deposit, vault.None]) []string { return []string{r.Shared.Command.String()} }),
)

// TakeCheck takes a payment by check, which is final at once: attempt, ledger entry
// (checks to deposit against the client) and receipt are one commit. It returns
// the attempt; with ErrDuplicate and ErrLocked the one in the way.
func (t *Till) TakeCheck(ctx context.Context, agent access.Agent, s CheckSale) (ident.ID[ident.Attempt], error) {
	if !digits(s.Number) {
		return ident.ID[ident.Attempt]{}, ErrCheck
	}
	return t.begin(ctx, agent, access.PaymentTake, access.Client(s.Client), intent{
		command: s.Command, kind: KindSale, tender: TenderCheck, client: s.Client,
		amount: s.Amount, again: s.ConfirmDuplicate, dueOnly: s.DueOnly, check: s.Number,
	})
}

// digits reports whether a check's number is one: 1 to 12 digits.
func digits(number string) bool {
	for _, r := range number {
		if r < '0' || r > '9' {
			return false
		}
	}
	return number != "" && len(number) <= 12
}

// PaperCheck is a check as pages show it. It names the client by account number.
type PaperCheck struct {
	ID      ident.ID[ident.Attempt]
	Number  string
	Account string
	Amount  money.Amount
	Taken   time.Time
	Slip    uint64 // number of its deposit slip; zero while it waits
	Bounced bool
}

// Slip is a deposit slip.
type Slip struct {
	Number uint64 // from 1 without gaps
	At     time.Time
	By     string // sign-in name
	Amount money.Amount
	Checks []PaperCheck
}

func shownCheck(a *attempt, zone *time.Location) PaperCheck {
	return PaperCheck{a.ID, a.Check, a.Account, a.Approved, a.At.In(zone), a.Deposit, !a.Bounced.IsZero()}
}

// Checks returns the checks that wait for their deposit, the oldest first, and
// the latest slips, the newest first, at most limit.
func (t *Till) Checks(ctx context.Context, agent access.Agent, limit int) (waiting []PaperCheck, slips []Slip, err error) {
	err = t.vault.View(ctx, bankRequest(agent, access.CheckRead), func(tx *vault.Tx) error {
		zone := tx.Now().Location()
		for row, err := range attempts.Find(tx, indexWaiting, string(TenderCheck)) {
			if err != nil {
				return err
			}
			waiting = append(waiting, shownCheck(&row.Shared, zone))
		}
		for row, err := range deposits.Newest(tx) {
			if err != nil || len(slips) == limit {
				return err
			}
			slip, err := shownSlip(tx, row.Key, row.Shared)
			if err != nil {
				return err
			}
			slips = append(slips, slip)
		}
		return nil
	})
	return waiting, slips, err
}

func shownSlip(tx *vault.Tx, number uint64, d deposit) (Slip, error) {
	zone := tx.Now().Location()
	slip := Slip{Number: number, At: d.At.In(zone), By: d.By, Amount: d.Amount}
	for _, id := range d.Checks {
		row, err := rowOf(tx, id)
		if err != nil {
			return Slip{}, err
		}
		slip.Checks = append(slip.Checks, shownCheck(&row.Shared, zone))
	}
	return slip, nil
}

func bankRequest(agent access.Agent, action access.Action) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
}

// Deposit records that checks go to the bank on one slip, and returns the
// slip's number: Dr operating bank, Cr checks to deposit. The same command again
// returns the same slip.
func (t *Till) Deposit(ctx context.Context, agent access.Agent, command ident.ID[ident.Command], checks []ident.ID[ident.Attempt]) (number uint64, err error) {
	switch {
	case command.IsZero():
		return 0, ErrCommand
	case len(checks) == 0 || len(checks) > depositMax:
		return 0, ErrNoChecks
	}
	err = t.vault.Update(ctx, bankRequest(agent, access.CheckDeposit), func(tx *vault.Tx) error {
		row, ok, err := deposits.First(tx, indexCommand, command.String())
		if number = row.Key; err != nil || ok {
			return err
		}
		number = deposits.Count(tx) + 1
		return makeDeposit(tx, deposit{Command: command, At: tx.Now(), By: agent.Name(), Checks: checks}, number)
	})
	if err == nil {
		t.bell(TopicDay)
	}
	return number, err
}

func makeDeposit(tx *vault.Tx, d deposit, number uint64) error {
	for _, id := range d.Checks {
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		a := &row.Shared
		if !a.waits() {
			return ErrNoChecks
		}
		if d.Amount, err = d.Amount.Add(a.Approved); err != nil {
			return err
		}
		a.Deposit = number
		if err := attempts.Replace(tx, row); err != nil {
			return err
		}
		if err := note(tx, id, event{Name: "deposited", Amount: a.Approved}); err != nil {
			return err
		}
	}
	e, err := books.Post(tx, ledger.Draft{
		Event: ledger.EventCheckDeposit, Source: "deposit/" + d.Command.String(),
		Postings: []ledger.Posting{{Account: books.Bank, Amount: d.Amount}, {Account: books.Checks, Amount: -d.Amount}},
	})
	if err != nil {
		return err
	}
	d.Entry = e.ID
	tx.Detail("slip", fault.Int(number))
	tx.Detail("amount", d.Amount)
	at, err := deposits.Insert(tx, vault.Row[deposit, vault.None]{Shared: d})
	if err == nil && at != number {
		err = fault.New(fault.Corrupt, "A deposit slip would stand in the wrong place. Stop, and call IT.")
	}
	return err
}

// waits reports whether an attempt is a check that waits for its deposit.
func (a *attempt) waits() bool { return a.Tender == TenderCheck && a.left() > 0 && a.Deposit == 0 }

// ReturnCheck records, in one commit, that the bank returned a check: what it
// had paid is due again, the bank's money is taken back, and the fee is charged.
// Who took a payment of the account today may not (rule 2). The same command
// again does nothing.
func (t *Till) ReturnCheck(ctx context.Context, agent access.Agent, r CheckReturn) error {
	switch {
	case r.Command.IsZero():
		return ErrCommand
	case r.Fee < 0 || r.Fee > FeeMax:
		return ErrFee
	}
	req := access.Request{Agent: agent, Action: access.CheckReturn, Entity: access.Of(access.KindAttempt, r.Attempt), Purpose: access.Payment}
	err := t.vault.Update(ctx, req, func(tx *vault.Tx) error {
		row, err := rowOf(tx, r.Attempt)
		if err != nil || row.Shared.Bounced == r.Command {
			return err
		}
		return bounce(tx, row, r)
	})
	if err == nil {
		t.bell(topic(r.Attempt))
		t.bell(TopicDay)
	}
	return err
}

func bounce(tx *vault.Tx, row attemptRow, r CheckReturn) error {
	a := &row.Shared
	if a.Deposit == 0 || !a.Bounced.IsZero() {
		return ErrNotDeposited
	}
	takers, err := TakersOf(tx, a.Client, civil.Of(tx.Now()).In(tx.Now().Location()))
	if err != nil {
		return err
	}
	if err := duty.Apart(tx, duty.Taker, access.CheckReturn, takers, ErrTookToday); err != nil {
		return err
	}
	if err := postReturn(tx, a, r.Fee); err != nil {
		return err
	}
	a.Bounced = r.Command
	tx.Detail("amount", a.Approved)
	tx.Detail("fee", r.Fee)
	if err := attempts.Replace(tx, row); err != nil {
		return err
	}
	return note(tx, a.ID, event{Name: "returned", Amount: a.Approved})
}

// postReturn posts what a returned check means. Its receipt is reversed, which
// opens the charges again that it had settled; if its money has been given back
// since, the amount becomes due of itself.
func postReturn(tx *vault.Tx, a *attempt, fee money.Amount) error {
	from := "return/" + a.ID.String()
	_, err := books.Reverse(tx, a.Entry, "returned")
	if err != nil && fault.KindOf(err) == fault.Conflict {
		var rest []ledger.Posting
		if rest, err = books.Refund(tx, sub(a), a.Approved); err != nil {
			return err
		}
		err = postEvent(tx, ledger.EventCheckReturn, from, append(rest, ledger.Posting{Account: books.Checks, Amount: -a.Approved}))
	}
	if err != nil {
		return err
	}
	err = postEvent(tx, ledger.EventCheckReturn, from+"/bank", []ledger.Posting{
		{Account: books.Checks, Amount: a.Approved}, {Account: books.Bank, Amount: -a.Approved},
	})
	if err != nil || fee == 0 {
		return err
	}
	return postEvent(tx, ledger.EventChargeReturn, from+"/fee", []ledger.Posting{
		{Account: books.Receivables, Sub: sub(a), Amount: fee}, {Account: books.OtherIncome, Amount: -fee},
	})
}

func postEvent(tx *vault.Tx, event ledger.Event, source string, postings []ledger.Posting) error {
	_, err := books.Post(tx, ledger.Draft{Event: event, Source: source, Postings: postings})
	return err
}
