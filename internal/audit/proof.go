package audit

import (
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/fault"
)

// Head is a tree at one moment: what a witness keeps of it.
type Head struct {
	Size uint64 // leaves
	Root Hash
}

// Head returns the tree's size and root.
func (t Tree) Head() Head { return Head{t.size, t.Root()} }

// Subtrees returns the root of the perfect subtree over the leaves from
// n<<level to (n+1)<<level, all of which exist.
type Subtrees func(level int, n uint64) (Hash, error)

// Faults of proofs.
var (
	// ErrProof is returned for a proof that does not show what it should.
	ErrProof = fault.New(fault.Corrupt, "The audit trail does not contain what it should. Keep the evidence, and call the privacy officer.")
	// ErrNoProof is returned when a proof is asked for that can't exist.
	ErrNoProof = fault.New(fault.Invalid, "The audit trail never had that size. Ask for one that it had.")
)

// ProveConsistency returns the proof that the tree of size from is the
// beginning of the tree of size to (RFC 6962 section 2.1.2).
func ProveConsistency(from, to uint64, at Subtrees) ([]Hash, error) {
	if to > math.MaxInt64 || from > to {
		return nil, ErrNoProof
	}
	if from == 0 {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(to), int64(from), at.reader())
	return fromLog(p), err
}

// CheckConsistency returns nil if the proof shows that the tree under old is
// the beginning of the one under head, ErrProof otherwise.
func CheckConsistency(proof []Hash, old, head Head) error {
	if old.Size == 0 {
		if len(proof) != 0 || old.Root != (Tree{}).Root() {
			return ErrProof
		}
		return nil
	}
	if head.Size > math.MaxInt64 || old.Size > head.Size ||
		tlog.CheckTree(toLog(proof), int64(head.Size), tlog.Hash(head.Root), int64(old.Size), tlog.Hash(old.Root)) != nil {
		return ErrProof
	}
	return nil
}

// RootAt returns the root of the tree's first size leaves.
func RootAt(size uint64, at Subtrees) (Hash, error) {
	if size > math.MaxInt64 {
		return Hash{}, ErrNoProof
	}
	h, err := tlog.TreeHash(int64(size), at.reader())
	return Hash(h), err
}

// reader makes the subtrees readable for package tlog, which numbers them in
// the order of their completion.
func (s Subtrees) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			h, err := s(level, uint64(n))
			if err != nil {
				return nil, err
			}
			hashes[i] = tlog.Hash(h)
		}
		return hashes, nil
	})
}

func toLog(hashes []Hash) []tlog.Hash {
	p := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		p[i] = tlog.Hash(h)
	}
	return p
}

func fromLog[P ~[]tlog.Hash](p P) []Hash {
	hashes := make([]Hash, len(p))
	for i, h := range p {
		hashes[i] = Hash(h)
	}
	return hashes
}
