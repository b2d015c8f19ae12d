package backup

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/fault"
	"coffer/internal/ident"

	"coffer/internal/vault"
)

// box is what a stream needs of a box.
type box struct {
	signer ed25519.PrivateKey
	key    [32]byte
}

func newBox() box {
	_, signer, _ := ed25519.GenerateKey(nil) // crypto/rand does not fail
	b := box{signer: signer}
	rand.Read(b.key[:])
	return b
}

func (b box) sealer() sealer {
	wrap := func(aad, key []byte) ([]byte, error) { return newAEAD(b.key[:]).Seal(nil, nil, key, aad), nil }
	return sealer{b.signer, wrap, wrap}
}

func (b box) open(h *Header) (streamKey, error) {
	key, err := unwrap(func(aad, sealed []byte) ([]byte, error) { return newAEAD(b.key[:]).Open(nil, nil, sealed, aad) }, h, h.forBox)
	if err != nil {
		return nil, because(ErrAuth, err)
	}
	return key, nil
}

var someStore = ident.New[ident.Store](time.UnixMilli(1_764_000_000_000))

func someHeader(records int) *Header {
	return &Header{
		Kind: Full, StoreID: someStore, Time: time.UnixMicro(1_764_000_000_123_456).UTC(), Sequence: 77, Generation: 1,
		Records: uint64(records), Set: []byte("set"), Slot: []byte("slot"),
	}
}

func stored(bucket uint16, key uint64, value []byte) vault.Stored {
	return vault.Stored{Bucket: bucket, Key: key, Value: value}
}

func seqOf(records []vault.Stored) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (b box) write(t rapid.TB, records []vault.Stored) []byte {
	t.Helper()
	var out bytes.Buffer
	result, err := write(&out, someHeader(len(records)), b.sealer(), seqOf(records))
	if err != nil {
		t.Fatal(err)
	}
	if result.Bytes != uint64(out.Len()) || result.Frames != uint64(len(records)) {
		t.Fatalf("result %+v for %d bytes and %d records", result, out.Len(), len(records))
	}
	return out.Bytes()
}

// read reads a whole backup by the box's key, at both levels, which must agree.
func (b box) read(file []byte) ([]vault.Stored, error) {
	d, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	key, err := b.open(d.Header)
	if err != nil {
		return nil, err
	}
	var records []vault.Stored
	for r, err := range d.frames(key) {
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func sum(file []byte) error {
	d, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return err
	}
	_, err = d.Sum()
	return err
}

func someRecords(t *rapid.T) []vault.Stored {
	value := rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(chunkBytes-20, chunkBytes+20), rapid.Just(3*chunkBytes)).Draw(t, "bytes")
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		return b
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) vault.Stored {
		return stored(rapid.Uint16().Draw(t, "bucket"), rapid.Uint64().Draw(t, "key"), value.Draw(t, "value"))
	}), 0, 12).Draw(t, "records")
}

func same(a, b vault.Stored) bool {
	return a.Bucket == b.Bucket && a.Key == b.Key && bytes.Equal(a.Value, b.Value)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b := newBox()
	rapid.Check(t, func(t *rapid.T) {
		records := someRecords(t)
		file := b.write(t, records)
		if err := sum(file); err != nil {
			t.Fatal(err)
		}
		got, err := b.read(file)
		if err != nil || !slices.EqualFunc(got, records, same) {
			t.Fatalf("%d of %d records, %v", len(got), len(records), err)
		}
	})
}

// TestHeaderComesBack: every field of the header survives.
func TestHeaderComesBack(t *testing.T) {
	file := newBox().write(t, nil)
	d, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want := someHeader(0)
	h := d.Header
	if h.Kind != want.Kind || h.StoreID != want.StoreID || !h.Time.Equal(want.Time) || h.Sequence != want.Sequence ||
		h.Generation != want.Generation || string(h.Set) != "set" || string(h.Slot) != "slot" {
		t.Fatalf("%+v", h)
	}
}

