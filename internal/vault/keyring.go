package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"time"

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
	useErased                    // a client's key that was destroyed: in its place stands when
)

// dataKey is one key of the keyring.
type dataKey struct {
	id    uint32
	use   keyUse
	scope Scope    // the compartment under whose key it is wrapped
	owner [16]byte // bucket id in the first two bytes, or client identifier
	raw   [32]byte
	ready cipher.AEAD // made once for keys of buckets; clients' are made at each use
}

// keyPlain is the form of a key inside its wrapping:
// use u8 | owner 16 | key 32.
const keyPlainBytes = 1 + 16 + 32

func newDataKey(id uint32, use keyUse, scope Scope, owner [16]byte) *dataKey {
	k := &dataKey{id: id, use: use, scope: scope, owner: owner}
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
func (k *dataKey) opens(b Bucket) bool {
	id := b.ID
	if id == cacheID || id == headsID { // parts of the trail, under its key
		id = auditID
	}
	return k.use == useBucket && k.owner == bucketOwner(id) && k.scope == b.Scope
}

// opensPrivate reports whether the key may be that of an inner layer there.
func (k *dataKey) opensPrivate(b Bucket) bool {
	if b.ID == auditID || b.ID == cacheID {
		return k.use == useOpening
	}
	return k.use == useClient && k.scope == b.Scope
}

// erased reports whether the key is what is left of one that opened inner
// layers there.
func (k *dataKey) erased(b Bucket) bool { return k.use == useErased && k.scope == b.Scope }

// erase returns what stands in the key's place once it is destroyed.
func (k *dataKey) erase(at time.Time) *dataKey {
	e := &dataKey{id: k.id, use: useErased, scope: k.scope, owner: k.owner}
	binary.BigEndian.PutUint64(e.raw[:], uint64(at.UnixMicro()))
	return e
}

// erasedAt returns when the key was destroyed.
func (k *dataKey) erasedAt() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(k.raw[:]))).UTC()
}

// client returns whose key it is, zero for a key of another use.
func (k *dataKey) client() ident.ID[ident.Client] {
	if k.use != useClient && k.use != useErased {
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

const (
	aadKey       = "coffer/ring/2"
	keyHead      = valueHead + 1 // and the compartment
	keyWrapBytes = keyHead + nonceBytes + keyPlainBytes + tagBytes
)

var errKeyring = fault.New(fault.Corrupt, "A key of the keyring is damaged. Stop, and call IT.")

// keyAAD binds a key to its compartment and its place in the keyring.
func keyAAD(scope Scope, id uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(aadKey), byte(scope)), id)
}

// wrap returns the stored value of the key: 0x01 | generation u32 of the root
// | scope u8 | nonce | ciphertext | tag.
func (k *dataKey) wrap(root *rootKeys) []byte {
	plain := make([]byte, 0, keyPlainBytes)
	plain = append(plain, byte(k.use))
	plain = append(plain, k.owner[:]...)
	plain = append(plain, k.raw[:]...)
	value := make([]byte, 0, keyWrapBytes)
	value = binary.BigEndian.AppendUint32(append(value, formatRecord), root.generation)
	value = append(value, byte(k.scope))
	value = root.ring[k.scope].Seal(value, nil, plain, keyAAD(k.scope, k.id))
	clear(plain)
	return value
}

// unwrap reads a stored key.
func unwrap(root *rootKeys, id uint32, value []byte) (*dataKey, error) {
	if len(value) != keyWrapBytes || value[0] != formatRecord {
		return nil, errKeyring
	}
	scope := Scope(value[valueHead])
	if scope == 0 || scope >= scopeEnd || binary.BigEndian.Uint32(value[1:]) != root.generation {
		return nil, errKeyring
	}
	plain, err := root.ring[scope].Open(nil, nil, value[keyHead:], keyAAD(scope, id))
	if err != nil {
		return nil, errKeyring
	}
	k := &dataKey{id: id, use: keyUse(plain[0]), scope: scope}
	copy(k.owner[:], plain[1:])
	copy(k.raw[:], plain[17:])
	clear(plain)
	return k.prepared(), nil
}
