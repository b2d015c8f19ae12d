package vault

import (
	"bytes"
	"cmp"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coffer/internal/fault"
	"coffer/internal/ident"
)

// coffer.journal repeats each commit as one sealed frame. The frame is written
// before bbolt commits, and synced beside bbolt's own syncs; nobody is
// answered before both are durable. What a store lost, the next opening takes
// from it. Each frame is chained to the frame before by its tag, and to the
// state that it changes by the tag of that state's meta record.

const (
	journalName = "coffer.journal"
	journalNew  = "coffer.journal.new"
	asideName   = "coffer.journal.aside" // and a number: one that did not fit, kept as evidence

	journalLabel = "journal" // of Key.Derive
	aadJournal   = "coffer/journal/1"

	formatJournal    = 0x01
	journalHeadBytes = 1 + 16 + 4 + tagBytes // format | store id | generation | tag before
	frameHeadBytes   = 4 + 8                 // length of the sealed part | seq
	frameBytesMax    = 1 << 30
	frameRemoved     = ^uint32(0) // length of a value that is removed

	segmentBytesMax  = 64 << 20  // a journal of this size becomes a completed segment
	segmentsKeep     = 256 << 20 // bytes of completed segments; the oldest go first
	journalAheadStep = 1 << 20   // zeros written ahead of the frames, so that a sync moves data only
)

// tag is the authentication tag of a frame or of a stored value.
type tag [tagBytes]byte

// tagOf returns the tag of a stored value, zero for one that is too short.
func tagOf(value []byte) (t tag) {
	if len(value) >= tagBytes {
		copy(t[:], value[len(value)-tagBytes:])
	}
	return t
}

// frame is one commit in the journal.
type frame struct {
	seq    uint64
	before tag // of the frame before
	tag    tag
	base   tag // of the meta record that the commit was made on
	writes []write
}

// meta returns the tag of the meta record that the frame writes.
func (f *frame) meta() (t tag) {
	for _, w := range f.writes {
		if w.bucket == metaID {
			t = tagOf(w.value)
		}
	}
	return t
}

// journalKey seals frames under one generation of the root.
type journalKey struct {
	aead       cipher.AEAD
	id         ident.ID[ident.Store]
	generation uint32
}

func (k *journalKey) aad(seq uint64, before tag) []byte {
	b := append([]byte(aadJournal), k.id[:]...)
	b = binary.BigEndian.AppendUint32(b, k.generation)
	b = binary.BigEndian.AppendUint64(b, seq)
	return append(b, before[:]...)
}

// seal returns the bytes of a frame: length u32 | seq u64 | nonce 12 |
// ciphertext | tag 16. The plaintext is the base 16 | {bucket u16 | key u64 |
// length u32 | value}, where length 2^32-1 removes.
func (k *journalKey) seal(f frame) []byte {
	n := tagBytes
	for _, w := range f.writes {
		n += 2 + 8 + 4 + len(w.value)
	}
	plain := append(make([]byte, 0, n), f.base[:]...)
	for _, w := range f.writes {
		plain = binary.BigEndian.AppendUint16(plain, w.bucket)
		plain = binary.BigEndian.AppendUint64(plain, w.key)
		if w.value == nil {
			plain = binary.BigEndian.AppendUint32(plain, frameRemoved)
			continue
		}
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(w.value)))
		plain = append(plain, w.value...)
	}
	b := make([]byte, frameHeadBytes, frameHeadBytes+nonceBytes+len(plain)+tagBytes)
	binary.BigEndian.PutUint32(b, uint32(nonceBytes+len(plain)+tagBytes))
	binary.BigEndian.PutUint64(b[4:], f.seq)
	return k.aead.Seal(b, nil, plain, k.aad(f.seq, f.before))
}

// open reads the bytes of a frame that follows the one with the tag before.
func (k *journalKey) open(b []byte, before tag) (frame, bool) {
	if len(b) < frameHeadBytes+nonceBytes+2*tagBytes {
		return frame{}, false
	}
	f := frame{seq: binary.BigEndian.Uint64(b[4:]), before: before, tag: tagOf(b)}
	plain, err := k.aead.Open(nil, nil, b[frameHeadBytes:], k.aad(f.seq, before))
	if err != nil {
		return frame{}, false
	}
	copy(f.base[:], plain)
	var ok bool
	f.writes, ok = parseWrites(plain[tagBytes:])
	return f, ok
}

