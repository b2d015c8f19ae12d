package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"coffer/internal/ident"
)

// authsLabel derives the key that the authorization values are wrapped under.
const authsLabel = "nv auths"

// auths are the authorization values that make the TPM's objects ours. Each
// root generation wraps the same ones, so that they outlive a root rotation:
// the value in the TPM and the one on disk could not change at one moment.
// All are lower-case hex text, since a zero byte within a value breaks go-tpm's
// HMAC.
type auths struct {
	Generation  string // the generation counter
	Anchor      string // the anchor counter
	Attestation string // the attestation key
	Lockout     string `json:",omitempty"` // the lockout hierarchy, where this store holds it
}

// newAuths draws the values that a new store needs.
func newAuths() auths { return auths{Generation: newAuth(), Anchor: newAuth(), Attestation: newAuth()} }

// newAuth draws one value: 16 random bytes as text, which fits every index and
// hierarchy. crypto/rand.Read does not fail.
func newAuth() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// wrap encrypts the values under the root key of generation gen.
func (a auths) wrap(root []byte, store ident.ID[ident.Store], gen uint32) ([]byte, error) {
	aead, err := authsCipher(root)
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	defer clear(plain)
	return aead.Seal(nil, nil, plain, authsAAD(store, gen)), nil
}

// unwrapAuths decrypts what wrap made.
func unwrapAuths(wrapped, root []byte, store ident.ID[ident.Store], gen uint32) (auths, error) {
	aead, err := authsCipher(root)
	if err != nil {
		return auths{}, because(ErrHeader, err)
	}
	plain, err := aead.Open(nil, nil, wrapped, authsAAD(store, gen))
	if err != nil {
		return auths{}, because(ErrHeader, err)
	}
	defer clear(plain)
	var a auths
	if err := json.Unmarshal(plain, &a); err != nil {
		return auths{}, because(ErrHeader, err)
	}
	return a, nil
}

// authsCipher is the AEAD of the authorization values.
func authsCipher(root []byte) (cipher.AEAD, error) {
	key := derive(root, authsLabel)
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// authsAAD binds wrapped values to their store and root generation.
func authsAAD(store ident.ID[ident.Store], gen uint32) []byte {
	b := append([]byte("coffer/1/auths"), store[:]...)
	return binary.BigEndian.AppendUint32(b, gen)
}
