package vault

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// Stored is one value as it stands in the store file: sealed, unless a field of
// doc.go says that it is in clear.
type Stored struct {
	Bucket uint16
	Key    uint64
	Value  []byte // not to be changed
}

// BucketCount is the number of records of one bucket.
type BucketCount struct {
	Bucket uint16
	Count  uint64
}

// Snapshot is one commit, held for reading while others follow. Pages that it
// could still read are kept from reuse until Close, so the file grows
// meanwhile. It is for one goroutine at a time.
type Snapshot struct {
	StoreID    ident.ID[ident.Store]
	Seq        uint64        // number of the commit
	Generation uint32        // of the root key that opens it
	Counts     []BucketCount // in the order of their buckets, without those of the vault itself
	Set        []byte        // the set hash, 32 bytes; secret as the records are
	AuditSize  uint64        // events
	AuditRoot  audit.Hash

	vault *Vault
	pages *pages
	ended atomic.Bool
}

// Snapshot decides and records the request, and holds the latest commit, which
// has that record. Close it soon: Vault.Close ends it where it stands.
func (v *Vault) Snapshot(ctx context.Context, r access.Request) (*Snapshot, error) {
	if err := v.View(ctx, r, func(*Tx) error { return nil }); err != nil {
		return nil, err
	}
	p, s, err := v.snapshot()
	if err != nil {
		return nil, err
	}
	// Between two commits this one is either durable or was taken back.
	if err = v.between(ctx, func() error { return v.stopped() }); err == nil && v.published.Load().durable.seq < s.seq {
		err = errDisk
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	held := &Snapshot{
		StoreID: v.keys.storeID, Seq: s.seq, Generation: s.root.generation, Set: s.set.bytes(),
		AuditSize: s.tree.Size(), AuditRoot: s.tree.Root(), vault: v, pages: p,
	}
	for _, b := range s.slots {
		held.Counts = append(held.Counts, BucketCount{b.bucket.ID, uint64(b.tags.Len())})
	}
	if !v.hold(held) {
		return nil, errors.Join(errClosed, p.close())
	}
	return held, nil
}

// hold notes a snapshot that Close has to end. It reports false when Close was
// first.
func (v *Vault) hold(s *Snapshot) bool {
	v.holding.Lock()
	defer v.holding.Unlock()
	if v.closed.Load() {
		return false
	}
	if v.held == nil {
		v.held = map[*Snapshot]bool{}
	}
	v.held[s] = true
	return true
}

// endSnapshots ends those that are still held.
func (v *Vault) endSnapshots() error {
	v.holding.Lock()
	var open []*Snapshot
	for s := range v.held {
		open = append(open, s)
	}
	v.holding.Unlock()
	var err error
	for _, s := range open {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Close lets the commit go. Closing twice is allowed.
func (s *Snapshot) Close() error {
	if s.ended.Swap(true) {
		return nil
	}
	s.vault.holding.Lock()
	delete(s.vault.held, s)
	s.vault.holding.Unlock()
	return s.pages.close()
}

// errLetGo ends a walk whose consumer has had enough.
var errLetGo = errors.New("vault: let go")

// Records yields every stored value of the commit: the meta record, the
// keyring, all records, the audit trail with its tiles and checkpoints, bucket
// by bucket in the order of their ids, each in key order. It reads the file
// beside bbolt and believes no page of it; the first damage ends it.
func (s *Snapshot) Records() iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		if s.ended.Load() {
			yield(Stored{}, errClosed)
			return
		}
		h, err := s.pages.head()
		if err == nil {
			err = readThrough(s.vault.file, h.top)
		}
		if err == nil {
			_, err = walkPages(s.vault.file, h.root, h.top, s.passing(yield))
		}
		if err != nil && !errors.Is(err, errLetGo) {
			yield(Stored{}, err)
		}
	}
}

// passing hands stored values on for as long as their pages are held.
func (s *Snapshot) passing(yield func(Stored, error) bool) func(uint16, uint64, []byte) error {
	return func(bucket uint16, key uint64, value []byte) error {
		switch {
		case s.ended.Load(): // the page may have been used again before it was read
			return errClosed
		case !yield(Stored{bucket, key, value}, nil):
			return errLetGo
		}
		return nil
	}
}

// head returns where the transaction's commit stands in the file.
func (p *pages) head() (h headPage, err error) {
	err = guard(func() error {
		h.txid = uint64(p.tx.ID())
		h.root = uint64(p.tx.Cursor().Bucket().Root())
		h.top = uint64(p.tx.Size()) / pageBytes
		return nil
	})
	return h, err
}

var errOrder = fault.New(fault.Invalid, "The values for a new store are not in order, or one is too long. The copy they come from is damaged: use another.")
