package vault

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// Stored is one value as the store file holds it: ciphertext.
type Stored struct {
	Bucket uint16
	Key    uint64
	Value  []byte
}

// Summary says what a set of stored values is. It holds no client's data.
type Summary struct {
	StoreID    ident.ID[ident.Store]
	Seq        uint64 // number of the commit
	Generation uint32 // of the root that opens the values
	Records    uint64 // values: meta record, keyring, records, events, checkpoints; not the tiles
	Set        []byte // 32 bytes that stand for the set of records, equal for equal sets; they tell nothing
	Head       audit.Head
	Time       time.Time // latest wall clock of any commit
}

// Snapshot is one commit of the store, held for reading. Pages that it can
// still read are kept from reuse, so it should be closed soon.
type Snapshot struct {
	Summary
	v     *Vault
	pages *pages
	head  headPage
}

// errSnapshot is given for a request in the name of another act, which is a
// defect of the caller.
var errSnapshot = fault.New(fault.Internal, "A snapshot of the store was asked for in the name of another act. Report this to the makers of Coffer.")

// Snapshot decides and records the request (action access.BackupWrite) and
// returns the latest commit, which holds the event of it.
func (v *Vault) Snapshot(ctx context.Context, r access.Request) (*Snapshot, error) {
	if r.Action != access.BackupWrite {
		return nil, errSnapshot
	}
	if err := v.View(ctx, r, func(*Tx) error { return nil }); err != nil {
		return nil, err
	}
	p, s, err := v.snapshot()
	if err != nil {
		return nil, err
	}
	setKey := v.setKey(s)
	if setKey == nil {
		return nil, cmp.Or[error](errGone, p.close())
	}
	sn := &Snapshot{v: v, pages: p, Summary: v.keys.summary(s, setKey)}
	err = guard(func() error {
		sn.head = headPage{txid: uint64(s.txid), root: uint64(p.tx.Cursor().Bucket().Root()), top: uint64(p.tx.Size()) / pageBytes}
		return nil
	})
	if err != nil {
		return nil, cmp.Or(err, p.close())
	}
	return sn, nil
}

// setKey returns the key of the set hash, nil if there is none.
func (v *Vault) setKey(s *state) *dataKey {
	var found *dataKey
	s.keys.Scan(func(_ uint32, k *dataKey) bool {
		if k.use == useSet {
			found = k
		}
		return found == nil
	})
	return found
}

// summary describes a state.
func (k *rootKeys) summary(s *state, setKey *dataKey) Summary {
	return Summary{
		StoreID: k.storeID, Seq: s.seq, Generation: k.generation,
		Records: 1 + uint64(s.keys.Len()) + s.records() + s.tree.Size() + s.trail.heads,
		Set:     setToken(setKey, s.set), Head: s.tree.Head(), Time: time.UnixMicro(s.lastWall),
	}
}

// setToken returns what stands for a set hash outside the store: its HMAC,
// since sums of terms that are known one by one could be played with.
func setToken(key *dataKey, set setSum) []byte {
	m := hmac.New(sha256.New, key.raw[:])
	m.Write([]byte("coffer/set-token/1"))
	for _, w := range set {
		m.Write(binary.LittleEndian.AppendUint64(nil, w))
	}
	return m.Sum(nil)
}

var errStopped = errors.New("the reader has stopped") // ends a walk, never seen

// Records returns every value of the commit but the tiles of the audit tree,
// which are made anew: the meta record first, the keyring second, then bucket
// by bucket in key order. A value is valid until the next one.
func (s *Snapshot) Records() iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		_, err := walkPages(s.v.file, s.head.root, s.head.top, func(bucket uint16, key uint64, value []byte) error {
			if bucket != cacheID && !yield(Stored{bucket, key, value}, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && err != errStopped {
			yield(Stored{}, err)
		}
	}
}

// Close lets the commit go.
func (s *Snapshot) Close() error { return s.pages.close() }

// buildBatch is how many values Build writes in one transaction of bbolt.
const buildBatch = 20_000

// Build makes a store's file in dir, which it makes if need be (0700), from
// the values of a snapshot. It verifies nothing: Open does. ErrExists where a
// store is; a file that was not finished is of no store, and is made anew.
func Build(dir string, records iter.Seq2[Stored, error]) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return diskFault(err)
	}
	path, unfinished := filepath.Join(dir, fileName), filepath.Join(dir, newName)
	if _, err := os.Lstat(path); err == nil {
		return ErrExists
	}
	if err := os.RemoveAll(unfinished); err != nil {
		return diskFault(err)
	}
	if err := build(unfinished, records); err != nil {
		return diskFault(err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return diskFault(err)
	}
	return syncDir(dir)
}

