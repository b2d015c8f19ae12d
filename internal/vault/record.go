package vault

import (
	"encoding/binary"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ident"
)

// Sizes of the record format, in bytes.
const (
	nonceBytes     = 12
	tagBytes       = 16
	valueHead      = 1 + 4 // format, key id
	valueOverhead  = valueHead + nonceBytes + tagBytes
	plainHead      = 8 + 2 + 4 + 4 // sequence, schema, lengths of shared and private
	padBytes       = 64
	recordBytesMax = 1 << 20
	formatRecord   = 0x01
	aadRecord      = "coffer/rec/1"
)

// record is one record between its table and its sealed form.
type record struct {
	key     uint64
	client  ident.ID[ident.Client] // zero without a client's key
	erased  time.Time              // when the client's key was destroyed; zero: it was not
	seq     uint64                 // commit that wrote it
	shared  []byte
	private []byte
}

var (
	errTooLong = fault.New(fault.Invalid, "This is too long to be stored. Shorten it.")

	// ErrNoRow is returned when a table has no row with a key.
	ErrNoRow = fault.New(fault.NotFound, "There is no such record.")
)

// recordFault is given for a record that does not authenticate.
func recordFault(b Bucket, key uint64) error {
	return fault.Wrap(ErrRecordAuth, fault.Corrupt, "Record %v of %v is not what was written (STORE-006). Stop, and call IT.",
		fault.Int(key), fault.Code(b.Name))
}

// keyFault is given for a record under a key that is not there, or that is
// not for its bucket.
func keyFault(b Bucket, key uint64) error {
	return fault.Wrap(ErrUnknownKey, fault.Corrupt, "The key of record %v of %v is not in the keyring (STORE-007). Stop, and call IT.",
		fault.Int(key), fault.Code(b.Name))
}

// aadOf returns the associated data of a record: where it stands and under
// which key.
func aadOf(bucket uint16, keyID uint32, key uint64) []byte {
	b := make([]byte, 0, len(aadRecord)+2+4+8)
	b = append(b, aadRecord...)
	b = binary.BigEndian.AppendUint16(b, bucket)
	b = binary.BigEndian.AppendUint32(b, keyID)
	return binary.BigEndian.AppendUint64(b, key)
}

// tagPrefix returns the first eight bytes of the tag of a stored value.
func tagPrefix(value []byte) uint64 {
	return binary.BigEndian.Uint64(value[len(value)-tagBytes:])
}

// wellFormed reports whether value can be the value of a record.
func wellFormed(value []byte) bool {
	return len(value) >= valueOverhead+plainHead && len(value) <= recordBytesMax+valueOverhead && value[0] == formatRecord
}

// sealRecord returns the stored value of r in a bucket: sealed under outer,
// its private part before that under inner, which is nil when there is none.
func sealRecord(b Bucket, outer, inner *dataKey, r record) ([]byte, error) {
	privateLen := 0
	if inner != nil {
		privateLen = 4 + nonceBytes + len(r.private) + tagBytes
	}
	n := plainHead + len(r.shared) + privateLen
	n += -n & (padBytes - 1)
	if n > recordBytesMax {
		return nil, errTooLong
	}
	plain := make([]byte, 0, n)
	plain = binary.BigEndian.AppendUint64(plain, r.seq)
	plain = binary.BigEndian.AppendUint16(plain, b.Schema)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(r.shared)))
	plain = binary.BigEndian.AppendUint32(plain, uint32(privateLen))
	plain = append(plain, r.shared...)
	if inner != nil {
		plain = binary.BigEndian.AppendUint32(plain, inner.id)
		plain = inner.aead().Seal(plain, nil, r.private, aadOf(b.ID, inner.id, r.key))
	}
	plain = plain[:n]
	value := make([]byte, valueHead, n+valueOverhead)
	value[0] = formatRecord
	binary.BigEndian.PutUint32(value[1:], outer.id)
	value = outer.aead().Seal(value, nil, plain, aadOf(b.ID, outer.id, r.key))
	clear(plain)
	return value, nil
}

// keyFinder returns the key of an id, nil when there is none.
type keyFinder func(id uint32) *dataKey

// openRecord reads a stored value back. It trusts nothing in it before it is
// authenticated.
func openRecord(b Bucket, keys keyFinder, key uint64, value []byte) (record, error) {
	if !wellFormed(value) {
		return record{}, recordFault(b, key)
	}
	keyID := binary.BigEndian.Uint32(value[1:])
	outer := keys(keyID)
	if outer == nil || !outer.opens(b) {
		return record{}, keyFault(b, key)
	}
	plain, err := outer.aead().Open(nil, nil, value[valueHead:], aadOf(b.ID, keyID, key))
	if err != nil {
		return record{}, recordFault(b, key)
	}
	return openPlain(b, keys, key, plain)
}

// openPlain reads the authenticated outer layer of a record and opens the
// inner one.
func openPlain(b Bucket, keys keyFinder, key uint64, plain []byte) (record, error) {
	r := record{key: key, seq: binary.BigEndian.Uint64(plain)}
	if binary.BigEndian.Uint16(plain[8:]) > b.Schema {
		return record{}, fault.New(fault.Conflict, "Record %v of %v was written by a newer version of Coffer. Install that version.",
			fault.Int(key), fault.Code(b.Name))
	}
	sharedLen := uint64(binary.BigEndian.Uint32(plain[10:]))
	privateLen := uint64(binary.BigEndian.Uint32(plain[14:]))
	rest := plain[plainHead:]
	if sharedLen+privateLen > uint64(len(rest)) || privateLen > 0 && privateLen < 4+nonceBytes+tagBytes {
		return record{}, recordFault(b, key)
	}
	r.shared = rest[:sharedLen:sharedLen]
	if privateLen == 0 {
		return r, nil
	}
	private := rest[sharedLen : sharedLen+privateLen]
	keyID := binary.BigEndian.Uint32(private)
	inner := keys(keyID)
	switch {
	case inner != nil && inner.erased(b):
		r.client, r.erased = inner.client(), inner.erasedAt()
		return r, nil
	case inner == nil || !inner.opensPrivate(b):
		return record{}, keyFault(b, key)
	}
	var err error
	r.private, err = inner.aead().Open(nil, nil, private[4:], aadOf(b.ID, keyID, key))
	if err != nil {
		return record{}, recordFault(b, key)
	}
	r.client = inner.client()
	return r, nil
}
