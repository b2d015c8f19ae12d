package seal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"coffer/internal/ident"

	"github.com/google/go-tpm/tpm2"
)

// Provision makes a new root key and seals it as s says: the storage key and a
// generation counter in the TPM at device (a character device or a unix
// socket), and the header file at headerPath. It proves the seal by unsealing
// it before the header gets its name.
//
// ErrExists if the header is there already; ErrSetup, ErrPINShape, ErrRelease
// and ErrSecureBootOff if s asks for what cannot be. Killed at any moment it
// leaves either no header or one that opens; a counter left in the TPM by a
// killed Provision takes one of the sixteen indexes and harms nothing.
func Provision(ctx context.Context, device, headerPath string, s Setup) (*Key, error) {
	return provision(ctx, device, headerPath, s, func(string) {})
}

// provision is Provision with a call after each of its steps.
func provision(ctx context.Context, device, headerPath string, s Setup, after func(step string)) (k *Key, err error) {
	if s, err = s.checked(); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(headerPath); err == nil {
		return nil, ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, because(ErrWrite, err)
	}
	h := &header{Version: headerVersion, StoreID: ident.New[ident.Store](s.Now), Created: s.Now.UTC().Truncate(time.Second)}
	k, err = newKey(h, 1, Status{})
	if err != nil {
		return nil, err
	}
	k.fill()
	err = withTPM(ctx, device, func(m *tpm) error { return m.provision(k, h, s, headerPath, after) })
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// provision does the TPM's and the file's part.
func (m *tpm) provision(k *Key, h *header, s Setup, headerPath string, after func(string)) error {
	if err := m.ensureStorageKey(); err != nil {
		return err
	}
	after("storage key")
	own := newAuths()
	if s.PIN != "" {
		if err := m.claimLockout(&own); err != nil {
			return err
		}
	}
	c, v, err := m.newCounter(own.Generation)
	if err != nil {
		return err
	}
	after("counter")
	if err := m.writeFirst(k, h, s, own, headerPath, c, v, after); err != nil {
		// Best effort: a counter that stays takes an index and harms nothing.
		_ = m.removeCounter(c.handle)
		return err
	}
	if s.PIN == "" {
		return nil
	}
	return m.guardLockout(own)
}

// writeFirst seals the root key, proves the seal and writes the header.
func (m *tpm) writeFirst(k *Key, h *header, s Setup, own auths, headerPath string, c counter, v uint64, after func(string)) error {
	root := k.root.b[:rootBytes]
	wrapped, err := own.wrap(root, h.StoreID, k.generation)
	if err != nil {
		return err
	}
	slots, err := m.newSlots(root, h.StoreID, k.generation, c, v, s)
	if err != nil {
		return err
	}
	after("sealed")
	h.SRKName = m.srkName.Buffer
	h.Roots = []rootSlots{{Gen: k.generation, TPM: slots, Auths: wrapped}}
	h.sign(root)
	if err := m.proveSlot(h, h.newest(), slots[0], s.proof(Proof{}), root); err != nil {
		return err
	}
	after("proven")
	k.booted = m.booted
	if k.status, err = m.status(h, slots[0]); err != nil {
		return err
	}
	if err := create(headerPath, h); err != nil {
		return err
	}
	after("header")
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
