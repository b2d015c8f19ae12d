package backup

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"iter"

	"coffer/internal/vault"
)

const (
	chunkBytes    = 64 << 10 // plaintext of every chunk but the last
	chunkHead     = 1 + 4    // last flag, length
	chunkOverhead = 12 + 16  // nonce, tag
	frameHead     = 2 + 8 + 4
	valueBytesMax = 16 << 20 // of one frame
	endBytes      = 8 + 8 + sha256.Size + ed25519.SignatureSize
	endLabel      = "coffer/backup-end/1"
)

// sealer gives a stream key its two wrappings and signs. It is what a writer
// needs of the box.
type sealer struct {
	signer  ed25519.PrivateKey
	forSeed func(aad, key []byte) ([]byte, error)
	forBox  func(aad, key []byte) ([]byte, error)
}

// writer writes one backup.
type writer struct {
	out    io.Writer
	sum    hash.Hash
	aead   cipher.AEAD
	head   [sha256.Size]byte // SHA-256 of the signed header: every chunk is bound to it
	buf    []byte            // plaintext of the chunk under way
	sealed []byte
	chunk  uint64
	end    end
	signer ed25519.PrivateKey
}

// end is the record that closes a backup.
type end struct {
	frames uint64
	plain  uint64 // bytes of plaintext
	sum    [sha256.Size]byte
}

// Result is what was written or read.
type Result struct {
	Frames uint64            // values in the stream
	Plain  uint64            // bytes of the plaintext stream
	Bytes  uint64            // bytes of the file
	Sum    [sha256.Size]byte // SHA-256 of the file up to its end record: its fingerprint
}

// write writes the header, the frames and the end. h gets its wrapped keys and
// signer here.
func write(out io.Writer, h *Header, s sealer, records iter.Seq2[vault.Stored, error]) (Result, error) {
	count := &counter{w: out}
	w := &writer{out: count, sum: sha256.New(), signer: s.signer, buf: make([]byte, 0, chunkBytes)}
	if err := w.begin(h, s); err != nil {
		return Result{}, err
	}
	for r, err := range records {
		if err != nil {
			return Result{}, err
		}
		if err := w.frame(r); err != nil {
			return Result{}, err
		}
	}
	if err := w.finish(); err != nil {
		return Result{}, err
	}
	return Result{w.end.frames, w.end.plain, count.n, w.end.sum}, nil
}

// begin draws the stream key, wraps it, and writes the signed header.
func (w *writer) begin(h *Header, s sealer) error {
	var key [keyBytes]byte
	rand.Read(key[:])
	defer clear(key[:])
	w.aead = newAEAD(key[:])
	h.Signer = s.signer.Public().(ed25519.PublicKey)
	fixed := h.appendFixed(nil)
	var err error
	if h.forSeed, err = s.forSeed(fixed, key[:]); err != nil {
		return err
	}
	if h.forBox, err = s.forBox(fixed, key[:]); err != nil {
		return err
	}
	b := h.append(nil)
	if len(b) > headerBytesMax {
		return ErrFormat
	}
	b = append(b, ed25519.Sign(s.signer, b)...)
	w.head = sha256.Sum256(b)
	return w.put(b)
}

// put writes bytes that the sum covers.
func (w *writer) put(b []byte) error {
	w.sum.Write(b)
	_, err := w.out.Write(b)
	return err
}

// frame adds one record to the stream.
func (w *writer) frame(r vault.Stored) error {
	if len(r.Value) > valueBytesMax {
		return ErrSetMismatch
	}
	var head [frameHead]byte
	binary.BigEndian.PutUint16(head[:], r.Bucket)
	binary.BigEndian.PutUint64(head[2:], r.Key)
	binary.BigEndian.PutUint32(head[10:], uint32(len(r.Value)))
	w.end.frames++
	if err := w.add(head[:]); err != nil {
		return err
	}
	return w.add(r.Value)
}

// add appends plaintext, and seals a chunk whenever one is full and more
// follows.
func (w *writer) add(b []byte) error {
	w.end.plain += uint64(len(b))
	for len(b) > 0 {
		if len(w.buf) == chunkBytes {
			if err := w.sealChunk(false); err != nil {
				return err
			}
		}
		n := min(len(b), chunkBytes-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
	}
	return nil
}

func (w *writer) sealChunk(last bool) error {
	b := append(w.sealed[:0], flag(last), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(b[1:], uint32(len(w.buf)+chunkOverhead))
	b = w.aead.Seal(b, nil, w.buf, chunkAAD(&w.head, w.chunk, last))
	w.sealed, w.buf = b, w.buf[:0]
	w.chunk++
	return w.put(b)
}

func (w *writer) finish() error {
	if err := w.sealChunk(true); err != nil {
		return err
	}
	w.sum.Sum(w.end.sum[:0])
	_, err := w.out.Write(w.end.append(nil, w.signer))
	return err
}

// append appends the signed end record.
func (e *end) append(b []byte, signer ed25519.PrivateKey) []byte {
	start := len(b)
	b = e.appendBody(b)
	return append(b, ed25519.Sign(signer, e.signed(b[start:]))...)
}

func (e *end) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.frames)
	b = binary.BigEndian.AppendUint64(b, e.plain)
	return append(b, e.sum[:]...)
}

// signed returns what the signature of an end record covers.
func (e *end) signed(body []byte) []byte { return append([]byte(endLabel), body...) }

// flag is the first byte of a chunk.
func flag(last bool) byte {
	if last {
		return 1
	}
	return 0
}

// chunkAAD binds a chunk to its backup, its place and whether it is the last:
// what STREAM puts into the nonce, which is random here because the FIPS 140
// module makes its nonces itself.
func chunkAAD(head *[sha256.Size]byte, chunk uint64, last bool) []byte {
	b := make([]byte, 0, len(head)+9)
	b = append(b, head[:]...)
	b = binary.BigEndian.AppendUint64(b, chunk)
	return append(b, flag(last))
}

// newAEAD returns AES-256-GCM that draws a random nonce for each seal. key has
// 32 bytes, so the constructors can't fail.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("backup: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("backup: " + err.Error())
	}
	return aead
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}
