package vault

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// Check is the result of a check of the whole store.
type Check struct {
	StoreID  ident.ID[ident.Store]
	Sequence uint64 // of the commit that was checked
	Records  uint64
	Events   uint64
	Keys     uint64
	Pages    uint64
	Root     audit.Hash // of the audit tree
	Finding  *Finding   // nil when all is well
}

// Check verifies the whole store as it is on the disk: both head pages, every
// page, every record and its private part, the set hash, the indexes, every
// event and the audit tree, and at last bbolt's own check. With a finding it
// also returns a Corrupt fault that names it. It may run beside other
// requests; the file can grow meanwhile, as pages of its commit are kept.
func (v *Vault) Check(ctx context.Context, r access.Request) (Check, error) {
	c := Check{StoreID: v.keys.storeID}
	err := v.View(ctx, r, func(tx *Tx) error { return v.checkCommit(tx, &c) })
	if err == nil {
		err = v.between(ctx, v.checkFile)
	}
	if lost := v.Status().Lost; err == nil && lost != 0 {
		err = damage("head", lost, whatLost)
	}
	c.Finding = findingOf(err)
	return c, err
}

// checkCommit reads the commit of the transaction from the disk again and
// compares it with the state in memory.
func (v *Vault) checkCommit(tx *Tx, c *Check) error {
	h, err := tx.pages.head()
	if err != nil {
		return err
	}
	s := tx.state
	c.Sequence, c.Records, c.Events, c.Keys, c.Root = s.seq, s.records(), s.tree.Size(), uint64(s.keys.Len()), s.tree.Root()
	found, err := scan(v.file, h, s.root, v.options.Tables, s)
	if err != nil {
		return err
	}
	c.Pages = found.pages
	return compareIndexes(found.state, s)
}

// compare reports how a record differs from what memory knows of it.
func (s *scanner) compare(b Bucket, key uint64, value []byte) error {
	if s.expected == nil {
		return nil
	}
	var tag uint64
	known := false
	if e := s.expected.slot(b.ID); e != nil {
		tag, known = e.tags.Get(key)
	}
	switch {
	case !known:
		return damage(fault.Code(b.Name), key, "a record was added behind Coffer's back")
	case tag != tagPrefix(value):
		return damage(fault.Code(b.Name), key, whatStale)
	}
	return nil
}

// missing returns the first record that memory knows of and the file has not.
func (s *scanner) missing() error {
	if s.expected == nil {
		return nil
	}
	for _, e := range s.expected.slots {
		found := s.slot(e.bucket.ID)
		var err error
		e.tags.Scan(func(key, _ uint64) bool {
			if found == nil {
				err = damage(fault.Code(e.bucket.Name), key, "a record is missing")
			} else if _, ok := found.tags.Get(key); !ok {
				err = damage(fault.Code(e.bucket.Name), key, "a record is missing")
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compareIndexes compares indexes that were built from the disk with those
// that were kept up to date in memory.
func compareIndexes(disk, memory *state) error {
	for i, m := range memory.slots {
		d := disk.slots[i]
		if m.bucket.ID != d.bucket.ID {
			return damage("index", uint64(m.bucket.ID), "memory knows other buckets than the file has")
		}
		for j, index := range m.indexes {
			differs := index.Len() != d.indexes[j].Len()
			index.Scan(func(e indexEntry) bool {
				if _, ok := d.indexes[j].Get(e); !ok {
					differs = true
				}
				return !differs
			})
			if differs {
				return damage("index", uint64(m.bucket.ID), "an index in memory differs from the records")
			}
		}
	}
	return nil
}

// between runs fn on the committer's goroutine between two commits.
func (v *Vault) between(ctx context.Context, fn func() error) error {
	c := newCall(ctx, access.Request{}, nil)
	c.alone = fn
	return v.do(c)
}

// checkFile looks at what changes with each commit, while there is none: the
// head pages, and bbolt's account of used and free pages. The walk before has
// shown that bbolt's check can't be led astray.
func (v *Vault) checkFile() error {
	h, current, err := v.newestHead()
	if err != nil {
		return err
	}
	if !current {
		return damage("head", h.txid, "a head page is damaged")
	}
	return v.checkPages()
}

// checkPages runs bbolt's own check, of used and free pages.
func (v *Vault) checkPages() error {
	p, err := beginPages(v.db, true)
	if err != nil {
		return err
	}
	err = guard(func() error {
		var first error
		for problem := range p.tx.Check() {
			if first == nil {
				first = problem
			}
		}
		return first
	})
	if err != nil {
		err = damage("bbolt", uint64(p.tx.ID())-1, "the pages of the file contradict each other")
	}
	if e := p.close(); err == nil {
		err = e
	}
	return err
}
