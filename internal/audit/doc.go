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
// which is enough to append to it and to know its root. Proofs show that a
// tree is the beginning of a later one. One event is shown in an export that
// gives the others by their hashes alone.
//
// A checkpoint is the head of a tree in the form of c2sp.org/tlog-checkpoint,
// signed as c2sp.org/signed-note says: one line by Ed25519, and one, named
// <origin>/tpm, of algorithm 0xff "coffer/tpm-quote/1", which holds the TPM's
// quote over SHA-256 of the text (the note format allows no plus sign in
// names). Who has every file and the Ed25519 key can't make that one.
//
// An export is what an auditor gets, a text file that explains itself
// (VERIFY.md). VerifyExport believes nothing in it, reads it once from front to
// back in a few megabytes of memory, and says what is wrong and where. What an
// export can't show is that it is the newest: that takes an older checkpoint
// that somebody kept (Trust.Against), and the fingerprints of the keys from
// elsewhere (Trust.Keys).
package audit
