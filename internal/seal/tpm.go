package seal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"coffer/internal/fault"

	"github.com/google/go-tpm/tpm2"
)

const (
	storageKeyHandle = tpm2.TPMHandle(0x81000001)
	counterHandle    = tpm2.TPMHandle(0x01800cf0) // the first of the range
	counterHandles   = 16
	nonceBytes       = 16
	parameterKeyBits = 128
	secretBytes      = 32
)

// tpm is the TPM for the length of one operation.
type tpm struct {
	t       *insistent
	srk     tpm2.TPMTPublic
	srkName tpm2.TPM2BName
	pins    map[stretched]halves // for the length of the operation
	booted  []byte               // the software PCR at which a slot of level measured opened
}

// withTPM opens the TPM at device, runs fn and closes it. Every error of fn
// leaves as one of this package's; an answer so malformed that decoding it
// panics counts as tampered with.
func withTPM(ctx context.Context, device string, fn func(*tpm) error) (err error) {
	w, shared, err := dial(ctx, device)
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = because(ErrBusTampered, fmt.Errorf("undecodable answer: %v", r))
		}
		if closeErr := w.Close(); err == nil && closeErr != nil {
			err = because(ErrNoTPM, closeErr)
		}
	}()
	m := &tpm{t: &insistent{ctx: ctx, w: w}}
	if !shared {
		if err := m.flushAll(); err != nil {
			return classify(err)
		}
	}
	return classify(m.explain(fn(m)))
}

// explain asks the TPM what a refusal means that can mean several things. What
// it cannot explain it returns as it is.
func (m *tpm) explain(err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case isRC(err, tpm2.TPMRCLockout):
		return m.lockedOut(err)
	case isRC(err, tpm2.TPMRCBadAuth):
		return m.badAuth(err)
	}
	return err
}

// badAuth names the refusal of an empty authorization: either somebody has
// given the owner hierarchy one, or the command or the session's nonce was
// changed on its way.
func (m *tpm) badAuth(cause error) error {
	permanent, err := m.property(tpm2.TPMPTPermanent)
	if err != nil || permanent&ownerAuthSetMask == 0 {
		return because(ErrBusTampered, errors.Join(cause, err))
	}
	return because(ErrOwnerHeld, cause)
}

// classify turns what go-tpm returns into this package's errors.
func classify(err error) error {
	var f *fault.Error
	var rc tpm2.TPMRC
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.As(err, &rc):
		return refused(rc)
	}
	return because(ErrBusTampered, err) // a wrong HMAC or an undecodable answer
}

// refused names a TPM's refusal that means the same for every command.
func refused(rc tpm2.TPMRC) error {
	switch {
	case errors.Is(rc, tpm2.TPMRCLockout):
		return because(errLocked, rc)
	case errors.Is(rc, tpm2.TPMRCNVSpace):
		return because(ErrTPMFull, rc)
	}
	return because(ErrTPM, rc)
}

// isRC reports whether err is one of the TPM's answer codes.
func isRC(err error, codes ...tpm2.TPMRC) bool {
	for _, rc := range codes {
		if errors.Is(err, rc) {
			return true
		}
	}
	return false
}

// ofSession reports whether a refusal is about the command's session, which is
// of our making, and not about what the command is given.
func ofSession(err error) bool {
	var e tpm2.TPMFmt1Error
	if !errors.As(err, &e) {
		return false
	}
	is, _ := e.Session()
	return is
}

// flushAll unloads whatever a predecessor left loaded in a software TPM.
func (m *tpm) flushAll() error {
	for _, first := range []uint32{0x80000000, 0x02000000, 0x03000000} {
		handles, err := m.handles(first)
		if err != nil {
			return err
		}
		for _, h := range handles {
			if _, err := (tpm2.FlushContext{FlushHandle: h}).Execute(m.t); err != nil {
				return err
			}
		}
	}
	return nil
}

