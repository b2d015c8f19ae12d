package vault

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/ident"
)

// coffer.last names the last commit that somebody was told of. It is what a
// store that was set back by a commit, or exchanged for an older copy, is
// compared with. It is overwritten in place after each commit and before the
// commit's callers are answered. It is not synced before Close, so a power cut
// can lose its newest numbers: it may lag behind the truth, never lead it.

const (
	lastName  = "coffer.last"
	lastLabel = "last" // of Key.Derive
	lastHead  = 1 + 8 + 8
	lastBytes = lastHead + sha256.Size
	aadLast   = "coffer/last/1"

	formatLast = 0x01
)

// Witness says what coffer.last was good for when the store was opened.
type Witness string

// What coffer.last can be.
const (
	WitnessKnown   Witness = "known"   // it named the last commit that was confirmed
	WitnessMissing Witness = "missing" // there was none
	WitnessForeign Witness = "foreign" // it was damaged, or of another store
)

// told is the content of coffer.last.
type told struct {
	seq  uint64 // of the last commit that was confirmed
	wall int64  // its wall clock, microseconds since 1970
}

// lastFile is coffer.last, open. It is used by one goroutine at a time.
type lastFile struct {
	file *os.File
	mac  hash.Hash
	id   ident.ID[ident.Store]
}

// openLast opens coffer.last in dir, making it if it is missing, and returns
// what it names.
func openLast(dir string, root *rootKeys) (*lastFile, told, Witness, error) {
	f, err := openRegular(filepath.Join(dir, lastName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, told{}, WitnessMissing, diskFault(err)
	}
	l := &lastFile{file: f, id: root.storeID}
	l.follow(root)
	named, witness, err := l.read()
	if former, ok := root.at(root.generation - 1); ok && witness == WitnessForeign { // the root was just rotated
		l.follow(former)
		named, witness, err = l.read()
		l.follow(root)
	}
	if err != nil {
		return nil, told{}, witness, cmp.Or(diskFault(err), f.Close())
	}
	return l, named, witness, nil
}

// follow takes the file's key from a root.
func (l *lastFile) follow(root *rootKeys) { l.mac = hmac.New(sha256.New, root.last[:]) }

// read returns what the file names, and whether it can be believed.
func (l *lastFile) read() (told, Witness, error) {
	var b [lastBytes + 1]byte
	n, err := l.file.ReadAt(b[:], 0)
	switch {
	case err != io.EOF && err != nil:
		return told{}, WitnessMissing, err
	case n == 0:
		return told{}, WitnessMissing, nil
	}
	named, ok := l.parse(b[:n])
	if !ok {
		return told{}, WitnessForeign, nil
	}
	return named, WitnessKnown, nil
}

// parse reads the content of the file: 0x01 | seq u64 | wall clock u64 | HMAC.
func (l *lastFile) parse(b []byte) (told, bool) {
	if len(b) != lastBytes || b[0] != formatLast || !hmac.Equal(b[lastHead:], l.sum(b[:lastHead], nil)) {
		return told{}, false
	}
	return told{binary.BigEndian.Uint64(b[1:]), int64(binary.BigEndian.Uint64(b[9:]))}, true
}

func (l *lastFile) sum(head, to []byte) []byte {
	l.mac.Reset()
	l.mac.Write([]byte(aadLast))
	l.mac.Write(l.id[:])
	l.mac.Write(head)
	return l.mac.Sum(to)
}

// write names a commit.
func (l *lastFile) write(t told) error {
	b := make([]byte, 0, lastBytes)
	b = binary.BigEndian.AppendUint64(append(b, formatLast), t.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(t.wall))
	_, err := l.file.WriteAt(l.sum(b, b), 0)
	return err
}

// close makes the file durable and closes it.
func (l *lastFile) close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

// firstLast writes coffer.last for a store that Create is about to put in
// place. Where it names a later commit, a store of the same root key was here
// and is gone; then nothing is written.
func firstLast(dir string, root *rootKeys) error {
	l, named, _, err := openLast(dir, root)
	if err != nil {
		return err
	}
	if named.seq > emptySeq {
		return cmp.Or[error](ErrNoStore, l.file.Close())
	}
	return diskFault(errors.Join(l.write(told{seq: emptySeq}), l.close()))
}

// compareLast notes the loss of a commit that was confirmed: one that
// coffer.last, or a journal that does not fit, names and the store does not have. The next commit makes the
// note durable.
func (v *Vault) compareLast(named told) {
	if named.seq > v.state.seq {
		v.state.lost, v.state.lostWall = named.seq, named.wall
	}
	if v.witnessed > max(v.state.seq, v.state.lost) {
		v.state.lost, v.state.lostWall = v.witnessed, v.state.lastWall
	}
}

// confirm names the state's commit in coffer.last. The commit is durable
// whether or not that works; a coffer.last that lags behind only sees less.
func (v *Vault) confirm() {
	err := v.last.write(told{v.state.seq, v.state.lastWall})
	if err != nil && !v.lagging {
		v.options.Log.LogAttrs(context.Background(), slog.LevelError,
			"coffer.last can't be written: a commit that is lost from now on may go unnoticed", slog.String("detail", Detail(err)))
	}
	v.lagging = err != nil
}

// lostAt returns the wall clock of the lost commit, in the clinic's zone.
func (v *Vault) lostAt(s *state) time.Time {
	if s.lost == 0 {
		return time.Time{}
	}
	return time.UnixMicro(s.lostWall).In(v.clock().Location())
}
