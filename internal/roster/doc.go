// Package roster knows the clinic's clients and who cares for whom.
//
// A client is a pseudonymous account number (P-004217), under which the books
// know the person, and the words that identify the person: name, date of
// birth, contact, a memo. The words lie in the private part of the record,
// sealed under the client's own key; the shared part holds opaque identifiers
// only, so that the books still balance when the words have been erased.
//
// The search index (word prefixes of names, account numbers) lives in memory,
// is built by the vault when it opens and never touches the disk. What
// somebody searched for is not recorded; that somebody searched, and how many
// hits were shown, is. Keeps 164.502(b): a search needs three letters and
// shows twenty people at most, and a therapist knows assigned clients only,
// to whom anybody else's client does not exist.
//
// On disk: the buckets of clients and of assignments, through the vault.
// Trusted: the vault, for deciding each request before a row is read.
package roster
