package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// AnswerSame answers the duplicate question (Payment.Choice): it is the same
// payment, and nothing is charged again. If the first one is not in this
// journal (it was lost with a restored backup), its money comes into the books
// here.
func (t *Till) AnswerSame(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) error {
	_, err := t.journalAs(ctx, answerRequest(agent, id), id, func(tx *vault.Tx, a *attempt) (*event, error) {
		switch {
		case a.Result == Same:
			return nil, nil
		case !a.asks():
			return nil, ErrNoChoice
		}
		return t.same(tx, a)
	})
	return err
}

// same carries the answer out.
func (t *Till) same(tx *vault.Tx, a *attempt) (*event, error) {
	known := false
	if !a.Twin.IsZero() {
		original, err := rowOf(tx, a.Twin)
		if err != nil {
			return nil, err
		}
		known = original.Shared.Result.moved()
	}
	o := protocol.Outcome{
		DeviceCode: a.Device, HostCode: a.Host, AuthCode: a.AuthCode, Batch: a.Batch,
		HostRef: a.HostRef, TerminalRef: a.TermRef, Serial: a.Serial,
	}
	var v verdict
	switch {
	case known:
		v, o = verdict{state: Resulted, result: Same, reason: reasonTaken}, protocol.Outcome{}
	case a.Other == "" || a.OtherAmount != a.Amount:
		v = verdict{state: Manual, reason: reasonAmount}
	default:
		v = verdict{state: Resulted, result: Approved, approved: a.Amount, reason: reasonPeople}
	}
	if _, err := t.enact(tx, a, v, o); err != nil {
		return nil, err
	}
	if v.state == Resulted {
		a.State = Closed
	}
	return &event{Name: "answered", Result: v.result, Amount: v.approved, Reason: v.reason}, nil
}

// AnswerSecond answers the duplicate question: it is really a second payment.
// In one commit the first attempt ends without money, and a new one begins
// under a new reference, with the word to the terminal that a duplicate is
// meant. It returns the new attempt; command makes the answer repeatable.
func (t *Till) AnswerSecond(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt], command ident.ID[ident.Command]) (ident.ID[ident.Attempt], error) {
	if command.IsZero() {
		return ident.ID[ident.Attempt]{}, ErrCommand
	}
	var made begun
	err := t.vault.Update(ctx, answerRequest(agent, id), func(tx *vault.Tx) error {
		earlier, ok, err := attempts.First(tx, indexCommand, command.String())
		if err != nil {
			return err
		}
		if ok {
			made = begun{id: earlier.Shared.ID}
			return nil
		}
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		made, err = t.second(tx, row, command)
		return err
	})
	if err == nil && made.fresh {
		t.after("answered")
		t.bell(topic(id))
		t.announce(made)
	}
	return made.id, err
}

func (t *Till) second(tx *vault.Tx, row attemptRow, command ident.ID[ident.Command]) (begun, error) {
	a := &row.Shared
	if !a.asks() {
		return begun{}, ErrNoChoice
	}
	if err := release(tx, a, "second_payment"); err != nil {
		return begun{}, err
	}
	a.State, a.Ended = Closed, tx.Now()
	if err := attempts.Replace(tx, row); err != nil {
		return begun{}, err
	}
	if err := note(tx, a.ID, event{Name: "answered", Result: Duplicate}); err != nil {
		return begun{}, err
	}
	return t.intend(tx, intent{
		command: command, kind: KindSale, tender: TenderCard, client: a.Client,
		amount: a.Amount, terminal: a.Terminal, again: true,
	})
}

func answerRequest(agent access.Agent, id ident.ID[ident.Attempt]) access.Request {
	return access.Request{Agent: agent, Action: access.PaymentTake, Entity: access.Of(access.KindAttempt, id), Purpose: access.Payment}
}
