package vault

import (
	"cmp"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// buildCommitBytes is about how much of a new store one commit takes in.
const buildCommitBytes = 32 << 20

// buildMapBytes is the address space kept for a new store: above it bbolt
// moves its map, and copies what the commit in the making holds.
const buildMapBytes = 1 << 30

// Build makes a store file in dir from the stored values of a snapshot, in
// their order. It opens none of them and needs no key: Open verifies all. It
// gives ErrExists where a store is, and never changes what it finds; what is
// not complete is not there.
func Build(dir string, records iter.Seq2[Stored, error]) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return diskFault(err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	if err = vacant(dir); err == nil {
		err = buildFile(dir, records)
	}
	return diskFault(errors.Join(err, lock.Close()))
}

// vacant reports whether there is no store in dir, by ErrExists.
func vacant(dir string) error {
	switch _, err := os.Lstat(filepath.Join(dir, fileName)); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, fs.ErrNotExist):
		return diskFault(err)
	}
	return nil
}

// buildFile writes the values to a file of another name, and renames it when
// it is durable.
func buildFile(dir string, records iter.Seq2[Stored, error]) error {
	path, unfinished := filepath.Join(dir, fileName), filepath.Join(dir, newName)
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault(err)
	}
	err := fillFile(unfinished, records)
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		if e := os.Remove(unfinished); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return diskFault(err)
	}
	return syncDir(dir)
}

// fillFile writes the values to a new file and makes it durable.
func fillFile(path string, records iter.Seq2[Stored, error]) error {
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, boltOptions(Options{NoSync: true, MapBytes: buildMapBytes}))
		return err
	})
	if err != nil {
		return err
	}
	b := &builder{db: db}
	err = b.all(records)
	if b.pages != nil {
		err = cmp.Or(err, b.pages.close())
	}
	if err == nil {
		err = guard(db.Sync)
	}
	return errors.Join(err, guard(db.Close))
}

// builder fills a new file.
type builder struct {
	db     *bolt.DB
	pages  *pages // of the commit in the making; nil between two
	bytes  int    // taken in by it
	last   place
	some   bool // last is set
	commit int
}

func (b *builder) all(records iter.Seq2[Stored, error]) error {
	for r, err := range records {
		if err == nil {
			err = b.add(r)
		}
		if err != nil {
			return err
		}
	}
	// A new bbolt file has its head pages in another form than readHeads asks
	// for: each must have been written by a commit.
	for b.pages != nil || b.commit < 2 {
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

// add takes in the next value.
func (b *builder) add(r Stored) error {
	at := place{r.Bucket, r.Key}
	if len(r.Value) == 0 || len(r.Value) > recordBytesMax+valueOverhead || b.some && !b.last.before(at) {
		return errOrder
	}
	if b.pages == nil {
		var err error
		if b.pages, err = beginPages(b.db, true); err != nil {
			return err
		}
	}
	if err := b.pages.write(write{at, r.Value}); err != nil {
		return err
	}
	b.last, b.some = at, true
	if b.bytes += len(r.Value); b.bytes < buildCommitBytes {
		return nil
	}
	return b.next()
}

// next commits what was taken in.
func (b *builder) next() error {
	p := b.pages
	if p == nil {
		var err error
		if p, err = beginPages(b.db, true); err != nil {
			return err
		}
	}
	b.pages, b.bytes = nil, 0
	b.commit++
	return p.commit()
}

// before reports whether p comes before q in a snapshot.
func (p place) before(q place) bool {
	return cmp.Or(cmp.Compare(p.bucket, q.bucket), cmp.Compare(p.key, q.key)) < 0
}
