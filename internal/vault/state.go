package vault

import (
	"cmp"
	"time"

	"github.com/tidwall/btree"

	"coffer/internal/audit"
)

// indexEntry is one value of one row in an index.
type indexEntry struct {
	value string
	key   uint64
}

func compareEntries(a, b indexEntry) int {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.key, b.key))
}

func lessEntry(a, b indexEntry) bool { return compareEntries(a, b) < 0 }

type (
	tagMap    = btree.Map[uint64, uint64]
	indexTree = btree.BTreeG[indexEntry]
)

func newIndexTree() *indexTree {
	return btree.NewBTreeGOptions(lessEntry, btree.Options{NoLocks: true})
}

// bucketState is what is known in memory of one bucket: for each record the
// first eight bytes of its authentication tag, and the indexes. A published
// one never changes.
type bucketState struct {
	bucket  Bucket
	table   *tableCore // nil when no table was given for it: it is verified, not read
	keyID   uint32     // data key, 0 before the first record
	seals   uint64     // made with it
	oldID   uint32     // data key that a re-key replaces, 0 if none is under way
	moved   uint64     // records up to this key are no more under it
	next    uint64     // key of the next record
	tags    *tagMap
	indexes []*indexTree
}

func newBucketState(b Bucket, table *tableCore) *bucketState {
	s := &bucketState{bucket: b, table: table, next: 1, tags: new(tagMap)}
	if table != nil {
		for range table.indexes {
			s.indexes = append(s.indexes, newIndexTree())
		}
	}
	return s
}

// copy returns a bucketState that can be changed without the receiver
// changing. The trees are shared until written.
func (b *bucketState) copy() *bucketState {
	c := *b
	c.tags = b.tags.Copy()
	c.indexes = make([]*indexTree, len(b.indexes))
	for i, t := range b.indexes {
		c.indexes[i] = t.Copy()
	}
	return &c
}

func (b *bucketState) addIndexed(key uint64, values [][]string) {
	for i, vs := range values {
		for _, v := range vs {
			b.indexes[i].Set(indexEntry{v, key})
		}
	}
}

func (b *bucketState) dropIndexed(key uint64, values [][]string) {
	for i, vs := range values {
		for _, v := range vs {
			b.indexes[i].Delete(indexEntry{v, key})
		}
	}
}

// state is everything that is known in memory of the store at one commit. A
// published state never changes; it is the twin of the meta record on disk.
type state struct {
	txid     int // the bbolt transaction that made it
	root     *rootKeys
	seq      uint64
	metaTag  tag // of the meta record on the disk
	anchor   uint64
	set      setSum
	tree     audit.Tree
	trail    trailState
	offset   time.Duration // of the wall clock against the elapsed time, as last recorded
	nextKey  uint32
	lastWall int64  // latest wall clock of any commit, microseconds since 1970
	lost     uint64 // a commit that was confirmed and is not in the store, 0 if none is known
	lostWall int64  // its wall clock
	slots    []*bucketState
	keys     *btree.Map[uint32, *dataKey]
	clients  *btree.Map[string, uint32] // scope and client identifier to the id of the key there
}

// copy returns a state that can be changed without the receiver changing;
// its buckets and its keyring are to be copied before they are changed.
func (s *state) copy() *state {
	c := *s
	c.slots = append([]*bucketState(nil), s.slots...)
	return &c
}
