package vault

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"syscall"

	"coffer/internal/fault"
)

// guard runs one call into bbolt. bbolt trusts its pages: on a hostile or
// damaged file it panics, or touches memory that the file does not back. Both
// become a Corrupt fault here. Every call into bbolt goes through guard, and
// values are copied out of the map before it returns.
func guard(call func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(&boltPanic{fmt.Sprint(p), debug.Stack()}, fault.Corrupt,
				"The store file is damaged. Stop, and call IT.")
		}
	}()
	return call()
}

// boltPanic is a panic inside bbolt.
type boltPanic struct {
	value string
	stack []byte
}

// Error returns all that is known of it, for a debugger.
func (p *boltPanic) Error() string { return "bbolt: " + p.value + "\n" + string(p.stack) }

// panicTextMax bounds what the journal gets of a panic.
const panicTextMax = 200

// where returns bbolt's own words, which are of page numbers and addresses.
func (p *boltPanic) where() string {
	line, _, _ := strings.Cut(p.value, "\n")
	return "bbolt: " + line[:min(len(line), panicTextMax)]
}

// Faults of the disk.
var (
	// ErrDiskFull is returned when there was no space for a commit. Nothing of
	// it was saved, and the store goes on once there is space.
	ErrDiskFull = fault.New(fault.Unavailable, "The disk of the box is full, so this was not saved. Ask IT to free space, then do it again.")

	errDisk    = fault.New(fault.Corrupt, "The disk of the box failed, so the store has stopped. Call IT, and restart Coffer after the disk was examined (STORE-021).")
	errDamaged = fault.New(fault.Corrupt, "The store has stopped because its file is damaged (STORE-022). Stop, and call IT.")
)

// isDiskFull reports whether err says that the file system has no space.
func isDiskFull(err error) bool {
	if err == nil {
		return false
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), syscall.ENOSPC.Error()) // bbolt flattens some errors to text
}

// diskFault returns the fault for an error of the file system.
func diskFault(err error) error {
	var known *fault.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case isDiskFull(err):
		return fault.Wrap(err, fault.Unavailable, "The disk of the box is full, so this was not saved. Ask IT to free space, then do it again.")
	}
	if f := systemFault(err); f != nil {
		return f
	}
	return fault.Wrap(err, fault.Internal, "The store file can't be used. Call IT; they find the cause in the journal.")
}
