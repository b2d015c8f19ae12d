package vault

import (
	"context"
	"encoding/binary"

	"coffer/internal/access"
	"coffer/internal/fault"
)

// rekeyStep is how many records one commit of a re-key looks at.
const rekeyStep = 2000

// sealsDue is how many records may be sealed under one data key before it is
// due to be replaced. AES-GCM with random nonces allows 2^32 (NIST SP 800-38D
// section 8.3).
const sealsDue = 1 << 28

// Buckets returns the buckets that Rekey takes and that have a record, in the
// order of their ids.
func (v *Vault) Buckets() []Bucket {
	var all []Bucket
	for _, b := range v.published.Load().durable.slots {
		if b.keyID != 0 {
			all = append(all, b.bucket)
		}
	}
	return all
}

// Rekeying returns the buckets whose re-key was begun and has not ended: Rekey
// goes on with it.
func (v *Vault) Rekeying() []Bucket {
	var all []Bucket
	for _, b := range v.published.Load().durable.slots {
		if b.oldID != 0 {
			all = append(all, b.bucket)
		}
	}
	return all
}

// rekeys counts the buckets whose data key is due to be replaced, and those
// where that is under way.
func (s *state) rekeys() (due, begun int) {
	for _, b := range s.slots {
		if b.seals >= sealsDue {
			due++
		}
		if b.oldID != 0 {
			begun++
		}
	}
	return due, begun
}

// errRekeyAct is a defect of a caller.
var errRekeyAct = fault.New(fault.Internal, "A bucket was to get a new key in the name of another act. Report this to the makers of Coffer.")

// Rekey makes a new data key for the bucket and seals every record of it anew,
// beside other requests, in commits of at most 2,000 (action access.KeyRotate);
// with the last of them the old key leaves the keyring. Cut short at any
// moment, by its context or by a power cut, it goes on where it was when it is
// called again. A bucket without a record has no key, and nothing is done.
//
// The keys of clients and of the audit trail stay: they are the inner layer,
// and a trail only grows.
func (v *Vault) Rekey(ctx context.Context, r access.Request, b Bucket) error {
	if r.Action != access.KeyRotate {
		return errRekeyAct
	}
	for done := false; !done; {
		err := v.Update(ctx, r, func(tx *Tx) (err error) {
			done, err = tx.rekey(b.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rekey stages the next step, and reports whether it was the last.
func (tx *Tx) rekey(id uint16) (done bool, err error) {
	for i, s := range tx.state.slots {
		if s.bucket.ID != id {
			continue
		}
		if s.keyID == 0 {
			return true, nil
		}
		b := tx.own(i)
		if b.oldID == 0 {
			tx.beginRekey(b)
		}
		tx.Detail("bucket", fault.Int(id))
		tx.Detail("position", fault.Int(b.moved))
		return tx.move(b, rekeyStep)
	}
	return false, errNoTable
}

// beginRekey stages a new key for the bucket.
func (tx *Tx) beginRekey(b *bucketState) {
	k := tx.makeKey(useBucket, b.bucket.Scope, bucketOwner(b.bucket.ID))
	b.oldID, b.keyID, b.moved, b.seals = b.keyID, k.id, 0, 0
}

// move seals the next n records of a bucket under its new key.
func (tx *Tx) move(b *bucketState, n int) (done bool, err error) {
	var keys []uint64
	b.tags.Ascend(b.moved+1, func(key, _ uint64) bool {
		keys = append(keys, key)
		return len(keys) < n
	})
	for _, key := range keys {
		if err := tx.reseal(b, key); err != nil {
			return false, err
		}
		b.moved = key
	}
	if len(keys) == n {
		return false, nil
	}
	tx.dropKey(b.oldID)
	b.oldID, b.moved = 0, 0
	return true, nil
}

// reseal stages a record under the bucket's key. The plaintext, with the
// client's layer in it, stays as it is.
func (tx *Tx) reseal(b *bucketState, key uint64) error {
	value, err := tx.value(b, key)
	if err != nil {
		return err
	}
	id := binary.BigEndian.Uint32(value[1:])
	if id == b.keyID {
		return nil // written since the re-key began
	}
	old := tx.key(id)
	if old == nil || !old.opens(b.bucket) {
		return keyFault(b.bucket, key)
	}
	plain, err := old.aead().Open(nil, nil, value[valueHead:], aadOf(b.bucket.ID, id, key))
	if err != nil {
		return recordFault(b.bucket, key)
	}
	fresh := make([]byte, valueHead, len(value))
	fresh[0] = formatRecord
	binary.BigEndian.PutUint32(fresh[1:], b.keyID)
	fresh = tx.key(b.keyID).aead().Seal(fresh, nil, plain, aadOf(b.bucket.ID, b.keyID, key))
	clear(plain)
	tx.state.set = tx.state.set.sub(tx.staged.hasher.term(b.bucket.ID, key, value))
	tx.store(b, key, fresh)
	return nil
}
