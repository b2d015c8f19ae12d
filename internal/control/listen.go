package control

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"coffer/internal/fault"
)

var (
	errPath  = fault.New(fault.Invalid, "The path of the control socket is too long or names something else. Give control a short path of its own in the boot file, such as /run/coffer/control.sock.")
	errInUse = fault.New(fault.Conflict, "Another Coffer answers at the control socket. Stop it first (systemctl stop cofferd).")
	errOpen  = fault.New(fault.Unavailable, "The control socket cannot be opened. Check that its directory belongs to Coffer.")
)

// socketPathMax is what fits sun_path of a unix socket address.
const socketPathMax = 107

// Listen opens the control socket at path with mode 0600, making its directory
// (0700) if it is missing. A socket left by a killed daemon is replaced; one
// that is answered is not.
func Listen(path string) (net.Listener, error) {
	if len(path) > socketPathMax {
		return nil, errPath
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, errOpen
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, errOpen
	}
	// Until now the directory's mode alone kept others out; peer credentials
	// do so whatever the modes are.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(errOpen, l.Close())
	}
	return l, nil
}

// removeStale removes a socket that nobody answers.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || fi.Mode()&fs.ModeSocket == 0 {
		return errPath
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(errInUse, c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return errOpen
	}
	if err := os.Remove(path); err != nil {
		return errOpen
	}
	return nil
}

// peerUID asks the kernel who is at the other end.
func peerUID(c net.Conn) (uid uint32, ok bool) {
	if limited, ok := c.(*counted); ok {
		c = limited.Conn
	}
	u, isUnix := c.(*net.UnixConn)
	if !isUnix {
		return 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || credErr != nil {
		return 0, false
	}
	return cred.Uid, true
}
