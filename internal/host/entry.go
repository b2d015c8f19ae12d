package host

import (
	"errors"
	"io/fs"

	"coffer/internal/fault"

	"golang.org/x/sys/unix"
)

// Entry is who can reach what stands at a path. Links are not followed.
type Entry struct {
	There     bool
	Regular   bool
	Directory bool
	Symlink   bool
	Mode      uint32 // permission bits with set-user, set-group and sticky
	Owner     uint32 // user id
}

// EntryAt looks at a path. That nothing is there is no error.
func EntryAt(path string) (Entry, error) {
	var s unix.Stat_t
	err := unix.Lstat(path, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fault.Wrap(err, fault.Unavailable, "What Coffer keeps can't be looked at. Check that the state directory is mounted and belongs to Coffer.")
	}
	kind := s.Mode & unix.S_IFMT
	return Entry{
		There: true, Regular: kind == unix.S_IFREG, Directory: kind == unix.S_IFDIR, Symlink: kind == unix.S_IFLNK,
		Mode: s.Mode &^ unix.S_IFMT, Owner: s.Uid,
	}, nil
}
