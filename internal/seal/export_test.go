package seal

import (
	"context"
	"encoding/binary"
	"net"

	"coffer/internal/recovery"

	"github.com/google/go-tpm/tpm2"
)

// What the tests of package seal_test need of the inside. They stand outside
// because sealtest imports seal.

// ProvisionSteps is Provision with a call after each step.
func ProvisionSteps(ctx context.Context, device, path string, s Setup, after func(string)) (*Key, error) {
	return provision(ctx, device, path, s, after)
}

// ResealSteps is Reseal with a call after each step.
func ResealSteps(ctx context.Context, device, path string, p Proof, s Setup, after func(string)) error {
	return reseal(ctx, device, path, p, s, after)
}

// RetireSteps is Retire with a call after each step.
func RetireSteps(ctx context.Context, device, path string, after func(string)) error {
	return retire(ctx, device, path, after)
}

// Root returns the root key's bytes in its page.
func Root(k *Key) []byte { return k.root.b[:rootBytes] }

// NewPage returns a locked page and its wipe.
func NewPage() (b []byte, wipe, free func(), err error) {
	p, err := newPage()
	if err != nil {
		return nil, nil, nil, err
	}
	return p.b, p.wipe, p.free, nil
}

// Secret unseals the secret of the header's slot, with or without encryption
// on the bus.
func Secret(ctx context.Context, device, path string, p Proof, plain bool) (secret []byte, err error) {
	h, err := readHeader(path)
	if err != nil {
		return nil, err
	}
	err = withTPM(ctx, device, func(m *tpm) error {
		if err := m.pinned(h.SRKName); err != nil {
			return err
		}
		slot, c, err := m.choose(h.newest())
		if err != nil {
			return err
		}
		_, auth := m.pinHalves(&slot, p.PIN)
		if !plain {
			secret, err = m.unsealSecret(&slot, c, auth, p.Signatures)
			return err
		}
		secret, err = m.unsealPlainly(&slot, c)
		return err
	})
	return secret, err
}

// unsealPlainly is how it must not be done: a session without salt and
// parameter encryption.
func (m *tpm) unsealPlainly(slot *tpmSlot, c counter) ([]byte, error) {
	object, err := m.load(slot.Public, slot.Private)
	if err != nil {
		return nil, err
	}
	s, _, err := tpm2.PolicySession(m.t, tpm2.TPMAlgSHA256, nonceBytes)
	if err != nil {
		return nil, err
	}
	if err := m.satisfy(s, slot, c, nil); err != nil {
		return nil, err
	}
	object.Auth = s
	rsp, err := tpm2.Unseal{ItemHandle: object}.Execute(m.t)
	if err != nil {
		return nil, err
	}
	return rsp.OutData.Buffer, nil
}

// Header and TPMSlot are the header's parts, for tests that change them.
type (
	Header  = header
	TPMSlot = tpmSlot
)

// Alter rewrites the header at path with a true digest after change, as
// somebody can who has no key.
func Alter(path string, change func(h *Header)) error {
	h, err := readHeader(path)
	if err != nil {
		return err
	}
	change(h)
	h.Digest = h.digest()
	return replace(path, h)
}

// StorageKeyPublic is the template of the storage key.
func StorageKeyPublic() []byte { return tpm2.Marshal(tpm2.ECCSRKTemplate) }

// AnothersSheet puts a sheet of one's own into a header, consistently.
func (h *header) AnothersSheet(public recovery.Public) {
	h.Recovery = public.Bytes()
	var err error
	if h.Roots[0].Recovery, err = h.sealToSheet(h.Roots[0].Gen, make([]byte, rootBytes), auths{}); err != nil {
		panic(err)
	}
}

// Indexes counts the TPM's indexes in the counters' range.
func Indexes(ctx context.Context, device string) (n int, err error) {
	err = withTPM(ctx, device, func(m *tpm) error {
		all, err := m.handles(uint32(counterHandle))
		for _, h := range all {
			if h < counterHandle+counterHandles {
				n++
			}
		}
		return err
	})
	return n, err
}

// Respell decodes and encodes a header.
func Respell(b []byte) ([]byte, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	return h.encode()
}

// CounterIndex returns the NV index of the header's first slot.
func CounterIndex(path string) (uint32, error) {
	h, err := readHeader(path)
	if err != nil {
		return 0, err
	}
	return h.Roots[0].TPM[0].GenIndex, nil
}

// WithOwner runs fn as whoever holds the TPM's owner authorization.
func WithOwner(ctx context.Context, device string, fn func(o Owner) error) error {
	return withTPM(ctx, device, func(m *tpm) error {
		if _, err := m.readStorageKey(); err != nil {
			return err
		}
		return fn(Owner{m})
	})
}

// Owner is root on the box, or a thief with the owner authorization.
type Owner struct{ m *tpm }

// Clear clears the TPM, as the firmware menu does.
func (o Owner) Clear() error {
	_, err := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(o.m.t)
	return err
}

// RemoveCounter undefines an index.
func (o Owner) RemoveCounter(index uint32) error { return o.m.removeCounter(tpm2.TPMHandle(index)) }

