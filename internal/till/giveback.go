package till

import (
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// GiveBack gives money of a payment back, if one person may decide it alone
// (Options.Limits), or if nobody else is there to approve it; else it returns
// duty.ErrSecond, and Propose is due. A card's money goes through the terminal
// like a sale; cash and checks are final at once. It returns the attempt.
func (t *Till) GiveBack(ctx context.Context, agent access.Agent, g GiveBack) (ident.ID[ident.Attempt], error) {
	in, err := g.intent()
	if err != nil {
		return ident.ID[ident.Attempt]{}, err
	}
	return t.begin(ctx, agent, actionOf(g.Kind), access.Of(access.KindAttempt, g.Original), in)
}

// Propose asks a second person to approve what GiveBack would do. Nothing is
// given back before CarryOut.
func (t *Till) Propose(ctx context.Context, agent access.Agent, g GiveBack) (ident.ID[ident.Act], error) {
	in, err := g.intent()
	if err != nil {
		return ident.ID[ident.Act]{}, err
	}
	var act duty.Act
	req := access.Request{Agent: agent, Action: access.ActPropose, Entity: access.Of(access.KindAttempt, g.Original), Purpose: access.Payment}
	err = t.vault.Update(ctx, req, func(tx *vault.Tx) error {
		if !agent.May(actionOf(g.Kind)) {
			return errNotYours
		}
		in, err := t.returning(tx, in)
		if err == nil {
			act, err = duty.Record(tx, actOf(in), duty.Proposed, in.note)
		}
		return err
	})
	if err == nil {
		t.bell(topic(g.Original))
		t.bell(TopicDay)
	}
	return act.ID, err
}

// CarryOut does what a second person has approved. Cash comes out of the
// drawer of whoever carries it out. It returns the attempt; while that has
// moved no money, the act can be carried out once more under another command.
func (t *Till) CarryOut(ctx context.Context, agent access.Agent, id ident.ID[ident.Act], command ident.ID[ident.Command], terminal ident.ID[ident.Terminal]) (ident.ID[ident.Attempt], error) {
	var act duty.Act
	req := access.Request{Agent: agent, Action: access.ActRead, Entity: access.Of(access.KindAct, id), Purpose: access.Payment}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) (err error) {
		act, err = duty.Read(tx, id)
		return err
	})
	if err != nil {
		return ident.ID[ident.Attempt]{}, err
	}
	kind := KindVoid
	if act.Action == access.PaymentRefund {
		kind = KindRefund
	}
	return t.begin(ctx, agent, actionOf(kind), access.Of(access.KindAttempt, act.Payment), intent{
		command: command, kind: kind, original: act.Payment, amount: act.Amount, terminal: terminal,
		check: act.Check, act: id, reason: Reason(act.Reason),
	})
}

func actionOf(k Kind) access.Action {
	if k == KindVoid {
		return access.PaymentVoid
	}
	return access.PaymentRefund
}

// intent reads what is asked for, and refuses what no payment could be given
// back with.
func (g GiveBack) intent() (intent, error) {
	in := intent{
		command: g.Command, kind: g.Kind, original: g.Original, amount: g.Amount, terminal: g.Terminal,
		check: g.Check, reason: g.Reason, note: g.Note,
	}
	switch {
	case g.Command.IsZero():
		return in, ErrCommand
	case g.Kind != KindVoid && g.Kind != KindRefund:
		return in, ErrNotPayment
	case g.Kind == KindRefund && g.Amount <= 0:
		return in, ErrAmount
	case !slices.Contains(Reasons, g.Reason):
		return in, ErrReason
	case g.Reason == ReasonOther && g.Note.IsZero():
		return in, ErrReason
	case g.Note.Length() > duty.NoteMax:
		return in, duty.ErrNote
	}
	return in, nil
}

