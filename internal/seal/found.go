package seal

import "github.com/google/go-tpm/tpm2"

// founding is a header that is being given what it needs of a TPM.
type founding struct {
	k      *Key // of the newest generation, and of the older one if there is one
	h      *header
	s      Setup
	own    auths
	path   string
	write  func(path string, h *header) error // create or replace
	before func() error                       // runs once the seal is proven, before the header is written; or nil
	after  func(step string)
}

// found makes the counters and the attestation key where the header names
// none, seals each root key, proves the seals and writes the header.
func (m *tpm) found(f *founding) (err error) {
	if f.s.PIN != "" {
		if err := m.claimLockout(&f.own); err != nil {
			return err
		}
	}
	var made []tpm2.TPMHandle
	defer func() {
		for _, handle := range made {
			if err != nil {
				// Best effort: a counter that stays takes an index and harms nothing.
				_ = m.removeCounter(handle)
			}
		}
	}()
	c, v, err := m.newCounter(f.own.Generation)
	if err != nil {
		return err
	}
	made = append(made, c.handle)
	f.after("counter")
	f.h.SRKName = m.srkName.Buffer
	if f.h.Anchor == 0 {
		anchor, _, err := m.newCounter(f.own.Anchor)
		if err != nil {
			return err
		}
		made = append(made, anchor.handle)
		f.h.Anchor = uint32(anchor.handle)
		f.after("anchor")
	}
	if len(f.h.Attestation.Private) == 0 {
		if f.h.Attestation, err = m.newAttestationKey(f.own.Attestation); err != nil {
			return err
		}
		f.after("attestation key")
	}
	return m.foundRoots(f, c, v)
}

// foundRoots seals the root keys for value v of the generation counter.
func (m *tpm) foundRoots(f *founding, c counter, v uint64) error {
	for i := range f.h.Roots {
		r := &f.h.Roots[i]
		k, _ := f.k.At(r.Gen) // made from the header's generations
		root := k.root.b[:rootBytes]
		if err := f.h.shut(r, root, f.own); err != nil {
			return err
		}
		slots, err := m.newSlots(root, f.h.StoreID, r.Gen, c, v, f.s)
		if err != nil {
			return err
		}
		r.TPM = slots
	}
	f.after("sealed")
	f.h.sign(f.k.root.b[:rootBytes])
	for i := range f.h.Roots {
		r := &f.h.Roots[i]
		k, _ := f.k.At(r.Gen)
		if err := m.proveSlot(f.h, r, r.TPM[0], f.s.proof(Proof{}), k.root.b[:rootBytes]); err != nil {
			return err
		}
		if err := k.learn(m, f.h, opened{r.TPM[0], c, f.own}, f.s.PIN); err != nil {
			return err
		}
		k.booted = m.booted
	}
	f.after("proven")
	if f.before != nil {
		if err := f.before(); err != nil {
			return err
		}
		f.after("former counter removed")
	}
	if err := f.write(f.path, f.h); err != nil {
		return err
	}
	f.after("header")
	return nil
}