// pieces cuts a backup into its header, its chunks and its end.
func pieces(t *testing.T, file []byte) [][]byte {
	t.Helper()
	n := len(magic) + 4 + int(binary.BigEndian.Uint32(file[len(magic):])) + ed25519.SignatureSize
	cut := [][]byte{file[:n]}
	for rest := file[n:]; ; {
		if len(rest) == endBytes {
			return append(cut, rest)
		}
		n := chunkHead + int(binary.BigEndian.Uint32(rest[1:]))
		cut, rest = append(cut, rest[:n]), rest[n:]
	}
}

func bigRecords(n int) []vault.Stored {
	var records []vault.Stored
	for i := range n {
		records = append(records, stored(uint16(i), uint64(i), bytes.Repeat([]byte{byte(i)}, chunkBytes)))
	}
	return records
}

func (b box) refused(t *testing.T, what string, file []byte, want error) {
	t.Helper()
	if err := sum(file); !errors.Is(err, want) {
		t.Errorf("%s, level 1: %v", what, err)
	}
	if _, err := b.read(file); !errors.Is(err, want) {
		t.Errorf("%s, decrypted: %v", what, err)
	}
}

func TestCutBackupIsTruncated(t *testing.T) {
	b := newBox()
	file := b.write(t, bigRecords(3))
	at := 0
	for _, p := range pieces(t, file) {
		for _, n := range []int{at, at + 1, at + len(p)/2, at + len(p) - 1} {
			b.refused(t, "cut", file[:n], ErrTruncated)
		}
		at += len(p)
	}
}

func TestMovedChunksAreRefused(t *testing.T) {
	b := newBox()
	p := pieces(t, b.write(t, bigRecords(4)))
	other := pieces(t, b.write(t, bigRecords(4)))
	join := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	for name, file := range map[string][]byte{
		"reordered":          join(p[0], p[2], p[1], join(p[3:]...)),
		"one left out":       join(p[0], p[1], join(p[3:]...)),
		"one twice":          join(p[0], p[1], p[1], join(p[2:]...)),
		"chunk of another":   join(p[0], p[1], other[2], join(p[3:]...)),
		"tail of another":    join(p[0], p[1], join(other[2:]...)),
		"header of another":  join(other[0], join(p[1:]...)),
		"end of another":     join(join(p[:len(p)-1]...), other[len(other)-1]),
		"something after it": join(join(p...), []byte{0}),
		"another after it":   join(join(p...), join(other...)),
	} {
		b.refused(t, name, file, ErrAuth)
	}
}

// TestEndBroughtForward cuts chunks out and flags the chunk before as the last.
func TestEndBroughtForward(t *testing.T) {
	b := newBox()
	p := pieces(t, b.write(t, bigRecords(3)))
	p[2][0] = 1
	b.refused(t, "flagged as last", bytes.Join([][]byte{p[0], p[1], p[2], p[len(p)-1]}, nil), ErrAuth)
}

