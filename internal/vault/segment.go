package vault

import (
	"context"
	"iter"
	"time"

	"coffer/internal/access"
)

// Segment is one durable commit as the journal holds it: sealed under the
// root, so it may be copied off the box.
type Segment struct {
	Seq   uint64 // number of the commit
	Bytes []byte // tag of the commit before | frame of coffer.journal
}

// Segment gives the durable commits after a sequence number, in order (action
// access.BackupWrite). It gives ErrSegmentGone when the journal does not reach
// back so far, or when the root key was changed since: then a full backup is
// due.
func (v *Vault) Segment(ctx context.Context, r access.Request, after uint64) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) { yield(Segment{}, ErrSegmentGone) }
}

// AppendSegments writes coffer.journal beside a store that Build made, from
// the segments that follow its commit. The next Open replays it.
func AppendSegments(dir string, segments iter.Seq2[Segment, error]) error { return ErrJournal }

// LastKnown returns the number and wall clock of the last commit that was
// confirmed, as coffer.last in dir names it, in clear. It is not verified: the
// words of the box about itself. Zero when there is no such file.
func LastKnown(dir string) (seq uint64, at time.Time, err error) { return 0, time.Time{}, ErrNoStore }
