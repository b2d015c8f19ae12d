package seal

import (
	"encoding/binary"
	"errors"

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

// policyDigest computes the policy that the slot's object is sealed under:
// signed software, firmware state, generation, PIN; each where it applies.
func (s *tpmSlot) policyDigest(c counter) ([]byte, error) {
	var commands []tpm2.PolicyCommand
	if s.Level == Measured {
		name, err := releaseName(s.ReleaseKey)
		if err != nil {
			return nil, err
		}
		// PolicyAuthorize starts from an empty digest, which go-tpm's calculator
		// does not see to: it stands first here.
		commands = append(commands, tpm2.PolicyAuthorize{KeySign: name, PolicyRef: tpm2.TPM2BDigest{Buffer: []byte(s.Epoch)}})
	}
	if s.Level != Bound {
		commands = append(commands, policyPCR(firmwarePCR, s.firmware()))
	}
	commands = append(commands, policyGeneration(c, s.GenValue))
	if s.PIN != nil {
		commands = append(commands, tpm2.PolicyAuthValue{})
	}
	p, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		return nil, err
	}
	for _, cmd := range commands {
		if err := cmd.Update(p); err != nil {
			return nil, err
		}
	}
	return p.Hash().Digest, nil
}

// sealSecret seals secret for the slot under the storage key, and puts the
// object into it. Without a PIN the object is exempt from the lockout, since
// it has no authorization value to guess; auth is then empty.
func (m *tpm) sealSecret(secret []byte, s *tpmSlot, c counter, auth string) error {
	policy, err := s.policyDigest(c)
	if err != nil {
		return err
	}
	rsp, err := tpm2.Create{
		ParentHandle: m.storageKey(both),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type:             tpm2.TPMAlgKeyedHash,
			NameAlg:          tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: s.PIN == nil},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
		}),
	}.Execute(m.t)
	if err != nil {
		return err
	}
	s.Public, s.Private = rsp.OutPublic.Bytes(), rsp.OutPrivate.Buffer
	return nil
}

// unsealSecret loads the slot's object and unseals it under its policy. A PCR
// that moves meanwhile costs a second try.
func (m *tpm) unsealSecret(s *tpmSlot, c counter, auth string, signatures []byte) ([]byte, error) {
	secret, err := m.unsealOnce(s, c, auth, signatures)
	if errors.Is(err, ErrPCRChanged) {
		secret, err = m.unsealOnce(s, c, auth, signatures)
	}
	return secret, err
}

// unsealOnce is one try of unsealSecret.
func (m *tpm) unsealOnce(s *tpmSlot, c counter, auth string, signatures []byte) (secret []byte, err error) {
	object, err := m.load(s.Public, s.Private)
	if err != nil {
		return nil, err
	}
	defer func() { err = m.flush(object.Handle, err) }()
	options := m.salted(auth, out)
	if auth != "" { // then the session is keyed by the PIN too, against an interposer's own storage key
		options = append(options, tpm2.Bound(object.Handle, object.Name, []byte(auth)))
	}
	policy, end, err := tpm2.PolicySession(m.t, tpm2.TPMAlgSHA256, nonceBytes, options...)
	if isRC(err, tpm2.TPMRCHandle, tpm2.TPMRCType, tpm2.TPMRCAttributes) {
		return nil, because(ErrHeader, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if endErr := end(); err == nil {
			err = endErr
		}
	}()
	if err := m.satisfy(policy, s, c, signatures); err != nil {
		return nil, err
	}
	object.Auth = policy
	return m.giveOut(object, s.PIN != nil)
}

// giveOut has the TPM give out a loaded object whose policy is satisfied.
func (m *tpm) giveOut(object tpm2.AuthHandle, pin bool) ([]byte, error) {
	rsp, err := tpm2.Unseal{ItemHandle: object}.Execute(m.t)
	switch {
	case isRC(err, tpm2.TPMRCAuthFail) && pin:
		return nil, m.wrongPIN(err)
	case isRC(err, tpm2.TPMRCPCRChanged):
		return nil, because(ErrPCRChanged, err)
	case isRC(err, tpm2.TPMRCPolicyFail, tpm2.TPMRCType, tpm2.TPMRCAttributes, tpm2.TPMRCAuthFail, tpm2.TPMRCAuthType):
		return nil, because(ErrHeader, err) // the object was sealed otherwise than the slot says
	case err != nil:
		return nil, err
	case len(rsp.OutData.Buffer) != secretBytes:
		return nil, ErrHeader
	}
	return rsp.OutData.Buffer, nil
}

// satisfy runs the slot's policy in a session.
func (m *tpm) satisfy(session tpm2.Session, s *tpmSlot, c counter, signatures []byte) error {
	if s.Level == Measured {
		if err := m.authorize(session, s, signatures); err != nil {
			return err
		}
	}
	if s.Level != Bound {
		cmd := policyPCR(firmwarePCR, s.firmware())
		cmd.PolicySession = session.Handle()
		if _, err := cmd.Execute(m.t); isRC(err, tpm2.TPMRCValue) {
			return m.firmwareChanged(err)
		} else if err != nil {
			return moved(err)
		}
	}
	cmd := policyGeneration(c, s.GenValue)
	cmd.AuthHandle = m.owner(none)
	cmd.PolicySession = session.Handle()
	if _, err := cmd.Execute(m.t); isRC(err, tpm2.TPMRCPolicy, tpm2.TPMRCPolicyFail) {
		return because(ErrGeneration, err)
	} else if err != nil || s.PIN == nil {
		return err
	}
	_, err := tpm2.PolicyAuthValue{PolicySession: session.Handle()}.Execute(m.t)
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
	if !ofSession(err) && isRC(err, tpm2.TPMRCIntegrity, tpm2.TPMRCSize, tpm2.TPMRCInsufficient, tpm2.TPMRCAttributes, tpm2.TPMRCValue,
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