// returning completes an intent to give back from the payment it refers to.
func (t *Till) returning(tx *vault.Tx, in intent) (intent, error) {
	row, err := rowOf(tx, in.original)
	if err != nil {
		return in, err
	}
	a := &row.Shared
	left := a.left()
	switch {
	case left == 0, in.kind == KindVoid && left != a.Approved:
		return in, ErrNotPayment
	case in.kind == KindVoid && in.amount != 0 && in.amount != left:
		return in, ErrVoidPart
	case in.kind == KindVoid:
		in.amount = left
	case in.amount > left:
		return in, ErrRefundTooMuch
	}
	if err := byTender(tx, in, a); err != nil {
		return in, err
	}
	if in.kind == KindVoid {
		in.check = a.Check
	}
	in.client, in.tender, in.of = a.Client, a.Tender, a
	if in.terminal.IsZero() {
		in.terminal = a.Terminal
	}
	return in, nil
}

// byTender returns what stands against giving a payment back by its tender.
func byTender(tx *vault.Tx, in intent, a *attempt) error {
	void := in.kind == KindVoid
	switch {
	case a.Tender == TenderCash && void && a.Cashier != tx.Agent().Name():
		return ErrOtherDrawer
	case a.Tender == TenderCheck && void && a.Deposit != 0:
		return ErrDeposited
	case a.Tender == TenderCheck && !void && a.Deposit == 0:
		return ErrCheckHere
	case a.Tender == TenderCheck && !void && !digits(in.check):
		return ErrCheck
	}
	return nil
}

// permitted lets an intent to give back pass that was approved, or that one
// person may decide alone, and writes down the act. Everything else passes.
func (t *Till) permitted(tx *vault.Tx, in intent) (intent, error) {
	if in.kind == KindSale {
		return in, nil
	}
	if !in.act.IsZero() {
		act, err := duty.Approvable(tx, in.act)
		if err == nil && (act.Payment != in.original || act.Amount != in.amount || act.Action != actionOf(in.kind)) {
			err = duty.ErrNoAct // the payment is another one now
		}
		return in, err
	}
	switch alone, err := t.alone(tx, in); {
	case err != nil:
		return in, err
	case !alone:
		if err := duty.Apart(tx, duty.Proposer, access.ActApprove, []string{tx.Agent().Name()}, duty.ErrSecond); err != nil {
			return in, err
		}
	}
	act, err := duty.Record(tx, actOf(in), duty.Alone, in.note)
	in.act = act.ID
	return in, err
}

// alone reports whether one person may decide to give back.
func (t *Till) alone(tx *vault.Tx, in intent) (bool, error) {
	if in.kind == KindRefund {
		return in.of.Returned+in.amount <= t.limits.Refund, nil
	}
	zone := tx.Now().Location()
	if in.of.Cashier != tx.Agent().Name() || civil.Of(in.of.At.In(zone)) != tx.Today() {
		return false, nil
	}
	sum, err := duty.SumOwn(tx, access.PaymentVoid, tx.Today().In(zone))
	return sum+in.amount <= t.limits.Void, err
}

// actOf describes an intent to whoever approves it.
func actOf(in intent) duty.Act {
	return duty.Act{
		Command: in.command, Action: actionOf(in.kind), Client: in.client, Account: in.of.Account, Amount: in.amount,
		Reason: string(in.reason), Payment: in.original, Receipt: in.of.Receipt, Tender: string(in.tender),
		Paid: in.of.Approved, Taker: in.of.Cashier, Check: ownCheck(in),
	}
}

// ownCheck is the number of the clinic's own check of a refund.
func ownCheck(in intent) string {
	if in.kind == KindRefund {
		return in.check
	}
	return ""
}

// returnable says how a payment can be given back by the one who asks.
func returnable(tx *vault.Tx, a *attempt) (void, refund bool) {
	left := a.left()
	void = left > 0 && left == a.Approved && a.Deposit == 0 && (a.Tender != TenderCash || a.Cashier == tx.Agent().Name())
	return void, left > 0 && (a.Tender != TenderCheck || a.Deposit != 0)
}

// sumReturned returns how much of a payment was given back.
func (a *attempt) sumReturned() money.Amount {
	if a.Voided {
		return a.Approved
	}
	return a.Returned
}
