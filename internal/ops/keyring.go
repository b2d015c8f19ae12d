package ops

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// keyring is what the store does with its keys.
type keyring interface {
	Rotate(context.Context, access.Request, *seal.Key) error
	Buckets() []vault.Bucket
	Rekey(context.Context, access.Request, vault.Bucket) error
	Shred(context.Context, access.Request, ident.ID[ident.Client]) error
}

var errKeyring = fault.New(fault.Unavailable, "This store's keys cannot be changed.")

// keyringOf returns the store's keyring.
func keyringOf(store *Store) (keyring, error) {
	k, ok := any(store.Vault).(keyring)
	if !ok {
		return nil, errKeyring
	}
	return k, nil
}
