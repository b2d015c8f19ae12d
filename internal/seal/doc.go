// Package seal keeps the root key of a store: 32 bytes that exist in clear
// only in one locked page of the daemon's memory, and at rest only wrapped
// under a secret that this box's TPM 2.0 gives out while its policy holds.
// It is the only home of go-tpm.
//
// # What it promises
//
// Without this TPM, in its present generation, the header file opens nothing:
// a copied disk, a header restored from before a re-seal, a cleared TPM and
// the TPM of another box are all refused, each with an error of its own that
// says what to do next. Whoever listens on the wire to the TPM hears neither
// the root key nor the sealed secret (salted sessions with AES-128-CFB
// parameter encryption), and whoever changes the TPM's answers is found out
// by their HMAC. A header changed in any bit is refused.
//
// # Level bound
//
// The policy of the sealed secret is PolicyNV(generation counter == v): the
// secret is bound to this TPM and to the newest header, not to what was
// booted. Measured boot and a PIN are further levels of the same header
// format; the fields for them (SignedPCRs, Literal, Epoch, ReleaseKey, PIN,
// Recovery) are part of the format already and are refused while this version
// cannot honour them.
//
// # On disk: coffer.seal
//
// One JSON object in exactly one spelling (what this package writes; anything
// else is refused), at most 16 KiB, mode 0600, replaced by write-new, fsync,
// link or rename, fsync of the directory. It holds no secret in clear. Digest
// (SHA-256, keyless) tells a damaged file from a strange TPM before the TPM is
// asked; MAC (HMAC-SHA-256 under a key derived from the root) is checked after
// the unseal and is what an attacker cannot make. Normally there is one root
// generation with one TPM slot; there are two slots while a re-seal is under
// way, and the slot whose GenValue equals the counter is the one that opens.
//
// # In the TPM
//
// The storage root key: ECC P-256 by the TCG reference template, persistent
// at 0x81000001, its Name pinned in the header and recomputed here from the
// public area, never taken from the TPM's word. The generation counter: an
// ordinary NV counter at 0x01800CF0 or one of the fifteen indexes after it.
// An orderly counter would jump at a power cut. Its Name does not cover its
// authorization value, so after the unseal the counter is read once more under
// an authorization derived from the root key: an index that somebody made anew
// under the same Name fails there (ErrCounterForged).
//
// # go-tpm v0.9.8, wrapped here once
//
// Authorization values are lower-case hex text, since a zero byte within one
// breaks the HMAC. Policy sessions are opened and closed by hand, since the
// just-in-time form leaks its session when the policy fails. Commands that
// answer RETRY, YIELDED, TESTING or NV_RATE are sent again for up to five
// seconds. A software TPM is dialled once per operation, not once per command,
// and what a killed predecessor left loaded in it is flushed first, as the
// kernel's resource manager does on /dev/tpmrm0.
//
// # What is trusted, and what remains
//
// The TPM itself and the kernel are trusted. At this level a thief of the
// whole box has a box that unseals; only signing in protects it. An active
// interposer that is there before Provision can present a TPM of its own. The
// storage key's pin stands on a disk that root can write. Derivation leaves
// copies of derived keys on the Go heap; the process must not be dumpable
// (package host), and swap must be off for it (the unit does so).
package seal