// handles lists the TPM's handles of one kind from first on. Loaded sessions
// are listed from 0x02000000 on, those of a policy as 0x03…; what is listed
// from 0x03000000 on are the saved ones.
func (m *tpm) handles(first uint32) ([]tpm2.TPMHandle, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(m.t)
	if err != nil {
		return nil, err
	}
	list, err := rsp.CapabilityData.Data.Handles()
	if err != nil {
		return nil, err
	}
	var out []tpm2.TPMHandle
	for _, h := range list.Handle {
		if kind, want := uint32(h)>>24, first>>24; kind == want || want < 0x80 && (kind == 0x02 || kind == 0x03) {
			out = append(out, h)
		}
	}
	return out, nil
}

// manufacturer returns the TPM vendor's four letters, or fewer.
func (m *tpm) manufacturer() (string, error) {
	vendor, err := m.property(tpm2.TPMPTManufacturer)
	if err != nil {
		return "", err
	}
	return strings.Map(vendorLetter, string(binary.BigEndian.AppendUint32(nil, vendor))), nil
}

// property reads one of the TPM's fixed or variable properties; 0 where it has
// none of that name.
func (m *tpm) property(p tpm2.TPMPT) (uint32, error) {
	rsp, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapTPMProperties, Property: uint32(p), PropertyCount: 1,
	}.Execute(m.t)
	if err != nil {
		return 0, err
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil || len(list.TPMProperty) == 0 || list.TPMProperty[0].Property != p {
		return 0, err
	}
	return list.TPMProperty[0].Value, nil
}

func vendorLetter(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

// readStorageKey reads the storage key's public area and computes its Name.
// It reports false when there is none.
func (m *tpm) readStorageKey() (bool, error) {
	rsp, err := tpm2.ReadPublic{ObjectHandle: storageKeyHandle}.Execute(m.t)
	if isRC(err, tpm2.TPMRCHandle, tpm2.TPMRCReferenceH0) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	pub, err := rsp.OutPublic.Contents()
	if err != nil {
		return false, err
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return false, err
	}
	m.srk, m.srkName = *pub, *name
	return true, nil
}

// pinned reads the storage key and compares its Name with the header's pin.
func (m *tpm) pinned(name []byte) error {
	found, err := m.readStorageKey()
	if err != nil {
		return err
	}
	if !found || !bytes.Equal(m.srkName.Buffer, name) {
		return ErrOtherTPM
	}
	return nil
}

// salted returns the options of every session: keyed to the storage key, so
// that only this TPM can follow, and with encrypted parameters.
func (m *tpm) salted(auth string, dir sessionDirection) []tpm2.AuthOption {
	o := []tpm2.AuthOption{tpm2.Salted(storageKeyHandle, m.srk), tpm2.Auth([]byte(auth))}
	switch dir {
	case in:
		o = append(o, tpm2.AESEncryption(parameterKeyBits, tpm2.EncryptIn))
	case out:
		o = append(o, tpm2.AESEncryption(parameterKeyBits, tpm2.EncryptOut))
	case both:
		o = append(o, tpm2.AESEncryption(parameterKeyBits, tpm2.EncryptInOut))
	}
	return o
}

// sessionDirection says which first parameter a session encrypts.
type sessionDirection uint8

const (
	none sessionDirection = iota
	in
	out
	both
)

// session returns a session for one command, authorized by auth.
func (m *tpm) session(auth string, dir sessionDirection) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, nonceBytes, m.salted(auth, dir)...)
}

// owner returns the owner hierarchy with its empty authorization. It stays
// empty for the sake of the system's other uses of the TPM; whoever abuses it
// can remove the counter (detected) but not turn it back.
func (m *tpm) owner(dir sessionDirection) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: m.session("", dir)}
}

// storageKey returns the storage key as a parent, with its empty authorization.
func (m *tpm) storageKey(dir sessionDirection) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: storageKeyHandle, Name: m.srkName, Auth: m.session("", dir)}
}
