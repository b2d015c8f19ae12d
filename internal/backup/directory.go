package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// directory is a directory of the box, or a mounted disk. All access is
// through its open handle: when a disk is pulled and the empty mount point
// appears in its place, nothing is written there.
type directory struct{ root *os.Root }

func openDirectory(path string) (session, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fileFault(err)
	}
	return &directory{root}, nil
}

func (d *directory) list() ([]fs.FileInfo, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, fileFault(err)
	}
	infos, err := f.Readdir(-1)
	return infos, fileFault(first(err, f.Close()))
}

// create makes the file under its partial name, which nobody else can then
// make: it is the lock of the final name.
func (d *directory) create(name string) (file, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fileFault(err)
	}
	if _, err := d.root.Lstat(strings.TrimSuffix(name, partial)); err == nil {
		return nil, first(error(ErrNameTaken), f.Close())
	}
	return diskFile{f}, nil
}

func (d *directory) open(name string) (io.ReadCloser, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileFault(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrFormat
	}
	if err != nil {
		return nil, first(fileFault(err), f.Close())
	}
	return diskFile{f}, nil
}

// rename gives the file its final name and makes the directory durable.
func (d *directory) rename(from, to string) error {
	if _, err := d.root.Lstat(to); err == nil {
		return ErrNameTaken
	}
	if err := d.root.Rename(from, to); err != nil {
		return fileFault(err)
	}
	f, err := d.root.Open(".")
	if err != nil {
		return fileFault(err)
	}
	return fileFault(first(f.Sync(), f.Close()))
}

func (d *directory) close() error { return fileFault(d.root.Close()) }

// diskFile is a file whose errors are faults of this package.
type diskFile struct{ f *os.File }

func (f diskFile) Read(b []byte) (int, error) {
	n, err := f.f.Read(b)
	if err != nil && err != io.EOF {
		err = fileFault(err)
	}
	return n, err
}

func (f diskFile) Write(b []byte) (int, error) {
	n, err := f.f.Write(b)
	return n, fileFault(err)
}

func (f diskFile) Sync() error  { return fileFault(f.f.Sync()) }
func (f diskFile) Close() error { return fileFault(f.f.Close()) }

// fileFault returns the fault for an error of a target's file system.
func fileFault(err error) error {
	switch {
	case err == nil, Code(err) != "":
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return because(ErrTargetFull, err)
	case errors.Is(err, fs.ErrExist):
		return because(ErrNameTaken, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return because(ErrTargetRefused, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return because(ErrTargetAbsent, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return because(ErrTargetGone, err)
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	return first(f.Sync(), f.Close())
}
