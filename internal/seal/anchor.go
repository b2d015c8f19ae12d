package seal

import (
	"context"
	"sync"

	"github.com/google/go-tpm/tpm2"
)

// inCounterRange reports whether index can be one of ours.
func inCounterRange(index uint32) bool {
	return index >= uint32(counterHandle) && index < uint32(counterHandle+counterHandles)
}

// Anchor is the store's second counter in the TPM, which says how far the
// store has come. Only who can open the store can advance it; it never goes
// back. Methods may be called from several goroutines at once, and beside
// every other use of the TPM.
type Anchor struct {
	mu      sync.Mutex
	device  string
	srkName []byte
	index   uint32
	auth    string
}

// NewAnchor returns the anchor of the store that k opens, in the TPM at
// device. It outlives k.
func NewAnchor(device string, k *Key) *Anchor {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return &Anchor{device: device, srkName: k.objects.srkName, index: k.objects.anchor, auth: k.objects.auths.Anchor}
}

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
	c, err := counterAt(tpm2.TPMHandle(a.index), true)
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