// TestEveryFlippedByte: no byte of a small backup can be changed.
func TestEveryFlippedByte(t *testing.T) {
	b := newBox()
	file := b.write(t, []vault.Stored{stored(1, 2, []byte("three"))})
	for i := range file {
		flip := byte(1) << (i % 8)
		file[i] ^= flip
		for _, err := range []error{sum(file), second(b.read(file))} {
			if !errors.Is(err, ErrAuth) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		file[i] ^= flip
	}
}

func second[T any](_ T, err error) error { return err }

// TestOtherBoxesKey: a key of another box opens nothing.
func TestOtherBoxesKey(t *testing.T) {
	file := newBox().write(t, bigRecords(1))
	if _, err := newBox().read(file); !errors.Is(err, ErrAuth) {
		t.Fatal(err)
	}
}

// TestFailedSourceLeavesNoBackup: when the store can't be read to its end,
// what was written is no backup.
func TestFailedSourceLeavesNoBackup(t *testing.T) {
	var out bytes.Buffer
	failure := errors.New("the store failed")
	_, err := write(&out, someHeader(2), newBox().sealer(), func(yield func(vault.Stored, error) bool) {
		_ = yield(bigRecords(1)[0], nil) && yield(vault.Stored{}, failure)
	})
	if !errors.Is(err, failure) {
		t.Error(err)
	}
	if err := sum(out.Bytes()); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

// TestReadErrorIsNotTruncation: what the target says is what is said.
func TestReadErrorIsNotTruncation(t *testing.T) {
	file := newBox().write(t, bigRecords(2))
	d, err := NewReader(io.MultiReader(bytes.NewReader(file[:len(file)-200]), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sum(); !errors.Is(err, ErrTargetGone) {
		t.Fatal(err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, because(ErrTargetGone, io.ErrClosedPipe) }

// FuzzReader: what is read without an error is exactly what is written.
func FuzzReader(f *testing.F) {
	b := box{signer: ed25519.NewKeyFromSeed(make([]byte, 32))}
	file := b.write(f, []vault.Stored{stored(1, 2, []byte("three")), stored(4, 5, nil)})
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		level1 := sum(file)
		_, level2 := b.read(file)
		for _, err := range []error{level1, level2} {
			if err != nil && Code(err) == "" {
				t.Fatal(err)
			}
		}
		if level1 != nil && level2 == nil {
			t.Fatalf("opens, but level 1 says %v", level1)
		}
		if k := fault.KindOf(level1); level1 != nil && k != fault.Corrupt && k != fault.Invalid {
			t.Fatal(level1)
		}
	})
}

// FuzzName: a name has one spelling.
func FuzzName(f *testing.F) {
	f.Add(nameOf(someHeader(0)).String())
	f.Add("coffer-00000000000000000000000000-000000000001-000000000002-20261125T030000.000Z.inc")
	f.Add("coffer-../../etc/passwd.full")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err == nil && n.String() != s {
			t.Fatalf("%q reads as %q", s, n)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	box := newBox()
	records := make([]vault.Stored, 100_000)
	value := make([]byte, 300)
	for i := range records {
		records[i] = stored(0x31, uint64(i), value)
	}
	b.SetBytes(int64(len(records)) * (300 + frameHead))
	for b.Loop() {
		if _, err := write(io.Discard, someHeader(len(records)), box.sealer(), seqOf(records)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	box := newBox()
	records := make([]vault.Stored, 100_000)
	value := make([]byte, 300)
	for i := range records {
		records[i] = stored(0x31, uint64(i), value)
	}
	file := box.write(b, records)
	b.SetBytes(int64(len(records)) * (300 + frameHead))
	for b.Loop() {
		d, err := NewReader(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		key, err := box.open(d.Header)
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range d.frames(key) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// FuzzHeader: a header that is accepted has one spelling.
func FuzzHeader(f *testing.F) {
	h := someHeader(3)
	h.Signer = make([]byte, ed25519.PublicKeySize)
	h.forSeed, h.forBox = []byte("seed"), []byte("box")
	f.Add(h.append(nil)[len(magic)+4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err == nil && !bytes.Equal(h.append(nil)[len(magic)+4:], b) {
			t.Fatal("two spellings of one header")
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}

// FuzzFrames: a box that writes nonsense into well-sealed chunks, as one that
// was taken over would, is refused or read, and costs no more memory than the
// file is long.
func FuzzFrames(f *testing.F) {
	b := newBox()
	f.Add([]byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x03abc"), uint64(1))
	f.Add([]byte("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\xff\xff\xff"), uint64(1))
	f.Fuzz(func(t *testing.T, plain []byte, records uint64) {
		var out bytes.Buffer
		w := &writer{out: &out, sum: sha256.New(), signer: b.signer}
		h := someHeader(0)
		h.Records = records
		if err := cmp.Or(w.begin(h, b.sealer()), w.add(plain)); err != nil {
			t.Fatal(err)
		}
		w.end.frames = records
		if err := w.finish(); err != nil {
			t.Fatal(err)
		}
		got, err := b.read(out.Bytes())
		if err != nil && !errors.Is(err, ErrSetMismatch) {
			t.Fatal(err)
		}
		if err == nil && uint64(len(got)) != records {
			t.Fatalf("%d of %d records", len(got), records)
		}
	})
}
