package vault

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// ErrShredded is what a write of a private part gives once the client's keys
// were destroyed.
var ErrShredded = fault.New(fault.Conflict, "This client's data was erased (STORE-010).")

// shreddedFault says when.
func shreddedFault(k *dataKey) error {
	return fault.Wrap(ErrShredded, fault.Conflict, "This client's data was erased on %v. Make a new client if the person comes back (STORE-010).",
		civil.Of(k.erasedAt()))
}

// errShredAct is a defect of a caller.
var errShredAct = fault.New(fault.Internal, "A client's keys were to be destroyed in the name of another act. Report this to the makers of Coffer.")

// Shred destroys the client's keys in all compartments (action
// access.ClientShred on that client), or gives ErrNoRow where the client has
// none. Rows of the client still read: Shared as before, Private zero, Erased
// set; their private parts open for nobody, and none can be written any more
// (ErrShredded). The keys that were wrapped before stand in free pages until
// Rotate makes those unreadable. Shredding twice changes nothing.
func (v *Vault) Shred(ctx context.Context, r access.Request, client ident.ID[ident.Client]) error {
	if r.Action != access.ClientShred || r.Entity != access.Client(client) {
		return errShredAct
	}
	return v.Update(ctx, r, func(tx *Tx) error { return tx.shred(client) })
}

// shred stages the end of the client's keys.
func (tx *Tx) shred(client ident.ID[ident.Client]) error {
	found := false
	for scope := range scopeEnd {
		id, ok := tx.state.clients.Get(clientEntry(scope, client))
		if !ok {
			continue
		}
		found = true
		if tx.key(id).use == useErased {
			continue
		}
		if err := tx.erase(tx.key(id)); err != nil {
			return err
		}
	}
	if !found {
		return ErrNoRow
	}
	return nil
}

// erase stages the end of one key, and takes what it opened out of the
// indexes.
func (tx *Tx) erase(k *dataKey) error {
	before := map[int]map[uint64][][]string{}
	for i, b := range tx.state.slots {
		if b.table == nil || !b.table.private || b.bucket.Scope != k.scope {
			continue
		}
		values, err := tx.indexed(b, k.client())
		if err != nil {
			return err
		}
		before[i] = values
	}
	tx.putKey(k.erase(tx.now))
	for i, rows := range before {
		for key, old := range rows {
			b := tx.own(i)
			r, err := tx.look(b, key)
			if err != nil {
				return err
			}
			values, err := b.table.keysOf(r)
			if err != nil {
				return err
			}
			b.dropIndexed(key, old)
			b.addIndexed(key, values)
		}
	}
	return nil
}

// indexed returns the index values of the client's rows.
func (tx *Tx) indexed(b *bucketState, client ident.ID[ident.Client]) (map[uint64][][]string, error) {
	rows := map[uint64][][]string{}
	var err error
	b.tags.Scan(func(key, _ uint64) bool {
		var r record
		if r, err = tx.look(b, key); err == nil && r.client == client {
			rows[key], err = b.table.keysOf(r)
		}
		return err == nil
	})
	return rows, err
}
