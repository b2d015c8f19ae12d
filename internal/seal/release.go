package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

const (
	signatureBytesMax = 256 << 10 // tpm2-pcr-signature.json
	signatureBank     = "sha256"
	rsaBitsMin        = 2048
	rsaBitsMax        = 4096
	rsaExponent       = 65537
)

// signature is one entry of systemd's tpm2-pcr-signature.json (systemd-measure
// sign): a policy of PCR values, and the release key's signature over it. Ours
// covers the epoch too: it is over SHA-256(pol || epoch), the approval that
// TPM2_PolicyAuthorize checks, where systemd's own has no epoch.
type signature struct {
	PCRs        []int  `json:"pcrs"`
	Fingerprint string `json:"pkfp"` // SHA-256 of the PKIX public key, hex
	Policy      string `json:"pol"`  // hex
	Signature   []byte `json:"sig"`  // RSASSA-PKCS1-v1_5, or ECDSA in ASN.1
}

// parseSignatures reads the file; what it lacks or cannot be read as signs
// nothing.
func parseSignatures(file []byte) ([]signature, error) {
	if len(file) > signatureBytesMax {
		return nil, ErrUnsignedBoot
	}
	var banks map[string][]signature
	if err := json.Unmarshal(file, &banks); err != nil {
		return nil, because(ErrUnsignedBoot, err)
	}
	return banks[signatureBank], nil
}

// approval is the digest that the release key signs for a policy.
func approval(policy []byte, epoch string) [32]byte {
	return sha256.Sum256(append(slices.Clone(policy), epoch...))
}

// releaseKey reads a release key: ECDSA P-256, or RSA of 2048 to 4096 bits
// with the exponent 65537.
func releaseKey(pkix []byte) (crypto.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(pkix)
	if err != nil {
		return nil, because(ErrRelease, err)
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= rsaBitsMin && n <= rsaBitsMax && k.E == rsaExponent {
			return k, nil
		}
	}
	return nil, ErrRelease
}

// signed finds the slot's signature of a value of the software PCR.
func (s *tpmSlot) signed(file, value []byte) (sig []byte, policy []byte, err error) {
	list, err := parseSignatures(file)
	if err != nil {
		return nil, nil, err
	}
	key, err := releaseKey(s.ReleaseKey)
	if err != nil {
		return nil, nil, because(ErrHeader, err)
	}
	if policy, err = softwarePolicy(value); err != nil {
		return nil, nil, err
	}
	fingerprint := sha256.Sum256(s.ReleaseKey)
	for _, e := range list {
		if slices.Equal(e.PCRs, s.SignedPCRs) && e.Policy == hex.EncodeToString(policy) &&
			e.Fingerprint == hex.EncodeToString(fingerprint[:]) && verifies(key, approval(policy, s.Epoch), e.Signature) {
			return e.Signature, policy, nil
		}
	}
	return nil, nil, ErrUnsignedBoot
}

// softwarePolicy is the policy "the software PCR has this value".
func softwarePolicy(value []byte) ([]byte, error) {
	p, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err != nil {
		return nil, err
	}
	if err := policyPCR(softwarePCR, value).Update(p); err != nil {
		return nil, err
	}
	return p.Hash().Digest, nil
}

// verifies checks a signature here, so that of several epochs' signatures the
// right one goes to the TPM.
func verifies(key crypto.PublicKey, digest [32]byte, sig []byte) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest[:], sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig) == nil
	}
	return false
}

// authorize satisfies PolicyAuthorize in a session: the software that runs is
// signed by the slot's release key under its epoch.
func (m *tpm) authorize(session tpm2.Session, s *tpmSlot, file []byte) error {
	value, err := m.readPCR(softwarePCR)
	if err != nil {
		return err
	}
	sig, policy, err := s.signed(file, value)
	if err != nil {
		return err
	}
	name, ticket, err := m.ticket(s, sig, policy)
	if err != nil {
		return err
	}
	now := policyPCR(softwarePCR, value)
	now.PolicySession = session.Handle()
	if _, err := now.Execute(m.t); err != nil {
		return moved(err)
	}
	_, err = tpm2.PolicyAuthorize{
		PolicySession:  session.Handle(),
		ApprovedPolicy: tpm2.TPM2BDigest{Buffer: policy},
		PolicyRef:      tpm2.TPM2BDigest{Buffer: []byte(s.Epoch)},
		KeySign:        name,
		CheckTicket:    ticket,
	}.Execute(m.t)
	if err != nil {
		return moved(err)
	}
	m.booted = value
	return nil
}

// moved names the refusal of a PCR value that was just read.
func moved(err error) error {
	if isRC(err, tpm2.TPMRCValue, tpm2.TPMRCPCRChanged) {
		return because(ErrPCRChanged, err)
	}
	return err
}

