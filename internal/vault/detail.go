package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"coffer/internal/fault"
)

// Detail returns the cause of an error of this package as text for the
// programmer's journal: system errors with the file's path, and positions in
// the store file. It never holds anything that was stored.
func Detail(err error) string {
	if f := findingOf(err); f != nil {
		return fmt.Sprintf("%s %d: %s", f.Where, f.Position, f.What)
	}
	var panicked *boltPanic
	if errors.As(err, &panicked) {
		return panicked.where()
	}
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	var number syscall.Errno
	switch {
	case errors.As(err, &path):
		return path.Error()
	case errors.As(err, &link):
		return link.Error()
	case errors.As(err, &call):
		return call.Error()
	case errors.As(err, &number):
		return number.Error()
	}
	for _, known := range []error{bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum, bolterrors.ErrTimeout,
		bolterrors.ErrDatabaseNotOpen, bolterrors.ErrDatabaseReadOnly, bolterrors.ErrMaxSizeReached} {
		if errors.Is(err, known) {
			return "bbolt: " + known.Error()
		}
	}
	return ""
}

// systemFault returns the fault for an error of the system that somebody can
// act on, nil for any other.
func systemFault(err error) error {
	switch {
	case errors.Is(err, errNotRegular):
		return err
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return errors.Join(errNotRegular, err)
	case errors.Is(err, bolterrors.ErrTimeout), errors.Is(err, syscall.EWOULDBLOCK):
		return errors.Join(ErrInUse, err)
	case errors.Is(err, syscall.EROFS):
		return fault.Wrap(err, fault.Unavailable, "The file system of the store can only be read. Find out why (mount, journalctl -k: a failing disk is mounted so), mount it for writing, then start Coffer again.")
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Unavailable, "Coffer has no right to use the store's files. Give the state directory and all in it to the user that Coffer runs as (mode 0700, files 0600), then start Coffer again.")
	case errors.Is(err, syscall.EFBIG):
		return fault.Wrap(err, fault.Unavailable, "The system doesn't let the store file grow. Raise the limit of file sizes (LimitFSIZE of the unit, or ulimit -f), then start Coffer again.")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fault.Wrap(err, fault.Unavailable, "Coffer has no file descriptor left. Raise LimitNOFILE of the unit (ulimit -n), then start Coffer again.")
	case errors.Is(err, syscall.ENOMEM):
		return fault.Wrap(err, fault.Unavailable, "The system has no memory for the store file. Free memory, or raise the limit of address space (ulimit -v), then start Coffer again.")
	}
	return nil
}
