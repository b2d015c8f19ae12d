package vault

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"coffer/internal/fault"
)

// errNotRegular is what a directory, FIFO or device in a file's place gives.
var errNotRegular = fault.New(fault.Unavailable, "Something that is not a regular file stands where the store has coffer.db, coffer.lock or coffer.last. Put the store's own file back there, then start Coffer again.")

// errKind is the journal's word for it.
var errKind = errors.New("not a regular file")

// openRegular opens a regular file, mode 0600 if it makes one. It never waits:
// a FIFO in the file's place is refused like anything else.
func openRegular(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.Join(errNotRegular, &fs.PathError{Op: "open", Path: path, Err: errKind})
	}
	if err != nil {
		return nil, cmp.Or(err, f.Close())
	}
	return f, nil
}
