package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"time"

	"coffer/internal/ident"

	"github.com/google/go-tpm/tpm2"
)

// Provision makes a new root key and seals it at level bound: the storage key
// and a generation counter in the TPM at device (a character device or a unix
// socket), and the header file at headerPath. It proves the seal by unsealing
// it before the header gets its name.
//
// ErrExists if the header is there already. Killed at any moment it leaves
// either no header or one that opens; a counter left in the TPM by a killed
// Provision takes one of the sixteen indexes and harms nothing.
func Provision(ctx context.Context, device, headerPath string, s Setup) (*Key, error) {
	return provision(ctx, device, headerPath, s, func(string) {})
}

// provision is Provision with a call after each of its steps.
func provision(ctx context.Context, device, headerPath string, s Setup, after func(step string)) (k *Key, err error) {
	if s.Level != "" && s.Level != Bound || s.PIN != "" {
		return nil, ErrLevel
	}
	if _, err := os.Lstat(headerPath); err == nil {
		return nil, ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, because(ErrWrite, err)
	}
	h := &header{Version: headerVersion, StoreID: ident.New[ident.Store](s.Now), Created: s.Now.UTC().Truncate(time.Second)}
	k, err = newKey(h, 1, Status{Level: Bound})
	if err != nil {
		return nil, err
	}
	k.fill()
	err = withTPM(ctx, device, func(m *tpm) error { return m.provision(k, h, headerPath, after) })
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// provision does the TPM's and the file's part.
func (m *tpm) provision(k *Key, h *header, headerPath string, after func(string)) error {
	if err := m.ensureStorageKey(); err != nil {
		return err
	}
	after("storage key")
	own := newAuths()
	c, v, err := m.newCounter(own.Generation)
	if err != nil {
		return err
	}
	after("counter")
	if err := m.writeFirst(k, h, own, headerPath, c, v, after); err != nil {
		// Best effort: a counter that stays takes an index and harms nothing.
		_ = m.removeCounter(c.handle)
		return err
	}
	return nil
}

// writeFirst seals the root key, proves the seal and writes the header.
func (m *tpm) writeFirst(k *Key, h *header, own auths, headerPath string, c counter, v uint64, after func(string)) error {
	root := k.root.b[:rootBytes]
	wrapped, err := own.wrap(root, h.StoreID, k.generation)
	if err != nil {
		return err
	}
	slot, err := m.newSlot(root, h.StoreID, k.generation, c, v)
	if err != nil {
		return err
	}
	after("sealed")
	h.SRKName = m.srkName.Buffer
	h.Roots = []rootSlots{{Gen: k.generation, TPM: []tpmSlot{slot}, Auths: wrapped}}
	h.sign(root)
	if err := m.prove(h, Proof{}, root); err != nil {
		return err
	}
	after("proven")
	if k.status, err = m.status(v); err != nil {
		return err
	}
	if err := create(headerPath, h); err != nil {
		return err
	}
	after("header")
	return nil
}

// newSlot seals a fresh secret for the counter's value v and wraps root with it.
func (m *tpm) newSlot(root []byte, store ident.ID[ident.Store], gen uint32, c counter, v uint64) (tpmSlot, error) {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	defer clear(secret)
	public, private, err := m.sealSecret(secret, c, v)
	if err != nil {
		return tpmSlot{}, err
	}
	wrap, err := wrapRoot(secret, root, store, gen)
	if err != nil {
		return tpmSlot{}, err
	}
	return tpmSlot{
		Level: Bound, Public: public, Private: private,
		GenIndex: uint32(c.handle), GenValue: v, Wrap: wrap,
	}, nil
}

// prove opens the header as Unseal would and compares the root key.
func (m *tpm) prove(h *header, proof Proof, root []byte) error {
	p, err := newPage()
	if err != nil {
		return err
	}
	defer p.free()
	if _, err := m.open(h, proof, p.b[:rootBytes]); err != nil {
		return err
	}
	if !bytes.Equal(p.b[:rootBytes], root) {
		return ErrBusTampered
	}
	return nil
}

// ensureStorageKey finds the storage key, or makes it persistent.
func (m *tpm) ensureStorageKey() error {
	found, err := m.readStorageKey()
	if err != nil {
		return err
	}
	if !found {
		if err := m.createStorageKey(); err != nil {
			return err
		}
	}
	if !isStorageKey(m.srk) {
		return ErrHandleTaken
	}
	return nil
}

// isStorageKey reports whether pub is the reference template with a point.
func isStorageKey(pub tpm2.TPMTPublic) bool {
	if pub.Type != tpm2.ECCSRKTemplate.Type {
		return false
	}
	pub.Unique = tpm2.ECCSRKTemplate.Unique
	return bytes.Equal(tpm2.Marshal(tpm2.ECCSRKTemplate), tpm2.Marshal(pub))
}

// createStorageKey makes the storage key from the owner's seed, the same key
// each time until the TPM is cleared. No secret crosses the bus.
func (m *tpm) createStorageKey() error {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(m.t)
	if err != nil {
		return err
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: rsp.ObjectHandle, Name: rsp.Name},
		PersistentHandle: storageKeyHandle,
	}.Execute(m.t)
	if err := m.flush(rsp.ObjectHandle, err); err != nil {
		return err
	}
	found, err := m.readStorageKey()
	if err == nil && !found {
		err = ErrBusTampered
	}
	return err
}
