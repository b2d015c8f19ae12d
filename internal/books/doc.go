// Package books keeps the clinic's journal over the vault: the chart of
// accounts, every entry ever made, and what clients owe and have to their
// credit.
//
// # What it promises
//
// An entry is never changed and never deleted: the journal has no way to do
// either, and a correction is a reversal, dated on the day it is made and
// linked with what it reverses. Every commit sums to zero. A source reference
// is posted once, a pending entry is resolved once, an entry is reversed once.
//
// Accounts 1100 (client receivables) and 2100 (client credits) are kept by
// open item. Each charge is an item of 1100 and each sum of money that a
// client has to their credit an item of 2100; every posting to these accounts
// either opens an item or is allocated to items to the cent, so an account's
// balance is the sum of its open items at every commit. A receipt settles the
// oldest charges first and leaves the rest as credit. Allocations stand in
// the entry that made them and are as unchangeable as the entry.
//
// A balance costs what it shows. Each line carries the running balance of its
// account and of its sub-ledger, so a balance is read off the last line;
// totals by day and by month, written in the same commit, give a trial
// balance at any date.
//
// # What is on disk
//
// Bucket accounts: the chart. Bucket entries: the journal. Bucket items: open
// items, and bucket totals: totals by period; both of these follow from the
// journal, and Check proves it. The indexes live in memory, about 300 bytes a
// posting. Clients appear as account numbers (P-nnnnnn) and in no other way:
// there is no path from here to a name.
//
// # How it is used
//
// Other packages post inside their own transaction, so that what happened and
// its entry commit together: Post, Pend, Settle, Release, Reverse. The
// methods of Books are for people: each opens a view of its own, which
// demands access.BooksRead and is audited.
package books