// ticket has the TPM verify the signature and returns its ticket for it.
func (m *tpm) ticket(s *tpmSlot, sig, policy []byte) (name tpm2.TPM2BName, ticket tpm2.TPMTTKVerified, err error) {
	pub, err := releasePublic(s.ReleaseKey)
	if err != nil {
		return name, ticket, err
	}
	want, err := tpm2.ObjectName(&pub)
	if err != nil {
		return name, ticket, err
	}
	key, err := tpm2.LoadExternal{InPublic: tpm2.New2B(pub), Hierarchy: tpm2.TPMRHOwner}.Execute(m.t)
	if isRC(err, tpm2.TPMRCValue, tpm2.TPMRCKeySize, tpm2.TPMRCCurve, tpm2.TPMRCAsymmetric) {
		return name, ticket, because(ErrRelease, err)
	}
	if err != nil {
		return name, ticket, err
	}
	defer func() { err = m.flush(key.ObjectHandle, err) }()
	digest := approval(policy, s.Epoch)
	wire, err := tpmSignature(pub.Type, sig)
	if err != nil {
		return name, ticket, err
	}
	rsp, err := tpm2.VerifySignature{
		KeyHandle: key.ObjectHandle, Digest: tpm2.TPM2BDigest{Buffer: digest[:]}, Signature: wire,
	}.Execute(m.t)
	if isRC(err, tpm2.TPMRCSignature) {
		return name, ticket, because(ErrUnsignedBoot, err)
	}
	if err != nil {
		return name, ticket, err
	}
	return *want, rsp.Validation, nil
}

// releaseName is the TPM's Name of a release key, which the policy holds.
func releaseName(pkix []byte) (tpm2.TPM2BName, error) {
	pub, err := releasePublic(pkix)
	if err != nil {
		return tpm2.TPM2BName{}, err
	}
	name, err := tpm2.ObjectName(&pub)
	if err != nil {
		return tpm2.TPM2BName{}, err
	}
	return *name, nil
}

// releasePublic is the release key as the TPM loads it.
func releasePublic(pkix []byte) (tpm2.TPMTPublic, error) {
	key, err := releaseKey(pkix)
	if err != nil {
		return tpm2.TPMTPublic{}, err
	}
	pub := tpm2.TPMTPublic{
		NameAlg:          tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{SignEncrypt: true, UserWithAuth: true},
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return eccPublic(pub, k)
	case *rsa.PublicKey:
		pub.Type = tpm2.TPMAlgRSA
		pub.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{KeyBits: tpm2.TPMKeyBits(k.N.BitLen())})
		pub.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: k.N.Bytes()})
	}
	return pub, nil
}

// eccPublic completes the public area of an ECDSA P-256 key.
func eccPublic(pub tpm2.TPMTPublic, k *ecdsa.PublicKey) (tpm2.TPMTPublic, error) {
	point, err := k.Bytes() // 4 || x || y
	if err != nil {
		return tpm2.TPMTPublic{}, because(ErrRelease, err)
	}
	x, y := point[1:1+32], point[1+32:]
	pub.Type = tpm2.TPMAlgECC
	pub.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256})
	pub.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: x}, Y: tpm2.TPM2BECCParameter{Buffer: y},
	})
	return pub, nil
}

// tpmSignature spells a verified signature for the TPM.
func tpmSignature(kind tpm2.TPMAlgID, sig []byte) (tpm2.TPMTSignature, error) {
	if kind == tpm2.TPMAlgRSA {
		return tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgRSASSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgRSASSA,
			&tpm2.TPMSSignatureRSA{Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: sig}})}, nil
	}
	var p struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &p); err != nil || len(rest) > 0 {
		return tpm2.TPMTSignature{}, because(ErrUnsignedBoot, err)
	}
	return tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA,
		&tpm2.TPMSSignatureECC{
			Hash:       tpm2.TPMAlgSHA256,
			SignatureR: tpm2.TPM2BECCParameter{Buffer: p.R.FillBytes(make([]byte, 32))},
			SignatureS: tpm2.TPM2BECCParameter{Buffer: p.S.FillBytes(make([]byte, 32))},
		})}, nil
}

// provesBooted checks without the TPM that the software that was started is
// signed, once the software PCR has moved on from its value at the unseal.
func (s *tpmSlot) provesBooted(file, booted []byte) error {
	_, _, err := s.signed(file, booted)
	return err
}

// atUnseal reports whether the software PCR still has the value at which
// the key was unsealed.
func (m *tpm) atUnseal(booted []byte) (bool, error) {
	now, err := m.readPCR(softwarePCR)
	return bytes.Equal(now, booted), err
}
