package billing

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// Reason says why less is asked for than was charged. It is a closed list, and
// decides the account that the amount is posted to.
type Reason string

// The reasons.
const (
	ReasonCourtesy Reason = "courtesy" // courtesy or pro bono: 4920
	ReasonWaived   Reason = "waived"   // a fee that is waived: 4920
	ReasonSmall    Reason = "small"    // a small balance, not worth a letter: 4930
	ReasonBadDebt  Reason = "bad_debt" // cannot be collected: 6200
)

// Reasons are all reasons, in the order of a page.
var Reasons = []Reason{ReasonCourtesy, ReasonWaived, ReasonSmall, ReasonBadDebt}

// posted says to which account and under which event a reason is posted.
var posted = map[Reason]struct {
	account ledger.Code
	event   ledger.Event
}{
	ReasonCourtesy: {books.Courtesy, ledger.EventWaiver}, ReasonWaived: {books.Courtesy, ledger.EventWaiver},
	ReasonSmall: {books.SmallBalance, ledger.EventWriteOff}, ReasonBadDebt: {books.BadDebt, ledger.EventWriteOff},
}

// Adjustment asks that a client owes less.
type Adjustment struct {
	Command ident.ID[ident.Command]
	Account roster.Account
	Amount  money.Amount
	Reason  Reason
	Note    phi.Text
	Against ident.ID[ident.Entry] // the charge; zero: the oldest first
}

// The faults of adjustments.
var (
	// ErrTookToday: rule 2 of the separation of duties.
	ErrTookToday = fault.New(fault.Denied, "You took a payment of this account today, so another person must adjust it.")
	// ErrReason: the reason is none of the list.
	ErrReason = fault.New(fault.Invalid, "Choose why less is asked for.")
	// ErrAmount: the amount is zero, negative or more than is open.
	ErrAmount = fault.New(fault.Invalid, "Enter an amount of more than 0.00 and at most what is open.")
)

// Owed returns what is open on a client's account, the oldest charge first, or
// roster.ErrNoClient: for people who adjust it.
func (b *Billing) Owed(ctx context.Context, agent access.Agent, account roster.Account) (open []books.Item, err error) {
	err = b.v.View(ctx, request(agent, access.AccountAdjust, access.Entity{Kind: access.KindAccount}), func(tx *vault.Tx) error {
		client, err := roster.ByAccount(tx, account)
		if err == nil {
			open, err = books.OpenItems(tx, ledger.Sub(client.Account))
		}
		return err
	})
	return open, err
}

// Adjust posts an adjustment that one person may decide alone, or for which
// nobody else is there; else it returns duty.ErrSecond, and Propose is due. The
// same command again does nothing.
func (b *Billing) Adjust(ctx context.Context, agent access.Agent, a Adjustment) error {
	return b.v.Update(ctx, request(agent, access.AccountAdjust, access.Entity{Kind: access.KindAccount}), func(tx *vault.Tx) error {
		if _, done, err := books.BySource(tx, a.source()); err != nil || done {
			return err
		}
		act, err := b.act(tx, a, access.AccountAdjust)
		if err != nil {
			return err
		}
		sum, err := duty.SumAlone(tx, act.Client, act.Action, midnight(tx))
		if err != nil {
			return err
		}
		if sum+act.Amount > b.limits.Adjust {
			if err := duty.Apart(tx, duty.Proposer, access.ActApprove, []string{agent.Name()}, duty.ErrSecond); err != nil {
				return err
			}
		}
		if act, err = duty.Record(tx, act, duty.Alone, a.Note); err != nil {
			return err
		}
		return adjust(tx, act)
	})
}

// Propose asks a second person to approve an adjustment.
func (b *Billing) Propose(ctx context.Context, agent access.Agent, a Adjustment) error {
	return b.v.Update(ctx, request(agent, access.ActPropose, access.Entity{Kind: access.KindAccount}), func(tx *vault.Tx) error {
		if !agent.May(access.AccountAdjust) {
			return ErrTookToday
		}
		act, err := b.act(tx, a, access.AccountAdjust)
		if err == nil {
			_, err = duty.Record(tx, act, duty.Proposed, a.Note)
		}
		return err
	})
}

// Approve approves an adjustment and posts it, in one commit.
func (b *Billing) Approve(ctx context.Context, agent access.Agent, id ident.ID[ident.Act]) error {
	return b.v.Update(ctx, request(agent, access.ActApprove, access.Of(access.KindAct, id)), func(tx *vault.Tx) error {
		act, err := duty.Approve(tx, id)
		if err != nil {
			return err
		}
		if act.Action != access.AccountAdjust {
			return duty.ErrNoAct
		}
		if err := b.apart(tx, act.Client, access.ActApprove); err != nil {
			return err
		}
		return adjust(tx, act)
	})
}

// act checks an adjustment against the account and the duties, and describes it.
func (b *Billing) act(tx *vault.Tx, a Adjustment, action access.Action) (duty.Act, error) {
	switch to, ok := posted[a.Reason]; {
	case a.Command.IsZero():
		return duty.Act{}, ErrCommand
	case !ok:
		return duty.Act{}, ErrReason
	case a.Note.Length() > duty.NoteMax:
		return duty.Act{}, duty.ErrNote
	default:
		client, err := roster.ByAccount(tx, a.Account)
		if err != nil {
			return duty.Act{}, err
		}
		balance, err := books.Client(tx, ledger.Sub(client.Account))
		if err == nil && (a.Amount <= 0 || a.Amount > balance.Due) {
			err = ErrAmount
		}
		if err == nil {
			err = b.apart(tx, client.ID, action)
		}
		return duty.Act{
			Command: a.Command, Action: access.AccountAdjust, Client: client.ID, Account: string(client.Account),
			Amount: a.Amount, Reason: string(a.Reason), To: string(to.account), Against: a.Against,
		}, err
	}
}

// apart refuses who took a payment of the client today.
func (b *Billing) apart(tx *vault.Tx, client ident.ID[ident.Client], action access.Action) error {
	takers, err := b.takers(tx, client, midnight(tx))
	if err != nil {
		return err
	}
	return duty.Apart(tx, duty.Taker, action, takers, ErrTookToday)
}

func midnight(tx *vault.Tx) time.Time { return tx.Today().In(tx.Now().Location()) }

func (a Adjustment) source() string { return "adjust/" + a.Command.String() }

// adjust posts an act and ends it.
func adjust(tx *vault.Tx, act duty.Act) error {
	to := posted[Reason(act.Reason)]
	_, err := books.Post(tx, ledger.Draft{
		Event: to.event, Source: Adjustment{Command: act.Command}.source(), Against: act.Against,
		Postings: []ledger.Posting{
			{Account: to.account, Amount: act.Amount},
			{Account: books.Receivables, Sub: ledger.Sub(act.Account), Amount: -act.Amount},
		},
	})
	if err != nil {
		return err
	}
	return duty.Finish(tx, act.ID)
}
