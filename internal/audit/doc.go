// Package audit is the record of who did what: the event, the Merkle tree
// that makes a list of events tamper-evident, and its verification. It is
// pure; the vault stores what it makes, in the same commit as the act.
//
// An event has a public leaf and a private opening. The leaf is one line of
// canonical JSON that names the actor, the act, the thing and the outcome by
// identifiers; its field commit is SHA-256(salt || private JSON), so the
// private part can be withheld from a reader, or erased, and the leaf still
// verifies; whoever is given the opening can check it against the leaf.
//
// The tree is the one of RFC 6962 section 2.1: a leaf hash is SHA-256 of a
// zero byte and the leaf, an inner hash SHA-256 of a one byte and the two
// below it. A Tree holds the compact range of its leaves (at most 64 hashes),
// which is enough to append to it and to know its root.
package audit
