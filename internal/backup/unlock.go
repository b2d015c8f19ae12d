package backup

import (
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"

	"coffer/internal/recovery"
	"coffer/internal/seal"
)

// What is derived from the root, and for what.
const (
	signLabel = "backup sign"
	keyLabel  = "backup key"
	setLabel  = "backup set"
	sealInfo  = "coffer/1/backup" // of the HPKE to the recovery sheet
)

// streamKey opens the chunks of one backup.
type streamKey = cipher.AEAD

// setToken stands for a set hash in clear: its HMAC under a key of the root.
// The hash itself is secret, as sums of terms could be played with.
func setToken(root *seal.Key, set []byte) []byte {
	k := root.Derive(setLabel)
	defer clear(k[:])
	m := hmac.New(sha256.New, k[:])
	m.Write(set)
	return m.Sum(nil)
}

// signerOf returns the key by which a box signs its backups: that of a root
// generation, so that whoever restores can derive it and believe no other.
func signerOf(key *seal.Key) ed25519.PrivateKey {
	seed := key.Derive(signLabel)
	defer clear(seed[:])
	return ed25519.NewKeyFromSeed(seed[:])
}

// boxAEAD is the AEAD that wraps stream keys for the box itself.
func boxAEAD(key *seal.Key) cipher.AEAD {
	k := key.Derive(keyLabel)
	defer clear(k[:])
	return newAEAD(k[:])
}

// sealerOf returns what a writer needs of the box.
func sealerOf(key *seal.Key) (sealer, error) {
	public := key.Recovery()
	if public.IsZero() || key.Slot().IsZero() {
		return sealer{}, ErrNoRecovery
	}
	return sealer{
		signer:  signerOf(key),
		forSeed: func(aad, k []byte) ([]byte, error) { return public.Seal(sealInfo, aad, k) },
		forBox:  func(aad, k []byte) ([]byte, error) { return boxAEAD(key).Seal(nil, nil, k, aad), nil },
	}, nil
}

// keyAt returns the root key of a generation. While the root is being exchanged
// the store may be of either.
func keyAt(key *seal.Key, generation uint32) (*seal.Key, error) {
	root, ok := key.At(generation)
	if !ok {
		return nil, ErrOtherRoot
	}
	return root, nil
}

// byBox returns the root of the header's generation and the stream key, for
// the box that made the backup. It gives ErrForeign, ErrOtherRoot, or ErrAuth
// when the backup is not signed by that root.
func (h *Header) byBox(key *seal.Key) (*seal.Key, streamKey, error) {
	if h.StoreID != key.StoreID() {
		return nil, nil, ErrForeign
	}
	root, err := keyAt(key, h.Generation)
	if err != nil {
		return nil, nil, err
	}
	if err := h.signedBy(root); err != nil {
		return nil, nil, err
	}
	aead := boxAEAD(root)
	k, err := unwrap(func(aad, sealed []byte) ([]byte, error) { return aead.Open(nil, nil, sealed, aad) }, h, h.forBox)
	if err != nil {
		return nil, nil, because(ErrAuth, err)
	}
	return root, k, nil
}

// signedBy returns nil if the header's signer is that of the root.
func (h *Header) signedBy(root *seal.Key) error {
	want := signerOf(root).Public().(ed25519.PublicKey)
	if subtle.ConstantTimeCompare(want, h.Signer) != 1 {
		return ErrAuth
	}
	return nil
}

// bySeed returns the stream key for whoever has the recovery sheet, or
// recovery.ErrWrongSeed.
func (h *Header) bySeed(seed *recovery.Seed) (streamKey, error) {
	return unwrap(func(aad, sealed []byte) ([]byte, error) { return seed.Open(sealInfo, aad, sealed) }, h, h.forSeed)
}

// unwrap opens one of the two wrapped stream keys of a header.
func unwrap(open func(aad, sealed []byte) ([]byte, error), h *Header, sealed []byte) (streamKey, error) {
	key, err := open(h.appendFixed(nil), sealed)
	if err == nil && len(key) != keyBytes {
		err = ErrAuth
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newAEAD(key), nil
}
