package vault

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"
)

// create writes an empty store under another name and renames it when it is
// complete, so a crash leaves either no store or a whole one.
func create(ctx context.Context, o Options) error {
	path, unfinished := filepath.Join(o.Dir, fileName), filepath.Join(o.Dir, newName)
	if err := vacant(o.Dir); err != nil {
		return err
	}
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault(err)
	}
	var anchor uint64
	if o.Anchor != nil {
		var err error
		if anchor, err = o.Anchor.Value(ctx); err != nil {
			return err
		}
	}
	if err := writeEmpty(unfinished, o, anchor); err != nil {
		return diskFault(err)
	}
	if err := firstLast(o.Dir, deriveKeys(o.Key)); err != nil {
		return err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return diskFault(err)
	}
	return syncDir(o.Dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return diskFault(err)
	}
	return diskFault(cmp.Or(d.Sync(), d.Close()))
}

// emptySeq is the number of the last commit of an empty store.
const emptySeq = 2

// writeEmpty makes the file of an empty store. It commits twice, so that both
// head pages are in the form that readHeads asks for.
func writeEmpty(path string, o Options, anchor uint64) error {
	options := boltOptions(o)
	options.NoSync, options.InitialMmapSize = false, 0
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		return err
	}
	s := &state{root: deriveKeys(o.Key), nextKey: 1, anchor: anchor, keys: new(btree.Map[uint32, *dataKey])}
	var first []write
	for _, k := range []struct {
		use   keyUse
		scope Scope
		owner uint16
	}{{useSet, Box, 0}, {useBucket, Audit, auditID}, {useOpening, Audit, auditID}, {useSign, Audit, auditID}} {
		key := newDataKey(s.nextKey, k.use, k.scope, bucketOwner(k.owner))
		s.keys.Set(key.id, key)
		s.nextKey++
		first = append(first, write{place{keyringID, uint64(key.id)}, key.wrap(s.root)})
	}
	for s.seq < emptySeq {
		s.seq++
		if err = commitPlain(db, s, first); err != nil {
			break
		}
		first = nil
	}
	return cmp.Or(err, guard(db.Close))
}

// commitPlain commits the writes and the meta record.
func commitPlain(db *bolt.DB, s *state, writes []write) error {
	value, err := s.root.sealMeta(metaOf(s))
	if err != nil {
		return err
	}
	p, err := beginPages(db, true)
	if err != nil {
		return err
	}
	for _, w := range append(writes, write{place{metaID, metaKey}, value}) {
		if err := p.write(w); err != nil {
			return cmp.Or(err, p.close())
		}
	}
	s.metaTag = tagOf(value)
	return p.commit()
}
