package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"
)

// setSum is a sum of HMACs modulo 2^256 (MSet-Add-Hash, Clarke et al. 2003),
// least significant word first. Kept under a key and itself sealed, it stands
// for the whole set of records, in any order.
type setSum [4]uint64

func (s setSum) add(t setSum) setSum {
	var c uint64
	for i := range s {
		s[i], c = bits.Add64(s[i], t[i], c)
	}
	return s
}

func (s setSum) sub(t setSum) setSum {
	var b uint64
	for i := range s {
		s[i], b = bits.Sub64(s[i], t[i], b)
	}
	return s
}

// bytes returns the sum as 32 bytes, least significant first.
func (s setSum) bytes() []byte {
	b := make([]byte, 0, sha256.Size)
	for _, word := range s {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

// setHasher computes the terms of the sum. It is not for concurrent use.
type setHasher struct{ h hash.Hash }

func newSetHasher(key [32]byte) *setHasher { return &setHasher{hmac.New(sha256.New, key[:])} }

// term returns the term of one stored value, which must be well-formed:
// HMAC-SHA256(key, bucket u16 | length u32 | key u64 | keyID u32 | nonce | tag).
func (s *setHasher) term(bucket uint16, key uint64, value []byte) setSum {
	var b [2 + 4 + 8 + 4 + nonceBytes + tagBytes]byte
	binary.BigEndian.PutUint16(b[0:], bucket)
	binary.BigEndian.PutUint32(b[2:], uint32(len(value)))
	binary.BigEndian.PutUint64(b[6:], key)
	copy(b[14:], value[1:1+4+nonceBytes])
	copy(b[14+4+nonceBytes:], value[len(value)-tagBytes:])
	s.h.Reset()
	s.h.Write(b[:])
	var sum [sha256.Size]byte
	s.h.Sum(sum[:0])
	var t setSum
	for i := range t {
		t[i] = binary.LittleEndian.Uint64(sum[8*i:])
	}
	return t
}
