package vault

import (
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// Tx is one request's sight of the store: one instant, one agent, one
// consistent set of rows. In Update it also carries what the request will
// write. It is valid only until the function it was given to returns, and
// only on that function's goroutine.
type Tx struct {
	request access.Request
	now     time.Time
	state   *state
	pages   *pages // the bbolt transaction that state belongs to
	details []audit.Detail
	seen    seen
	done    bool

	// Of a transaction that may write:
	staged  *staging
	touched []bool // per slot: the bucket is this transaction's own copy
	ownKeys bool   // the keyring is this transaction's own copy
}

// Now returns the instant of the transaction, in the clinic's zone.
func (tx *Tx) Now() time.Time { return tx.now }

// Today returns the date of the transaction in the clinic's zone.
func (tx *Tx) Today() civil.Date { return civil.Of(tx.now) }

// Request returns the request that opened the transaction.
func (tx *Tx) Request() access.Request { return tx.request }

// Agent returns who acts.
func (tx *Tx) Agent() access.Agent { return tx.request.Agent }

// Detail adds a fact to the private part of the transaction's audit event.
func (tx *Tx) Detail(key string, value fault.Safe) {
	tx.details = append(tx.details, audit.Detail{Key: key, Value: value.SafeString()})
}

// Faults of a transaction; all are defects of a caller.
var (
	errTxDone     = fault.New(fault.Internal, "A transaction was used after its end. Report this to the makers of Coffer.")
	errTxReadOnly = fault.New(fault.Internal, "A reading transaction tried to write. Report this to the makers of Coffer.")
	errNoTable    = fault.New(fault.Internal, "A table was used that the store was not opened with. Report this to the makers of Coffer.")
)

// slot returns the position of a bucket for which a table was given.
func (tx *Tx) slot(id uint16) (int, error) {
	if tx.done {
		return 0, errTxDone
	}
	for i, b := range tx.state.slots {
		if b.bucket.ID == id && b.table != nil {
			return i, nil
		}
	}
	return 0, errNoTable
}

func (tx *Tx) readable(id uint16) (*bucketState, error) {
	i, err := tx.slot(id)
	if err != nil {
		return nil, err
	}
	return tx.state.slots[i], nil
}

// writable returns the bucket as this transaction's own copy.
func (tx *Tx) writable(id uint16) (*bucketState, error) {
	if tx.staged == nil {
		return nil, errTxReadOnly
	}
	i, err := tx.slot(id)
	if err != nil {
		return nil, err
	}
	return tx.own(i), nil
}

func (tx *Tx) own(i int) *bucketState {
	if !tx.touched[i] {
		tx.state.slots[i] = tx.state.slots[i].copy()
		tx.touched[i] = true
	}
	return tx.state.slots[i]
}

// still returns the tags as they are now, for a walk during which the
// transaction may write.
func (tx *Tx) still(t *tagMap) *tagMap {
	if tx.staged == nil {
		return t
	}
	return t.Copy()
}

func (tx *Tx) stillIndex(t *indexTree) *indexTree {
	if tx.staged == nil {
		return t
	}
	return t.Copy()
}

// load reads and opens a record that the tags know of.
func (tx *Tx) load(b *bucketState, key uint64) (record, error) {
	r, err := tx.look(b, key)
	tx.seen.client(r.client)
	return r, err
}

// look is load for the vault's own work, which shows nobody anything.
func (tx *Tx) look(b *bucketState, key uint64) (record, error) {
	value, err := tx.value(b, key)
	if err != nil {
		return record{}, err
	}
	return openRecord(b.bucket, tx.key, key, value)
}

// value returns the stored value of a record, which is the one that was
// written last: its tag is compared with the one in memory.
func (tx *Tx) value(b *bucketState, key uint64) ([]byte, error) {
	if tx.done {
		return nil, errTxDone
	}
	tag, ok := b.tags.Get(key)
	if !ok {
		return nil, ErrNoRow
	}
	var value []byte
	if tx.staged != nil {
		value = tx.staged.value(b.bucket.ID, key)
	}
	if value == nil {
		var err error
		if value, err = tx.pages.value(b.bucket.ID, key); err != nil {
			return nil, err
		}
	}
	if !wellFormed(value) {
		return nil, recordFault(b.bucket, key)
	}
	if tagPrefix(value) != tag {
		return nil, fault.Wrap(ErrStale, fault.Corrupt, "Record %v of %v is not the one that was written last (STORE-009). Stop, and call IT.",
			fault.Int(key), fault.Code(b.bucket.Name))
	}
	return value, nil
}

func (tx *Tx) key(id uint32) *dataKey {
	k, _ := tx.state.keys.Get(id) // nil when absent
	return k
}

// put seals the record and stages it in place of any under its key.
func (tx *Tx) put(b *bucketState, r record) error {
	r.seq = tx.state.seq
	tx.seen.client(r.client)
	var inner *dataKey
	var err error
	if !r.client.IsZero() {
		if inner, err = tx.clientKey(b.bucket.Scope, r.client); err != nil {
			return err
		}
	}
	value, err := sealRecord(b.bucket, tx.bucketKey(b), inner, r)
	if err != nil {
		return err
	}
	if before, ok := b.tags.Get(r.key); ok {
		if err := tx.leave(b, r.key); err != nil {
			return err
		}
		tx.seen.edit(b.bucket.ID, r.key, before, value)
	}
	tx.store(b, r.key, value)
	return nil
}

// store stages a sealed record; what stood there before has left the set hash.
func (tx *Tx) store(b *bucketState, key uint64, value []byte) {
	b.seals++
	tx.state.set = tx.state.set.add(tx.staged.hasher.term(b.bucket.ID, key, value))
	b.tags.Set(key, tagPrefix(value))
	tx.staged.put(b.bucket.ID, key, value)
}

// drop stages the removal of a record.
func (tx *Tx) drop(b *bucketState, key uint64) error {
	before, _ := b.tags.Get(key) // one that is not there is refused by leave
	if err := tx.leave(b, key); err != nil {
		return err
	}
	tx.seen.edit(b.bucket.ID, key, before, nil)
	b.tags.Delete(key)
	tx.staged.drop(b.bucket.ID, key)
	return nil
}

// leave takes the stored value of a record out of the set hash.
func (tx *Tx) leave(b *bucketState, key uint64) error {
	old, err := tx.value(b, key)
	if err != nil {
		return err
	}
	tx.state.set = tx.state.set.sub(tx.staged.hasher.term(b.bucket.ID, key, old))
	return nil
}

// bucketKey returns the data key of the bucket, made at its first record.
func (tx *Tx) bucketKey(b *bucketState) *dataKey {
	if b.keyID != 0 {
		return tx.key(b.keyID)
	}
	k := tx.makeKey(useBucket, b.bucket.Scope, bucketOwner(b.bucket.ID))
	b.keyID = k.id
	return k
}

// clientKey returns the key of the client in a compartment, made at its first
// use, or ErrShredded.
func (tx *Tx) clientKey(scope Scope, client ident.ID[ident.Client]) (*dataKey, error) {
	if id, ok := tx.state.clients.Get(clientEntry(scope, client)); ok {
		if k := tx.key(id); k.use == useErased {
			return nil, shreddedFault(k)
		}
		return tx.key(id), nil
	}
	for other := range scopeEnd { // what was erased stays erased, in all compartments
		if id, ok := tx.state.clients.Get(clientEntry(other, client)); ok && tx.key(id).use == useErased {
			return nil, shreddedFault(tx.key(id))
		}
	}
	k := tx.makeKey(useClient, scope, client)
	tx.state.clients.Set(clientEntry(scope, client), k.id)
	return k, nil
}

// clientEntry is where state.clients has a client's key.
func clientEntry(scope Scope, client ident.ID[ident.Client]) string {
	return string(append([]byte{byte(scope)}, client[:]...))
}

// makeKey stages a new key of the keyring.
func (tx *Tx) makeKey(use keyUse, scope Scope, owner [16]byte) *dataKey {
	k := newDataKey(tx.state.nextKey, use, scope, owner)
	tx.state.nextKey++
	tx.putKey(k)
	return k
}

// ownKeyring makes the keyring the transaction's own copy.
func (tx *Tx) ownKeyring() {
	if !tx.ownKeys {
		tx.state.keys, tx.state.clients = tx.state.keys.Copy(), tx.state.clients.Copy()
		tx.ownKeys = true
	}
}

// putKey stages an entry of the keyring.
func (tx *Tx) putKey(k *dataKey) {
	tx.ownKeyring()
	tx.state.keys.Set(k.id, k)
	tx.staged.put(keyringID, uint64(k.id), k.wrap(tx.state.root))
}

// dropKey stages the removal of an entry of the keyring.
func (tx *Tx) dropKey(id uint32) {
	tx.ownKeyring()
	tx.state.keys.Delete(id)
	tx.staged.drop(keyringID, uint64(id))
}
