package seal

import (
	"bytes"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// counter is the generation counter as found in the TPM.
type counter struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName // computed here
}

// counterPublic is the one public area a generation counter may have: written
// by its own authorization only, read by that or by the owner (whose empty
// authorization is what the policy uses before the root key is known).
func counterPublic(handle tpm2.TPMHandle, written bool) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex: handle,
		NameAlg: tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{
			AuthRead: true, AuthWrite: true, OwnerRead: true,
			NT: tpm2.TPMNTCounter, NoDA: true, Written: written,
		},
		DataSize: 8,
	}
}

// counterAt describes the written counter at handle.
func counterAt(handle tpm2.TPMHandle, written bool) (counter, error) {
	pub := counterPublic(handle, written)
	name, err := tpm2.NVName(&pub)
	if err != nil {
		return counter{}, err
	}
	return counter{handle, *name}, nil
}

// findCounter looks for the header's generation counter.
func (m *tpm) findCounter(index uint32) (counter, error) {
	handle := tpm2.TPMHandle(index)
	rsp, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(m.t)
	if isRC(err, tpm2.TPMRCHandle) {
		return counter{}, ErrCounterMissing
	}
	if err != nil {
		return counter{}, err
	}
	found, err := rsp.NVPublic.Contents()
	if err != nil {
		return counter{}, err
	}
	got, err := tpm2.NVName(found)
	if err != nil {
		return counter{}, err
	}
	c, err := counterAt(handle, true)
	if err == nil && !bytes.Equal(got.Buffer, c.name.Buffer) {
		err = ErrCounterForged
	}
	return c, err
}

// read returns the counter's value under the owner's authorization; the
// answer's HMAC is checked.
func (m *tpm) read(c counter) (uint64, error) {
	return m.readAs(c, m.owner(none))
}

// readOwn reads the counter under its own authorization. It fails for an index
// that somebody else made under the same Name.
func (m *tpm) readOwn(c counter, auth string) (uint64, error) {
	v, err := m.readAs(c, tpm2.AuthHandle{Handle: c.handle, Name: c.name, Auth: m.session(auth, none)})
	if isRC(err, tpm2.TPMRCAuthFail, tpm2.TPMRCBadAuth) {
		return 0, because(ErrCounterForged, err)
	}
	return v, err
}

func (m *tpm) readAs(c counter, as tpm2.AuthHandle) (uint64, error) {
	rsp, err := tpm2.NVRead{
		AuthHandle: as, NVIndex: tpm2.NamedHandle{Handle: c.handle, Name: c.name}, Size: 8,
	}.Execute(m.t)
	if err != nil {
		return 0, err
	}
	if len(rsp.Data.Buffer) != 8 {
		return 0, ErrBusTampered
	}
	return binary.BigEndian.Uint64(rsp.Data.Buffer), nil
}

// increment adds one to the counter.
func (m *tpm) increment(c counter, auth string) error {
	_, err := tpm2.NVIncrement{
		AuthHandle: tpm2.AuthHandle{Handle: c.handle, Name: c.name, Auth: m.session(auth, none)},
		NVIndex:    tpm2.NamedHandle{Handle: c.handle, Name: c.name},
	}.Execute(m.t)
	if isRC(err, tpm2.TPMRCAuthFail, tpm2.TPMRCBadAuth) {
		return because(ErrCounterForged, err)
	}
	return err
}

// defineCounter makes a generation counter at the first free index of the
// range. It has no value until it is incremented.
func (m *tpm) defineCounter(auth string) (counter, error) {
	for i := range tpm2.TPMHandle(counterHandles) {
		c, err := counterAt(counterHandle+i, false)
		if err != nil {
			return counter{}, err
		}
		_, err = tpm2.NVDefineSpace{
			AuthHandle: m.owner(in),
			Auth:       tpm2.TPM2BAuth{Buffer: []byte(auth)},
			PublicInfo: tpm2.New2B(counterPublic(c.handle, false)),
		}.Execute(m.t)
		if !isRC(err, tpm2.TPMRCNVDefined) {
			return c, err
		}
	}
	return counter{}, ErrTPMFull
}

// newCounter makes a generation counter and gives it its first value. The
// TPM starts it above every value that any counter in it has had, so an index
// that is removed and made again never returns to an old value.
func (m *tpm) newCounter(auth string) (counter, uint64, error) {
	fresh, err := m.defineCounter(auth)
	if err != nil {
		return counter{}, 0, err
	}
	if err := m.increment(fresh, auth); err != nil {
		return counter{}, 0, err
	}
	c, err := counterAt(fresh.handle, true)
	if err != nil {
		return counter{}, 0, err
	}
	v, err := m.readOwn(c, auth)
	return c, v, err
}

// removeCounter takes a counter out of the TPM, written or not.
func (m *tpm) removeCounter(handle tpm2.TPMHandle) error {
	rsp, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(m.t)
	if err != nil {
		return err
	}
	_, err = tpm2.NVUndefineSpace{
		AuthHandle: m.owner(none),
		NVIndex:    tpm2.NamedHandle{Handle: handle, Name: rsp.NVName},
	}.Execute(m.t)
	return err
}
