package seal

import (
	"context"
)

// Reseal seals the root key anew for the next value of the generation counter
// and then moves the counter there: every older copy of the header stops
// opening. No command calls it yet: it is the protocol of the generation that
// the header and the counter are made for. The steps are in an order in which a cut after any of them, with or
// without the TPM losing power too, leaves a header that opens.
func Reseal(ctx context.Context, device, headerPath string, p Proof, s Setup) error {
	return reseal(ctx, device, headerPath, p, s, func(string) {})
}

// reseal is Reseal with a call after each of its steps.
func reseal(ctx context.Context, device, headerPath string, p Proof, s Setup, after func(step string)) error {
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
		return m.reseal(h, p, page.b[:rootBytes], headerPath, after)
	})
}

// reseal does the TPM's and the file's part.
func (m *tpm) reseal(h *header, p Proof, root []byte, headerPath string, after func(string)) error {
	was, err := m.open(h, p, root)
	if err != nil {
		return err
	}
	newest := h.newest()
	fresh, err := m.newSlot(root, h.StoreID, newest.Gen, was.counter, was.value+1)
	if err != nil {
		return err
	}
	newest.TPM = []tpmSlot{was.slot, fresh}
	h.sign(root)
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("both")
	if err := m.increment(was.counter, was.auths.Generation); err != nil {
		return err
	}
	after("incremented")
	newest.TPM = []tpmSlot{fresh}
	h.sign(root)
	if err := m.prove(h, p, root); err != nil {
		return err
	}
	if err := replace(headerPath, h); err != nil {
		return err
	}
	after("one")
	return nil
}
