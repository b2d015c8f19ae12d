package books

import (
	"iter"

	"coffer/internal/ledger"
	"coffer/internal/vault"
)

// Numbered is an entry with its place in the journal, from 1 without gaps.
type Numbered struct {
	ledger.Entry
	Number uint64
}

// Count returns how many entries the journal holds: the last one's number.
func Count(tx *vault.Tx) uint64 { return entries.Count(tx) }

// Entries returns the entries whose number is above after and at most last, in
// the order of the journal.
func Entries(tx *vault.Tx, after, last uint64) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) {
		for n := after + 1; n <= last; n++ {
			row, err := entries.At(tx, n)
			if !yield(Numbered{row.Shared.entry(), n}, err) || err != nil {
				return
			}
		}
	}
}

// Latest returns the posted entries of a sub-ledger, the newest first.
func Latest(tx *vault.Tx, account ledger.Code, sub ledger.Sub) iter.Seq2[Numbered, error] {
	prefix := string(account) + "/" + string(sub) + "|"
	return func(yield func(Numbered, error) bool) {
		for row, err := range entries.Between(tx, "sub-down", prefix, after(prefix)) {
			if !yield(Numbered{row.Shared.entry(), row.Shared.Number}, err) || err != nil {
				return
			}
		}
	}
}
