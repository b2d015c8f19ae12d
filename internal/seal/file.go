package seal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// previousSuffix names the header before the present one.
const previousSuffix = ".prev"

// newInfix stands in the name of a header that is being written.
const newInfix = ".new-"

// errKind is the journal's word for a header that is a FIFO, a directory or a
// device.
var errKind = errors.New("not a regular file")

// readHeader reads and decodes the header file.
func readHeader(path string) (*header, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO must not make the start wait
	if errors.Is(err, fs.ErrNotExist) {
		return nil, because(ErrNoHeader, err)
	}
	if err != nil {
		return nil, because(ErrUnreadable, err)
	}
	defer f.Close() // nothing was written
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, because(ErrUnreadable, err)
	case !info.Mode().IsRegular():
		return nil, because(ErrHeader, errKind)
	}
	b, err := io.ReadAll(io.LimitReader(f, headerBytesMax+1))
	if err != nil {
		return nil, because(ErrUnreadable, err)
	}
	return decodeHeader(b)
}

// writeNew writes the header beside path and makes it durable there.
func writeNew(path string, h *header) (fresh string, err error) {
	b, err := h.encode()
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+newInfix) // 0600
	if err != nil {
		return "", because(ErrWrite, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", because(ErrWrite, errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}

// create puts the first header at path; it never replaces one.
func create(path string, h *header) error {
	fresh, err := writeNew(path, h)
	if err != nil {
		return err
	}
	err = os.Link(fresh, path) // fails if path exists
	if removeErr := os.Remove(fresh); err == nil {
		err = removeErr
	}
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return syncDir(path, err)
}

// replace puts a new header at path and keeps the old one as .prev.
func replace(path string, h *header) error {
	fresh, err := writeNew(path, h)
	if err != nil {
		return err
	}
	if err := keepPrevious(path); err != nil {
		return because(ErrWrite, errors.Join(err, os.Remove(fresh)))
	}
	return syncDir(path, os.Rename(fresh, path))
}

// keepPrevious makes .prev name the present header, without a moment at which
// path names nothing.
func keepPrevious(path string) error {
	spare := path + previousSuffix + ".new"
	if err := os.Remove(spare); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, spare); err != nil {
		return err
	}
	return os.Rename(spare, path+previousSuffix)
}

// syncDir makes the directory entry durable, unless err came first.
func syncDir(path string, err error) error {
	if err != nil {
		return because(ErrWrite, err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return because(ErrWrite, err)
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return because(ErrWrite, err)
	}
	return nil
}
