package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/ident"
)

// The keys of the targets here are fixed, so that their corpora hold values
// that authenticate.

// fixedKey returns the data key whose bytes all are its id.
func fixedKey(id byte, use keyUse, scope Scope, owner [16]byte) *dataKey {
	k := &dataKey{id: uint32(id), use: use, scope: scope, owner: owner}
	copy(k.raw[:], bytes.Repeat([]byte{id}, len(k.raw)))
	return k.prepared()
}

var fuzzBucket = Bucket{ID: 0x10, Name: "staff", Scope: Identity, Schema: 1}

// FuzzUnwrap reads an entry of the keyring of any content: what unwraps is the
// key that was wrapped.
func FuzzUnwrap(f *testing.F) {
	root := &rootKeys{generation: 3}
	for scope := range root.ring {
		root.ring[scope] = newAEAD(bytes.Repeat([]byte{byte(scope)}, 32))
	}
	want := fixedKey(7, useClient, Chart, [16]byte{5})
	value := want.wrap(root)
	f.Add(uint32(7), value)
	f.Add(uint32(8), value)
	f.Add(uint32(7), value[:len(value)-1])
	f.Fuzz(func(t *testing.T, id uint32, value []byte) {
		k, err := unwrap(root, id, value)
		switch {
		case err == nil && (id != want.id || k.use != want.use || k.scope != want.scope || k.owner != want.owner || k.raw != want.raw):
			t.Errorf("entry %d of %x is %+v", id, value, k)
		case err != nil && err != error(errKeyring):
			t.Errorf("%x: %v", value, err)
		}
	})
}

// FuzzOpenRecord reads a stored value of any content: what opens is what was
// sealed.
func FuzzOpenRecord(f *testing.F) {
	outer, inner := fixedKey(7, useBucket, Identity, bucketOwner(fuzzBucket.ID)), fixedKey(9, useClient, Identity, [16]byte{1})
	keys := func(id uint32) *dataKey { return map[uint32]*dataKey{7: outer, 9: inner}[id] }
	value, err := sealRecord(fuzzBucket, outer, inner, record{key: 1, seq: 5, shared: []byte("shared"), private: []byte("private")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint64(1), value)
	f.Add(uint64(2), value)
	f.Add(uint64(1), value[:valueOverhead+plainHead])
	f.Fuzz(func(t *testing.T, key uint64, value []byte) {
		r, err := openRecord(fuzzBucket, keys, key, value)
		switch {
		case err == nil && (key != 1 || r.seq != 5 || string(r.shared) != "shared" || string(r.private) != "private" || r.client != inner.client()):
			t.Errorf("record %d of %x is %+v", key, value, r)
		case err != nil && !errors.Is(err, ErrRecordAuth) && !errors.Is(err, ErrUnknownKey):
			t.Errorf("%x: %v", value, err)
		}
	})
}

// FuzzOpenPlain reads the inside of a record as somebody with the bucket's
// key could have written it.
func FuzzOpenPlain(f *testing.F) {
	inner := fixedKey(9, useClient, fuzzBucket.Scope, [16]byte{1})
	keys := func(id uint32) *dataKey { return map[uint32]*dataKey{9: inner}[id] }
	f.Add(make([]byte, 64))
	f.Add(append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(make([]byte, 10), 1), 64), make([]byte, 110)...))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) < plainHead {
			return
		}
		r, err := openPlain(fuzzBucket, keys, 1, plain)
		if err == nil && len(r.shared)+len(r.private) > len(plain) {
			t.Error("more came out than went in")
		}
	})
}

// FuzzLast reads a coffer.last of any content: without the key, nothing but
// what was written is believed.
func FuzzLast(f *testing.F) {
	l := &lastFile{mac: hmac.New(sha256.New, []byte("a key of the test"))}
	head := []byte{formatLast, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7}
	written := l.sum(head, bytes.Clone(head))
	f.Add(written)
	f.Add(written[:lastHead])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		named, ok := l.parse(b)
		if ok != bytes.Equal(b, written) || ok && named != (told{9, 7}) {
			t.Errorf("%x: %v, %v", b, named, ok)
		}
	})
}

// FuzzJournal reads a journal of any content: of frames, only what was sealed
// is believed, and in its place.
func FuzzJournal(f *testing.F) {
	key := &journalKey{newAEAD(bytes.Repeat([]byte{1}, 32)), ident.ID[ident.Store]{2}, 3}
	head := journalHead(key.id, key.generation, tag{})
	one := key.seal(frame{seq: 7, writes: []write{{place{1, 0}, []byte("a value of more than a tag")}, {place{2, 3}, nil}}})
	f.Add(head)
	f.Add(slices.Concat(head, one))
	f.Add(slices.Concat(head, one, one))
	f.Add(slices.Concat(head, one[:len(one)-1]))
	f.Add([]byte{formatJournal})
	f.Fuzz(func(t *testing.T, b []byte) {
		frames := 0
		_, _, err := eachFrame(bytes.NewReader(b), int64(len(b)), key, func(fr frame, _ []byte) error {
			if frames++; fr.seq != 7 || len(fr.writes) != 2 || frames > 1 {
				t.Errorf("frame %d was never sealed there: %+v", frames, fr)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errForeign) && err != io.EOF {
			t.Errorf("%v", err)
		}
		if writes, ok := parseWrites(b); ok && len(writes) > len(b)/14 {
			t.Errorf("%d writes of %d bytes", len(writes), len(b))
		}
	})
}

// FuzzWalk gives arbitrary bytes as the pages of a file.
func FuzzWalk(f *testing.F) {
	page := make([]byte, 4*pageBytes)
	binary.LittleEndian.PutUint64(page[2*pageBytes:], 2)
	binary.LittleEndian.PutUint16(page[2*pageBytes+8:], leafFlag)
	f.Add(page[2*pageBytes:])
	binary.LittleEndian.PutUint16(page[2*pageBytes+8:], branchFlag)
	binary.LittleEndian.PutUint16(page[2*pageBytes+10:], 1)
	f.Add(page[2*pageBytes:])
	f.Fuzz(func(t *testing.T, pages []byte) {
		file := append(make([]byte, 2*pageBytes), pages...)
		if _, err := readHeads(bytes.NewReader(file), int64(len(file))); err == nil {
			t.Error("a file without heads was accepted")
		}
		top := uint64(len(file)) / pageBytes
		n, err := walkPages(bytes.NewReader(file), 2, top, func(uint16, uint64, []byte) error { return nil })
		if err != nil && fault.KindOf(err) != fault.Corrupt || n > top {
			t.Errorf("%d pages of %d, %v", n, top, err)
		}
	})
}
