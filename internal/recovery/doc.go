// Package recovery is the key on paper: a seed of 32 bytes that opens a store
// and its backups when no TPM does.
//
// # What it promises
//
// The box keeps only the public half. It seals to that with nobody present,
// as a root rotation and each backup do, and opens nothing with it. Sealed
// bytes are tied to what they were sealed for (info) and with (aad): moved to
// another store, generation or use they do not open. The seed can be split
// into shares of which a number is needed; fewer tell nothing about the seed,
// whatever computer looks at them. A text that was copied wrongly is refused
// with the group that is wrong: each single wrong character, and each swap of
// two neighbours in a group, is found and named (TypoError).
//
// # The text of a sheet
//
// Letters and digits of Crockford's base 32 (0-9 A-Z without I, L, O, U), case
// ignored, O read as 0, I and L as 1; spaces and hyphens separate and mean
// nothing else. A seed is its 32 bytes and 3 check bytes (SHA-256): 56
// characters. A share is its number, how many are needed, 5 random bytes that
// all shares of one splitting have in common (8 characters), the 32 bytes of
// the share and 3 check bytes: 66 characters. They are written in groups of
// six, each with a check character after it, joined by hyphens: a seed is 10
// groups and 75 characters long, a share 11 groups and 87.
//
// The check character is a sum over GF(32), polynomial x^5+x^2+1: the k-th of
// the group times 2^k, plus the group's place (1 for a seed's first, 17 for a
// share's), so that a group in the wrong place is a typo too.
//
// # The algorithms
//
// Shares: Shamir over GF(256), polynomial x^8+x^4+x^3+x+1, one polynomial for
// each byte, the share's number as its place, without branches or tables that
// depend on secrets. Sealing: HPKE (RFC 9180, draft-ietf-hpke-pq) with
// MLKEM768-P256, HKDF-SHA256 and AES-256-GCM, base mode, the key pair derived
// by DeriveKeyPair from the seed; a sealed text is the encapsulated key (1,153
// bytes), the ciphertext and its tag. All of it works in FIPS 140-3 mode.
//
// # What is trusted, and what remains
//
// Who holds the sheet, or enough shares, and a copy of a header or backup has
// the store. A share that somebody made up gives, with true ones, another seed,
// which opens nothing; one share more than needed shows it. The standard
// library keeps copies of derived keys on the heap until they are overwritten.
// This package holds no file, clock or log.
package recovery
