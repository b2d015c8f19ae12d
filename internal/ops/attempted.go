package ops

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Attempted puts on record what was asked of the daemon and left no event of
// its own: a look at the box, or what was refused before it got to the store,
// and why; nil: it was not. While the store is shut there is no trail, and
// nothing is done: attempts to open it are remembered elsewhere.
func (o *Ops) Attempted(ctx context.Context, agent access.Agent, action access.Action, asked string, why error) error {
	store, _, _ := o.look()
	if store == nil {
		return nil
	}
	outcome, facts := ended(why)
	if kind := fault.KindOf(why); why != nil && (kind == fault.Denied || kind == fault.Unauthenticated) {
		outcome = audit.Denied
	}
	facts = append([]fact{{Key: "asked", Value: asked}}, facts...)
	return store.Vault.Record(context.WithoutCancel(ctx), request(agent, action), outcome, facts...)
}
