package seal

import (
	"context"
	"sync"

	"github.com/google/go-tpm/tpm2"
)

// anchorSlot names the anchor counter in the header.
type anchorSlot struct {
	Index uint32
	First uint64 // its value when it was made
}

// usable reports whether the index is of the range.
func (a anchorSlot) usable() bool {
	return a.Index >= uint32(counterHandle) && a.Index < uint32(counterHandle+counterHandles)
}

// Anchor is the store's second counter in the TPM, which says how far the
// store has come. Only who can open the store can advance it; it never goes
// back. Methods may be called from several goroutines at once, and beside
// every other use of the TPM.
type Anchor struct {
	mu      sync.Mutex
	device  string
	srkName []byte
	slot    anchorSlot
	auth    string
}

// NewAnchor returns the anchor of the store that k opens, in the TPM at
// device. It outlives k.
func NewAnchor(device string, k *Key) *Anchor {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return &Anchor{device: device, srkName: k.objects.srkName, slot: k.objects.anchor, auth: k.objects.auths.Anchor}
}

// First returns the value with which the counter was made. While Value equals
// it nothing was ever anchored to this counter: the box is new, or Recover or
// Adopt had to make it. After the first Advance that is never so again.
func (a *Anchor) First() uint64 { return a.slot.First }

// Value returns the counter's value: some 1.5 ms. ErrCounterMissing,
// ErrCounterForged, and those of every use of the TPM.
func (a *Anchor) Value(ctx context.Context) (v uint64, err error) {
	err = a.use(ctx, func(m *tpm, c counter) error {
		v, err = m.readOwn(c, a.auth)
		return err
	})
	return v, err
}

// Advance adds one to the counter: some 2 ms. ErrCounterMissing,
// ErrCounterForged. After another error the counter may have advanced: read
// Value.
func (a *Anchor) Advance(ctx context.Context) error {
	return a.use(ctx, func(m *tpm, c counter) error { return m.increment(c, a.auth) })
}

// use runs one command on the counter. Its authorization proves that the
// counter is ours, so it is not looked at beforehand.
func (a *Anchor) use(ctx context.Context, fn func(*tpm, counter) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := counterAt(tpm2.TPMHandle(a.slot.Index), true)
	if err != nil {
		return classify(err)
	}
	return withTPM(ctx, a.device, func(m *tpm) error {
		if err := m.pinned(a.srkName); err != nil {
			return err
		}
		err := fn(m, c)
		if isRC(err, tpm2.TPMRCHandle) {
			return because(ErrCounterMissing, err)
		}
		return err
	})
}
