package ops

import (
	"context"
	"errors"
	"slices"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/pan"
)

// Attempted puts on record what was asked of the daemon and left no event of
// its own: a look at the box, or what was refused before it got to the store,
// and why; nil: it was not. A refused card number has an act of its own. More are facts that go with it. While the store is shut there is no trail, and
// nothing is done: attempts to open it are remembered elsewhere.
func (o *Ops) Attempted(ctx context.Context, agent access.Agent, action access.Action, asked string, why error, more ...fact) error {
	store, _, _ := o.look()
	if store == nil {
		return nil
	}
	outcome, facts := ended(why)
	if kind := fault.KindOf(why); why != nil && (kind == fault.Denied || kind == fault.Unauthenticated) {
		outcome = audit.Denied
	}
	if errors.Is(why, pan.Err) {
		action = access.CardRefuse
	}
	facts = slices.Concat([]fact{{Key: "asked", Value: asked}}, more, facts)
	return store.Vault.Record(context.WithoutCancel(ctx), request(agent, action), outcome, facts...)
}
