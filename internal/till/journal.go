package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// change is one journal event as a step function decides it: the attempt has
// been altered in place, and the event says how. A nil change alters nothing.
type change = event

// journal makes one event of one attempt durable as the system's agent: step
// sees the attempt as it is, alters it and returns the event, all within one
// commit. It reports the attempt as it is afterwards.
//
// The commit is not given up when ctx ends: what a terminal has answered must
// be written down.
func (t *Till) journal(ctx context.Context, id ident.ID[ident.Attempt], step func(tx *vault.Tx, a *attempt) (*change, error)) (attempt, error) {
	return t.journalAs(context.WithoutCancel(ctx), t.request(access.PaymentStep, id), id, step)
}

// journalAs is journal for a request of somebody else.
func (t *Till) journalAs(ctx context.Context, req access.Request, id ident.ID[ident.Attempt], step func(tx *vault.Tx, a *attempt) (*change, error)) (attempt, error) {
	var now attempt
	var made *change
	err := t.vault.Update(ctx, req, func(tx *vault.Tx) (err error) {
		now, made, err = alter(tx, id, step)
		return err
	})
	if err == nil {
		t.tell(now, made)
	}
	return now, err
}

// alter lets step change an attempt and keeps what it did.
func alter(tx *vault.Tx, id ident.ID[ident.Attempt], step func(tx *vault.Tx, a *attempt) (*change, error)) (attempt, *change, error) {
	row, err := rowOf(tx, id)
	if err != nil {
		return attempt{}, nil, err
	}
	made, err := step(tx, &row.Shared)
	if err != nil || made == nil {
		return row.Shared, nil, err
	}
	tx.Detail("attempt.state", row.Shared.State)
	if err := attempts.Replace(tx, row); err != nil {
		return row.Shared, nil, err
	}
	return row.Shared, made, note(tx, id, *made)
}

// tell tells everybody of a change, after its commit.
func (t *Till) tell(a attempt, made *change) {
	if made == nil {
		return
	}
	t.after(made.Name)
	t.bell(topic(a.ID))
	if a.State == Closed {
		t.bell(TopicDay)
	}
}

// note appends an event.
func note(tx *vault.Tx, id ident.ID[ident.Attempt], e event) error {
	e.Attempt, e.At, e.By = id, tx.Now(), tx.Agent().Name()
	_, err := attemptEvents.Insert(tx, vault.Row[event, vault.None]{Shared: e})
	return err
}

// rowOf returns the record of an attempt, or ErrNotFound.
func rowOf(tx *vault.Tx, id ident.ID[ident.Attempt]) (attemptRow, error) {
	row, ok, err := attempts.First(tx, indexID, id.String())
	if err == nil && !ok {
		err = ErrNotFound
	}
	return row, err
}

// request is one act of the system on an attempt.
func (t *Till) request(action access.Action, id ident.ID[ident.Attempt]) access.Request {
	return access.Request{Agent: t.agent, Action: action, Entity: access.Of(access.KindAttempt, id), Purpose: access.Payment}
}

// nextRef returns a reference that was never used and never will be.
func nextRef(tx *vault.Tx) (string, error) {
	row, fresh, err := counting(tx)
	if err != nil {
		return "", err
	}
	row.Shared.Ref++
	if row.Shared.Ref > refLast {
		row.Shared.Epoch, row.Shared.Ref = row.Shared.Epoch+1, 1
	}
	if row.Shared.Epoch > epochLast {
		return "", ErrReferences
	}
	return row.Shared.ref(), keepCounting(tx, row, fresh)
}

// nextReceipt returns the number of the next receipt.
func nextReceipt(tx *vault.Tx) (uint64, error) {
	row, fresh, err := counting(tx)
	if err != nil {
		return 0, err
	}
	row.Shared.Receipt++
	return row.Shared.Receipt, keepCounting(tx, row, fresh)
}

// counting returns the one record of the counters, and whether it is new.
func counting(tx *vault.Tx) (row vault.Row[counter, vault.None], fresh bool, err error) {
	for row, err := range counters.All(tx) {
		return row, false, err
	}
	return vault.Row[counter, vault.None]{Shared: counter{Epoch: epochFirst}}, true, nil
}

func keepCounting(tx *vault.Tx, row vault.Row[counter, vault.None], fresh bool) error {
	if !fresh {
		return counters.Replace(tx, row)
	}
	_, err := counters.Insert(tx, row)
	return err
}

// BeginEpoch must be called once after an older copy of the store was put in
// place, before the first payment: references that the lost part of the journal
// may have used are passed over.
func (t *Till) BeginEpoch(ctx context.Context) error {
	return t.vault.Update(ctx, t.request(access.PaymentStep, ident.ID[ident.Attempt]{}), func(tx *vault.Tx) error {
		return passOver(tx, t.vault.Status().Lost)
	})
}

// passOver begins a new epoch of references, for the loss of a commit.
func passOver(tx *vault.Tx, lost uint64) error {
	row, fresh, err := counting(tx)
	if err != nil {
		return err
	}
	if row.Shared.Epoch >= epochLast {
		return ErrReferences
	}
	row.Shared.Epoch, row.Shared.Ref, row.Shared.Lost = row.Shared.Epoch+1, 0, lost
	return keepCounting(tx, row, fresh)
}

// afterLoss reports whether the store has lost, or may have lost, its last
// commit since the till last looked. Then it has begun a new epoch.
func (t *Till) afterLoss(ctx context.Context) (lost bool, err error) {
	status := t.vault.Status()
	if !status.Torn && status.Lost == 0 {
		return false, nil
	}
	err = t.vault.Update(ctx, t.request(access.PaymentStep, ident.ID[ident.Attempt]{}), func(tx *vault.Tx) error {
		row, _, err := counting(tx)
		if lost = err == nil && (status.Torn || status.Lost != row.Shared.Lost); lost {
			err = passOver(tx, status.Lost)
		}
		return err
	})
	return lost, err
}
