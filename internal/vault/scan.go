package vault

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/tidwall/btree"

	"coffer/internal/audit"
	"coffer/internal/fault"
)

// scanned is what a pass over a whole store file found: its state, and the
// keys that are not of a bucket's records.
type scanned struct {
	state      *state
	setKey     *dataKey
	auditKey   *dataKey
	openingKey *dataKey
	pages      uint64
	stale      bool     // the tiles of the audit tree are to be made again
	strays     []uint64 // keys of what is no tile there
}

// scan reads and verifies the store file at one commit and builds the state
// in memory from it.
// With an expected state, which is that of the same commit, it also compares
// every record with it and verifies the audit trail.
func scan(f io.ReaderAt, h headPage, keys *rootKeys, tables []AnyTable, expected *state) (*scanned, error) {
	if err := readThrough(f, h.top); err != nil {
		return nil, err
	}
	s := &scanner{keys: keys, expected: expected, state: &state{txid: int(h.txid), keys: new(btree.Map[uint32, *dataKey]), clients: new(btree.Map[string, uint32])}}
	if err := s.addTables(tables); err != nil {
		return nil, err
	}
	pages, err := walkPages(f, h.root, h.top, s.take)
	if err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return &scanned{s.state, s.setKey, s.auditKey, s.openingKey, pages, s.trail.stale, s.trail.strays}, nil
}

// readThrough reads the file once in order, so that the walk, which reads in
// the order of the keys, finds it in the page cache.
func readThrough(f io.ReaderAt, top uint64) error {
	buf := make([]byte, 1<<20)
	for at := int64(0); at < int64(top)*pageBytes; at += int64(len(buf)) {
		if _, err := f.ReadAt(buf, at); err != nil && err != io.EOF {
			return diskFault(err)
		}
	}
	return nil
}

// scanner builds a state record by record.
type scanner struct {
	keys       *rootKeys
	state      *state
	meta       *metaForm
	hasher     *setHasher
	set        setSum
	setKey     *dataKey
	auditKey   *dataKey
	openingKey *dataKey
	current    *bucketState // bucket being read
	entries    [][]indexEntry
	signKey    *dataKey
	expected   *state // nil when the file is being opened
	trail      trailScan
}

// addTables makes a slot for each table.
func (s *scanner) addTables(tables []AnyTable) error {
	for _, t := range tables {
		c := t.core()
		if s.slot(c.bucket.ID) != nil {
			return errTables
		}
		if ownBucket(c.bucket.ID) {
			return errOwnBucket
		}
		s.state.slots = append(s.state.slots, newBucketState(c.bucket, c))
	}
	return nil
}

func (s *scanner) slot(id uint16) *bucketState { return s.state.slot(id) }

// slot returns the state of a bucket, nil when there is none.
func (s *state) slot(id uint16) *bucketState {
	for _, b := range s.slots {
		if b.bucket.ID == id {
			return b
		}
	}
	return nil
}

func (s *scanner) key(id uint32) *dataKey {
	k, _ := s.state.keys.Get(id) // nil when absent
	return k
}

// take takes in one record. The meta record comes first and the keyring
// second, as their buckets have the lowest ids.
func (s *scanner) take(bucket uint16, key uint64, value []byte) error {
	switch {
	case bucket == metaID:
		return s.takeMeta(key, value)
	case s.meta == nil:
		return damage("meta", 0, "there is no meta record")
	case bucket == keyringID:
		return s.takeKey(key, value)
	case s.setKey == nil || s.auditKey == nil || s.openingKey == nil:
		return damage("keyring", 0, "a key of the store itself is missing")
	case bucket == auditID:
		return s.takeEvent(key, value)
	case bucket == cacheID:
		return s.takeTile(key, value)
	case bucket == headsID:
		return s.takeHead(key, value)
	}
	return s.takeRecord(bucket, key, value)
}

func (s *scanner) takeMeta(key uint64, value []byte) error {
	if key != metaKey || s.meta != nil {
		return damage("meta", key, "there is more than one meta record")
	}
	root, err := s.keys.of(value)
	if err != nil {
		return err
	}
	m, err := root.openMeta(value)
	if err != nil {
		return err
	}
	s.keys, s.state.root = root, root
	s.meta = &m
	st := s.state
	st.metaTag = tagOf(value)
	st.seq, st.anchor, st.set, st.nextKey, st.lastWall = m.Seq, m.Anchor, m.Set, m.NextKey, m.LastWall
	st.lost, st.lostWall = m.Lost, m.LostWall
	if st.tree, err = audit.NewTree(m.AuditSize, m.AuditTree); err != nil {
		return err
	}
	for _, mb := range m.Buckets {
		b := s.slot(mb.ID)
		if b == nil { // no table was given for it: it is verified all the same
			b = newBucketState(Bucket{ID: mb.ID, Name: "bucket " + fault.Int(mb.ID).SafeString(), Schema: ^uint16(0)}, nil)
			st.slots = append(st.slots, b)
		}
		b.next, b.keyID, b.seals, b.oldID, b.moved = mb.Next, mb.KeyID, mb.Seals, mb.Old, mb.Moved
	}
	slices.SortFunc(st.slots, func(a, b *bucketState) int { return int(a.bucket.ID) - int(b.bucket.ID) })
	return nil
}

