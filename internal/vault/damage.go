package vault

import (
	"errors"

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

func (d *damaged) fault() *fault.Error {
	return fault.New(fault.Corrupt, "The store is damaged (%v %v: %v). Stop, and call IT.",
		d.Where, fault.Int(d.Position), d.What)
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
