package ops

import (
	"context"
	"slices"
	"strconv"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Testimony is what a browser that witnesses the audit trail says of it.
type Testimony struct {
	Why         string // "gone", "other", "back" or "rewritten"
	Kept, Shown uint64 // events under the checkpoint that it keeps, and under that it was shown
	Judged      bool   // the privacy officer has looked into it, and goes on from what is shown
}

// testimonies are what a browser can complain of.
var testimonies = []string{"gone", "other", "back", "rewritten"}

var errTestimony = fault.New(fault.Invalid, "A witness says that the trail is gone, another one, set back or rewritten. Reload the page.")

// Testify puts a witness's complaint on record, or that the privacy officer
// has judged it. A box that was tampered with may keep it to itself: the
// browser's own alarm and evidence are what counts.
func (o *Ops) Testify(ctx context.Context, agent access.Agent, t Testimony) error {
	if !slices.Contains(testimonies, t.Why) {
		return errTestimony
	}
	action, outcome := access.AuditWitness, audit.Failed
	if t.Judged {
		action, outcome = access.AuditRead, audit.OK
	}
	store, _, sealed := o.look()
	if err := o.permit(ctx, agent, action, store); err != nil {
		return err
	}
	switch {
	case sealed != nil:
		return sealed
	case store == nil:
		return errStarting
	}
	return store.Vault.Record(ctx, request(agent, access.AuditWitness), outcome,
		audit.Detail{Key: "witness", Value: t.Why},
		audit.Detail{Key: "kept", Value: strconv.FormatUint(t.Kept, 10)}, audit.Detail{Key: "shown", Value: strconv.FormatUint(t.Shown, 10)})
}
