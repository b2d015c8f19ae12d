package recovery

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
)

// kem, kdf and aead are the suite: HPKE with ids 0x0050, 0x0001 and 0x0002.
func kem() hpke.KEM   { return hpke.MLKEM768P256() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }

// encBytes is the length of an encapsulated key: ML-KEM-768's 1,088 bytes and
// a point of P-256.
const encBytes = 1088 + 65

// Suite names the algorithms, as headers and backups record it.
const Suite = "MLKEM768-P256,HKDF-SHA256,AES-256-GCM"

// Public is the public half of a seed: who has it can seal and not open. The
// zero value is none.
type Public struct{ b string }

// Public derives the seed's public half.
func (s *Seed) Public() Public {
	return Public{string(s.keyPair().PublicKey().Bytes())}
}

// keyPair derives the seed's key pair, which takes 0.1 ms.
func (s *Seed) keyPair() hpke.PrivateKey {
	k, err := kem().DeriveKeyPair(s.b[:])
	if err != nil {
		panic("recovery: " + err.Error()) // any 32 bytes give a key pair
	}
	return k
}

// ParsePublic reads what Bytes returned. ErrPublic if it is none.
func ParsePublic(b []byte) (Public, error) {
	k, err := kem().NewPublicKey(b)
	if err != nil || !bytes.Equal(k.Bytes(), b) {
		return Public{}, ErrPublic
	}
	return Public{string(b)}, nil
}

// Bytes returns the public half as draft-ietf-hpke-pq serializes it: 1,249
// bytes. Of the zero value it returns none.
func (p Public) Bytes() []byte { return []byte(p.b) }

// IsZero reports whether p is no public half.
func (p Public) IsZero() bool { return p.b == "" }

// Fingerprint returns SHA-256 of Bytes, which tells sheets apart.
func (p Public) Fingerprint() [32]byte { return sha256.Sum256([]byte(p.b)) }

// Seal encrypts plain so that only the seed opens it, and only with the same
// info and aad. The result is 1,169 bytes longer than plain. ErrPublic for the
// zero value.
func (p Public) Seal(info string, aad, plain []byte) ([]byte, error) {
	k, err := kem().NewPublicKey([]byte(p.b))
	if err != nil {
		return nil, ErrPublic
	}
	enc, s, err := hpke.NewSender(k, kdf(), aead(), []byte(info))
	if err != nil {
		return nil, ErrPublic
	}
	ct, err := s.Seal(aad, plain)
	if err != nil {
		return nil, ErrPublic
	}
	return append(enc, ct...), nil
}

// Open decrypts what Seal made. ErrWrongSeed if it was sealed for another
// seed, info or aad, or changed since.
func (s *Seed) Open(info string, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < encBytes {
		return nil, ErrWrongSeed
	}
	r, err := hpke.NewRecipient(sealed[:encBytes], s.keyPair(), kdf(), aead(), []byte(info))
	if err != nil {
		return nil, ErrWrongSeed
	}
	plain, err := r.Open(aad, sealed[encBytes:])
	if err != nil {
		return nil, ErrWrongSeed
	}
	return plain, nil
}
