package seal

import (
	"context"

	"coffer/internal/ident"
	"coffer/internal/recovery"
)

// Slot is a root key sealed to a recovery sheet, with the store and root
// generation that it is for, as a backup carries it. It holds no secret.
type Slot struct {
	store       ident.ID[ident.Store]
	generation  uint32
	fingerprint [32]byte // of the sheet's public half
	sealed      []byte
}

// Slot returns the recovery slot of the key's generation; the zero Slot when
// no sheet is in force.
func (k *Key) Slot() Slot { return Slot{} }

// Recovery returns the public half of the sheet that is in force, to which
// backups are sealed; the zero Public when there is none.
func (k *Key) Recovery() recovery.Public { return recovery.Public{} }

// IsZero reports whether there is no slot.
func (s Slot) IsZero() bool { return len(s.sealed) == 0 }

// StoreID returns the store that the root key is of.
func (s Slot) StoreID() ident.ID[ident.Store] { return s.store }

// Generation returns the root key's generation.
func (s Slot) Generation() uint32 { return s.generation }

// Fingerprint returns SHA-256 of the sheet's public half.
func (s Slot) Fingerprint() [32]byte { return s.fingerprint }

// Bytes returns the slot as backups carry it.
func (s Slot) Bytes() []byte { return nil }

// ParseSlot reads what Bytes returned. ErrHeader if it is none.
func ParseSlot(b []byte) (Slot, error) { return Slot{}, ErrHeader }

// SetRecovery puts a recovery sheet in force, the first or instead of another
// one, which opens nothing more of this header. p.Key, where given, has the
// new slot afterwards.
func SetRecovery(ctx context.Context, device, headerPath string, p Proof, pub recovery.Public) error {
	return ErrHeader
}

// TestRecovery reports whether seed opens the header at headerPath, without
// changing anything. recovery.ErrWrongSeed if not; ErrNoRecovery if no sheet
// is in force.
func TestRecovery(headerPath string, seed *recovery.Seed) error { return ErrHeader }

// Recover opens the header at headerPath by the recovery sheet and seals it
// anew, as s says, to the TPM at device: the TPM was cleared or exchanged, its
// counters are gone, the firmware changed, or the PIN is forgotten.
func Recover(ctx context.Context, device, headerPath string, seed *recovery.Seed, s Setup) (*Key, error) {
	return nil, ErrHeader
}

// Adopt makes a header for a store that was restored from a backup, from the
// backup's slot and the recovery sheet. The root key is to be rotated after
// that (BeginRotation). ErrExists if there is a header.
func Adopt(ctx context.Context, device, headerPath string, slot Slot, seed *recovery.Seed, s Setup) (*Key, error) {
	return nil, ErrHeader
}
