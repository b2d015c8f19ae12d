package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"coffer/internal/seal"
)

// Finish puts a restored store into place whose restore was cut off after its
// commit point; otherwise it does nothing. The daemon calls it at each start,
// before it looks for the seal. It may be cut off at any moment and called
// again. The store that is set aside loses its counters in the TPM at device,
// so that nobody brings it back without the sheet.
func Finish(ctx context.Context, device string, p Place) error {
	staging := filepath.Join(p.base(), stagingName)
	if fi, err := os.Lstat(staging); err != nil || !fi.IsDir() {
		return nil // no restore
	}
	aside, err := readReady(filepath.Join(staging, readyName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a restore before its commit point
	}
	if err != nil {
		return because(ErrLeftover, err)
	}
	m := mover{base: p.base(), staging: staging, aside: filepath.Join(p.base(), aside)}
	// The seal goes last: while the restored one is not in place, what stands
	// there beside it is the old.
	m.discard(filepath.Base(p.Header), filepath.Base(p.previous()))
	m.exchange(filepath.Base(p.Dir))
	m.exchange(filepath.Base(p.Header))
	if m.err == nil && aside != "" {
		// A TPM that can't be asked now is asked at the next start. What can't
		// be disowned otherwise is damaged, of another TPM, or was before.
		err := seal.Disown(ctx, device, filepath.Join(m.aside, filepath.Base(p.Header)))
		if errors.Is(err, seal.ErrTPMBusy) || errors.Is(err, seal.ErrNoTPM) || errors.Is(err, seal.ErrTPMDenied) {
			return err
		}
	}
	m.clean()
	if m.err != nil {
		return because(ErrScratch, m.err)
	}
	return nil
}

// readyMax bounds the mark of the commit point, which holds one short name.
const readyMax = 64

// readReady returns the name in the mark of the commit point, under which the
// store before is set aside; empty: there was none.
func readReady(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0) // a FIFO must not make the start wait
	if err != nil {
		return "", err
	}
	defer f.Close() // nothing was written
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() || fi.Size() > readyMax {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	text, err := io.ReadAll(f)
	aside := string(text)
	if err == nil && aside != "" && (!strings.HasPrefix(aside, asidePrefix) || !filepath.IsLocal(aside) || strings.ContainsRune(aside, '/')) {
		err = fs.ErrInvalid
	}
	return aside, err
}

// mover renames until the first error.
type mover struct {
	base, staging, aside string
	err                  error
}

// move renames one thing where it is there, and makes both names durable.
func (m *mover) move(from, to string) {
	if m.err != nil {
		return
	}
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return
	}
	if m.err = os.MkdirAll(filepath.Dir(to), 0o700); m.err != nil {
		return
	}
	if _, err := os.Lstat(to); err == nil {
		m.err = fs.ErrExist // never over anything
		return
	}
	m.err = os.Rename(from, to)
	if m.err == nil {
		m.err = errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
	}
}

// staged reports whether a thing is still in the staging directory.
func (m *mover) staged(name string) bool {
	_, err := os.Lstat(filepath.Join(m.staging, name))
	return err == nil
}

// exchange sets the present thing of that name aside and puts the restored one
// in its place.
func (m *mover) exchange(name string) {
	if m.err == nil && m.staged(name) {
		m.move(filepath.Join(m.base, name), filepath.Join(m.aside, name))
		m.move(filepath.Join(m.staging, name), filepath.Join(m.base, name))
	}
}

// discard sets a thing aside for as long as the one that comes last is not in
// place.
func (m *mover) discard(lastName, name string) {
	if m.err == nil && m.staged(lastName) {
		m.move(filepath.Join(m.base, name), filepath.Join(m.aside, name))
	}
}

// clean removes the staging directory, the commit point last.
func (m *mover) clean() {
	if m.err != nil {
		return
	}
	entries, err := os.ReadDir(m.staging)
	m.err = err
	for _, e := range entries {
		if m.err == nil && e.Name() != readyName {
			m.err = os.RemoveAll(filepath.Join(m.staging, e.Name()))
		}
	}
	if m.err == nil {
		m.err = errors.Join(os.RemoveAll(m.staging), syncDir(m.base))
	}
}

// nextAside returns the first name for a store set aside that is not in use.
func (p Place) nextAside() string {
	for n := 1; ; n++ {
		name := asidePrefix + strconv.Itoa(n)
		if _, err := os.Lstat(filepath.Join(p.base(), name)); err != nil {
			return name
		}
	}
}
