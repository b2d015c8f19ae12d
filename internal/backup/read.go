package backup

import (
	"bufio"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"iter"

	"coffer/internal/vault"
)

// Reader reads one backup. What it gives out before the end was reached is
// authentic chunk by chunk, but only Result says that nothing is missing.
type Reader struct {
	Header *Header
	in     *bufio.Reader
	sum    hash.Hash
	head   [sha256.Size]byte
	bytes  uint64
	chunk  uint64
	buf    []byte
	plain  uint64
	last   bool // the last chunk was read
	end    *end
}

// NewReader reads the header of a backup and verifies its signature by the key
// that it names. It gives ErrTruncated, ErrFormat or ErrAuth, or what reading
// from r gave.
func NewReader(r io.Reader) (*Reader, error) {
	in := bufio.NewReaderSize(r, 256<<10)
	h, b, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	d := &Reader{Header: h, in: in, sum: sha256.New(), head: sha256.Sum256(b), bytes: uint64(len(b))}
	d.sum.Write(b)
	return d, nil
}

// Sum reads the rest without any key: the chunks' order and lengths, the sum
// and its signature. It is verification level 1, except that the signature is
// by the key the file itself names.
func (d *Reader) Sum() (Result, error) {
	for !d.last {
		if _, err := d.sealed(); err != nil {
			return Result{}, err
		}
	}
	if err := d.readEnd(); err != nil {
		return Result{}, err
	}
	if d.end.plain != d.plain {
		return Result{}, ErrSetMismatch
	}
	return d.result(), nil
}

func (d *Reader) result() Result {
	return Result{d.end.frames, d.end.plain, d.bytes, d.end.sum}
}

// sealed reads the next chunk as it is.
func (d *Reader) sealed() ([]byte, error) {
	var head [chunkHead]byte
	if err := readAll(d.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case head[0] > 1, n < chunkOverhead, n > chunkBytes+chunkOverhead, head[0] == 0 && n != chunkBytes+chunkOverhead:
		return nil, ErrAuth
	}
	if cap(d.buf) < int(n) {
		d.buf = make([]byte, chunkBytes+chunkOverhead)
	}
	b := d.buf[:n]
	if err := readAll(d.in, b); err != nil {
		return nil, err
	}
	d.sum.Write(head[:])
	d.sum.Write(b)
	d.bytes += uint64(chunkHead) + uint64(n)
	d.plain += uint64(n) - chunkOverhead
	d.last = head[0] == 1
	return b, nil
}

// open reads and decrypts the next chunk.
func (d *Reader) open(aead cipher.AEAD) ([]byte, error) {
	b, err := d.sealed()
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(b[:0], nil, b, chunkAAD(&d.head, d.chunk, d.last))
	if err != nil {
		return nil, ErrAuth
	}
	d.chunk++
	return plain, nil
}

// readEnd reads the end record, after which there must be nothing.
func (d *Reader) readEnd() error {
	var b [endBytes]byte
	if err := readAll(d.in, b[:]); err != nil {
		return err
	}
	e := &end{frames: binary.BigEndian.Uint64(b[:]), plain: binary.BigEndian.Uint64(b[8:])}
	copy(e.sum[:], b[16:])
	body, signature := b[:endBytes-ed25519.SignatureSize], b[endBytes-ed25519.SignatureSize:]
	if !ed25519.Verify(d.Header.Signer, e.signed(body), signature) || e.sum != [sha256.Size]byte(d.sum.Sum(nil)) {
		return ErrAuth
	}
	switch _, err := d.in.ReadByte(); {
	case err == nil:
		return ErrAuth
	case err != io.EOF:
		return readFault(err)
	}
	d.bytes += endBytes
	d.end = e
	return nil
}

// frames decrypts the stream. The sequence ends after the first error it
// yields; when it ends without one, the whole backup was read, its sum and
// counts are right, and result tells them.
func (d *Reader) frames(aead cipher.AEAD) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		s := &frameSource{d: d, aead: aead}
		for {
			r, err := s.next()
			if err == io.EOF {
				err = d.atEnd(s.count)
				if err == nil {
					return
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// atEnd verifies the end record after n frames.
func (d *Reader) atEnd(n uint64) error {
	if err := d.readEnd(); err != nil {
		return err
	}
	if n != d.end.frames || d.plain != d.end.plain {
		return ErrSetMismatch
	}
	return nil
}

// frameSource cuts the plaintext into frames.
type frameSource struct {
	d     *Reader
	aead  cipher.AEAD
	rest  []byte // plaintext that was not used yet
	count uint64
}

// next returns the next frame, or io.EOF after the last. The value is the
// caller's.
func (s *frameSource) next() (vault.Stored, error) {
	var head [frameHead]byte
	switch n, err := s.fill(head[:]); {
	case err == io.EOF && n == 0:
		return vault.Stored{}, io.EOF
	case err == io.EOF:
		return vault.Stored{}, ErrSetMismatch
	case err != nil:
		return vault.Stored{}, err
	}
	n := binary.BigEndian.Uint32(head[10:])
	if n > valueBytesMax {
		return vault.Stored{}, ErrSetMismatch
	}
	r := vault.Stored{Bucket: binary.BigEndian.Uint16(head[:]), Key: binary.BigEndian.Uint64(head[2:])}
	var err error
	if r.Value, err = s.value(int(n)); err != nil {
		return vault.Stored{}, err
	}
	s.count++
	return r, nil
}

// value returns the next n bytes. Memory grows with what was read, not with
// what a frame claims.
func (s *frameSource) value(n int) ([]byte, error) {
	b := make([]byte, 0, min(n, chunkBytes))
	for len(b) < n {
		part := min(n-len(b), chunkBytes)
		b = append(b, make([]byte, part)...)
		if _, err := s.fill(b[len(b)-part:]); err != nil {
			if err == io.EOF {
				err = ErrSetMismatch
			}
			return nil, err
		}
	}
	return b, nil
}

// fill copies plaintext into b. It gives io.EOF with what there was when the
// stream ends before b is full.
func (s *frameSource) fill(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if len(s.rest) == 0 {
			if s.d.last {
				return n, io.EOF
			}
			var err error
			if s.rest, err = s.d.open(s.aead); err != nil {
				return n, err
			}
			continue
		}
		m := copy(b[n:], s.rest)
		s.rest, n = s.rest[m:], n+m
	}
	return n, nil
}

// readAll fills b. A stream that ends too early is ErrTruncated.
func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	return readFault(err)
}

// readFault returns the fault for an error of reading.
func readFault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}
