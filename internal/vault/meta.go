package vault

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"

	"coffer/internal/audit"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// FormatVersion is the version of everything on the disk.
const FormatVersion = 2

const (
	aadMeta      = "coffer/meta/2"
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
	Next  uint64 `cbor:"3,keyasint"`           // key of the next record
	KeyID uint32 `cbor:"4,keyasint"`           // data key for new records
	Seals uint64 `cbor:"5,keyasint"`           // made with it
	Old   uint32 `cbor:"6,keyasint,omitempty"` // data key that a re-key replaces; 0: none is under way
	Moved uint64 `cbor:"7,keyasint,omitempty"` // records up to this key are no more under it
}

// metaOf returns the meta record's content for a state.
func metaOf(s *state) metaForm {
	m := metaForm{
		Version: FormatVersion, StoreID: s.root.storeID, Seq: s.seq, Anchor: s.anchor, Set: s.set,
		AuditSize: s.tree.Size(), AuditTree: s.tree.Hashes(), NextKey: s.nextKey, LastWall: s.lastWall,
		Keys: uint64(s.keys.Len()), Lost: s.lost, LostWall: s.lostWall, Heads: s.trail.heads,
		Buckets: make([]metaBucket, 0, len(s.slots)),
	}
	for _, b := range s.slots {
		m.Buckets = append(m.Buckets, metaBucket{b.bucket.ID, uint64(b.tags.Len()), b.next, b.keyID, b.seals, b.oldID, b.moved})
	}
	return m
}

// rootKeys are the keys derived from one generation of the root that stay in
// use while the store is open.
type rootKeys struct {
	ring       [scopeEnd]cipher.AEAD // each wraps the keys of one compartment
	meta       cipher.AEAD           // seals the meta record
	journal    *journalKey           // seals frames of the commit journal
	last       [32]byte              // of the HMAC of coffer.last
	clean      [32]byte              // of the HMAC of coffer.clean
	generation uint32
	storeID    ident.ID[ident.Store]
	source     *seal.Key // not used after Open, or after Rotate
}

// deriveKeys returns the keys under the root.
func deriveKeys(key *seal.Key) *rootKeys {
	derived := func(label string) cipher.AEAD {
		raw := key.Derive(label)
		defer clear(raw[:])
		return newAEAD(raw[:])
	}
	k := &rootKeys{
		meta: derived("meta"), last: key.Derive(lastLabel), clean: key.Derive(cleanLabel),
		generation: key.Generation(), storeID: key.StoreID(), source: key,
	}
	k.journal = &journalKey{derived(journalLabel), k.storeID, k.generation}
	for scope, label := range ringLabels {
		if label != "" {
			k.ring[scope] = derived(label)
		}
	}
	return k
}

// of returns the keys of the generation that a stored meta record names in
// clear: while the root is being rotated there are two.
func (k *rootKeys) of(value []byte) (*rootKeys, error) {
	if len(value) < valueHead {
		return nil, damage("meta", 0, "the meta record is damaged")
	}
	g := binary.BigEndian.Uint32(value[1:])
	root, ok := k.at(g)
	if !ok {
		return nil, damage("meta", uint64(g), "the store belongs to another generation of the root key")
	}
	return root, nil
}

// at returns the keys of a generation, if the root's key has it.
func (k *rootKeys) at(generation uint32) (*rootKeys, bool) {
	if generation == k.generation {
		return k, true
	}
	key, ok := k.source.At(generation)
	if !ok {
		return nil, false
	}
	other := deriveKeys(key)
	other.source = k.source
	return other, true
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
