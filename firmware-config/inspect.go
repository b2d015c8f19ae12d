package firmwareconfig

import (
	"regexp"
	"slices"
	"time"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// The faults of allow lists and inspection steps.
var (
	ErrAllow      = fault.New(fault.Invalid, "This allow list of terminal versions is refused: a key is unknown, missing or out of its range.")
	ErrInspection = fault.New(fault.Invalid, "These inspection steps of a terminal are refused: a key is unknown, missing or out of its range.")
)

// Allow is what a clinic or its processor accepts of a model: versions of its
// software, and where it stands in the lists of the PCI council. What nobody
// has verified is null.
type Allow struct {
	Profile  string       `json:"profile"`
	Versions []Version    `json:"versions"`
	PTS      protocol.PTS `json:"pts"`
	Solution *string      `json:"p2pe_solution"` // reference of the listed P2PE solution
	Source   string       `json:"source"`        // where to look it up
	// CheckedOn is the date (2006-01-02) on which CheckedBy has looked it up.
	CheckedOn *string `json:"checked_on"`
	CheckedBy *string `json:"checked_by"`
}

// Version is a set of versions that belong together, as a terminal states them.
type Version struct {
	App    string `json:"app"`
	OS     string `json:"os"`
	Kernel string `json:"kernel"` // EMV kernel; no terminal states it on the wire
	Note   string `json:"note"`
}

// Accepts reports whether the list has the versions that a terminal states.
func (a Allow) Accepts(d protocol.Device) bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.App == d.App && v.OS == d.OS })
}

// Inspection is how terminals of a model are inspected (PCI DSS 4.0.1,
// 9.5.1.2).
type Inspection struct {
	Profile string `json:"profile"`
	Steps   []Step `json:"steps"`
	Source  string `json:"source"`
}

// Step is one question of an inspection.
type Step struct {
	ID       string  `json:"id"`
	Kind     string  `json:"kind"` // "check": yes or no; "serial": a serial number, compared with the register's
	Question string  `json:"question"`
	How      string  `json:"how"`
	Picture  *string `json:"picture"` // what a photo of this step should show; null: none is needed
	Note     bool    `json:"note"`    // the answer needs a note, such as the numbers of seals
}

// The kinds of steps.
const (
	StepCheck  = "check"
	StepSerial = "serial"
)

// stepsMax is how many steps an inspection may have.
const stepsMax = 30

// ParseAllow reads and checks an allow list. Every key must be there, and no
// other.
func ParseAllow(b []byte) (Allow, error) {
	a, err := decode[Allow](b)
	if err != nil {
		return Allow{}, ErrAllow
	}
	ok := idForm.MatchString(a.Profile) && len(a.Versions) <= filesMax && (a.CheckedOn == nil) == (a.CheckedBy == nil) &&
		(a.PTS.Approval == nil && a.PTS.Expiry == nil && a.Solution == nil || a.CheckedOn != nil)
	if a.CheckedOn != nil {
		_, err := time.Parse(time.DateOnly, *a.CheckedOn)
		ok = ok && err == nil && *a.CheckedBy != ""
	}
	if !ok {
		return Allow{}, ErrAllow
	}
	return a, nil
}

var stepForm = regexp.MustCompile(`^[a-z][a-z-]{0,39}$`)

// ParseInspection reads and checks the steps of an inspection. Every key must
// be there, and no other; one step must ask for the serial number on the label.
func ParseInspection(b []byte) (Inspection, error) {
	i, err := decode[Inspection](b)
	if err != nil || !idForm.MatchString(i.Profile) || len(i.Steps) > stepsMax {
		return Inspection{}, ErrInspection
	}
	serial := false
	for n, s := range i.Steps {
		twice := slices.ContainsFunc(i.Steps[:n], func(o Step) bool { return o.ID == s.ID })
		if twice || !stepForm.MatchString(s.ID) || s.Kind != StepCheck && s.Kind != StepSerial || s.Question == "" || s.How == "" {
			return Inspection{}, ErrInspection
		}
		serial = serial || s.Kind == StepSerial
	}
	if !serial {
		return Inspection{}, ErrInspection
	}
	return i, nil
}
