package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"coffer/internal/access"
)

// Segment is one durable commit as the journal holds it: sealed under the
// root, so it may be copied off the box.
type Segment struct {
	Seq   uint64 // number of the commit
	Bytes []byte // head of the journal that would begin with it, 37 bytes | its frame
}

// Segment gives the durable commits after a sequence number, in order (action
// access.BackupWrite). It gives ErrSegmentGone when the journal does not reach
// back so far, or when the root key was changed since: then a full backup is
// due. A commit that is taken while the sequence is read may be missing at its
// end.
func (v *Vault) Segment(ctx context.Context, r access.Request, after uint64) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		if r.Action != access.BackupWrite {
			yield(Segment{}, errAct)
			return
		}
		if err := v.View(ctx, r, func(*Tx) error { return nil }); err != nil {
			yield(Segment{}, err)
			return
		}
		var files []heldFile
		var until uint64
		var key *journalKey
		err := v.between(ctx, func() (err error) {
			until, key = v.state.seq, v.state.root.journal
			files, err = v.holdJournals(after)
			return err
		})
		if err == nil {
			err = yieldSegments(files, key, after, until, yield)
		}
		for _, f := range files {
			err = cmp.Or(err, f.file.Close())
		}
		if err != nil && !errors.Is(err, errLetGo) {
			yield(Segment{}, diskFault(err))
		}
	}
}

// heldFile is a journal file, open so that it can be read when its name is
// gone, and as long as it was between two commits.
type heldFile struct {
	file *os.File
	size int64
}

// holdJournals opens the journal files from the newest back to the one that
// has the commit after, oldest first. It runs between two commits.
func (v *Vault) holdJournals(after uint64) ([]heldFile, error) {
	paths, _, err := journalPaths(v.options.Dir)
	if err != nil {
		return nil, err
	}
	var files []heldFile
	for _, path := range slices.Backward(paths) {
		f, err := openRegular(path, os.O_RDONLY)
		if err != nil {
			return files, err
		}
		info, err := f.Stat()
		if err != nil {
			return files, cmp.Or(err, f.Close())
		}
		files = slices.Insert(files, 0, heldFile{f, info.Size()})
		if first, ok := firstFrame(f, info.Size()); ok && first <= after {
			break
		}
	}
	return files, nil
}

// firstFrame returns the sequence number that the first frame of a journal
// file names.
func firstFrame(f *os.File, size int64) (uint64, bool) {
	b, err := readFrame(f, journalHeadBytes, size)
	if err != nil || b == nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[4:]), true
}

// yieldSegments yields the authentic frames after one commit until another.
func yieldSegments(files []heldFile, key *journalKey, after, until uint64, yield func(Segment, error) bool) error {
	last, base := uint64(0), tag{}
	for _, f := range files {
		if g, ok := generationOf(f.file); !ok || g != key.generation {
			if last, base = 0, (tag{}); ok {
				continue // of the root before: only what follows counts
			}
			return ErrSegmentGone
		}
		_, _, err := eachFrame(f.file, f.size, key, func(fr frame, b []byte) error {
			switch {
			case fr.seq > until:
				return nil
			case fr.seq > after && fr.base != base, fr.seq > after && last == 0:
				return ErrSegmentGone
			}
			last, base = fr.seq, fr.meta()
			if fr.seq <= after {
				return nil
			}
			bytes := append(journalHead(key.id, key.generation, fr.before), b...)
			if !yield(Segment{fr.seq, bytes}, nil) {
				return errLetGo
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if last < until {
		return ErrSegmentGone
	}
	return nil
}

// AppendSegments writes coffer.journal beside a store that Build made, from
// the segments that follow its commit. The next Open replays it. The segments
// are verified there.
func AppendSegments(dir string, segments iter.Seq2[Segment, error]) error {
	f, err := openRegular(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return diskFault(err)
	}
	n := int64(0)
	for s, broken := range segments {
		if err = broken; err != nil {
			break
		}
		if len(s.Bytes) < journalHeadBytes+frameHeadBytes {
			err = ErrJournal
			break
		}
		b := s.Bytes
		if n > 0 {
			b = b[journalHeadBytes:]
		}
		if _, err = f.WriteAt(b, n); err != nil {
			break
		}
		n += int64(len(b))
	}
	if err == nil {
		err = f.Sync()
	}
	err = cmp.Or(err, f.Close())
	if err != nil || n == 0 {
		return diskFault(cmp.Or(err, os.Remove(filepath.Join(dir, journalName))))
	}
	return syncDir(dir)
}

// LastKnown returns the number and wall clock of the last commit that was
// confirmed, as coffer.last in dir names it, in clear. It is not verified: the
// words of the box about itself. Zero when there is none.
func LastKnown(dir string) (seq uint64, at time.Time, err error) {
	f, err := openRegular(filepath.Join(dir, lastName), os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return 0, time.Time{}, nil
	} else if err != nil {
		return 0, time.Time{}, diskFault(err)
	}
	var b [lastBytes + 1]byte
	n, err := f.ReadAt(b[:], 0)
	if err == io.EOF {
		err = nil
	}
	if err = cmp.Or(err, f.Close()); err != nil || n != lastBytes || b[0] != formatLast {
		return 0, time.Time{}, diskFault(err)
	}
	return binary.BigEndian.Uint64(b[1:]), time.UnixMicro(int64(binary.BigEndian.Uint64(b[9:]))), nil
}
