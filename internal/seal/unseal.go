package seal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
)

// Unseal opens the header at headerPath by the TPM at device and what p shows,
// and returns the store's root key. Its errors are this package's sentinels,
// of kind Sealed (ErrPINShape: Invalid): the daemon then starts sealed and
// says so. ErrPINNeeded asks for a PIN.
func Unseal(ctx context.Context, device, headerPath string, p Proof) (*Key, error) {
	h, err := readHeader(headerPath)
	if err != nil {
		return nil, err
	}
	k, err := newKey(h, h.newest().Gen, Status{})
	if err != nil {
		return nil, err
	}
	p.Key = nil
	err = withTPM(ctx, device, func(m *tpm) error { return m.unseal(k, h, p) })
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// unseal does the TPM's part.
func (m *tpm) unseal(k *Key, h *header, p Proof) error {
	o, err := m.open(h, p, k.root.b[:rootBytes])
	if err != nil {
		return err
	}
	if err := m.openOlder(k, h, p); err != nil {
		return err
	}
	if o.slot.PIN != nil {
		if err := m.guardLockout(o.auths); err != nil {
			return err
		}
	}
	k.booted = m.booted
	return k.learn(m, h, o, p.PIN)
}

// openOlder opens the generation before the newest too, where there is one.
func (m *tpm) openOlder(k *Key, h *header, p Proof) (err error) {
	r := h.older()
	if r == nil {
		return nil
	}
	if k.beside, err = newKey(h, r.Gen, Status{}); err != nil {
		return err
	}
	o, err := m.openRoot(h, r, p, k.beside.root.b[:rootBytes])
	if err != nil {
		return err
	}
	return k.beside.learn(m, h, o, p.PIN)
}

// Inspect asks the TPM what Unseal would meet, without unsealing: that it is
// the pinned one, that the counter is there, that some slot is of its
// generation, and that the firmware is in the state that was sealed to. With an
// error, the status is what the header claims, if it could be read.
func Inspect(ctx context.Context, device, headerPath string) (Status, error) {
	h, err := readHeader(headerPath)
	if err != nil {
		return Status{}, err
	}
	s := h.claims()
	err = withTPM(ctx, device, func(m *tpm) error {
		if err := m.pinned(h.SRKName); err != nil {
			return err
		}
		slot, _, err := m.choose(h.newest())
		if err != nil {
			return err
		}
		found, err := m.status(h, slot)
		if err != nil {
			return err
		}
		s = found
		return m.checkFirmware(h.newest(), slot.GenValue)
	})
	return s, err
}

// choose finds a slot of a root whose generation is the counter's. A slot that
// cannot be tried does not keep another from being tried.
func (m *tpm) choose(r *rootSlots) (tpmSlot, counter, error) {
	failure := error(ErrGeneration)
	for _, slot := range r.TPM {
		c, err := m.counterOf(slot)
		if err == nil {
			return slot, c, nil
		}
		failure = worse(failure, err)
	}
	return tpmSlot{}, counter{}, failure
}

// worse returns which of two slots' failures to tell: that a slot is of
// another generation says the least.
func worse(known, err error) error {
	if errors.Is(err, ErrGeneration) {
		return known
	}
	return err
}

// counterOf finds the counter of a slot, and compares its value with the slot's.
func (m *tpm) counterOf(slot tpmSlot) (counter, error) {
	c, err := m.findCounter(slot.GenIndex)
	if err != nil {
		return counter{}, err
	}
	v, err := m.read(c)
	if err == nil && v != slot.GenValue {
		err = ErrGeneration
	}
	return c, err
}

// opened is what opening a root generation found.
type opened struct {
	slot    tpmSlot // the slot that opened
	counter counter // the generation counter, whose value is the slot's
	auths   auths
}

// open unseals the newest root key into root and authenticates the header and
// the counter.
func (m *tpm) open(h *header, p Proof, root []byte) (opened, error) {
	o, err := m.openRoot(h, h.newest(), p, root)
	if err != nil {
		return opened{}, err
	}
	return o, h.authenticate(root)
}

// openRoot unseals the root key of one generation into root, and authenticates
// the counter. The header is still to be authenticated.
func (m *tpm) openRoot(h *header, r *rootSlots, p Proof, root []byte) (opened, error) {
	if err := m.pinned(h.SRKName); err != nil {
		return opened{}, err
	}
	if p.Key != nil {
		return m.openHeld(h, r, p.Key, root)
	}
	failure := error(ErrGeneration)
	for _, slot := range r.TPM {
		o, err := m.openOne(h, r, slot, p, root)
		if err == nil || final(err) {
			return o, err
		}
		failure = worse(failure, err)
	}
	return opened{}, failure
}

// final reports whether a failure is the TPM's or the person's, so that
// another slot would fail too, and cost an attempt.
func final(err error) bool {
	return errors.Is(err, ErrPIN) || errors.Is(err, ErrPINNeeded) || errors.Is(err, ErrPINShape) ||
		errors.Is(err, ErrLockout) || errors.Is(err, ErrNoTPM) || errors.Is(err, ErrTPMBusy)
}

// openOne opens a root by one slot.
func (m *tpm) openOne(h *header, r *rootSlots, slot tpmSlot, p Proof, root []byte) (opened, error) {
	c, err := m.counterOf(slot)
	if err != nil {
		return opened{}, err
	}
	if err := m.openSlot(&slot, c, p, root, wrapAAD(h.StoreID, r.Gen)); err != nil {
		return opened{}, err
	}
	return m.owned(h, r, slot, c, root)
}

// openHeld takes the root key from k, which is in memory, instead of the TPM.
func (m *tpm) openHeld(h *header, r *rootSlots, k *Key, root []byte) (opened, error) {
	slot, c, err := m.choose(r)
	if err != nil {
		return opened{}, err
	}
	if k.storeID != h.StoreID || !k.copyRoot(r.Gen, root) {
		return opened{}, ErrHeader
	}
	return m.owned(h, r, slot, c, root)
}

// owned proves that the counter is the store's own, and finishes the opening.
func (m *tpm) owned(h *header, r *rootSlots, slot tpmSlot, c counter, root []byte) (opened, error) {
	own, err := unwrapAuths(r.Auths, root, h.StoreID, r.Gen)
	if err != nil {
		return opened{}, err
	}
	v, err := m.readOwn(c, own.Generation)
	if err != nil {
		return opened{}, err
	}
	if v != slot.GenValue {
		return opened{}, ErrGeneration
	}
	return opened{slot, c, own}, nil
}

// proveSlot opens a root by one slot as Unseal would after a start, and
// compares the root key. Where the software PCR has moved on since the root
// key was unsealed (MeasureReady), the TPM refuses what is right too: then the
// signature of what was started is proven instead.
func (m *tpm) proveSlot(h *header, r *rootSlots, slot tpmSlot, p Proof, root []byte) error {
	if slot.Level == Measured && p.Key != nil && p.Key.booted != nil {
		if same, err := m.atUnseal(p.Key.booted); err != nil || !same {
			return errors.Join(err, slot.provesBooted(p.Signatures, p.Key.booted))
		}
	}
	page, err := newPage()
	if err != nil {
		return err
	}
	defer page.free()
	if _, err := m.openOne(h, r, slot, p, page.b[:rootBytes]); err != nil {
		return err
	}
	if !bytes.Equal(page.b[:rootBytes], root) {
		return ErrBusTampered
	}
	return nil
}

// status describes the seal.
func (m *tpm) status(h *header, slot tpmSlot) (Status, error) {
	vendor, err := m.manufacturer()
	s := h.claimsOf(slot)
	s.Manufacturer, s.Rotating = vendor, h.unfinished(slot)
	return s, err
}

// claims returns what the header says of its newest slot, whoever wrote it.
func (h *header) claims() Status {
	newest := tpmSlot{}
	for _, slot := range h.newest().TPM {
		if slot.GenValue >= newest.GenValue {
			newest = slot
		}
	}
	return h.claimsOf(newest)
}

func (h *header) claimsOf(slot tpmSlot) Status {
	s := Status{
		Level: slot.Level, PIN: slot.PIN != nil, Recovery: len(h.Recovery) > 0, Generation: slot.GenValue,
		AttestationKey: h.Attestation.fingerprint(),
	}
	if sheet, err := h.sheet(); err == nil && !sheet.IsZero() {
		fingerprint := sheet.Fingerprint()
		s.Sheet = hex.EncodeToString(fingerprint[:])
	}
	return s
}
