package ops

import (
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// open returns the open store, or why there is none.
func (o *Ops) open(ctx context.Context, agent access.Agent, action access.Action) (*Store, error) {
	store, _, sealed := o.look()
	if err := o.permit(ctx, agent, action, store); err != nil {
		return nil, err
	}
	switch {
	case sealed != nil:
		return nil, sealed
	case store == nil:
		return nil, errStarting
	}
	return store, nil
}

// fact is a detail of an event.
type fact = audit.Detail

// act carries out what is no transaction of the store, such as a change of the
// seal. That it begins is on record before it does, and how it ended after: no
// record, no act.
func (o *Ops) act(ctx context.Context, agent access.Agent, action access.Action, what string, do func(*Store) ([]fact, error)) error {
	store, err := o.open(ctx, agent, action)
	if err != nil {
		return err
	}
	r := request(agent, action)
	err = store.Vault.View(ctx, r, func(tx *vault.Tx) error {
		tx.Detail("act", fault.Code(what))
		tx.Detail("step", fault.Code("begins"))
		return nil
	})
	if err != nil {
		return err
	}
	facts, err := do(store)
	outcome, why := ended(err)
	facts = slices.Concat([]fact{{Key: "act", Value: what}, {Key: "step", Value: "ended"}}, facts, why)
	recorded := store.Vault.Record(context.WithoutCancel(ctx), r, outcome, facts...)
	if err != nil {
		return err // the act's own failure is what its caller must know
	}
	return recorded
}

// ended returns the outcome of what was done, and what an event says of why it
// was not.
func ended(why error) (audit.Outcome, []fact) {
	if why == nil {
		return audit.OK, nil
	}
	facts := []fact{{Key: "fault", Value: fault.KindOf(why).String()}}
	if code := Code(why); code != "" {
		facts = append(facts, fact{Key: "code", Value: code})
	}
	return audit.Refused, facts
}

// changeSeal is act for what changes the header or the root key: one at a time.
func (o *Ops) changeSeal(ctx context.Context, agent access.Agent, action access.Action, what string, do func(*Store) ([]fact, error)) error {
	if !o.changing.TryLock() {
		return errChanging
	}
	defer o.changing.Unlock()
	return o.act(ctx, agent, action, what, do)
}

var errChanging = fault.New(fault.Conflict, "The seal or the keys are being changed already. Wait until that has ended, then look again.")

// proof returns what opens the present seal: the PIN, the signatures of the
// software that runs, and the root key, which the TPM need not give out once
// more.
func (o *Ops) proof(store *Store, pin string) seal.Proof {
	p := o.machine.Proof(pin)
	p.Key = store.Key
	return p
}

// inspect reads how the root key is sealed.
func (o *Ops) inspect(ctx context.Context) (seal.Status, error) {
	return seal.Inspect(ctx, o.machine.TPM, o.machine.Header)
}
