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
// here, provided that the terminal, asked again, has a record of it that
// agrees; with ErrUnplugged and ErrBusy it cannot be asked now. If the record
// does not agree, two people decide.
func (t *Till) AnswerSame(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) error {
	record, err := t.original(ctx, agent, id)
	if err != nil {
		return err
	}
	_, err = t.journalAs(ctx, answerRequest(agent, id), id, func(tx *vault.Tx, a *attempt) (*event, error) {
		switch {
		case a.Result == Same:
			return nil, nil
		case !a.asks():
			return nil, ErrNoChoice
		}
		return t.same(tx, a, record)
	})
	return err
}

// original asks the terminal for its record of the payment that a duplicate
// names, if this journal does not have it. The zero Outcome is no record.
func (t *Till) original(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (record protocol.Outcome, err error) {
	var a attempt
	known := false
	err = t.vault.View(ctx, answerRequest(agent, id), func(tx *vault.Tx) error {
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		a = row.Shared
		known, err = hasMoved(tx, a.Twin)
		return err
	})
	if err != nil || known || !a.asks() || a.Other == "" || a.OtherAmount != a.Amount {
		return record, err
	}
	l := t.lanes[a.Terminal]
	if l == nil {
		return record, nil
	}
	switch s := l.terminal.Status(); {
	case !s.Attached:
		return record, ErrUnplugged
	case s.Busy:
		return record, ErrBusy
	}
	q := protocol.Question{Ref: a.Other, Kind: protocol.Kind(a.Kind), Amount: a.Amount, Serial: a.Serial}
	record, err = l.terminal.Lookup(ctx, q)
	if err == nil && record.Result == protocol.InDoubt && !contradicts(record.Reason) {
		err = ErrUnplugged
	}
	return record, err
}

// hasMoved reports whether an attempt of this journal, if there is one, has
// moved money.
func hasMoved(tx *vault.Tx, id ident.ID[ident.Attempt]) (bool, error) {
	if id.IsZero() {
		return false, nil
	}
	row, err := rowOf(tx, id)
	return row.Shared.Result.moved(), err
}

// same carries the answer out. record is the terminal's own of the original.
func (t *Till) same(tx *vault.Tx, a *attempt, record protocol.Outcome) (*event, error) {
	known, err := hasMoved(tx, a.Twin)
	if err != nil {
		return nil, err
	}
	agrees := record.Result == protocol.Approved && record.Ref == a.Other && record.Approved == a.Amount &&
		(a.HostRef == "" || reference(record.HostRef) == a.HostRef)
	var v verdict
	switch {
	case known:
		v, record = verdict{state: Resulted, result: Same, reason: reasonTaken}, protocol.Outcome{}
	case !agrees:
		v, record = verdict{state: Manual, reason: reasonAmount}, protocol.Outcome{}
	default:
		v = verdict{state: Resulted, result: Approved, approved: a.Amount, reason: reasonDesk}
		record.Evidence = evidenceRecord
	}
	if _, err := t.enact(tx, a, v, record); err != nil {
		return nil, err
	}
	if v.state == Resulted {
		a.State = Closed
	}
	return &event{Name: "answered", Result: v.result, Amount: v.approved, Reason: v.reason, Evidence: a.Evidence}, nil
}

// AnswerSecond answers the duplicate question: it is really a second payment.
// In one commit the first attempt ends without money, and a new one begins
// under a new reference, with the word to the terminal that a duplicate is
// meant. It returns the new attempt; command makes the answer repeatable.
func (t *Till) AnswerSecond(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt], command ident.ID[ident.Command]) (ident.ID[ident.Attempt], error) {
	if command.IsZero() {
		return ident.ID[ident.Attempt]{}, ErrCommand
	}
	if !t.enter() {
		return ident.ID[ident.Attempt]{}, ErrClosed
	}
	defer t.entered.Done()
	var made begun
	err := t.vault.Update(ctx, answerRequest(agent, id), func(tx *vault.Tx) error {
		earlier, ok, err := attempts.First(tx, indexCommand, command.String())
		if err != nil {
			return err
		}
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		in := again(&row.Shared, command)
		if ok {
			made = begun{id: earlier.Shared.ID}
			if !earlier.Shared.Again {
				return ErrCommand
			}
			return sameIntent(&earlier.Shared, in)
		}
		made, err = t.second(tx, row, in)
		return err
	})
	if err == nil && made.fresh {
		t.after("answered")
		t.bell(topic(id))
		t.bell(TopicDay)
		t.announce(made)
	}
	return made.id, err
}

// again is the intent of the second payment that a duplicate turns out to be.
func again(a *attempt, command ident.ID[ident.Command]) intent {
	return intent{
		command: command, kind: KindSale, tender: TenderCard, client: a.Client,
		amount: a.Amount, terminal: a.Terminal, again: true,
	}
}

func (t *Till) second(tx *vault.Tx, row attemptRow, in intent) (begun, error) {
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
	return t.intend(tx, in)
}

func answerRequest(agent access.Agent, id ident.ID[ident.Attempt]) access.Request {
	return access.Request{Agent: agent, Action: access.PaymentTake, Entity: access.Of(access.KindAttempt, id), Purpose: access.Payment}
}
