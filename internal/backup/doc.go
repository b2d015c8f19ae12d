// Package backup makes copies of the store that are of no use to whoever finds
// them, proves every night that they would bring the store back, and brings it
// back.
//
// # What it promises
//
// A medium with backups holds ciphertext and the header below: no name, date,
// amount or text of a client, in no file and no file name. The recovery sheet
// opens it; the box that made it opens it too, until its root key is exchanged.
// Nobody else does. A backup that was cut off, changed in a bit, put together
// from two, renamed, made by another box or by somebody who has the public half
// of the sheet is refused, each with a fault of its own.
//
// The box only ever adds to a target. A file is created under a name that was
// never used, with the ending ".partial", and renamed when it is whole and on
// the target's disk. Nothing there is overwritten or deleted by Coffer, so
// whoever takes the box over cannot take the backups too where the target
// enforces the same (an append-only share, a stick that was pulled out). What
// to keep, and for how long, is the target's own business.
//
// A restore never touches the store that stands, but sets it aside under
// another name once the restored one was built, sealed to this TPM, opened,
// compared and recorded. Cut off at any moment, either the old store opens as
// before, or Finish puts the restored one into place.
//
// # The stream
//
// A backup is one file. Integers are big-endian.
//
//	magic      16  "coffer/backup/1\n"
//	length      4  of the body, at most 65,536
//	body           kind 1 (1 full, 2 increment) | store id 16 | time i64, Unix
//	               microseconds | from u64 | sequence u64 | root generation u32 |
//	               records u64 | events u64 | root of the audit tree 32 | signer
//	               32 (Ed25519) | set | slot | seed key | box key, each of the
//	               last four with its length u16 before it
//	signature  64  Ed25519 by the signer over all before
//	chunks         last 1 (0, or 1 for the last) | length u32 | nonce 12 |
//	               ciphertext | tag 16
//	end       112  values u64 | bytes of plaintext u64 | SHA-256 32 of all before
//	               the end | signature 64 by the signer over "coffer/backup-end/1"
//	               and the 48 bytes before
//
// A chunk is AES-256-GCM under the stream key, which is drawn for the file; its
// associated data are SHA-256 of everything up to and with the first signature,
// the chunk's number u64 and its first byte. This is STREAM (Hoang,
// Reyhanitabar, Rogaway, Vizár 2015) with the counter and the last flag in the
// associated data and not in the nonce, because the FIPS 140 module draws its
// nonces itself. Every chunk but the last has 65,536 bytes of plaintext. The
// plaintext is a sequence of values:
//
//	bucket u16 | key u64 | length u32 | value
//
// In a full backup these are the values of one commit as the store file holds
// them (vault.Snapshot): ciphertext once more. In an increment the bucket is
// zero, the key the number of a commit and the value what the commit journal
// has of it (vault.Segment).
//
// seed key is the stream key sealed to the recovery sheet by HPKE (package
// recovery) with the info "coffer/1/backup"; box key is nonce, ciphertext and
// tag of it under Derive("backup key") of the root. Both are bound to the body
// before them. slot is the recovery slot of package seal. set is HMAC-SHA256
// under Derive("backup set") of the vault's set hash, empty in an increment.
// The signer's seed is Derive("backup sign"): whoever restores has the root,
// derives it and believes no other.
//
// # Verification
//
// Level 1 reads the file without any key: signatures, sum, lengths, order. The
// box also demands that the signer be its own. Level 2, on the box, decrypts
// every value, record and event, and compares set hash, counts, keyring and
// audit trail with the header; of an increment it decrypts the chunks. Level 3
// is a drill: the backup and the increments after it are restored into scratch,
// opened, compared with the header and with the running store, of whose audit
// trail they must be the beginning, and the books folded.
//
// # Restore
//
// PlanRestore says what would come back and what the box knows itself; Execute
// does it. The root that the backup carries is exchanged for a new one at once,
// as the old one lies on every medium; the next nightly backup is then due at
// once too.
//
// # On the disk of the box
//
// Results are records of the store (bucket "backups"). Scratch is emptied after
// each drill. A restore works in "restoring" beside store and seal; a file
// "ready" in it, which names where the old store goes ("aside-N"), is its
// commit point.
//
// # What is trusted
//
// The box, its clock for the order of backups, and for a restore the sheet.
// Not the target, its file names, nor who can write there: such a person can
// take backups away, or hide newer ones, which the age shown on the pages and
// the plan of a restore bring to light. What a shredded client's records were
// stays in backups that were made before, for the holder of the sheet, until
// the target lets them go.
package backup
