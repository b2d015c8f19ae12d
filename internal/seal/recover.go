package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"time"

	"coffer/internal/recovery"
)

// SetRecovery puts a recovery sheet in force, the first or instead of another
// one, and makes every older copy of the header dead: whoever puts one back
// does not bring the old sheet back into force. The old sheet still opens
// copies of what was sealed to it; rotate the root key where that matters. The
// slot, sheet and status of p.Key, where given, are the new ones afterwards.
//
// ErrRotating while the root key is being rotated. Killed at any moment it
// leaves a header that opens, by the TPM and by the old sheet or the new one.
func SetRecovery(ctx context.Context, device, headerPath string, p Proof, public recovery.Public) error {
	return setRecovery(ctx, device, headerPath, p, public, func(string) {})
}

// setRecovery is SetRecovery with a call after each of its steps.
func setRecovery(ctx context.Context, device, headerPath string, p Proof, public recovery.Public, after func(string)) error {
	if _, err := recovery.ParsePublic(public.Bytes()); err != nil {
		return err
	}
	return change(ctx, device, headerPath, p, func(m *tpm, h *header, was opened, p Proof, root []byte) error {
		if h.older() != nil {
			return ErrRotating
		}
		h.Recovery = public.Bytes()
		if err := h.shut(h.newest(), root, was.auths); err != nil {
			return err
		}
		if err := m.sealAgain(h, was, p, root, headerPath, after); err != nil {
			return err
		}
		err := wipeFile(headerPath + previousSuffix) // it has the old sheet's slot
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return because(ErrWrite, err)
		}
		return syncDir(headerPath, nil)
	})
}

// change opens the header, with what p holds or shows, and runs fn on it.
func change(ctx context.Context, device, headerPath string, p Proof, fn func(m *tpm, h *header, was opened, p Proof, root []byte) error) error {
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
		p, root := m.work(p), page.b[:rootBytes]
		was, err := m.open(h, p, root)
		if err != nil {
			return err
		}
		if err := m.asks(was.slot.PIN, p.PIN); err != nil {
			return err
		}
		return fn(m, h, was, p, root)
	})
}

// sealAgain seals the newest root as it is sealed, for the counter's next
// value, and moves on to that.
func (m *tpm) sealAgain(h *header, was opened, p Proof, root []byte, headerPath string, after func(string)) error {
	r := h.newest()
	fresh, err := m.fill(r.again(was), root, h.StoreID, r.Gen, was.counter, was.slot.GenValue+1, p.PIN)
	if err != nil {
		return err
	}
	return m.moveOn(h, was, fresh, p, root, headerPath, after)
}

// TestRecovery reports whether seed opens the header at headerPath, without
// changing anything or asking the TPM. recovery.ErrWrongSeed if not;
// ErrNoRecovery if no sheet is in force; ErrHeader.
func TestRecovery(headerPath string, seed *recovery.Seed) error {
	h, err := readHeader(headerPath)
	if err != nil {
		return err
	}
	page, err := newPage()
	if err != nil {
		return err
	}
	defer page.free()
	root := page.b[:rootBytes]
	if err := h.openBySheet(h.newest(), seed, root); err != nil {
		return err
	}
	return h.authenticate(root)
}

// openBySheet opens one root generation by the sheet.
func (h *header) openBySheet(r *rootSlots, seed *recovery.Seed, root []byte) error {
	slot := h.slotOf(r)
	if slot.IsZero() {
		return ErrNoRecovery
	}
	_, err := slot.open(seed, root)
	return err
}

// Recover opens the header at headerPath by the recovery sheet and seals the
// root key anew, as s says, to the TPM at device: the TPM was cleared or
// exchanged, a counter is gone or forged, the firmware has changed, or nobody
// knows the PIN. The store, its root key and the sheet stay; s.Recovery is not
// looked at. In the same TPM the anchor counter and the attestation key stay
// too, where they are whole, and failed PINs are forgotten. The header's older
// copies are dead for the TPM then.
//
// recovery.ErrWrongSeed, ErrNoRecovery, ErrHeader. Killed at any moment it
// leaves a header that opens or that can be recovered again by the same sheet;
// a killed Recover may leave two counters in the TPM, which harm nothing.
func Recover(ctx context.Context, device, headerPath string, seed *recovery.Seed, s Setup) (*Key, error) {
	return recoverSteps(ctx, device, headerPath, seed, s, func(string) {})
}

