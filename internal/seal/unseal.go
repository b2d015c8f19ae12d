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
		o, err := m.open(h, p, k.root.b[:rootBytes])
		if err != nil {
			return err
		}
		k.status, err = m.status(o.value)
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

// opened is what opening a root generation found.
type opened struct {
	slot    tpmSlot // the slot that opened
	counter counter // the generation counter
	value   uint64  // its value
	auths   auths
}

// open unseals the newest root key into root and authenticates the header and
// then the counter.
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
	slot, c, v, err := m.choose(h)
	if err != nil {
		return opened{}, err
	}
	secret, err := m.unsealSecret(slot.Public, slot.Private, c, v)
	if err != nil {
		return opened{}, err
	}
	defer clear(secret)
	if err := unwrapRoot(root, secret, slot.Wrap, h.StoreID, r.Gen); err != nil {
		return opened{}, err
	}
	own, err := unwrapAuths(r.Auths, root, h.StoreID, r.Gen)
	if err != nil {
		return opened{}, err
	}
	again, err := m.readOwn(c, own.Generation)
	if err != nil {
		return opened{}, err
	}
	if again != v {
		return opened{}, ErrGeneration
	}
	return opened{slot, c, v, own}, nil
}

// status describes the seal.
func (m *tpm) status(generation uint64) (Status, error) {
	vendor, err := m.manufacturer()
	return Status{Level: Bound, Manufacturer: vendor, Generation: generation}, err
}
