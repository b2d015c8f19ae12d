package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"math/bits"

	"coffer/internal/fault"
)

// Hash is a hash of the tree.
type Hash [sha256.Size]byte

// SafeString returns the hash in hex.
func (h Hash) SafeString() string { return hex.EncodeToString(h[:]) }

// LeafHash returns the hash of a leaf (RFC 6962 section 2.1).
func LeafHash(leaf []byte) Hash {
	var b [512]byte // a leaf is seldom longer
	return sha256.Sum256(append(b[:1], leaf...))
}

// nodeHash returns the hash of an inner node.
func nodeHash(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is an append-only Merkle tree in its compact form: the size and the
// roots of the perfect subtrees that cover it, the largest first. The zero
// Tree is empty. A Tree is a value: Append leaves the receiver as it was.
type Tree struct {
	size   uint64
	hashes []Hash
}

// ErrTree is returned when stored hashes don't fit the stored size.
var ErrTree = fault.New(fault.Corrupt, "The head of the audit trail is damaged. Stop, and call IT.")

// NewTree returns the tree that Size and Hashes described, or ErrTree.
func NewTree(size uint64, hashes []Hash) (Tree, error) {
	if len(hashes) != bits.OnesCount64(size) {
		return Tree{}, ErrTree
	}
	return Tree{size, append([]Hash(nil), hashes...)}, nil
}

// Size returns the number of leaves.
func (t Tree) Size() uint64 { return t.size }

// Hashes returns the compact range, the largest subtree first.
func (t Tree) Hashes() []Hash { return append([]Hash(nil), t.hashes...) }

// Append returns the tree with one more leaf.
func (t Tree) Append(leaf Hash) Tree {
	merges := bits.TrailingZeros64(^t.size)
	keep := len(t.hashes) - merges
	for i := len(t.hashes) - 1; i >= keep; i-- {
		leaf = nodeHash(t.hashes[i], leaf)
	}
	hashes := make([]Hash, keep+1)
	copy(hashes, t.hashes[:keep])
	hashes[keep] = leaf
	return Tree{t.size + 1, hashes}
}

// grow is Append in place, for a tree that nobody else holds.
func (t *Tree) grow(leaf Hash) {
	keep := len(t.hashes) - bits.TrailingZeros64(^t.size)
	for i := len(t.hashes) - 1; i >= keep; i-- {
		leaf = nodeHash(t.hashes[i], leaf)
	}
	t.hashes = append(t.hashes[:keep], leaf)
	t.size++
}

// TreeOf returns the tree over perfect subtrees of 2^level leaves.
func TreeOf(level int, subtrees []Hash) Tree {
	var t Tree
	for _, h := range subtrees {
		t.grow(h)
	}
	t.size <<= level // the hashes are those of the larger tree
	return t
}

// RootOf returns the root over the hashes: of leaves, or of perfect subtrees
// of the same height.
func RootOf(hashes []Hash) Hash {
	var t Tree
	for _, h := range hashes {
		t.grow(h)
	}
	return t.Root()
}

// Root returns the hash of the whole tree; that of the empty tree is the hash
// of nothing.
func (t Tree) Root() Hash {
	if len(t.hashes) == 0 {
		return sha256.Sum256(nil)
	}
	root := t.hashes[len(t.hashes)-1]
	for i := len(t.hashes) - 2; i >= 0; i-- {
		root = nodeHash(t.hashes[i], root)
	}
	return root
}

// Record is one stored event: the public leaf and, unless it was withheld,
// the opening of its private part.
type Record struct {
	Leaf    []byte
	Opening Opening // zero when withheld
}

// Problem is the first thing that is wrong with a list of events.
type Problem struct {
	Position uint64     // index of the event, from 0
	What     fault.Code // "leaf", "sequence", "opening", "size" or "root"
}

// Verify walks the records in order and compares them with the head. It
// returns nil if every leaf is canonical, numbered without a gap, opens to its
// commitment, and the root agrees. An error comes from the iterator alone.
func Verify(head Tree, records iter.Seq2[Record, error]) (*Problem, error) {
	var v Verifier
	for r, err := range records {
		if err != nil {
			return &Problem{v.tree.size, "read"}, err
		}
		if p := v.Add(r); p != nil {
			return p, nil
		}
	}
	return v.End(head), nil
}

// Verifier is Verify for records that come one by one.
type Verifier struct{ tree Tree }

// Add takes in the next record; it returns what is wrong with it, or nil.
func (v *Verifier) Add(r Record) *Problem {
	if what := check(r, v.tree.size); what != "" {
		return &Problem{v.tree.size, what}
	}
	v.tree.grow(LeafHash(r.Leaf))
	return nil
}

// End compares what was added with the head.
func (v *Verifier) End(head Tree) *Problem {
	switch {
	case v.tree.size != head.size:
		return &Problem{v.tree.size, "size"}
	case v.tree.Root() != head.Root():
		return &Problem{v.tree.size, "root"}
	}
	return nil
}

// check returns what is wrong with one record that should be number seq.
func check(r Record, seq uint64) fault.Code {
	e, err := ParseLeaf(r.Leaf)
	switch {
	case err != nil:
		return "leaf"
	case e.Seq != seq:
		return "sequence"
	case !r.Opening.IsZero() && r.Opening.Commit() != e.Commit:
		return "opening"
	}
	return ""
}
