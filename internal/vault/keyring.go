package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"coffer/internal/fault"
	"coffer/internal/ident"
)

// keyUse says what a data key opens.
type keyUse uint8

const (
	useBucket  keyUse = iota + 1 // every record of one bucket (outer layer)
	useClient                    // the private parts of one client (inner layer)
	useOpening                   // the private parts of audit events (inner layer)
	useSet                       // the set hash; opens nothing
	useSign                      // seed of the Ed25519 key that signs checkpoints of the trail; opens nothing
)

// dataKey is one key of the keyring.
type dataKey struct {
	id    uint32
	use   keyUse
	owner [16]byte // bucket id in the first two bytes, or client identifier
	raw   [32]byte
	ready cipher.AEAD // made once for keys of buckets; clients' are made at each use
}

// keyPlain is the form of a key inside its wrapping:
// use u8 | owner 16 | key 32.
const keyPlainBytes = 1 + 16 + 32

func newDataKey(id uint32, use keyUse, owner [16]byte) *dataKey {
	k := &dataKey{id: id, use: use, owner: owner}
	rand.Read(k.raw[:])
	return k.prepared()
}

func (k *dataKey) prepared() *dataKey {
	if k.use == useBucket || k.use == useOpening {
		k.ready = newAEAD(k.raw[:])
	}
	return k
}

func (k *dataKey) aead() cipher.AEAD {
	if k.ready != nil {
		return k.ready
	}
	return newAEAD(k.raw[:])
}

// opens reports whether the key is that of the bucket's outer layer.
func (k *dataKey) opens(bucket uint16) bool {
	if bucket == cacheID || bucket == headsID { // parts of the trail, under its key
		bucket = auditID
	}
	return k.use == useBucket && k.owner == bucketOwner(bucket)
}

// opensPrivate reports whether the key may be that of an inner layer there.
func (k *dataKey) opensPrivate(bucket uint16) bool {
	if bucket == auditID || bucket == cacheID {
		return k.use == useOpening
	}
	return k.use == useClient
}

// client returns whose key it is, zero for a key of another use.
func (k *dataKey) client() ident.ID[ident.Client] {
	if k.use != useClient {
		return ident.ID[ident.Client]{}
	}
	return k.owner
}

func bucketOwner(id uint16) (owner [16]byte) {
	binary.BigEndian.PutUint16(owner[:], id)
	return owner
}

// newAEAD returns AES-256-GCM that draws a random nonce for each seal. key
// has 32 bytes, so the constructors can't fail.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("vault: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("vault: " + err.Error())
	}
	return aead
}

const aadKey = "coffer/ring/1"

var errKeyring = fault.New(fault.Corrupt, "A key of the keyring is damaged. Stop, and call IT.")

func keyAAD(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte(aadKey), id) }

// wrap returns the stored value of the key: 0x01 | generation u32 of the root
// | nonce | ciphertext | tag.
func (k *dataKey) wrap(ring cipher.AEAD, generation uint32) []byte {
	plain := make([]byte, 0, keyPlainBytes)
	plain = append(plain, byte(k.use))
	plain = append(plain, k.owner[:]...)
	plain = append(plain, k.raw[:]...)
	value := binary.BigEndian.AppendUint32([]byte{formatRecord}, generation)
	value = ring.Seal(value, nil, plain, keyAAD(k.id))
	clear(plain)
	return value
}

// unwrap reads a stored key.
func unwrap(ring cipher.AEAD, id uint32, value []byte) (*dataKey, error) {
	if len(value) != valueHead+nonceBytes+keyPlainBytes+tagBytes || value[0] != formatRecord {
		return nil, errKeyring
	}
	plain, err := ring.Open(nil, nil, value[valueHead:], keyAAD(id))
	if err != nil {
		return nil, errKeyring
	}
	k := &dataKey{id: id, use: keyUse(plain[0])}
	copy(k.owner[:], plain[1:])
	copy(k.raw[:], plain[17:])
	clear(plain)
	return k.prepared(), nil
}
