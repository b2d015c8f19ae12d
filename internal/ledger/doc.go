// Package ledger is the algebra of double entry: accounts, postings, entries,
// and what follows from them.
//
// It promises that an entry which Validate accepts has at least two postings,
// none of them zero, that they sum to zero without overflow, and that each
// names an account of the chart together with the sub-ledger key which that
// account asks for. Balances fold from entries in any order to the same
// result, and an entry followed by its reversal leaves them unchanged.
//
// In a posting a positive amount is a debit and a negative one a credit.
//
// Money that is promised but not yet had (a card at a terminal) is a pending
// entry. It never shows in a posted balance. Exactly one later entry resolves
// it: a post_pending entry, perhaps for less, or a void_pending entry.
//
// Nothing here is stored, and nothing reads a file, a clock or the network;
// package books keeps the journal.
package ledger
