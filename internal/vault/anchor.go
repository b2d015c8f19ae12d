package vault

import (
	"context"

	"coffer/internal/access"
)

// Counter is a counter in the TPM that can only rise.
type Counter interface {
	// Value returns the present value.
	Value(ctx context.Context) (uint64, error)
	// Advance raises it by one.
	Advance(ctx context.Context) error
}

// Anchor ties the present commit to the counter in the TPM: from then on an
// older copy of the store is refused (ErrRollback). Without a counter it does
// nothing.
func (v *Vault) Anchor(ctx context.Context, agent access.Agent) error { return ErrUnanchored }