// recoverSteps is Recover with a call after each of its steps.
func recoverSteps(ctx context.Context, device, headerPath string, seed *recovery.Seed, s Setup, after func(string)) (*Key, error) {
	s, err := s.checked()
	if err != nil {
		return nil, err
	}
	h, err := readHeader(headerPath)
	if err != nil {
		return nil, err
	}
	k, own, err := h.recovered(seed)
	if err != nil {
		return nil, err
	}
	f := &founding{k: k, h: h, s: s, own: own, path: headerPath, write: replace, after: after}
	if err := withTPM(ctx, device, func(m *tpm) error { return m.refound(f) }); err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// recovered returns the key of each root generation of the header, opened by
// the sheet, and the authorization values.
func (h *header) recovered(seed *recovery.Seed) (*Key, auths, error) {
	k, err := newKey(h, h.newest().Gen, Status{})
	if err != nil {
		return nil, auths{}, err
	}
	own, err := h.openAll(k, seed)
	if err != nil {
		k.Wipe()
		return nil, auths{}, err
	}
	return k, own, nil
}

// openAll opens each root generation by the sheet into k, and authenticates
// the header.
func (h *header) openAll(k *Key, seed *recovery.Seed) (own auths, err error) {
	root := k.root.b[:rootBytes]
	if err := h.openBySheet(h.newest(), seed, root); err != nil {
		return auths{}, err
	}
	if err := h.authenticate(root); err != nil {
		return auths{}, err
	}
	if r := h.older(); r != nil {
		if k.beside, err = newKey(h, r.Gen, Status{}); err != nil {
			return auths{}, err
		}
		if err := h.openBySheet(r, seed, k.beside.root.b[:rootBytes]); err != nil {
			return auths{}, err
		}
	}
	return unwrapAuths(h.newest().Auths, root, h.StoreID, h.newest().Gen)
}

// refound keeps what is whole of the store's own in this TPM, and founds the
// rest anew.
func (m *tpm) refound(f *founding) error {
	if err := m.ensureStorageKey(); err != nil {
		return err
	}
	fresh := newAuths()
	former := counter{}
	if same := bytes.Equal(m.srkName.Buffer, f.h.SRKName); !same {
		f.own, f.h.Anchor, f.h.Attestation = fresh, 0, attestationSlot{}
	} else {
		var err error
		if former, err = m.formerCounter(f); err != nil {
			return err
		}
		if _, err := m.ownAt(f.h.Anchor, f.own.Anchor); lost(err) {
			f.own.Anchor, f.h.Anchor = fresh.Anchor, 0
		} else if err != nil {
			return err
		}
		if err := m.guardLockout(f.own); err != nil { // a lockout ends before a new PIN is tried
			return err
		}
	}
	f.own.Generation = fresh.Generation
	f.before = func() error {
		if former.handle == 0 {
			return nil
		}
		return m.removeCounter(former.handle)
	}
	if err := m.found(f); err != nil {
		return err
	}
	return m.guardLockout(f.own)
}

// formerCounter returns the generation counter that is to be removed once the
// store has another: zero where it is gone, or is not the store's own.
func (m *tpm) formerCounter(f *founding) (counter, error) {
	c, err := m.ownAt(f.h.newest().TPM[0].GenIndex, f.own.Generation)
	if lost(err) {
		return counter{}, nil
	}
	return c, err
}

// ownAt finds a counter and proves that it is ours.
func (m *tpm) ownAt(index uint32, auth string) (counter, error) {
	c, err := m.findCounter(index)
	if err != nil {
		return counter{}, err
	}
	_, err = m.readOwn(c, auth)
	return c, err
}

// lost reports whether a counter of the store is gone or is another's.
func lost(err error) bool {
	return errors.Is(err, ErrCounterMissing) || errors.Is(err, ErrCounterForged)
}

// Adopt makes a header for a store that was restored from a backup, from the
// backup's slot and the recovery sheet, and seals it as s says to the TPM at
// device. The store and its root key stay what they were, so the box that the
// backup was made on may open it too: rotate the root key after that
// (BeginRotation). s.Recovery, where given, is the sheet that is in force from
// then on; otherwise it is seed's.
//
// ErrExists if there is a header; recovery.ErrWrongSeed; those of Provision.
func Adopt(ctx context.Context, device, headerPath string, slot Slot, seed *recovery.Seed, s Setup) (*Key, error) {
	return adopt(ctx, device, headerPath, slot, seed, s, func(string) {})
}

// adopt is Adopt with a call after each of its steps.
func adopt(ctx context.Context, device, headerPath string, slot Slot, seed *recovery.Seed, s Setup, after func(string)) (*Key, error) {
	s, err := s.checked()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(headerPath); err == nil {
		return nil, ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, because(ErrWrite, err)
	}
	if s.Recovery.IsZero() {
		s.Recovery = seed.Public()
	}
	h := &header{Version: headerVersion, StoreID: slot.store, Created: s.Now.UTC().Truncate(time.Second), Recovery: s.Recovery.Bytes()}
	h.Roots = []rootSlots{{Gen: slot.generation}}
	k, err := newKey(h, slot.generation, Status{})
	if err != nil {
		return nil, err
	}
	secret, err := slot.open(seed, k.root.b[:rootBytes])
	if err == nil {
		f := &founding{k: k, h: h, s: s, own: newAuths(), path: headerPath, write: create, after: after}
		err = withTPM(ctx, device, func(m *tpm) error { return m.adopt(f, secret) })
	}
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// adopt does the TPM's and the file's part.
func (m *tpm) adopt(f *founding, secret sheetSecret) error {
	if err := m.ensureStorageKey(); err != nil {
		return err
	}
	if sha256.Sum256(m.srkName.Buffer) == secret.storage {
		f.own.Lockout = secret.lockout // the box that the backup was made on
		if err := m.guardLockout(f.own); err != nil {
			return err
		}
	}
	if err := m.found(f); err != nil {
		return err
	}
	return m.guardLockout(f.own)
}
