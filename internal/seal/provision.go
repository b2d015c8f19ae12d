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

// Provision makes a new root key and seals it as s says: the storage key, two
// counters and an attestation key in the TPM at device (a character device or
// a unix socket), and the header file at headerPath. It proves the seal by unsealing
// it before the header gets its name.
//
// ErrExists if the header is there already; ErrSetup, ErrPINShape, ErrRelease
// and ErrSecureBootOff if s asks for what cannot be. Killed at any moment it
// leaves either no header or one that opens; counters left in the TPM by a
// killed Provision take two of the sixteen indexes and harm nothing.
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
	h := &header{Version: headerVersion, StoreID: ident.New[ident.Store](s.Now), Created: s.Now.UTC().Truncate(time.Second), Recovery: s.Recovery.Bytes()}
	h.Roots = []rootSlots{{Gen: 1}}
	k, err = newKey(h, 1, Status{})
	if err != nil {
		return nil, err
	}
	k.fill()
	f := &founding{k: k, h: h, s: s, own: newAuths(), path: headerPath, write: create, after: after}
	err = withTPM(ctx, device, func(m *tpm) error { return m.provision(f) })
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// provision does the TPM's and the file's part.
func (m *tpm) provision(f *founding) error {
	if err := m.ensureStorageKey(); err != nil {
		return err
	}
	f.after("storage key")
	if err := m.found(f); err != nil {
		return err
	}
	return m.guardLockout(f.own)
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