// parseWrites reads the writes of an authentic frame.
func parseWrites(b []byte) (writes []write, ok bool) {
	for len(b) > 0 {
		if len(b) < 2+8+4 {
			return nil, false
		}
		w := write{place: place{binary.BigEndian.Uint16(b), binary.BigEndian.Uint64(b[2:])}}
		n := binary.BigEndian.Uint32(b[10:])
		b = b[14:]
		if n != frameRemoved {
			if uint64(n) > uint64(len(b)) {
				return nil, false
			}
			w.value, b = b[:n:n], b[n:]
		}
		writes = append(writes, w)
	}
	return writes, true
}

// journal is coffer.journal, open for new frames. It belongs to the committer.
type journal struct {
	key   *journalKey
	dir   string
	file  *os.File
	end   int64    // where the next frame goes
	ahead int64    // up to here the file holds zeros
	first uint64   // sequence number of the first frame; 0: none
	last  tag      // of the last frame
	undo  struct { // what append changed last
		end   int64
		first uint64
		last  tag
	}
	synced chan error
}

// journalHead returns the first bytes of a journal.
func journalHead(id ident.ID[ident.Store], generation uint32, before tag) []byte {
	b := append([]byte{formatJournal}, id[:]...)
	b = binary.BigEndian.AppendUint32(b, generation)
	return append(b, before[:]...)
}

// emptyJournal makes an empty journal that goes on after a frame with the tag
// before. It has no name yet.
func emptyJournal(dir string, key *journalKey, before tag) (*journal, error) {
	path := filepath.Join(dir, journalNew)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, diskFault(err)
	}
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, diskFault(err)
	}
	j := &journal{key: key, dir: dir, file: f, end: journalHeadBytes, ahead: journalHeadBytes, last: before, synced: make(chan error, 1)}
	_, err = f.WriteAt(journalHead(key.id, key.generation, before), 0)
	if err = cmp.Or(err, f.Sync()); err != nil {
		return nil, cmp.Or(diskFault(err), f.Close())
	}
	return j, nil
}

// place gives a new journal its name.
func (j *journal) place() error {
	return diskFault(cmp.Or(os.Rename(filepath.Join(j.dir, journalNew), filepath.Join(j.dir, journalName)), syncDir(j.dir)))
}

// startJournal makes an empty journal in place of any that is there.
func startJournal(dir string, key *journalKey, before tag) (*journal, error) {
	j, err := emptyJournal(dir, key, before)
	if err != nil {
		return nil, err
	}
	if err := j.place(); err != nil {
		return nil, cmp.Or(err, j.file.Close())
	}
	return j, nil
}

// append writes the frame of a commit. It is not durable before sync.
func (j *journal) append(seq uint64, base tag, writes []write) error {
	b := j.key.seal(frame{seq: seq, before: j.last, base: base, writes: writes})
	j.undo.end, j.undo.first, j.undo.last = j.end, j.first, j.last
	end := j.end + int64(len(b))
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return cmp.Or(diskFault(err), j.withdrawTo(end))
	}
	j.end, j.last, j.first = end, tagOf(b), cmp.Or(j.first, seq)
	if j.end > j.ahead {
		j.ahead = j.end
		if _, err := j.file.WriteAt(make([]byte, journalAheadStep), j.end); err == nil {
			j.ahead += journalAheadStep
		} else {
			_ = j.file.Truncate(j.end) // no room for zeros is no harm, nor are some of them
		}
	}
	return nil
}

// sync begins to make the frame durable; wait returns when it is.
func (j *journal) sync() { go func() { j.synced <- unix.Fdatasync(int(j.file.Fd())) }() }

func (j *journal) wait() error { return <-j.synced }

// withdraw takes back the frame of a commit that failed. When it returns nil,
// that is durable.
func (j *journal) withdraw() error {
	end := j.end
	j.end, j.first, j.last = j.undo.end, j.undo.first, j.undo.last
	return j.withdrawTo(end)
}

// withdrawTo overwrites what follows the last frame, up to end, with zeros.
func (j *journal) withdrawTo(end int64) error {
	size, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return diskFault(err)
	}
	if n := min(end, size) - j.end; n > 0 {
		if _, err := j.file.WriteAt(make([]byte, n), j.end); err != nil {
			return diskFault(err)
		}
	}
	return diskFault(j.file.Sync())
}

// complete makes the journal a completed segment, and gives next its place.
func (j *journal) complete(next *journal) error {
	if j.first != 0 {
		err := cmp.Or(j.file.Truncate(j.end), j.file.Sync(), os.Rename(filepath.Join(j.dir, journalName), segmentPath(j.dir, j.first)))
		if err != nil {
			return diskFault(err)
		}
	}
	return cmp.Or(next.place(), diskFault(cmp.Or(j.file.Close(), dropSegments(j.dir))))
}

// close makes the journal durable and closes it, without the zeros ahead.
func (j *journal) close() error {
	return errors.Join(j.file.Truncate(j.end), j.file.Sync(), j.file.Close())
}

