package vault

import (
	"context"
	"log/slog"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// errNextRoot is a defect of a caller.
var errNextRoot = fault.New(fault.Internal, "The root was to be replaced by one that doesn't follow it. Report this to the makers of Coffer.")

// Rotate wraps the whole keyring and the meta record under the next root key,
// which is of the same store and one generation more, in one commit (action
// access.KeyRotate). next is not used after it returns.
//
// When it returns nil, the commit before the last is of the new generation too,
// so the store opens without the former root even if its last head page tears,
// and wrapped keys that stand in free pages open for nobody once the former
// root is gone. Called again with a root that the store has already, it makes
// sure of that.
func (v *Vault) Rotate(ctx context.Context, r access.Request, next *seal.Key) error {
	if r.Action != access.KeyRotate {
		return errNextRoot
	}
	root := deriveKeys(next)
	err := v.Update(ctx, r, func(tx *Tx) error { return tx.rotate(root) })
	if err != nil {
		return err
	}
	return v.Record(context.WithoutCancel(ctx), r, audit.OK, audit.Detail{Key: "generation", Value: fault.Int(root.generation).SafeString()})
}

// rotate stages every entry of the keyring under the next root.
func (tx *Tx) rotate(next *rootKeys) error {
	now := tx.state.root
	switch {
	case next.storeID != now.storeID:
		return errNextRoot
	case next.generation == now.generation:
		return nil
	case next.generation != now.generation+1:
		return errNextRoot
	}
	tx.state.root = next
	tx.state.keys.Scan(func(id uint32, k *dataKey) bool {
		tx.staged.put(keyringID, uint64(id), k.wrap(next))
		return true
	})
	return nil
}

// followRoot makes durable that what stands beside the store file is under the
// root that the last commit named.
func (v *Vault) followRoot() {
	if err := v.last.file.Sync(); err != nil {
		v.options.Log.LogAttrs(context.Background(), slog.LevelError, "coffer.last could not follow the root key", slog.String("detail", Detail(err)))
	}
}
