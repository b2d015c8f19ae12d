package backup

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"time"

	"coffer/internal/audit"
	"coffer/internal/ident"
)

// Kind says what a backup holds.
type Kind uint8

// The kinds.
const (
	Full      Kind = 1 // every record of one commit
	Increment Kind = 2 // the commits after From up to Sequence
)

// String returns the ending of the file's name.
func (k Kind) String() string {
	if k == Increment {
		return "inc"
	}
	return "full"
}

const (
	magic          = "coffer/backup/1\n"
	headerBytesMax = 64 << 10
	keyBytes       = 32
)

// Header is what a backup says of itself in clear. It holds no client's data.
type Header struct {
	Kind       Kind
	StoreID    ident.ID[ident.Store]
	Time       time.Time // wall clock of the box, to the microsecond
	From       uint64    // Increment: number of the commit it goes on from; Full: 0
	Sequence   uint64    // number of the last commit in it
	Generation uint32    // of the root that opens the records
	Records    uint64    // records of the store; Increment: commits in it
	Head       audit.Head
	Set        []byte            // stands for the set of records: HMAC of the vault's set hash; Increment: empty
	Slot       []byte            // recovery slot: root under the recovery seed (package seal)
	Signer     ed25519.PublicKey // of the box
	forSeed    []byte            // stream key under the recovery public key
	forBox     []byte            // stream key under a key of the root
}

// appendFixed appends everything up to the wrapped stream keys: what both
// wrappings are bound to.
func (h *Header) appendFixed(b []byte) []byte {
	b = append(b, byte(h.Kind))
	b = append(b, h.StoreID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Time.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, h.From)
	b = binary.BigEndian.AppendUint64(b, h.Sequence)
	b = binary.BigEndian.AppendUint32(b, h.Generation)
	b = binary.BigEndian.AppendUint64(b, h.Records)
	b = binary.BigEndian.AppendUint64(b, h.Head.Size)
	b = append(b, h.Head.Root[:]...)
	b = append(b, h.Signer...)
	b = appendBytes(b, h.Set)
	return appendBytes(b, h.Slot)
}

// append appends the whole header with its magic and length, unsigned.
func (h *Header) append(b []byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = append(b, 0, 0, 0, 0)
	b = h.appendFixed(b)
	b = appendBytes(b, h.forSeed)
	b = appendBytes(b, h.forBox)
	binary.BigEndian.PutUint32(b[start+len(magic):], uint32(len(b)-start-len(magic)-4))
	return b
}

func appendBytes(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

// readHeader reads a header and its signature and verifies that the signer it
// names has signed it. It returns the bytes it read, which the sum covers.
func readHeader(r io.Reader) (*Header, []byte, error) {
	b := make([]byte, len(magic)+4, 4<<10)
	if err := readAll(r, b); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint32(b[len(magic):])
	if string(b[:len(magic)]) != magic || n > headerBytesMax {
		return nil, nil, ErrFormat
	}
	b = append(b, make([]byte, int(n)+ed25519.SignatureSize)...)
	if err := readAll(r, b[len(magic)+4:]); err != nil {
		return nil, nil, err
	}
	signed, signature := b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	h, err := parseHeader(signed[len(magic)+4:])
	if err != nil {
		return nil, nil, err
	}
	if !ed25519.Verify(h.Signer, signed, signature) || !bytes.Equal(h.append(nil), signed) {
		return nil, nil, ErrAuth
	}
	return h, b, nil
}

// parseHeader reads the fields of a header.
func parseHeader(b []byte) (*Header, error) {
	f := fields{b: b}
	h := new(Header)
	h.Kind = Kind(f.take(1)[0])
	copy(h.StoreID[:], f.take(16))
	h.Time = time.UnixMicro(int64(f.uint64())).UTC()
	h.From, h.Sequence = f.uint64(), f.uint64()
	h.Generation = binary.BigEndian.Uint32(f.take(4))
	h.Records = f.uint64()
	h.Head.Size = f.uint64()
	copy(h.Head.Root[:], f.take(32))
	h.Signer = f.take(ed25519.PublicKeySize)
	h.Set, h.Slot = f.bytes(), f.bytes()
	h.forSeed, h.forBox = f.bytes(), f.bytes()
	known := h.Kind == Full && h.From == 0 || h.Kind == Increment && h.From < h.Sequence
	if f.short || len(f.b) != 0 || !known || h.StoreID.IsZero() || h.Generation == 0 {
		return nil, ErrFormat
	}
	return h, nil
}

// fields takes fields off a slice. When there is too little it gives zeros
// and says so at the end.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.short = true
		return make([]byte, n)
	}
	field := f.b[:n:n]
	f.b = f.b[n:]
	return field
}

func (f *fields) uint64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }

func (f *fields) bytes() []byte { return f.take(int(binary.BigEndian.Uint16(f.take(2)))) }
