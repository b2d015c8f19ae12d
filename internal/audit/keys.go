package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"coffer/internal/fault"
)

// Keys are the public keys under which the checkpoints of one store are
// signed at one time. The TPM's key changes when the store moves to another
// box; the signing key stays.
type Keys struct {
	Origin      string            // "coffer.<store id>/audit"
	Signing     ed25519.PublicKey // 32 bytes
	Attestation []byte            // PKIX form of the TPM's ECDSA P-256 key; nil: no TPM
}

const (
	algEd25519 = 0x01
	algOther   = 0xff
	quoteName  = "coffer/tpm-quote/1"

	originHead = "coffer."
	originTail = "/audit"
	// tpmTail is added to the origin for the TPM's line. The note format
	// allows no plus sign in names.
	tpmTail = "/tpm"
)

// Origin returns the origin of the checkpoints of a store.
func Origin(storeID string) string { return originHead + storeID + originTail }

// ErrKeys is returned for public keys that can't be read.
var ErrKeys = fault.New(fault.Invalid, "These are not public keys of an audit trail. Take them from the recovery sheet or from an older export.")

// Text returns the keys in the verifier form of signed notes, one per line:
// <name>+<key id>+base64(algorithm | key).
func (k Keys) Text() string {
	text := verifierLine(k.Origin, append([]byte{algEd25519}, k.Signing...))
	if k.Attestation != nil {
		text += verifierLine(k.Origin+tpmTail, quoteKey(k.Attestation))
	}
	return text
}

// Fingerprints returns the SHA-256 of the PKIX form of each key, in hex: what
// the recovery sheet shows of them. The second is empty without a TPM.
func (k Keys) Fingerprints() (signing, attestation string) {
	if der, err := x509.MarshalPKIXPublicKey(k.Signing); err == nil {
		signing = fingerprint(der)
	}
	if k.Attestation != nil {
		attestation = fingerprint(k.Attestation)
	}
	return signing, attestation
}

func fingerprint(pkix []byte) string {
	sum := sha256.Sum256(pkix)
	return hex.EncodeToString(sum[:])
}

func quoteKey(pkix []byte) []byte {
	return append(append([]byte{algOther}, quoteName...), pkix...)
}

func verifierLine(name string, key []byte) string {
	return fmt.Sprintf("%s+%08x+%s\n", name, keyID(name, key), base64.StdEncoding.EncodeToString(key))
}

// keyID is the key id of the note format: the first four bytes of
// SHA-256(name | newline | algorithm | key).
func keyID(name string, key []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n'})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// keysBytesMax bounds what ParseKeys looks at.
const keysBytesMax = 4 << 10

// ParseKeys reads what Text writes.
func ParseKeys(text string) (Keys, error) {
	var k Keys
	if len(text) > keysBytesMax || !strings.HasSuffix(text, "\n") {
		return Keys{}, ErrKeys
	}
	for line := range strings.Lines(text) {
		if !k.add(strings.TrimSuffix(line, "\n")) {
			return Keys{}, ErrKeys
		}
	}
	if k.Signing == nil || k.Text() != text {
		return Keys{}, ErrKeys
	}
	return k, nil
}

// add takes in one line: the signing key first, then the TPM's.
func (k *Keys) add(line string) bool {
	name, rest, _ := strings.Cut(line, "+")
	_, text, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err != nil || !validOrigin(strings.TrimSuffix(name, tpmTail)):
		return false
	case k.Signing == nil:
		k.Origin, k.Signing = name, bytes.Clone(key[min(1, len(key)):])
		return len(key) == 1+ed25519.PublicKeySize && key[0] == algEd25519
	case k.Attestation == nil && name == k.Origin+tpmTail && bytes.HasPrefix(key, quoteKey(nil)):
		k.Attestation = key[len(quoteKey(nil)):]
		return attestationKey(k.Attestation) != nil
	}
	return false
}

// validOrigin reports whether name is coffer.<letters and digits>/audit.
func validOrigin(name string) bool {
	id, ok := strings.CutPrefix(name, originHead)
	id, tail := strings.CutSuffix(id, originTail)
	if !ok || !tail || id == "" || len(id) > 64 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) < 0
}

// attestationKey returns the TPM's key, nil when it is not an ECDSA P-256 key
// in PKIX form.
func attestationKey(pkix []byte) *ecdsa.PublicKey {
	key, err := x509.ParsePKIXPublicKey(pkix)
	if err != nil {
		return nil
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil
	}
	return public
}
