package backup

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"coffer/internal/ident"
)

// Name is the file name of a backup: what it is of, never what is in it.
//
//	coffer-STORE-SEQUENCE-TIME.full
//	coffer-STORE-FROM-SEQUENCE-TIME.inc
//
// STORE is the store's identifier, the numbers are of commits, TIME is UTC.
type Name struct {
	Kind     Kind
	StoreID  ident.ID[ident.Store]
	From     uint64
	Sequence uint64
	Time     time.Time // to the millisecond
}

const nameTime = "20060102T150405.000Z"

var namePattern = regexp.MustCompile(`^coffer-([0-9a-z]{26})-(?:(\d{12,20})-)?(\d{12,20})-(\d{8}T\d{6}\.\d{3}Z)\.(full|inc)$`)

// nameOf returns the name for a header.
func nameOf(h *Header) Name {
	return Name{h.Kind, h.StoreID, h.From, h.Sequence, h.Time.UTC().Truncate(time.Millisecond)}
}

// String returns the file name.
func (n Name) String() string {
	at := n.Time.UTC().Format(nameTime)
	if n.Kind == Increment {
		return fmt.Sprintf("coffer-%s-%012d-%012d-%s.inc", n.StoreID, n.From, n.Sequence, at)
	}
	return fmt.Sprintf("coffer-%s-%012d-%s.full", n.StoreID, n.Sequence, at)
}

// ParseName reads a file name. It gives ErrFormat for one that is not of a
// backup; each name has exactly one spelling.
func ParseName(s string) (Name, error) {
	m := namePattern.FindStringSubmatch(s)
	if m == nil {
		return Name{}, ErrFormat
	}
	n := Name{Kind: Full}
	if m[5] == "inc" {
		n.Kind = Increment
	}
	var errs [4]error
	n.StoreID, errs[0] = ident.Parse[ident.Store](m[1])
	if m[2] != "" {
		n.From, errs[1] = strconv.ParseUint(m[2], 10, 64)
	}
	n.Sequence, errs[2] = strconv.ParseUint(m[3], 10, 64)
	n.Time, errs[3] = time.Parse(nameTime, m[4])
	if cmp.Or(errs[0], errs[1], errs[2], errs[3]) != nil || n.String() != s {
		return Name{}, ErrFormat
	}
	return n, nil
}

// Entry is one file at a target.
type Entry struct {
	Name
	Bytes int64
}

// newer reports whether a is the newer of two backups of this box. One that is
// dated ahead of the box's clock was made when that was wrong: it counts as
// older than any that is not.
func newer(a, b Name, now time.Time) bool {
	if ahead := a.Time.After(now); ahead != b.Time.After(now) {
		return !ahead
	}
	return a.Time.After(b.Time)
}

// sortEntries puts the newest first.
func sortEntries(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Sequence, a.Sequence), cmp.Compare(a.Kind, b.Kind))
	})
}
