package vault

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

var errNotYet = fault.New(fault.Internal, "This version of Coffer can't change keys. Install a newer one.")

// Buckets returns the buckets that Rekey takes, in the order of their ids.
func (v *Vault) Buckets() []Bucket {
	var all []Bucket
	for _, b := range v.published.Load().durable.slots {
		all = append(all, b.bucket)
	}
	return all
}

// Rekey makes a new data key for the bucket and seals every record of it anew,
// beside other requests, in commits of its own (action access.KeyRotate). Cut
// short, it goes on when it is called again. Then the old key is gone.
func (v *Vault) Rekey(ctx context.Context, r access.Request, b Bucket) error { return errNotYet }

// Shred destroys the keys of the client's private parts (action
// access.ClientShred). Rows of the client still read: Shared as before, Private
// empty, Erased set. Rotate the root after, so that the old wrapped keys in
// free pages of the file open nothing.
func (v *Vault) Shred(ctx context.Context, r access.Request, client ident.ID[ident.Client]) error {
	return errNotYet
}

// Rotate wraps the keyring and the meta record under the next root key, of one
// generation more, in one commit (action access.KeyRotate). When it returns
// nil, nothing on the disk needs the former root. next is not kept.
func (v *Vault) Rotate(ctx context.Context, r access.Request, next *seal.Key) error { return errNotYet }