// segmentPath returns the name of a completed segment.
func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s.%020d", journalName, first))
}

// journalFile is the content of one journal file, as far as it is authentic.
type journalFile struct {
	before tag    // of the frame before its first one
	first  uint64 // sequence number of its first frame, 0: none
	seq    uint64 // of its last frame
	end    int64  // after its last frame
	last   tag    // of its last frame
	meta   tag    // of the meta record that its last frame wrote
	frames []frame
}

// errForeign is what a journal gives that is not of this store and root.
var errForeign = errors.New("not a journal of this store")

// readJournal reads a journal file. It keeps the frames from the one on that
// was made on the meta record with the tag base.
func readJournal(f io.ReaderAt, size int64, key *journalKey, base tag) (journalFile, error) {
	var j journalFile
	before, end, err := eachFrame(f, size, key, func(fr frame, _ []byte) error {
		j.first = cmp.Or(j.first, fr.seq)
		j.seq, j.last, j.meta = fr.seq, fr.tag, fr.meta()
		if fr.base == base || len(j.frames) > 0 {
			j.frames = append(j.frames, fr)
		}
		return nil
	})
	if err != nil {
		return journalFile{}, err
	}
	if j.before, j.end = before, end; j.first == 0 {
		j.last = before
	}
	return j, nil
}

// eachFrame calls fn for each authentic frame of a journal file with its bytes.
// It returns the tag that the file begins after, and where its frames end.
func eachFrame(f io.ReaderAt, size int64, key *journalKey, fn func(fr frame, b []byte) error) (before tag, end int64, err error) {
	head := make([]byte, journalHeadBytes)
	if _, err := f.ReadAt(head, 0); err == io.EOF {
		return before, 0, errForeign
	} else if err != nil {
		return before, 0, diskFault(err)
	}
	before = tagOf(head)
	if !bytes.Equal(head, journalHead(key.id, key.generation, before)) {
		return before, 0, errForeign
	}
	end = journalHeadBytes
	for last, seq := before, uint64(0); ; {
		b, err := readFrame(f, end, size)
		if err != nil || b == nil {
			return before, end, err
		}
		fr, ok := key.open(b, last)
		if !ok || fr.seq <= seq {
			return before, end, nil
		}
		if err := fn(fr, b); err != nil {
			return before, end, err
		}
		end += int64(len(b))
		last, seq = fr.tag, fr.seq
	}
}

// readFrame returns the bytes of what may be a frame, nil where none can be.
func readFrame(f io.ReaderAt, at, size int64) ([]byte, error) {
	var head [frameHeadBytes]byte
	if at+frameHeadBytes > size {
		return nil, nil
	}
	if _, err := f.ReadAt(head[:], at); err != nil {
		return nil, diskFault(err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > frameBytesMax || at+frameHeadBytes+n > size {
		return nil, nil
	}
	b := make([]byte, frameHeadBytes+n)
	_, err := f.ReadAt(b, at)
	return b, diskFault(err)
}

// generationOf returns the root generation that a journal file names.
func generationOf(f io.ReaderAt) (uint32, bool) {
	var head [journalHeadBytes]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || head[0] != formatJournal {
		return 0, false
	}
	return binary.BigEndian.Uint32(head[17:]), true
}

// note writes the frame of a commit that is about to be made on the present
// state.
func (v *Vault) note(seq uint64, writes []write) error {
	if v.journal == nil {
		return nil
	}
	return v.journal.append(seq, v.state.metaTag, writes)
}

// persist commits the pages and syncs the frame that note wrote, side by side.
func (v *Vault) persist(p *pages) error {
	if v.journal == nil {
		return p.commit()
	}
	v.journal.sync()
	err := p.commit()
	if failed := v.journal.wait(); err == nil && failed != nil {
		return fault.Wrap(failed, fault.Corrupt, "The disk of the box failed, so the store has stopped. Call IT, and restart Coffer after the disk was examined (STORE-021).")
	}
	return err
}

// forget takes back the frame of a commit that the store file does not have.
func (v *Vault) forget() error {
	if v.journal == nil {
		return nil
	}
	return v.journal.withdraw()
}

// turn makes a journal that is large, or under a former root, a completed
// segment. While there is no room for the next one it grows on.
func (v *Vault) turn() {
	key := v.state.root.journal
	if v.journal == nil || v.journal.end < segmentBytesMax && v.journal.key.generation == key.generation {
		return
	}
	next, err := emptyJournal(v.options.Dir, key, v.journal.last)
	if err != nil {
		return
	}
	if err := v.journal.complete(next); err != nil {
		v.stop(errDisk) // the next commit would be in no journal
	}
	v.journal = next
}
