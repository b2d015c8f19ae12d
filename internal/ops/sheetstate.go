package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/vault"
)

// SheetState is what is known of the recovery sheet in force; nothing of it
// helps anybody to open anything.
type SheetState struct {
	InForce bool      `json:"in_force"`
	Tested  time.Time `json:"tested,omitzero"` // when its papers were last found to open the store; zero: never
	Due     time.Time `json:"due,omitzero"`    // when the next rehearsal is due; zero: now
}

// SheetState returns the state of the recovery sheet, for who may
// rehearse it. The look is an event.
func (o *Ops) SheetState(ctx context.Context, agent access.Agent) (SheetState, error) {
	store, err := o.open(ctx, agent, access.RecoveryRead)
	if err != nil {
		return SheetState{}, err
	}
	if err := store.Vault.View(ctx, request(agent, access.RecoveryRead), func(*vault.Tx) error { return nil }); err != nil {
		return SheetState{}, err
	}
	return o.sheetState(store), nil
}

// sheetState is SheetState for who is shown it anyway.
func (o *Ops) sheetState(store *Store) SheetState {
	s := SheetState{InForce: store.Seal.Recovery}
	if _, good := o.lastOf(choreRehearsal); good.At != 0 {
		s.Tested, s.Due = good.at(), good.at().Add(sheetAgeMax)
	}
	return s
}
