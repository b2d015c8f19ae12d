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
// # Levels
//
// What the TPM demands before it gives the sealed secret out, in the order of
// the policy (TPM 2.0 part 3, 23):
//
//	measured    PolicyPCR(11), PolicyAuthorize(release key, epoch), PolicyPCR(7), PolicyNV(generation)
//	secureboot  PolicyPCR(7), PolicyNV(generation)
//	bound       PolicyNV(generation)
//
// each with PolicyAuthValue at its end where there is a PIN. PCR 7 is taken as
// it was when the root key was sealed; nothing is sealed to a Secure Boot that
// is off. PCR 11 need only have a value that the release key has signed, so a
// new release needs no re-seal; the signature also covers an epoch, so that a
// re-seal to the next epoch shuts out every older release. The signatures are
// those of systemd-measure (tpm2-pcr-signature.json) but for the epoch, which
// is the policyRef. A re-seal moves the generation on: it shuts out every
// older header. After MeasureReady nothing that runs later, this daemon
// included, is given a secret of level measured until the machine restarts;
// what the running daemon still does to its own seal it does with the root key
// that it has (Proof.Key).
//
// Level software, a key file and no TPM, is refused in a header and a Setup.
//
// # PIN
//
// 6 to 12 digits, stretched by Argon2id and split: one half authorizes the
// sealed object, the other is joined with what the object holds. A TPM that
// somebody has broken thus gives nothing out without the PIN, and the PIN
// cannot be tried without the TPM, which locks itself after ten wrong ones and
// forgets one in ten minutes of power. A start after a power cut may count as
// one; the right PIN takes the count back to none. The lockout authorization
// that resets the count is drawn with the first PIN, is in the header (wrapped
// under the root key) before the TPM has it, and is never changed. It also
// keeps root on the box from clearing the TPM; the firmware's menu still can.
// Where somebody else holds it, their limits must do.
//
// # Recovery sheet
//
// The header has the public half of a sheet (package recovery) and each root
// key sealed to it, for this store and generation only. With the sheet Recover
// seals the store anew to whatever TPM is there, and Adopt does so from a
// backup, which carries the same slot (Slot): no header is needed. The slot
// also holds the lockout authorization, so that a sheet ends a lockout of the
// TPM that it is of. A sheet that is replaced opens no present header and no
// later one; what was sealed to it before it still opens. The box itself can
// open nothing by a slot.
//
// # Rotation of the root key
//
// BeginRotation writes a header with two root generations, the store names the
// new one in a commit of its own, EndRotation writes a header with that one
// alone and moves the generation counter on. A header with two generations
// opens both, so it opens the store before and after that commit (Key.At). The
// new root key is sealed to the TPM, the PIN and the sheet with nobody
// present: the unsealed key remembers the stretched PIN, and the sheet's public
// half is all that is needed. The authorization values of the TPM's objects
// are wrapped anew and stay.
//
// # Anchor and quotes
//
// The anchor counter counts how far the store has come; who cannot open the
// store cannot advance it, and nobody can set it back. The attestation key
// signs quotes of PCRs 0 to 7 and 11 over what the caller gives: checkpoints
// of the audit trail. It signs only what the TPM itself says, and only for who
// can open the store. In the same TPM both outlive a recovery and a rotation.
//
// # On disk: coffer.seal
//
// One JSON object in exactly one spelling (what this package writes; anything
// else is refused), at most 16 KiB, mode 0600, replaced by write-new, fsync,
// link or rename, fsync of the directory. It holds no secret in clear. Digest
// (SHA-256, keyless) tells a damaged file from a strange TPM before the TPM is
// asked; MAC (HMAC-SHA-256 under a key derived from the root) is checked after
// the unseal and is what an attacker cannot make. Normally there is one root
// generation with one TPM slot; there is another while a re-seal is under way,
// and one for a firmware state that is announced. A slot whose GenValue equals
// the counter is one that opens.
//
// # In the TPM
//
// The storage root key: ECC P-256 by the TCG reference template, persistent
// at 0x81000001, its Name pinned in the header and recomputed here from the
// public area, never taken from the TPM's word. The generation counter
// and the anchor counter: ordinary NV counters at two of the sixteen indexes
// from 0x01800CF0 on. An orderly counter would jump at a power cut. A Name does
// not cover the authorization value, so after the unseal the counter is read once more under
// an authorization that the header keeps wrapped under the root key: an index
// that somebody made anew under the same Name fails there (ErrCounterForged).
// The anchor counter is only ever used under its own. The attestation key
// (restricted ECDSA P-256, under the storage key) is in the header, loadable by
// this TPM alone, with an authorization that is wrapped like the counters'.
//
// # go-tpm v0.9.8, wrapped here once
//
// Authorization values are lower-case hex text, since a zero byte within one
// breaks the HMAC. Policy sessions are opened and closed by hand, since the
// just-in-time form leaks its session when the policy fails. The calculator
// does not start PolicyAuthorize from an empty digest, so it stands first. The
// dictionary attack commands, which go-tpm lacks, are spelled out here. The
// answer to HierarchyChangeAuth is keyed with the new value, so it is sent with
// an empty password and a session that only encrypts. Commands that
// answer RETRY, YIELDED, TESTING or NV_RATE are sent again for up to five
// seconds. A software TPM is dialled once per operation, not once per command,
// and what a killed predecessor left loaded in it is flushed first, as the
// kernel's resource manager does on /dev/tpmrm0. It serves one connection at a
// time, so operations wait for each other there, ten seconds at most.
//
// # What is trusted, and what remains
//
// The kernel is trusted, and the TPM for all but the PIN. Without a PIN a thief
// of the whole box has a box that unseals; only signing in protects it, and a
// discrete TPM can be reset and shown the right measurements. Who sits on the
// bus can always deny: lock the TPM, or make the right PIN look wrong. An
// interposer that is there before Provision can present a TPM of its own. The
// storage key's pin stands on a disk that root can write. Derivation leaves
// copies of derived keys on the Go heap; the process must not be dumpable
// (package host), and swap must be off for it (the unit does so).
package seal
