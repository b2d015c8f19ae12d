package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"coffer/internal/ident"
	"coffer/internal/recovery"
)

// recoverySlot opens the root key by the recovery sheet. What is sealed is the
// root key, SHA-256 of the storage key's Name, and the lockout authorization
// where this store holds one, so that a sheet can reset a lockout of that TPM.
type recoverySlot struct {
	KEM   string // recovery.Suite
	PubFP []byte // SHA-256 of the sheet's public half
	Enc   []byte // HPKE; info "coffer/1/recovery", store, generation
}

// Limits of a sealed recovery slot.
const (
	sheetSecretBytes = rootBytes + sha256.Size // without a lockout authorization
	sheetSealedMax   = 2048
	slotVersion      = 1
	slotHeadBytes    = 1 + 16 + 4 + sha256.Size
)

// usable refuses a slot that does not go with the header's public half.
func (r *recoverySlot) usable(public []byte) error {
	switch fp := sha256.Sum256(public); {
	case r == nil && len(public) == 0:
		return nil
	case r == nil || len(public) == 0:
		return ErrHeader
	case r.KEM != recovery.Suite:
		return ErrLevel
	case !bytes.Equal(r.PubFP, fp[:]) || len(r.Enc) > sheetSealedMax:
		return ErrHeader
	}
	return nil
}

// sheet returns the public half of the sheet in force; zero for none.
func (h *header) sheet() (recovery.Public, error) {
	if len(h.Recovery) == 0 {
		return recovery.Public{}, nil
	}
	p, err := recovery.ParsePublic(h.Recovery)
	if err != nil {
		return recovery.Public{}, because(ErrHeader, err)
	}
	return p, nil
}

// sheetInfo binds a recovery slot to its store and root generation.
func sheetInfo(store ident.ID[ident.Store], gen uint32) string {
	b := append([]byte("coffer/1/recovery"), store[:]...)
	return string(binary.BigEndian.AppendUint32(b, gen))
}

// sealToSheet seals a root key to the sheet in force.
func (h *header) sealToSheet(gen uint32, root []byte, own auths) (*recoverySlot, error) {
	public, err := h.sheet()
	if err != nil {
		return nil, err
	}
	storage := sha256.Sum256(h.SRKName)
	plain := make([]byte, 0, sheetSecretBytes+len(own.Lockout))
	plain = append(append(append(plain, root...), storage[:]...), own.Lockout...)
	defer clear(plain)
	enc, err := public.Seal(sheetInfo(h.StoreID, gen), nil, plain)
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	fp := public.Fingerprint()
	return &recoverySlot{KEM: recovery.Suite, PubFP: fp[:], Enc: enc}, nil
}

// Slot is a root key sealed to a recovery sheet, with the store and root
// generation that it is for, as a backup carries it. It holds no secret.
type Slot struct {
	store       ident.ID[ident.Store]
	generation  uint32
	fingerprint [sha256.Size]byte // of the sheet's public half
	sealed      []byte
}

// slotOf returns the recovery slot of a root; zero when no sheet is in force.
func (h *header) slotOf(r *rootSlots) Slot {
	if r.Recovery == nil {
		return Slot{}
	}
	return Slot{h.StoreID, r.Gen, [sha256.Size]byte(r.Recovery.PubFP), r.Recovery.Enc}
}

// Slot returns the recovery slot of the key's generation; the zero Slot when
// no sheet is in force.
func (k *Key) Slot() Slot {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.slot
}

// Recovery returns the public half of the sheet that is in force, to which
// backups are sealed; the zero Public when there is none.
func (k *Key) Recovery() recovery.Public {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.sheet
}

// IsZero reports whether there is no slot.
func (s Slot) IsZero() bool { return len(s.sealed) == 0 }

// StoreID returns the store that the root key is of.
func (s Slot) StoreID() ident.ID[ident.Store] { return s.store }

// Generation returns the root key's generation.
func (s Slot) Generation() uint32 { return s.generation }

// Fingerprint returns SHA-256 of the sheet's public half: which sheet opens
// the slot.
func (s Slot) Fingerprint() [sha256.Size]byte { return s.fingerprint }

// Bytes returns the slot as backups carry it: a version, the store, the
// generation, the fingerprint, the sealed root key; at most 2,101 bytes. Of
// the zero Slot it returns none.
func (s Slot) Bytes() []byte {
	if s.IsZero() {
		return nil
	}
	b := append([]byte{slotVersion}, s.store[:]...)
	b = binary.BigEndian.AppendUint32(b, s.generation)
	return append(append(b, s.fingerprint[:]...), s.sealed...)
}

// ParseSlot reads what Bytes returned. ErrHeader if it is none. What it holds
// is believed only once a sheet has opened it (Adopt).
func ParseSlot(b []byte) (Slot, error) {
	if len(b) <= slotHeadBytes || len(b) > slotHeadBytes+sheetSealedMax {
		return Slot{}, ErrHeader
	}
	if b[0] != slotVersion {
		return Slot{}, ErrLevel
	}
	s := Slot{
		store: ident.ID[ident.Store](b[1:17]), generation: binary.BigEndian.Uint32(b[17:21]),
		fingerprint: [sha256.Size]byte(b[21:slotHeadBytes]), sealed: bytes.Clone(b[slotHeadBytes:]),
	}
	if s.generation == 0 || s.store.IsZero() {
		return Slot{}, ErrHeader
	}
	return s, nil
}

// sheetSecret is what a recovery slot holds beside the root key.
type sheetSecret struct {
	storage [sha256.Size]byte // of the storage key's Name
	lockout string            // "" for none
}

// open opens the slot by the sheet and puts the root key into root.
func (s Slot) open(seed *recovery.Seed, root []byte) (sheetSecret, error) {
	plain, err := seed.Open(sheetInfo(s.store, s.generation), nil, s.sealed)
	if err != nil {
		return sheetSecret{}, err
	}
	defer clear(plain)
	if len(plain) != sheetSecretBytes && len(plain) != sheetSecretBytes+len(newAuth()) {
		return sheetSecret{}, ErrHeader
	}
	copy(root, plain)
	return sheetSecret{[sha256.Size]byte(plain[rootBytes:]), string(plain[sheetSecretBytes:])}, nil
}
