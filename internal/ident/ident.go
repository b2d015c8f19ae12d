// Package ident has typed identifiers: 128 bits, sortable by the time at
// which they were made, unguessable in the rest (the layout of UUID version
// 7, RFC 9562 section 5.7). An identifier of one kind does not compile where
// another kind is due, says nothing about a client, and may stand in URLs,
// logs and errors.
package ident

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"

	"coffer/internal/fault"
)

// Kinds of things that have identifiers. They are never instantiated.
type (
	Client      struct{ _ [0]byte }
	Staff       struct{ _ [0]byte }
	Session     struct{ _ [0]byte }
	Appointment struct{ _ [0]byte }
	Encounter   struct{ _ [0]byte }
	Charge      struct{ _ [0]byte }
	Attempt     struct{ _ [0]byte }
	Act         struct{ _ [0]byte }
	Payment     struct{ _ [0]byte }
	Entry       struct{ _ [0]byte }
	Terminal    struct{ _ [0]byte }
	Device      struct{ _ [0]byte }
	Command     struct{ _ [0]byte }
	Store       struct{ _ [0]byte }
)

// ID identifies one thing of kind K. The zero ID identifies nothing.
type ID[K any] [16]byte

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrFormat is returned by Parse.
var ErrFormat = fault.New(fault.NotFound, "There is nothing at this address.")

// New returns a fresh identifier made at now.
func New[K any](now time.Time) ID[K] {
	var id ID[K]
	rand.Read(id[:])
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Parse reads the text form, 26 characters of lower-case Crockford base32, or
// gives ErrFormat. Each identifier has exactly one text form.
func Parse[K any](s string) (ID[K], error) {
	var id ID[K]
	b, err := encoding.DecodeString(s)
	if err != nil || len(b) != len(id) || encoding.EncodeToString(b) != s {
		return ID[K]{}, ErrFormat
	}
	copy(id[:], b)
	return id, nil
}

// String returns the text form.
func (id ID[K]) String() string { return encoding.EncodeToString(id[:]) }

// SafeString returns the text form: an identifier identifies no client to
// somebody without access to the store.
func (id ID[K]) SafeString() string { return id.String() }

// IsZero reports whether the identifier identifies nothing.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

// MarshalText returns the text form.
func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *ID[K]) UnmarshalText(b []byte) error {
	var err error
	*id, err = Parse[K](string(b))
	return err
}

// MarshalBinary returns the 16 bytes, the storage form.
func (id ID[K]) MarshalBinary() ([]byte, error) { return id[:], nil }

// UnmarshalBinary sets the identifier from its storage form.
func (id *ID[K]) UnmarshalBinary(b []byte) error {
	if len(b) != len(id) {
		return ErrFormat
	}
	copy(id[:], b)
	return nil
}