// MakeCounter defines a counter with the same public area and the owner's own
// authorization, or with another public area, and increments it once.
func (o Owner) MakeCounter(index uint32, sameName bool) error {
	pub := counterPublic(tpm2.TPMHandle(index), false)
	pub.Attributes.OwnerWrite = !sameName
	def := tpm2.NVDefineSpace{AuthHandle: o.m.owner(in), Auth: tpm2.TPM2BAuth{Buffer: []byte("mine")}, PublicInfo: tpm2.New2B(pub)}
	if _, err := def.Execute(o.m.t); err != nil {
		return err
	}
	name, err := tpm2.NVName(&pub)
	if err != nil {
		return err
	}
	return o.m.increment(counter{pub.NVIndex, *name}, "mine")
}

// TakePassword gives the owner hierarchy an authorization.
func (o Owner) TakePassword() error {
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: []byte("password")},
	}.Execute(o.m.t)
	return err
}

// SealSomethingElse puts a key of another kind where the storage key belongs.
func (o Owner) SealSomethingElse() error {
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.RSASRKTemplate)}.Execute(o.m.t)
	if err != nil {
		return err
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.TPMRHOwner,
		ObjectHandle:     tpm2.NamedHandle{Handle: rsp.ObjectHandle, Name: rsp.Name},
		PersistentHandle: storageKeyHandle,
	}.Execute(o.m.t)
	return o.m.flush(rsp.ObjectHandle, err)
}

// Insist sends one command over c with the patience of every command.
func Insist(ctx context.Context, c net.Conn, command []byte) ([]byte, error) {
	return (&insistent{ctx: ctx, w: &socket{c}}).Send(command)
}

// Extend extends a PCR of the TPM at device, as software that starts does.
func Extend(ctx context.Context, device string, pcr uint, event string) error {
	return withTPM(ctx, device, func(m *tpm) error { return m.extend(pcr, event) })
}

// PCR reads a PCR of the TPM at device.
func PCR(ctx context.Context, device string, pcr uint) (value []byte, err error) {
	err = withTPM(ctx, device, func(m *tpm) error {
		value, err = m.readPCR(pcr)
		return err
	})
	return value, err
}

// Lockout reads the TPM's defence against guessing.
func Lockout(ctx context.Context, device string) (held bool, failed, triesMax, forgottenS uint32, err error) {
	err = withTPM(ctx, device, func(m *tpm) error {
		s, err := m.lockout()
		held, failed, triesMax, forgottenS = s.held, s.failed, s.triesMax, s.forgottenS
		return err
	})
	return held, failed, triesMax, forgottenS, err
}

// Pins keeps stretched PINs from one operation to the next, for tests that
// would else wait for each.
type Pins struct{ known map[stretched]halves }

// UnsealWith is Unseal with PINs that were stretched before.
func UnsealWith(ctx context.Context, device, path string, p Proof, pins *Pins) (*Key, error) {
	h, err := readHeader(path)
	if err != nil {
		return nil, err
	}
	k, err := newKey(h, h.newest().Gen, Status{})
	if err != nil {
		return nil, err
	}
	err = withTPM(ctx, device, func(m *tpm) error {
		m.pins = pins.known
		defer func() { pins.known = m.pins }()
		return m.unseal(k, h, p)
	})
	if err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// Halves returns what the PIN of the header's first slot is stretched to.
func (p *Pins) Halves() (auth string, rest []byte) {
	for _, h := range p.known {
		return h.auth, h.rest[:]
	}
	return "", nil
}

// Auths returns the authorization values of the header's counters.
func Auths(k *Key, path string) (generation, anchor, lockout string, err error) {
	h, err := readHeader(path)
	if err != nil {
		return "", "", "", err
	}
	a, err := unwrapAuths(h.newest().Auths, Root(k), h.StoreID, h.newest().Gen)
	return a.Generation, a.Anchor, a.Lockout, err
}

// SecureBootOff is the firmware PCR of a machine without Secure Boot.
const SecureBootOff = secureBootOff

// ReadSignatures reads tpm2-pcr-signature.json.
func ReadSignatures(file []byte) error {
	_, err := parseSignatures(file)
	return err
}

// ResetLockout takes the TPM's count of failures back with an authorization
// for the lockout hierarchy.
func ResetLockout(ctx context.Context, device, auth string) error {
	return withTPM(ctx, device, func(m *tpm) error {
		if _, err := m.readStorageKey(); err != nil {
			return err
		}
		return m.asLockout(tpm2.TPMCCDictionaryAttackLockReset, auth, nil)
	})
}

// HoldLockout sets limits and an authorization as another program may have.
func HoldLockout(ctx context.Context, device, auth string, tries, seconds uint32) error {
	return withTPM(ctx, device, func(m *tpm) error {
		if err := m.ensureStorageKey(); err != nil {
			return err
		}
		limits := binary.BigEndian.AppendUint32(nil, tries)
		limits = binary.BigEndian.AppendUint32(limits, seconds)
		limits = binary.BigEndian.AppendUint32(limits, 600)
		if err := m.asLockout(tpm2.TPMCCDictionaryAttackParameters, "", limits); err != nil {
			return err
		}
		return m.holdLockout(auth)
	})
}

// ClearInFirmware clears the TPM by the platform's authorization.
func (o Owner) ClearInFirmware() error {
	_, err := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHPlatform, Auth: tpm2.PasswordAuth(nil)}}.Execute(o.m.t)
	return err
}
