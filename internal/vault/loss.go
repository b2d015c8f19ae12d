package vault

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
)

// Faults of AcceptLoss.
var (
	errNoLoss   = fault.New(fault.Conflict, "No commit is known to be lost, so there is nothing to accept.")
	errNoReason = fault.New(fault.Invalid, "A loss is accepted with a reason, which stays on record. Type one of at most 500 letters.")
)

// reasonMax bounds a typed reason, in bytes.
const reasonMax = 2000

// AcceptLoss acknowledges the lost commit that Status names (action
// access.StoreAcceptLoss), with a typed reason that becomes part of the audit
// trail. From then on Status and Check are silent about it; its number is not
// given again.
func (v *Vault) AcceptLoss(ctx context.Context, r access.Request, reason string) error {
	if r.Action != access.StoreAcceptLoss {
		return errAct
	}
	return v.Update(ctx, r, func(tx *Tx) error {
		switch {
		case reason == "" || len(reason) > reasonMax:
			return errNoReason
		case tx.state.lost == 0:
			return errNoLoss
		}
		tx.Detail(factReason, fault.Code(reason))
		tx.Detail("lost", fault.Int(tx.state.lost))
		tx.state.lost, tx.state.lostWall = 0, 0
		return nil
	})
}
