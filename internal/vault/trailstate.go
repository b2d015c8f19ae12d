package vault

import (
	"encoding/binary"
	"hash/fnv"

	"coffer/internal/audit"
)

// A tile is a cache of 256 leaf hashes of the audit tree, with a summary by
// which a search passes over its events. It is written in the commit of its
// last event, can be computed again from the events, and is believed only as
// far as its root fits the tree. Memory holds the roots of the full tiles and
// the hashes of the leaves after them.

const (
	tileLevel  = 8
	tileLeaves = 1 << tileLevel
	tileBytes  = tileLeaves * len(audit.Hash{})
)

// trailState is what memory knows of the trail beside its compact range. The
// slices only grow, by the committer: states share what they have in common.
type trailState struct {
	roots   []audit.Hash // of the full tiles
	edge    []audit.Hash // of the leaves after them
	summary *summary     // of the events at the edge; the committer's own
	heads   uint64       // checkpoints stored
	head    *storedHead  // the last of them; nil before the first
	signID  uint32       // id of the key that signs checkpoints; 0: none yet
}

// add takes in the next event. When that completes a tile it returns the
// tile's content.
func (s *trailState) add(leaf audit.Hash, e audit.Event, details []audit.Detail) *tile {
	if s.summary == nil {
		s.summary = newSummary()
	}
	s.summary.add(e, details)
	s.edge = append(s.edge, leaf)
	if len(s.edge) < tileLeaves {
		return nil
	}
	t := &tile{s.edge, s.summary}
	s.roots = append(s.roots, audit.RootOf(t.leaves))
	s.edge, s.summary = nil, nil
	return t
}

// size returns the number of events.
func (s *trailState) size() uint64 { return uint64(len(s.roots))*tileLeaves + uint64(len(s.edge)) }

// subtrees returns the roots of subtrees for proofs; leaves reads a tile.
func (s *trailState) subtrees(leaves func(tile uint64) ([]audit.Hash, error)) audit.Subtrees {
	return func(level int, n uint64) (audit.Hash, error) {
		if level >= tileLevel {
			from, count := n<<(level-tileLevel), uint64(1)<<(level-tileLevel)
			return audit.RootOf(s.roots[from : from+count]), nil
		}
		from, count := n<<level, uint64(1)<<level
		of := s.edge
		if i := from / tileLeaves; i < uint64(len(s.roots)) {
			var err error
			if of, err = leaves(i); err != nil {
				return audit.Hash{}, err
			}
		}
		from %= tileLeaves
		return audit.RootOf(of[from : from+count]), nil
	}
}

// tile is the content of a full tile.
type tile struct {
	leaves  []audit.Hash // 256
	summary *summary
}

// tilesBucket describes the bucket of tiles to the record format: the shared
// part holds the leaf hashes, the private part the summary.
var tilesBucket = Bucket{cacheID, "audit tiles", Audit, D2, 1}

// record returns the record of tile number n.
func (t *tile) record(n, seq uint64) record {
	shared := make([]byte, 0, tileBytes)
	for _, h := range t.leaves {
		shared = append(shared, h[:]...)
	}
	return record{key: n, seq: seq, shared: shared, private: t.summary.bytes()}
}

// tileOf reads a tile's record; nil when it has not the form of one.
func tileOf(r record) *tile {
	s := summaryOf(r.private)
	if len(r.shared) != tileBytes || s == nil {
		return nil
	}
	t := &tile{make([]audit.Hash, tileLeaves), s}
	for i := range t.leaves {
		copy(t.leaves[i][:], r.shared[i*len(audit.Hash{}):])
	}
	return t
}

// summary says of the events of a tile what they can't be: a Bloom filter of
// their actors, acts, objects, outcomes and clients, and the span of their
// wall clocks.
type summary struct {
	bits        [summaryBytes]byte
	first, last int64 // least and greatest wall clock, microseconds since 1970
}

const (
	summaryBytes  = 1 << 10
	summaryHashes = 4
)

func newSummary() *summary { return &summary{first: 1<<63 - 1, last: -1 << 63} }

// Kinds of terms. A term is a kind and a text.
const (
	termActor   = 'a'
	termAct     = 't' // an action, or the part of one before its dot
	termObject  = 'o' // kind:identifier, or a kind alone
	termOutcome = 'r'
	termClient  = 'c'
	termBulk    = 'b' // of an event with more clients than it names
)

func (s *summary) add(e audit.Event, details []audit.Detail) {
	wall := e.Time.UnixMicro()
	s.first, s.last = min(s.first, wall), max(s.last, wall)
	eachTerm(e, details, func(kind byte, text string) {
		for _, bit := range places(kind, text) {
			s.bits[bit/8] |= 1 << (bit % 8)
		}
	})
}

// may reports whether an event of the tile may have the term.
func (s *summary) may(kind byte, text string) bool {
	for _, bit := range places(kind, text) {
		if s.bits[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}

// places returns the bits of a term.
func places(kind byte, text string) [summaryHashes]uint32 {
	h := fnv.New64a()
	h.Write(append([]byte{kind}, text...))
	sum := h.Sum64()
	sum ^= sum >> 29 // FNV mixes its high bits badly
	sum *= 0xbf58476d1ce4e5b9
	a, b := uint32(sum), uint32(sum>>32)|1
	var bits [summaryHashes]uint32
	for i := range bits {
		bits[i] = (a + uint32(i)*b) % (8 * summaryBytes)
	}
	return bits
}

func (s *summary) bytes() []byte {
	b := append(make([]byte, 0, summaryBytes+16), s.bits[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.first))
	return binary.BigEndian.AppendUint64(b, uint64(s.last))
}

// summaryOf reads what bytes wrote, nil when it is nothing such.
func summaryOf(b []byte) *summary {
	if len(b) != summaryBytes+16 {
		return nil
	}
	s := new(summary)
	copy(s.bits[:], b)
	s.first = int64(binary.BigEndian.Uint64(b[summaryBytes:]))
	s.last = int64(binary.BigEndian.Uint64(b[summaryBytes+8:]))
	return s
}

// eachTerm calls fn for each term of an event.
func eachTerm(e audit.Event, details []audit.Detail, fn func(kind byte, text string)) {
	fn(termActor, e.Actor)
	fn(termAct, e.Act)
	fn(termAct, stem(e.Act, '.'))
	fn(termObject, e.Object)
	fn(termObject, stem(e.Object, ':'))
	fn(termOutcome, string(e.Outcome))
	clients, bulk := clientsOf(e, details)
	for _, c := range clients {
		fn(termClient, c)
	}
	if bulk {
		fn(termBulk, "")
	}
}

// head of a checkpoint as it is stored.
type storedHead struct {
	signed audit.Signed
	keys   audit.Keys
	wall   int64 // when it was signed, microseconds since 1970
}
