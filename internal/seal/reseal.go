package seal

import "context"

// Reseal seals the root key anew for the next value of the generation counter,
// as s says (level, PIN, release, announced firmware), and then moves the
// counter there: every older copy of the header stops opening. p shows what
// opens the present seal; s.Now is not looked at.
//
// The new seal is tried at the present generation before anything is written,
// so that one that would not open changes nothing. The steps after that are in
// an order in which a cut after any of them, with or without the TPM losing
// power too, leaves a header that opens: by the old PIN as long as Reseal has
// not returned and the counter has not moved, by the new one after that.
func Reseal(ctx context.Context, device, headerPath string, p Proof, s Setup) error {
	return reseal(ctx, device, headerPath, p, s, func(string) {})
}

// reseal is Reseal with a call after each of its steps.
func reseal(ctx context.Context, device, headerPath string, p Proof, s Setup, after func(step string)) error {
	s, err := s.checked()
	if err != nil {
		return err
	}
	h, err := readHeader(headerPath)
	if err != nil {
		return err
	}
	page, err := newPage()
	if err != nil {
		return err
	}
	defer page.free()
	return withTPM(ctx, device, func(m *tpm) error {
		return m.reseal(h, p, s, page.b[:rootBytes], headerPath, after)
	})
}

// reseal does the TPM's and the file's part.
func (m *tpm) reseal(h *header, p Proof, s Setup, root []byte, headerPath string, after func(string)) error {
	was, err := m.open(h, p, root)
	if err != nil {
		return err
	}
	if h.older() != nil {
		return ErrRotating // the older generation's seal would be dead
	}
	newest := h.newest()
	fresh, err := m.resealed(h, newest, was, s, s.proof(p), root)
	if err != nil {
		return err
	}
	if s.PIN != "" {
		if err := m.claimLockout(&was.auths); err != nil {
			return err
		}
		if err := h.shut(newest, root, was.auths); err != nil {
			return err
		}
	}
	if err := m.moveOn(h, was, fresh, s.proof(p), root, headerPath, after); err != nil {
		return err
	}
	if s.PIN == "" {
		return nil
	}
	return m.guardLockout(was.auths)
}

// moveOn writes the header with the fresh slots beside the one that opened,
// moves the generation counter to them, and writes the header with them alone.
// p opens the fresh slots.
func (m *tpm) moveOn(h *header, was opened, fresh []tpmSlot, p Proof, root []byte, headerPath string, after func(string)) error {
	newest := h.newest()
	newest.TPM = append([]tpmSlot{was.slot}, fresh...)
	h.sign(root)
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("both")
	if err := m.increment(was.counter, was.auths.Generation); err != nil {
		return err
	}
	after("incremented")
	newest.TPM = fresh
	h.sign(root)
	if err := m.proveSlot(h, newest, fresh[0], p, root); err != nil {
		return err
	}
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("one")
	if p.Key == nil {
		return nil
	}
	was.slot = fresh[0]
	return p.Key.learn(m, h, was, p.PIN)
}

// resealed returns the slots for the next generation, tried at the present one.
func (m *tpm) resealed(h *header, r *rootSlots, was opened, s Setup, p Proof, root []byte) ([]tpmSlot, error) {
	plan, err := m.plan(s)
	if err != nil {
		return nil, err
	}
	v := was.slot.GenValue
	trial, err := m.fill(plan[:1], root, h.StoreID, r.Gen, was.counter, v, s.PIN)
	if err != nil {
		return nil, err
	}
	if err := m.proveSlot(h, r, trial[0], p, root); err != nil {
		return nil, err
	}
	return m.fill(plan, root, h.StoreID, r.Gen, was.counter, v+1, s.PIN)
}
