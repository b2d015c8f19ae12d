package seal

import "context"

// BeginRotation draws the next root key and writes a header that opens both
// generations, the new one sealed as the present one is and to the same
// recovery sheet. With p.Key it needs nobody's PIN. Where a rotation is under
// way already it returns that one's key.
//
// Then the store is to be sealed under next in one commit that names its
// generation, and EndRotation called. The header opens the store before and
// after that commit: both generations are in next (At). Killed at any moment
// BeginRotation leaves a header of one generation or of both.
func BeginRotation(ctx context.Context, device, headerPath string, p Proof) (next *Key, err error) {
	return beginRotation(ctx, device, headerPath, p, func(string) {})
}

// beginRotation is BeginRotation with a call after each of its steps.
func beginRotation(ctx context.Context, device, headerPath string, p Proof, after func(string)) (next *Key, err error) {
	err = change(ctx, device, headerPath, p, func(m *tpm, h *header, was opened, p Proof, root []byte) error {
		if h.older() != nil {
			if next, err = newKey(h, h.newest().Gen, Status{}); err != nil {
				return err
			}
			return m.unseal(next, h, p)
		}
		if next, err = newKey(h, h.newest().Gen+1, Status{}); err != nil {
			return err
		}
		next.fill()
		return m.beginRotation(h, was, p, root, next, headerPath, after)
	})
	if err != nil && next != nil {
		next.Wipe()
	}
	if err != nil {
		return nil, err
	}
	return next, nil
}

// beginRotation does the TPM's and the file's part.
func (m *tpm) beginRotation(h *header, was opened, p Proof, root []byte, next *Key, headerPath string, after func(string)) (err error) {
	fresh, r := next.root.b[:rootBytes], rootSlots{Gen: next.generation}
	if r.TPM, err = m.fill(h.newest().again(was), fresh, h.StoreID, r.Gen, was.counter, was.slot.GenValue, p.PIN); err != nil {
		return err
	}
	if err := h.shut(&r, fresh, was.auths); err != nil {
		return err
	}
	if next.older, err = newKey(h, h.newest().Gen, Status{}); err != nil {
		return err
	}
	copy(next.older.root.b[:rootBytes], root)
	h.Roots = []rootSlots{*h.newest(), r}
	h.sign(fresh)
	if err := m.proveSlot(h, &r, r.TPM[0], p, fresh); err != nil {
		return err
	}
	if err := next.older.learn(m, h, was, p.PIN); err != nil {
		return err
	}
	if err := next.learn(m, h, opened{r.TPM[0], was.counter, was.auths}, p.PIN); err != nil {
		return err
	}
	next.booted, next.older.booted = m.booted, m.booted
	if p.Key != nil {
		next.booted, next.older.booted = p.Key.booted, p.Key.booted
	}
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("both generations")
	return nil
}

// EndRotation writes a header that opens the newest generation alone, and
// makes every older copy of the header dead. Call it only when the store names
// that generation. p.Key, where given, forgets the older one. It also finishes
// a re-seal that was cut short; where nothing is unfinished (Status.Rotating)
// it does nothing. Killed at any moment it leaves a header that opens the
// newest generation, and is finished by being called again.
func EndRotation(ctx context.Context, device, headerPath string, p Proof) error {
	return endRotation(ctx, device, headerPath, p, func(string) {})
}

// endRotation is EndRotation with a call after each of its steps.
func endRotation(ctx context.Context, device, headerPath string, p Proof, after func(string)) error {
	err := change(ctx, device, headerPath, p, func(m *tpm, h *header, was opened, p Proof, root []byte) error {
		if !h.unfinished(was.slot) {
			return nil
		}
		h.Roots = []rootSlots{*h.newest()}
		return m.sealAgain(h, was, p, root, headerPath, after)
	})
	if err == nil && p.Key != nil {
		p.Key.forgetOlder()
	}
	return err
}

// unfinished reports whether the header holds more than the slots of one root
// at the value of the one that opened.
func (h *header) unfinished(opened tpmSlot) bool {
	for _, s := range h.newest().TPM {
		if s.GenValue != opened.GenValue {
			return true
		}
	}
	return h.older() != nil
}

// At returns the key of a root generation that the header held when k was
// unsealed: two while the root key is being rotated. It is wiped with k.
func (k *Key) At(generation uint32) (*Key, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case generation == k.generation:
		return k, true
	case k.older != nil && generation == k.older.generation:
		return k.older, true
	}
	return nil, false
}

// forgetOlder wipes the older generation.
func (k *Key) forgetOlder() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.older != nil {
		k.older.Wipe()
		k.older = nil
	}
}
