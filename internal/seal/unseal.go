package seal

import (
	"context"
)

// Unseal opens the header at headerPath by the TPM at device and returns the
// store's root key. Its errors are this package's sentinels, all of kind
// Sealed: the daemon then starts sealed and says so.
func Unseal(ctx context.Context, device, headerPath string, p Proof) (*Key, error) {
	h, err := readHeader(headerPath)
	if err != nil {
		return nil, err
	}
	k, err := newKey(h, h.newest().Gen, Status{Level: Bound})
	if err != nil {
		return nil, err
	}
	err = withTPM(ctx, device, func(m *tpm) error {
		_, v, err := m.open(h, k.root.b[:rootBytes])
		if err != nil {
			return err
		}
		k.status, err = m.status(v)
		return err
	})
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// Inspect asks the TPM what Unseal would meet, without unsealing: that it is
// the pinned one, that the counter is there, and that some slot is of its
// generation.
func Inspect(ctx context.Context, device, headerPath string) (Status, error) {
	h, err := readHeader(headerPath)
	if err != nil {
		return Status{}, err
	}
	var s Status
	err = withTPM(ctx, device, func(m *tpm) error {
		_, _, v, err := m.choose(h)
		if err != nil {
			return err
		}
		s, err = m.status(v)
		return err
	})
	return s, err
}

// choose finds the slot of the newest root whose generation is the counter's.
// A slot that cannot be tried does not keep another from being tried.
func (m *tpm) choose(h *header) (slot tpmSlot, c counter, v uint64, err error) {
	if err := m.pinned(h.SRKName); err != nil {
		return tpmSlot{}, counter{}, 0, err
	}
	failure := error(ErrGeneration)
	for _, slot := range h.newest().TPM {
		c, v, err := m.counterOf(slot)
		if err == nil && v == slot.GenValue {
			return slot, c, v, nil
		}
		if err != nil {
			failure = err
		}
	}
	return tpmSlot{}, counter{}, 0, failure
}

// counterOf finds and reads the counter of a slot.
func (m *tpm) counterOf(slot tpmSlot) (counter, uint64, error) {
	c, err := m.findCounter(slot.GenIndex)
	if err != nil {
		return counter{}, 0, err
	}
	v, err := m.read(c)
	return c, v, err
}

// open unseals the newest root key into root, authenticates the header and
// then the counter, and returns the counter with its value.
func (m *tpm) open(h *header, root []byte) (counter, uint64, error) {
	slot, c, v, err := m.choose(h)
	if err != nil {
		return counter{}, 0, err
	}
	secret, err := m.unsealSecret(slot.Public, slot.Private, c, v)
	if err != nil {
		return counter{}, 0, err
	}
	defer clear(secret)
	if err := unwrapRoot(root, secret, slot.Wrap, h.StoreID, h.newest().Gen); err != nil {
		return counter{}, 0, err
	}
	if err := h.authenticate(root); err != nil {
		return counter{}, 0, err
	}
	own, err := m.readOwn(c, authText(derive(root, counterAuthLabel)))
	if err != nil {
		return counter{}, 0, err
	}
	if own != v {
		return counter{}, 0, ErrGeneration
	}
	return c, v, nil
}

// status describes the seal.
func (m *tpm) status(generation uint64) (Status, error) {
	vendor, err := m.manufacturer()
	return Status{Level: Bound, Manufacturer: vendor, Generation: generation}, err
}
