package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"coffer/internal/ident"
)

// newSlots seals the root key of generation gen for the counter's value v as s
// says: one slot, or two when a firmware state is announced.
func (m *tpm) newSlots(root []byte, store ident.ID[ident.Store], gen uint32, c counter, v uint64, s Setup) ([]tpmSlot, error) {
	slots, err := m.plan(s)
	if err != nil {
		return nil, err
	}
	return m.fill(slots, root, store, gen, c, v, s.PIN)
}

// plan returns the slots that s asks for, with nothing sealed in them.
func (m *tpm) plan(s Setup) ([]tpmSlot, error) {
	slot := tpmSlot{Level: s.Level}
	if s.PIN != "" {
		slot.PIN = newArgon2()
	}
	if s.Level == Bound {
		return []tpmSlot{slot}, nil
	}
	if s.Level == Measured {
		slot.ReleaseKey, slot.Epoch, slot.SignedPCRs = s.Release.Key, s.Release.Epoch, []int{softwarePCR}
	}
	values, err := m.firmwareValues(s.Firmware)
	if err != nil {
		return nil, err
	}
	var slots []tpmSlot
	for _, v := range values {
		slot.Literal = map[int]string{firmwarePCR: hex.EncodeToString(v)}
		slots = append(slots, slot)
	}
	return slots, nil
}

// again returns slots like those of r at the value at which one opened, with
// nothing sealed in them: the same level, PIN, release and firmware states.
func (r *rootSlots) again(o opened) []tpmSlot {
	var plan []tpmSlot
	for _, s := range r.TPM {
		if s.GenValue == o.slot.GenValue && s.GenIndex == o.slot.GenIndex {
			plan = append(plan, s)
		}
	}
	return plan
}

// fill seals a fresh secret in each of the planned slots for the counter's
// value v, and wraps root with it.
func (m *tpm) fill(plan []tpmSlot, root []byte, store ident.ID[ident.Store], gen uint32, c counter, v uint64, pin string) ([]tpmSlot, error) {
	slots := slices.Clone(plan)
	for i := range slots {
		s := &slots[i]
		s.GenIndex, s.GenValue = uint32(c.handle), v
		if err := m.fillSlot(s, root, wrapAAD(store, gen), c, pin); err != nil {
			return nil, err
		}
	}
	return slots, nil
}

// fillSlot does so for one slot.
func (m *tpm) fillSlot(s *tpmSlot, root, aad []byte, c counter, pin string) error {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	defer clear(secret)
	h, auth := m.pinHalves(s, pin)
	if err := m.sealSecret(secret, s, c, auth); err != nil {
		return err
	}
	key, err := slotKey(secret, h)
	if err != nil {
		return because(ErrHeader, err)
	}
	defer clear(key[:])
	if s.PIN != nil {
		p := *s.PIN
		p.Commitment = commitment(key[:])
		s.PIN = &p
	}
	s.Wrap, err = wrapRoot(key[:], root, aad)
	return err
}

// pinHalves returns the stretched PIN of a slot that has one.
func (m *tpm) pinHalves(s *tpmSlot, pin string) (*halves, string) {
	if s.PIN == nil {
		return nil, ""
	}
	h := m.stretch(pin, s.PIN)
	return &h, h.auth
}

// openSlot unwraps the root key of a slot into root by what the TPM gives out.
func (m *tpm) openSlot(s *tpmSlot, c counter, p Proof, root, aad []byte) error {
	if err := m.asks(s.PIN, p.PIN); err != nil {
		return err
	}
	h, auth := m.pinHalves(s, p.PIN)
	secret, err := m.unsealSecret(s, c, auth, p.Signatures)
	if err != nil {
		return err
	}
	defer clear(secret)
	key, err := slotKey(secret, h)
	if err != nil {
		return because(ErrHeader, err)
	}
	defer clear(key[:])
	if s.PIN != nil && !s.PIN.commits(key[:]) {
		return ErrHeader
	}
	return unwrapRoot(root, key[:], s.Wrap, aad)
}

// firmware is the value of the firmware PCR that the slot is sealed to.
func (s *tpmSlot) firmware() []byte {
	b, err := hex.DecodeString(s.Literal[firmwarePCR])
	if err != nil {
		return nil // refused by usable
	}
	return b
}

// usable refuses what this version cannot honour, and what could not have been
// written.
func (s *tpmSlot) usable() error {
	switch s.Level {
	case Measured, SecureBoot, Bound:
	case Software:
		return ErrSoftware
	default:
		return ErrLevel
	}
	if s.PIN != nil && !s.PIN.usable() {
		return ErrLevel
	}
	if s.GenIndex < uint32(counterHandle) || s.GenIndex >= uint32(counterHandle)+counterHandles || !s.releaseFits() || !s.firmwareFits() {
		return ErrHeader
	}
	return nil
}

// releaseFits reports whether the release's fields are there exactly where the
// level needs them.
func (s *tpmSlot) releaseFits() bool {
	if s.Level != Measured {
		return len(s.ReleaseKey) == 0 && s.Epoch == "" && len(s.SignedPCRs) == 0
	}
	_, err := releaseKey(s.ReleaseKey)
	return err == nil && epochShaped(s.Epoch) && slices.Equal(s.SignedPCRs, []int{softwarePCR})
}

// firmwareFits does so for the firmware's state.
func (s *tpmSlot) firmwareFits() bool {
	if s.Level == Bound {
		return len(s.Literal) == 0
	}
	text := s.Literal[firmwarePCR]
	return len(s.Literal) == 1 && len(s.firmware()) == pcrBytes && hex.EncodeToString(s.firmware()) == text
}

// wrapAAD binds a wrapped root key to its store, generation and kind of slot.
func wrapAAD(store ident.ID[ident.Store], gen uint32) []byte {
	b := append([]byte("coffer/1/slot"), store[:]...)
	b = binary.BigEndian.AppendUint32(b, gen)
	return append(b, "tpm2"...)
}

// slotCipher is the AEAD under a slot's key.
func slotCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	return aead, nil
}

// wrapRoot encrypts the root key for a slot.
func wrapRoot(key, root, aad []byte) ([]byte, error) {
	aead, err := slotCipher(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, root, aad), nil
}

// unwrapRoot decrypts a slot's root key into dst, which holds 32 bytes.
func unwrapRoot(dst, key, wrapped, aad []byte) error {
	aead, err := slotCipher(key)
	if err != nil {
		return err
	}
	if len(wrapped) != rootBytes+aead.Overhead() {
		return ErrHeader
	}
	if _, err := aead.Open(dst[:0], nil, wrapped, aad); err != nil {
		return because(ErrHeader, err)
	}
	return nil
}
