package vault

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/fault"
)

// pages is one bbolt transaction, each call of it guarded. It is used by one
// goroutine at a time.
type pages struct {
	tx      *bolt.Tx
	buckets map[uint16]*bolt.Bucket
}

func beginPages(db *bolt.DB, writable bool) (*pages, error) {
	p := &pages{buckets: map[uint16]*bolt.Bucket{}}
	err := guard(func() (err error) {
		p.tx, err = db.Begin(writable)
		return err
	})
	if err != nil {
		return nil, diskFault(err)
	}
	return p, nil
}

// bucket returns a bucket, nil when it is not there. Call it under guard.
func (p *pages) bucket(id uint16) *bolt.Bucket {
	b, ok := p.buckets[id]
	if !ok {
		if b = p.tx.Bucket(bucketName(id)); b != nil {
			b.FillPercent = 1 // keys only grow
		}
		p.buckets[id] = b
	}
	return b
}

var errGone = fault.Wrap(ErrSetMismatch, fault.Corrupt, "A record is missing from the store file (STORE-008). Stop, and call IT.")

// value returns a copy of a stored value.
func (p *pages) value(bucket uint16, key uint64) (value []byte, err error) {
	err = guard(func() error {
		b := p.bucket(bucket)
		if b == nil {
			return errGone
		}
		v := b.Get(keyBytes(key))
		if v == nil || len(v) > recordBytesMax+valueOverhead {
			return errGone
		}
		value = append(make([]byte, 0, len(v)), v...)
		return nil
	})
	return value, err
}

// write stores or removes one value.
func (p *pages) write(w write) error {
	return guard(func() error {
		b := p.bucket(w.bucket)
		if b == nil {
			made, err := p.tx.CreateBucket(bucketName(w.bucket))
			if err != nil {
				return err
			}
			made.FillPercent = 1
			p.buckets[w.bucket], b = made, made
		}
		if w.value == nil {
			return b.Delete(keyBytes(w.key))
		}
		return b.Put(keyBytes(w.key), w.value)
	})
}

func (p *pages) commit() error { return guard(p.tx.Commit) }

// close ends a transaction without effect.
func (p *pages) close() error { return guard(p.tx.Rollback) }

func keyBytes(key uint64) []byte { return binary.BigEndian.AppendUint64(nil, key) }
