package vault

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"

	"coffer/internal/audit"
	"coffer/internal/ident"
)

// FormatVersion is the version of everything on the disk.
const FormatVersion = 1

const (
	aadMeta      = "coffer/meta/1"
	metaKey      = 0
	metaPadBytes = 512
)

// metaForm is the content of the meta record, which each commit rewrites.
type metaForm struct {
	Version   uint16                `cbor:"1,keyasint"`
	StoreID   ident.ID[ident.Store] `cbor:"2,keyasint"`
	Seq       uint64                `cbor:"3,keyasint"` // number of the commit
	Anchor    uint64                `cbor:"4,keyasint"` // value of the TPM's store counter; 0: never anchored
	Buckets   []metaBucket          `cbor:"5,keyasint"` // in the order of their ids
	Set       setSum                `cbor:"6,keyasint"`
	AuditSize uint64                `cbor:"7,keyasint"`
	AuditTree []audit.Hash          `cbor:"8,keyasint"` // compact range
	NextKey   uint32                `cbor:"9,keyasint"` // id of the next data key
	LastWall  int64                 `cbor:"10,keyasint"`
	Keys      uint64                `cbor:"11,keyasint"`           // entries of the keyring
	Lost      uint64                `cbor:"12,keyasint,omitempty"` // a commit that was confirmed and is not in the store; 0: none is known
	LostWall  int64                 `cbor:"13,keyasint,omitempty"` // its wall clock
	Heads     uint64                `cbor:"20,keyasint,omitempty"` // checkpoints of the trail
}

// metaBucket is what the meta record says of one bucket.
type metaBucket struct {
	ID    uint16 `cbor:"1,keyasint"`
	Count uint64 `cbor:"2,keyasint"`
	Next  uint64 `cbor:"3,keyasint"` // key of the next record
	KeyID uint32 `cbor:"4,keyasint"` // data key for new records
}

// metaOf returns the meta record's content for a state.
func metaOf(s *state, id ident.ID[ident.Store]) metaForm {
	m := metaForm{
		Version: FormatVersion, StoreID: id, Seq: s.seq, Anchor: s.anchor, Set: s.set,
		AuditSize: s.tree.Size(), AuditTree: s.tree.Hashes(), NextKey: s.nextKey, LastWall: s.lastWall,
		Keys: uint64(s.keys.Len()), Lost: s.lost, LostWall: s.lostWall, Heads: s.trail.heads,
		Buckets: make([]metaBucket, 0, len(s.slots)),
	}
	for _, b := range s.slots {
		m.Buckets = append(m.Buckets, metaBucket{b.bucket.ID, uint64(b.tags.Len()), b.next, b.keyID})
	}
	return m
}

// rootKeys are the keys derived from the root that stay in use while the
// store is open.
type rootKeys struct {
	ring       cipher.AEAD // wraps the entries of the keyring
	meta       cipher.AEAD // seals the meta record
	generation uint32
	storeID    ident.ID[ident.Store]
}

func (k *rootKeys) metaAAD() []byte {
	b := append([]byte(aadMeta), k.storeID[:]...)
	return binary.BigEndian.AppendUint32(b, k.generation)
}

// sealMeta returns the stored value of the meta record: 0x01 | generation u32
// of the root, in clear | nonce | ciphertext | tag. The plaintext is its
// length u32, the content, and zeros to a multiple of 512.
func (k *rootKeys) sealMeta(m metaForm) ([]byte, error) {
	content, err := encode(m)
	if err != nil {
		return nil, err
	}
	n := 4 + len(content)
	plain := make([]byte, n+(-n&(metaPadBytes-1)))
	binary.BigEndian.PutUint32(plain, uint32(len(content)))
	copy(plain[4:], content)
	value := binary.BigEndian.AppendUint32([]byte{formatRecord}, k.generation)
	return k.meta.Seal(value, nil, plain, k.metaAAD()), nil
}

// openMeta reads the meta record.
func (k *rootKeys) openMeta(value []byte) (metaForm, error) {
	var m metaForm
	if len(value) < valueOverhead+4 || value[0] != formatRecord {
		return m, damage("meta", 0, "the meta record is damaged")
	}
	if g := binary.BigEndian.Uint32(value[1:]); g != k.generation {
		return m, damage("meta", uint64(g), "the store belongs to another generation of the root key")
	}
	plain, err := k.meta.Open(nil, nil, value[valueHead:], k.metaAAD())
	if err != nil {
		return m, damage("meta", 0, "the meta record is damaged, or this is not the root key of this store")
	}
	n := uint64(binary.BigEndian.Uint32(plain))
	if n > uint64(len(plain)-4) {
		return m, damage("meta", 0, "the meta record has an impossible length")
	}
	if err := decode(bytes.Clone(plain[4:4+n]), &m); err != nil {
		return m, err
	}
	if m.Version != FormatVersion {
		return m, damage("meta", uint64(m.Version), "the store has a format of another version of Coffer")
	}
	return m, nil
}
