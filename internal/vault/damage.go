package vault

import (
	"errors"
	"strings"

	"coffer/internal/fault"
)

// Finding is the first thing that a check found wrong. Its texts are words of
// the program.
type Finding struct {
	Where    fault.Code // "head", "file", "page", "meta", "keyring", "set", "audit", "bbolt", or a bucket's name
	Position uint64     // page number, record key, key id or event number
	What     fault.Code // what is wrong, in words
}

// damaged is a finding on its way up as an error.
type damaged struct{ Finding }

func (d *damaged) Error() string { return d.fault().Error() }

// As makes the finding a fault to errors.As.
func (d *damaged) As(target any) bool {
	f, ok := target.(**fault.Error)
	if ok {
		*f = d.fault()
	}
	return ok
}

// Is makes the finding the fault of code.go that it comes to.
func (d *damaged) Is(target error) bool { return target == error(d.sentinel()) }

func (d *damaged) fault() *fault.Error {
	return fault.New(fault.Corrupt, "The store is damaged (%v; %v %v: %v). Stop, and call IT.",
		fault.Code(codeOf(d.sentinel())), d.Where, fault.Int(d.Position), d.What)
}

// What may be wrong with one record.
const (
	whatRecord = fault.Code("the record is not what was written")
	whatForm   = fault.Code("the record has not the form of its table")
	whatKey    = fault.Code("the key of the record is not in the keyring")
	whatStale  = fault.Code("the record is not the one that was written last")
	whatLost   = fault.Code("this commit was confirmed and is gone: the store was set back to an earlier one")
)

// sentinel returns the fault that the finding comes to.
func (f Finding) sentinel() *fault.Error {
	switch f.What {
	case whatRecord, whatForm:
		return ErrRecordAuth
	case whatKey:
		return ErrUnknownKey
	case whatStale:
		return ErrStale
	case whatLost:
		return ErrLost
	}
	switch f.Where {
	case "head", "file", "page", "bbolt":
		return ErrCorrupt
	case "meta":
		return ErrMeta
	case "keyring":
		return ErrUnknownKey
	case "audit", "audit tiles", "checkpoints":
		if strings.Contains(string(f.What), "missing") {
			return ErrAuditTruncated
		}
		return ErrAuditFork
	}
	return ErrSetMismatch
}

func damage(where fault.Code, position uint64, what fault.Code) error {
	return &damaged{Finding{where, position, what}}
}

// findingOf returns the finding in err's chain, nil when there is none.
func findingOf(err error) *Finding {
	var d *damaged
	if errors.As(err, &d) {
		return &d.Finding
	}
	return nil
}