func (s *scanner) takeKey(key uint64, value []byte) error {
	if key >= uint64(s.meta.NextKey) {
		return damage("keyring", key, "a key has an id that was never given")
	}
	k, err := unwrap(s.keys, uint32(key), value)
	if err != nil {
		return damage("keyring", key, "a key is damaged")
	}
	s.state.keys.Load(k.id, k)
	switch {
	case k.use == useClient || k.use == useErased:
		s.state.clients.Set(clientEntry(k.scope, k.owner), k.id)
	case k.use == useSet:
		s.setKey, s.hasher = k, newSetHasher(k.raw)
	case k.use == useOpening:
		s.openingKey = k
	case k.use == useSign:
		s.signKey, s.state.trail.signID = k, k.id
	case k.opens(auditBucket):
		s.auditKey = k
	case k.use == useBucket:
		s.learn(k)
	}
	return nil
}

// learn takes the compartment of a bucket without a table from its key.
func (s *scanner) learn(k *dataKey) {
	if b := s.slot(binary.BigEndian.Uint16(k.owner[:])); b != nil && b.table == nil {
		b.bucket.Scope = k.scope
	}
}

func (s *scanner) takeRecord(bucket uint16, key uint64, value []byte) error {
	if s.current == nil || s.current.bucket.ID != bucket {
		if err := s.enter(bucket); err != nil {
			return err
		}
	}
	b := s.current
	r, err := openRecord(b.bucket, s.key, key, value)
	if err != nil {
		return located(err, b.bucket, key)
	}
	if id := binary.BigEndian.Uint32(value[1:]); id != b.keyID && (id != b.oldID || key <= b.moved) {
		return damage(fault.Code(b.bucket.Name), key, "the record is under a key that was replaced")
	}
	if key >= b.next {
		return damage(fault.Code(b.bucket.Name), key, "a record has a key that was never given")
	}
	if err := s.compare(b.bucket, key, value); err != nil {
		return err
	}
	s.set = s.set.add(s.hasher.term(bucket, key, value))
	b.tags.Load(key, tagPrefix(value))
	if len(b.indexes) == 0 {
		return nil
	}
	values, err := b.table.keysOf(r)
	if err != nil {
		return located(err, b.bucket, key)
	}
	for i, vs := range values {
		for _, v := range vs {
			s.entries[i] = append(s.entries[i], indexEntry{v, key})
		}
	}
	return nil
}

// located turns a fault of one record into a finding that names it. A newer
// schema stays the fault it is: nothing is damaged.
func located(err error, b Bucket, key uint64) error {
	if fault.KindOf(err) != fault.Corrupt {
		return err
	}
	what := whatForm
	switch {
	case errors.Is(err, ErrUnknownKey):
		what = whatKey
	case errors.Is(err, ErrRecordAuth):
		what = whatRecord
	}
	return damage(fault.Code(b.Name), key, what)
}

// enter leaves the bucket that was being read and begins another.
func (s *scanner) enter(bucket uint16) error {
	s.leave()
	b := s.slot(bucket)
	if b == nil || b.keyID == 0 {
		return damage("meta", uint64(bucket), "the file has a bucket that the meta record doesn't name")
	}
	s.current, s.entries = b, make([][]indexEntry, len(b.indexes))
	return nil
}

// leave builds the indexes of the bucket that was read.
func (s *scanner) leave() {
	for i, entries := range s.entries {
		slices.SortFunc(entries, compareEntries)
		for _, e := range entries {
			s.current.indexes[i].Load(e)
		}
	}
	s.current, s.entries = nil, nil
}

// finish compares what was read with what the meta record says.
func (s *scanner) finish() error {
	s.leave()
	switch {
	case s.meta == nil:
		return damage("meta", 0, "there is no meta record")
	case s.setKey == nil || s.auditKey == nil || s.openingKey == nil:
		return damage("keyring", 0, "a key of the store itself is missing")
	case s.meta.StoreID != s.keys.storeID:
		return damage("meta", 0, "this is another store")
	case uint64(s.state.keys.Len()) != s.meta.Keys:
		return damage("keyring", s.meta.Keys, "a key is missing")
	}
	if err := s.finishTrail(); err != nil {
		return err
	}
	if err := s.missing(); err != nil {
		return err
	}
	for _, mb := range s.meta.Buckets {
		if b := s.slot(mb.ID); uint64(b.tags.Len()) != mb.Count {
			return damage(fault.Code(b.bucket.Name), mb.Count, "records are missing or added")
		}
	}
	if s.set != s.meta.Set {
		return damage("set", s.meta.Seq, "records are missing, added, or older than the last that were written")
	}
	return nil
}
