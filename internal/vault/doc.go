// Package vault is the encrypted store: the only way to data, and the only
// package that knows bbolt.
//
// # What it promises
//
// Update and View take an access.Request; no transaction opens without one.
// The policy decides it, and the event that records it is made durable in the
// same commit as what the act wrote: no event, no act, and no data shown.
// When Update returns nil, both are on the disk. A request that fails or is
// refused leaves nothing behind but its event. Requests run one after the
// other; those that are waiting together share one commit.
//
// A Journal has no way to change or delete a row, in any package.
//
// # What is on the disk
//
// The directory (0700) holds coffer.lock, whose flock admits one process,
// coffer.db (0600), a bbolt file of format version 1 with pages of 4,096
// bytes and no stored free list, and beside it coffer.last, coffer.journal with
// its completed segments and, while the store is stopped, coffer.clean (0600,
// see below). The root key is elsewhere (package seal).
// All integers are big-endian; keys of records are 8 bytes, names of buckets
// 0x02 | id u16. Every value begins with the format byte 0x01.
//
//	bucket 0x0001  one meta record, key 0, rewritten by each commit
//	bucket 0x0002  the keyring, key = key id
//	bucket 0x0010… records, see bucket.go
//	bucket 0x00A0  the audit trail, key = number of the event from 0
//	bucket 0x00A1  tiles of the audit tree, key = number of the tile from 0
//	bucket 0x00A2  signed checkpoints of the audit tree, key = 0, 1, 2…
//
//	record   0x01 | keyID u32 | nonce 12 | ciphertext | tag 16
//	         AES-256-GCM, random nonce, under the bucket's data key
//	         AAD "coffer/rec/1" | bucket u16 | keyID u32 | key u64
//	plain    seq u64 | schema u16 | lenShared u32 | lenPrivate u32 | shared |
//	         private | zeros to a multiple of 64
//	private  absent (lenPrivate 0), or clientKeyID u32 | nonce 12 | ciphertext | tag 16
//	         under the key of the client, AAD as above with clientKeyID
//	shared, the plaintext of private
//	         CBOR, core deterministic encoding (RFC 8949 section 4.2.1)
//	event    a record whose shared part is the event's leaf (package audit) and
//	         whose private part is its opening, salt 32 | private JSON, under
//	         the trail's opening key instead of a client's
//	tile     a record under the trail's key: 256 leaf hashes; private, under the
//	         opening key, the summary of their events: a Bloom filter of 1,024
//	         bytes | least and greatest wall clock i64, microseconds
//	checkpoint
//	         a record under the trail's key: CBOR of headForm (the signed note,
//	         the TPM's public key, the wall clock)
//	key      0x01 | generation u32 of the root | scope u8 | nonce 12 | ciphertext | tag 16
//	         under the key of the compartment, AAD "coffer/ring/2" | scope u8 | keyID u32
//	         plain: use u8 (1 bucket, 2 client, 3 opening, 4 set, 5 signing,
//	         6 erased) | owner 16 | key 32; of use 6: when, microseconds u64 |
//	         zeros 24, in place of the key
//	scope    1 identity, 2 service, 3 tokens, 4 ledger, 5 audit, 6 box, 7 chart
//	         its key: Derive("ring/identity") and so on by these words
//	meta     0x01 | generation u32 of the root | nonce 12 | ciphertext | tag 16
//	         under Derive("meta"), AAD "coffer/meta/2" | store id 16 | generation u32
//	         plain: length u32 | CBOR of metaForm | zeros to a multiple of 512
//
// seq is the number of the commit that wrote the record. schema is the
// version of the row's form. Keys of records count up per bucket and are
// never used again; the next one stands in the meta record. A data key is
// made at the first record of its bucket, or of its client in a compartment.
//
// # Compartments, and the end of keys
//
// A bucket belongs to one compartment (bucket.go), and so do its data key and
// the keys of clients in it. The key of a compartment unwraps those and nothing
// else. The key of the set hash is in the compartment box.
//
// Rekey gives a bucket a new data key and seals its records anew, in commits of
// at most 2,000; how far it is stands in the meta record, the two keys are in
// the keyring meanwhile, and the old one leaves it with the last record. A
// record up to that position under the old key is damage. The meta record also
// counts what was sealed under each key; after 2^28 records Status names it due.
//
// Shred puts an entry of use 6 in the place of each key of a client. Rotate
// wraps the keyring and the meta record under the next root in one commit;
// the generation stands in clear, and Open takes that root of the two which the
// header holds meanwhile. coffer.last, coffer.clean and the next segment of the
// journal follow. Once the former root is gone, wrapped keys in free pages and
// older segments open for nobody, and with them what only those keys opened.
// What is left of a shredded client are copies elsewhere that are older than
// that, together with the recovery sheet of their time.
//
// The meta record also holds the commit's number, the count of each bucket,
// the size and compact range of the audit tree, the latest wall clock, the
// set hash, the number and time of a commit that was confirmed and lost (0
// while none is known), and in Anchor the value of a counter in the TPM, 0
// while the store was never anchored.
//
//	coffer.last  0x01 | number of the last confirmed commit u64 | its wall
//	             clock u64, microseconds | HMAC-SHA256 32
//	             under Derive("last"), of "coffer/last/1" | store id 16 | the 17 bytes before
//
//	coffer.journal
//	             0x01 | store id 16 | generation u32 of the root | tag 16 of the
//	             frame before, then frames, then zeros (1 MiB at most)
//	frame        length u32 of what follows seq | seq u64 | nonce 12 | ciphertext | tag 16
//	             under Derive("journal"), AAD "coffer/journal/1" | store id 16 |
//	             generation u32 | seq u64 | tag of the frame before
//	             plain: tag 16 of the meta record that the commit was made on |
//	             {bucket u16 | key u64 | length u32 | stored value}, length 2^32-1
//	             for one that is removed; the new meta record is among them
//	coffer.journal.<seq of its first frame, 20 digits>
//	             a completed segment: after 64 MiB, and when the root is replaced;
//	             the oldest go when all have 256 MiB
//	coffer.journal.aside.<n>
//	             one that did not fit, kept as evidence and never read again
//	coffer.clean 0x01 | generation u32 of the root | size u64 of coffer.db | HMAC-SHA256 32
//	             under Derive("clean"), of "coffer/clean/1" | store id 16 | the 13
//	             bytes before | coffer.db
//
// The set hash is the sum modulo 2^256 of HMAC-SHA256(set key, bucket u16 |
// length u32 | key u64 | keyID u32 | nonce | tag) over every record outside
// the meta record, the keyring and the audit trail, which have counts and a
// tree of their own.
//
// # The audit trail
//
// An event's leaf names actor, act, object and outcome; its private part the
// purpose, the agent's roles, what the caller said of it, whose private parts
// the vault opened or wrote for it, and which records it replaced or removed.
// Nothing in this package takes an event away, and no table can be made over
// the vault's own buckets.
//
// Checkpoints sign the durable trail: by itself each quarter of an hour if
// there is something new, at Close, and on demand; with Ed25519 under a key of
// the keyring, and with the TPM's quote where there is an Attestor. Tiles are
// a cache for proofs and searches: what does not fit is made again at Open,
// from the events, which must add up to the tree. Open compares the trail with
// its last checkpoint (ErrAuditFork, ErrAuditTruncated).
//
// A step of the wall clock of more than two seconds against the elapsed time
// is an event, and so is a change of the kernel's word on whether the clock is
// synchronized. The order of events is that of their numbers.
//
// # What is verified, and when
//
// Before bbolt sees the file, Open reads both of its head pages (bbolt would
// silently go back one commit when the newer is damaged; here that is an
// event with outcome "torn" and the number of the last commit), and compares
// the commit that it finds with coffer.last, which is overwritten in place
// after each commit, before anybody is told of it. If coffer.last names a later
// one, a confirmed commit is gone: by a damaged head, or because an older file
// was put back. The store opens, and says so from then on, in Status, in each
// Check and in the meta record; the number is not given again. coffer.last is
// synced at Close only: after a power cut it may lag behind, and then such a
// loss goes unnoticed. It never leads. One that is missing, or whose HMAC is
// not of this store, tells nothing, and that is said (Status.Witness).
//
// The journal has each commit before bbolt has it, and its sync runs beside
// bbolt's; nobody is answered before both are durable. A commit that fails is
// taken out of it again, durably, before its callers know. What Open finds
// missing at the end of the store it takes from there, in one commit, and then
// verifies the whole file: after a damaged head page, a cut, or when an older
// file was put back. The first frame must be made on the very meta record that
// the store has, so a journal of another past is never used. Where the newest
// head page leads to damage, and the one before it to a store that verifies and
// that the journal continues, the newer is given up. All that is in the event
// of the opening and in Status. One torn frame at the end is what a cut leaves,
// and goes; a journal that ends before the store does is begun anew; any other
// is set aside. A loss that it can't heal stays in Status and Check until
// somebody takes it on himself: AcceptLoss.
//
// coffer.clean is written by Close and removed before the next opening changes
// the file; where it does not match, the store stays shut (ErrAltered). Where
// there is none, and no head is torn, bbolt checks its pages (Tx.Check).
//
// With Options.Anchor the store is tied to a counter in the TPM: its next value
// is committed, then the counter raised. Open finds them equal, or the store
// one ahead, which it finishes; a store that is behind is an older copy
// (ErrRollback), one further ahead met another counter (ErrAhead). It anchors
// when it is opened and closed, five seconds after a commit of identity, tokens
// (not sessions) or ledger, and else every ten minutes; the sooner ones stop
// when they would wear the counter by more than 60,000 a year. Only a typed
// reason, which is recorded, opens a store that does not match.
//
// Open walks every
// page with a reader of its own, so that no loop, length or page number in a
// hostile file reaches bbolt. In the same walk it opens every record and its
// private part, and compares the set hash, the counts and the keyring with
// the meta record. From it come the indexes, which are only in memory, and
// for each record the first eight bytes of its tag, with which each later
// read is compared: an older version of a record, put back under the running
// store, is refused. Events are counted at Open, and verified by Check.
//
// Every call into bbolt runs under guard: a panic or a touch of memory that
// the file does not back is a Corrupt fault. After a panic inside bbolt the
// store stops until it is opened again.
//
// # What is trusted
//
// The root key, the kernel, this process. Not the file: who can write it can
// make the store refuse to open, and can put back all files of an earlier
// moment together; that is seen by the counter if the store was anchored since,
// and else only by those who know a later sequence number or audit root. Who
// removes coffer.clean has a file that is as good as after a kill. Data keys are in Go's memory
// while the store is open, and are overwritten by Close; the key schedules
// that crypto/aes made of them are not.
//
// # What leaks
//
// To a reader of the disk: how many records each numbered bucket has, the
// order of their insertion, their sizes in steps of 64 bytes, the number of
// commits, which pages differ between two copies, and the number of keys of
// each compartment, which is about the number of its clients. No name, text, date, amount or index
// value, and not which records belong to the same client. From the journal also
// the size of each commit. What was deleted or
// replaced stays in free pages as ciphertext until they are used again, or
// until the file is written anew: Compact has the next opening do that, by a
// mark, the empty file coffer.compact.
//
// # Memory
//
// Each commit publishes an immutable state: trees that share what did not
// change with the state before. A reading transaction is one such state and
// the bbolt transaction that belongs to it.
package vault
