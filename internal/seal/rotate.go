package seal

import "context"

// BeginRotation draws the next root key and writes a header that opens both
// generations, the new one sealed as the present one is and to the same
// recovery sheet. With p.Key it needs nobody's PIN, and p.Key has the new
// generation beside its own afterwards (At). Where a rotation is under way
// already it returns that one's key.
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
			return m.unsealNext(next, h, p)
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

// unsealNext opens what an earlier BeginRotation made.
func (m *tpm) unsealNext(next *Key, h *header, p Proof) error {
	err := m.unseal(next, h, p)
	if err == nil && p.Key != nil {
		next.booted, next.beside.booted = p.Key.booted, p.Key.booted
	}
	return err
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
	if next.beside, err = newKey(h, h.newest().Gen, Status{}); err != nil {
		return err
	}
	copy(next.beside.root.b[:rootBytes], root)
	h.Roots = []rootSlots{*h.newest(), r}
	h.sign(fresh)
	if err := m.proveSlot(h, &r, r.TPM[0], p, fresh); err != nil {
		return err
	}
	if err := next.beside.learn(m, h, was, p.PIN); err != nil {
		return err
	}
	if err := next.learn(m, h, opened{r.TPM[0], was.counter, was.auths}, p.PIN); err != nil {
		return err
	}
	next.booted, next.beside.booted = m.booted, m.booted
	if p.Key != nil {
		next.booted, next.beside.booted = p.Key.booted, p.Key.booted
	}
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("both generations")
	if p.Key == nil {
		return nil
	}
	return p.Key.take(next)
}

// take keeps the next generation beside k's own.
func (k *Key) take(next *Key) error {
	page, err := newPage()
	if err != nil {
		return err
	}
	copy(page.b, next.root.b[:rootBytes])
	next.mu.RLock()
	defer next.mu.RUnlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beside = &Key{
		root: page, storeID: next.storeID, generation: next.generation, status: next.status, booted: next.booted,
		slot: next.slot, sheet: next.sheet, objects: next.objects,
	}
	return nil
}

// EndRotation writes a header that opens the newest generation alone, and
// makes every older copy of the header dead. Call it only when the store names
// that generation. p.Key, where given, is the key of that generation from then
// on, and the older one is forgotten. It also finishes
// a re-seal that was cut short; where nothing is unfinished (Status.Rotating)
// it does nothing. Killed at any moment it leaves a header that opens the
// newest generation, and is finished by being called again.
func EndRotation(ctx context.Context, device, headerPath string, p Proof) error {
	return endRotation(ctx, device, headerPath, p, func(string) {})
}

// endRotation is EndRotation with a call after each of its steps.
func endRotation(ctx context.Context, device, headerPath string, p Proof, after func(string)) error {
	return change(ctx, device, headerPath, p, func(m *tpm, h *header, was opened, p Proof, root []byte) error {
		if !h.unfinished(was.slot) {
			return nil
		}
		h.Roots = []rootSlots{*h.newest()}
		return m.sealAgain(h, was, p, root, headerPath, after)
	})
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
	case k.beside != nil && generation == k.beside.generation:
		return k.beside, true
	}
	return nil, false
}

// settle makes k the key of the header's only generation, where it has one
// alone, and forgets the other. k is locked.
func (k *Key) settle(h *header) {
	if k.beside == nil || h.older() != nil {
		return
	}
	if gen := h.newest().Gen; k.beside.generation == gen {
		k.generation = gen
		copy(k.root.b, k.beside.root.b[:rootBytes])
	}
	k.beside.Wipe()
	k.beside = nil
}