// build writes and syncs the file. Its last two transactions are consecutive,
// as readHeads asks.
func build(path string, records iter.Seq2[Stored, error]) error {
	options := boltOptions(Options{NoSync: true})
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		return err
	}
	b := builder{db: db}
	for r, e := range records {
		if err = e; err == nil {
			err = b.add(r)
		}
		if err != nil {
			break
		}
	}
	err = cmp.Or(err, b.flush(), b.flush())
	if err == nil {
		err = guard(db.Sync)
	}
	return cmp.Or(err, guard(db.Close))
}

// builder writes values in large transactions.
type builder struct {
	db    *bolt.DB
	pages *pages
	n     int
}

func (b *builder) add(r Stored) error {
	if len(r.Value) > recordBytesMax+valueOverhead {
		return damage("backup", r.Key, "a value is longer than any record")
	}
	if b.pages == nil {
		var err error
		if b.pages, err = beginPages(b.db, true); err != nil {
			return err
		}
	}
	if err := b.pages.write(write{place{r.Bucket, r.Key}, r.Value}); err != nil {
		return cmp.Or(err, b.pages.close())
	}
	if b.n++; b.n < buildBatch {
		return nil
	}
	return b.flush()
}

// flush commits what was added, or nothing, which is a transaction too.
func (b *builder) flush() error {
	if b.pages == nil {
		var err error
		if b.pages, err = beginPages(b.db, true); err != nil {
			return err
		}
	}
	p := b.pages
	b.pages, b.n = nil, 0
	return p.commit()
}

// VerifyStored decrypts every value with the root key and compares the set
// hash, the counts, the keyring and every event of the audit trail with the
// meta record among them, as Open and Check do with a file. The values must
// come in the order of Snapshot.Records.
func VerifyStored(key *seal.Key, records iter.Seq2[Stored, error]) (Summary, error) {
	keys := deriveKeys(Options{Key: key})
	s := &scanner{keys: keys, state: &state{keys: new(btree.Map[uint32, *dataKey]), clients: new(btree.Map[string, uint32])}}
	defer s.state.keys.Scan(func(_ uint32, k *dataKey) bool { clear(k.raw[:]); return true })
	var trail audit.Verifier
	last := place{}
	for r, err := range records {
		if err != nil {
			return Summary{}, err
		}
		if here := (place{r.Bucket, r.Key}); here.after(last) {
			last = here
		} else {
			return Summary{}, damage("backup", r.Key, "the values are not in order")
		}
		if err := s.take(r.Bucket, r.Key, r.Value); err != nil {
			return Summary{}, err
		}
		if r.Bucket != auditID {
			continue
		}
		e, err := storedEvent(s.key, r.Key, r.Value)
		if err != nil {
			return Summary{}, located(err, auditBucket, r.Key)
		}
		if p := trail.Add(e); p != nil {
			return Summary{}, damage("audit", p.Position, "an event is not what was written ("+p.What+")")
		}
	}
	if err := s.finish(); err != nil {
		return Summary{}, err
	}
	if p := trail.End(s.state.tree); p != nil {
		return Summary{}, damage("audit", p.Position, "the events don't add up to the head of the trail ("+p.What+")")
	}
	return keys.summary(s.state, s.setKey), nil
}

// after reports whether p comes later than q in a snapshot.
func (p place) after(q place) bool {
	return p.bucket > q.bucket || p.bucket == q.bucket && p.key > q.key
}
