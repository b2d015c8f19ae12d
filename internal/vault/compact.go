package vault

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"coffer/internal/access"
	"coffer/internal/fault"
)

// compactName is the mark by which Compact asks the next opening. It holds
// nothing: whoever makes one makes a copy of the same values.
const compactName = "coffer.compact"

// errCompactAct is a defect of a caller.
var errCompactAct = fault.New(fault.Internal, "The store was to be compacted in the name of another act. Report this to the makers of Coffer.")

// Compact decides and records the request (action access.StoreCompact), and has
// the next opening write the store file anew: every value as it stands, without
// the free pages in which replaced and deleted ciphertext is left.
func (v *Vault) Compact(ctx context.Context, r access.Request) error {
	if r.Action != access.StoreCompact {
		return errCompactAct
	}
	return v.Update(ctx, r, func(*Tx) error {
		return diskFault(replaceFile(v.options.Dir, compactName, compactName+".new", nil))
	})
}

// compactIfAsked compacts the store file before it is opened. A crash leaves
// the former file or the new one, and the mark until that is durable.
func compactIfAsked(dir string) error {
	mark := filepath.Join(dir, compactName)
	switch _, err := os.Lstat(mark); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return diskFault(err)
	}
	if err := compact(dir); err != nil {
		return err
	}
	return diskFault(cmp.Or(os.Remove(mark), syncDir(dir)))
}

// compact copies what both head pages agree on to a new file, and puts it in
// the place of the former one. A damaged head is left for Open to judge.
func compact(dir string) error {
	f, err := openRegular(filepath.Join(dir, fileName), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Open says so
	}
	if err != nil {
		return diskFault(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = copyFile(dir, f, info.Size())
	}
	return diskFault(cmp.Or(err, f.Close()))
}

func copyFile(dir string, f *os.File, size int64) error {
	h, err := readHeads(f, size)
	if err != nil || h.torn {
		return err
	}
	// coffer.clean seals the bytes of the former file; what it says is verified
	// by Open in any case, record by record.
	if err := os.Remove(filepath.Join(dir, cleanName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return buildFile(dir, valuesOf(f, h.newest))
}

// valuesOf yields every stored value under a head page.
func valuesOf(f *os.File, h headPage) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		_, err := walkPages(f, h.root, h.top, func(bucket uint16, key uint64, value []byte) error {
			if !yield(Stored{bucket, key, value}, nil) {
				return errLetGo
			}
			return nil
		})
		if err != nil && !errors.Is(err, errLetGo) {
			yield(Stored{}, err)
		}
	}
}
