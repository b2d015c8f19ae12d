package seal

import (
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// policyGeneration is the command "the counter equals v" of the policy.
func policyGeneration(c counter, v uint64) tpm2.PolicyNV {
	return tpm2.PolicyNV{
		NVIndex:   tpm2.NamedHandle{Handle: c.handle, Name: c.name},
		OperandB:  tpm2.TPM2BOperand{Buffer: binary.BigEndian.AppendUint64(nil, v)},
		Operation: tpm2.TPMEOEq,
	}
}

// policyDigest computes the policy of level bound.
func policyDigest(c counter, v uint64) ([]byte, error) {
	p, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		return nil, err
	}
	if err := policyGeneration(c, v).Update(p); err != nil {
		return nil, err
	}
	return p.Hash().Digest, nil
}

// sealSecret seals secret under the storage key and the policy, and returns
// the object's two parts as the header stores them. The object is exempt from
// the lockout counter, since it has no authorization value to guess.
func (m *tpm) sealSecret(secret []byte, c counter, v uint64) (public, private []byte, err error) {
	policy, err := policyDigest(c, v)
	if err != nil {
		return nil, nil, err
	}
	rsp, err := tpm2.Create{
		ParentHandle: m.storageKey(both),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type:             tpm2.TPMAlgKeyedHash,
			NameAlg:          tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
		}),
	}.Execute(m.t)
	if err != nil {
		return nil, nil, err
	}
	return rsp.OutPublic.Bytes(), rsp.OutPrivate.Buffer, nil
}

// unsealSecret loads the object and unseals it under the policy.
func (m *tpm) unsealSecret(public, private []byte, c counter, v uint64) (secret []byte, err error) {
	object, err := m.load(public, private)
	if err != nil {
		return nil, err
	}
	defer func() { err = m.flush(object.Handle, err) }()
	policy, end, err := tpm2.PolicySession(m.t, tpm2.TPMAlgSHA256, nonceBytes, m.salted("", out)...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if endErr := end(); err == nil {
			err = endErr
		}
	}()
	if err := m.satisfy(policy, c, v); err != nil {
		return nil, err
	}
	object.Auth = policy
	rsp, err := tpm2.Unseal{ItemHandle: object}.Execute(m.t)
	if isRC(err, tpm2.TPMRCPolicyFail) {
		return nil, because(ErrGeneration, err)
	}
	if err != nil {
		return nil, err
	}
	if len(rsp.OutData.Buffer) != secretBytes {
		return nil, ErrHeader
	}
	return rsp.OutData.Buffer, nil
}

// satisfy runs the policy of level bound in a session.
func (m *tpm) satisfy(policy tpm2.Session, c counter, v uint64) error {
	cmd := policyGeneration(c, v)
	cmd.AuthHandle = m.owner(none)
	cmd.PolicySession = policy.Handle()
	_, err := cmd.Execute(m.t)
	if isRC(err, tpm2.TPMRCPolicy, tpm2.TPMRCPolicyFail) {
		return because(ErrGeneration, err)
	}
	return err
}

// load loads a sealed object, and computes its Name from what was loaded.
func (m *tpm) load(public, private []byte) (tpm2.AuthHandle, error) {
	area := tpm2.BytesAs2B[tpm2.TPMTPublic](public)
	pub, err := area.Contents()
	if err != nil {
		return tpm2.AuthHandle{}, because(ErrHeader, err)
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return tpm2.AuthHandle{}, because(ErrHeader, err)
	}
	rsp, err := tpm2.Load{
		ParentHandle: m.storageKey(in),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: private},
		InPublic:     area,
	}.Execute(m.t)
	if isRC(err, tpm2.TPMRCIntegrity, tpm2.TPMRCSize, tpm2.TPMRCInsufficient, tpm2.TPMRCAttributes,
		tpm2.TPMRCType, tpm2.TPMRCHash, tpm2.TPMRCScheme, tpm2.TPMRCKey, tpm2.TPMRCBinding) {
		return tpm2.AuthHandle{}, because(ErrHeader, err)
	}
	if err != nil {
		return tpm2.AuthHandle{}, err
	}
	return tpm2.AuthHandle{Handle: rsp.ObjectHandle, Name: *name}, nil
}

// flush unloads an object and keeps the first of two errors.
func (m *tpm) flush(h tpm2.TPMHandle, first error) error {
	_, err := tpm2.FlushContext{FlushHandle: h}.Execute(m.t)
	if first != nil {
		return first
	}
	return err
}
