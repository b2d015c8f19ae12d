package seal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// attestationSlot is the attestation key as the header keeps it: loadable by
// the TPM that made it alone.
type attestationSlot struct {
	Public  []byte // TPM2B_PUBLIC without its size
	Private []byte // TPM2B_PRIVATE without its size
	PKIX    []byte // the public half, DER
}

// usable reports whether the slot could have been written.
func (a attestationSlot) usable() bool {
	return len(a.Public) > 0 && len(a.Private) > 0 && len(a.PKIX) > 0
}

// fingerprint names the key; "" for none.
func (a attestationSlot) fingerprint() string {
	if len(a.PKIX) == 0 {
		return ""
	}
	sum := sha256.Sum256(a.PKIX)
	return hex.EncodeToString(sum[:])
}

// quotedPCRs are what a quote states: the firmware's measurements of what was
// started, and the unified kernel image's.
var quotedPCRs = []uint{0, 1, 2, 3, 4, 5, 6, firmwarePCR, softwarePCR}

// attestationTemplate is an ECDSA P-256 key that signs nothing but what the
// TPM itself says.
func attestationTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
			UserWithAuth: true, NoDA: true, Restricted: true, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
			CurveID: tpm2.TPMECCNistP256,
		}),
	}
}

// newAttestationKey makes an attestation key under the storage key.
func (m *tpm) newAttestationKey(auth string) (attestationSlot, error) {
	rsp, err := tpm2.Create{
		ParentHandle: m.storageKey(both),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)},
		}},
		InPublic: tpm2.New2B(attestationTemplate()),
	}.Execute(m.t)
	if err != nil {
		return attestationSlot{}, err
	}
	pkix, err := pkixOf(rsp.OutPublic)
	return attestationSlot{rsp.OutPublic.Bytes(), rsp.OutPrivate.Buffer, pkix}, err
}

// pkixOf returns a P-256 public area's key in PKIX form.
func pkixOf(area tpm2.TPM2BPublic) ([]byte, error) {
	pub, err := area.Contents()
	if err != nil {
		return nil, err
	}
	point, err := pub.Unique.ECC()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 65)
	b[0] = 4 // uncompressed
	new(big.Int).SetBytes(point.X.Buffer).FillBytes(b[1:33])
	new(big.Int).SetBytes(point.Y.Buffer).FillBytes(b[33:])
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key)
}

// Attestor signs the TPM's own statements by a key that never leaves it. The
// key's authorization is known only to who can open the store.
type Attestor struct {
	device  string
	srkName []byte
	slot    attestationSlot
	auth    string
}

// NewAttestor returns the attestor of the store that k opens, in the TPM at
// device. It outlives k.
func NewAttestor(device string, k *Key) *Attestor {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return &Attestor{device: device, srkName: k.objects.srkName, slot: k.objects.attestation, auth: k.objects.auths.Attestation}
}

// Quote has the TPM state its PCRs 0 to 7 and 11 (SHA-256 bank), its clock and
// its reset counts, over extra: some 4 ms. It returns the statement
// (TPMS_ATTEST: TPM 2.0 part 2, 10.12.12) and the ECDSA signature over SHA-256
// of it, in ASN.1 DER.
func (a *Attestor) Quote(ctx context.Context, extra [32]byte) (attest, signature []byte, err error) {
	err = withTPM(ctx, a.device, func(m *tpm) error {
		if err := m.pinned(a.srkName); err != nil {
			return err
		}
		attest, signature, err = m.quote(a.slot, a.auth, extra)
		return err
	})
	return attest, signature, err
}

// errSignature is the journal's word for a quote without an ECDSA signature.
var errSignature = errors.New("not an ECDSA signature")

// quote loads the attestation key and has it sign.
func (m *tpm) quote(slot attestationSlot, auth string, extra [32]byte) (attest, signature []byte, err error) {
	key, err := m.load(slot.Public, slot.Private)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = m.flush(key.Handle, err) }()
	key.Auth = m.session(auth, none)
	rsp, err := tpm2.Quote{
		SignHandle:     key,
		QualifyingData: tpm2.TPM2BData{Buffer: extra[:]},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
			Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(quotedPCRs...),
		}}},
	}.Execute(m.t)
	if err != nil {
		return nil, nil, err
	}
	sig, err := rsp.Signature.Signature.ECDSA()
	if err != nil {
		return nil, nil, errors.Join(errSignature, err)
	}
	r, s := new(big.Int).SetBytes(sig.SignatureR.Buffer), new(big.Int).SetBytes(sig.SignatureS.Buffer)
	signature, err = asn1.Marshal(struct{ R, S *big.Int }{r, s})
	return rsp.Quoted.Bytes(), signature, err
}

// Public returns the key's public half in PKIX form, DER.
func (a *Attestor) Public() []byte { return a.slot.PKIX }
