package vault

import (
	"context"
	"io"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// TrailQuery says which events to show. Empty fields ask for nothing; the
// others must all hold.
type TrailQuery struct {
	Since   time.Time              // events of this wall clock or later
	Until   time.Time              // events before this wall clock
	From    uint64                 // events of this number or later
	Before  uint64                 // events of a smaller number: TrailPage.Next of the page before; 0: from the newest
	Actor   string                 // sign-in name, "system:<part>" or "nobody"
	Act     access.Action          //
	Object  string                 // as in the leaf: a kind, or kind:identifier
	Outcome audit.Outcome          //
	Client  ident.ID[ident.Client] // who looked at this client: named by the event, or read or written in it
	Limit   int                    // events on the page; 0: 50; at most 1,000
}

// TrailEvent is one event with its private part.
type TrailEvent struct {
	audit.Event
	Details []audit.Detail
}

// TrailPage is a part of the trail, the newest event first.
type TrailPage struct {
	Events []TrailEvent
	Next   uint64     // TrailQuery.Before of the next page; 0: there is none
	Head   audit.Head // of the trail that was looked at
}

// Trail shows events. The request's action must be access.AuditRead, as the
// private parts are shown too. To have looked is itself an event.
func (v *Vault) Trail(ctx context.Context, r access.Request, q TrailQuery) (TrailPage, error) {
	return TrailPage{}, errNotYet
}

// LatestCheckpoint returns the last checkpoint that was signed, with the zero
// Signed before the first. It tells nothing about a person.
func (v *Vault) LatestCheckpoint() audit.Signed { return audit.Signed{} }

// Checkpoint signs the head of the durable trail (action
// access.AuditCheckpoint) and stores it. If nothing but the last checkpoint's
// own event was recorded since, it returns that one.
func (v *Vault) Checkpoint(ctx context.Context, r access.Request) (audit.Signed, error) {
	return audit.Signed{}, errNotYet
}

// Consistency proves that the trail of size from is the beginning of that of
// size to (action access.AuditWitness): what a browser asks that kept a
// checkpoint.
func (v *Vault) Consistency(ctx context.Context, r access.Request, from, to uint64) ([]audit.Hash, error) {
	return nil, errNotYet
}

// Inclusion proves that event seq is in the trail of the given size (action
// access.AuditWitness), and returns its leaf hash.
func (v *Vault) Inclusion(ctx context.Context, r access.Request, seq, size uint64) (audit.Hash, []audit.Hash, error) {
	return audit.Hash{}, nil, errNotYet
}

// ExportTrail writes an export for an auditor (action access.AuditExport) of
// the trail up to its last checkpoint. Events that q does not ask for are
// given by their hash alone; private parts are given if openings is true.
// Before and Limit of q are not looked at. cofferverify reads the export.
func (v *Vault) ExportTrail(ctx context.Context, r access.Request, w io.Writer, q TrailQuery, openings bool) (audit.Head, error) {
	return audit.Head{}, errNotYet
}

// Keys returns the public keys that sign checkpoints, for the recovery sheet.
func (v *Vault) Keys() audit.Keys { return audit.Keys{} }

// NoteRestore records that this store was restored from a backup (action
// access.StoreRestore): the event holds the backup's head, which must be the
// beginning of this trail, and the last head that is known of the box from
// elsewhere (zero: none is known).
func (v *Vault) NoteRestore(ctx context.Context, r access.Request, backup, last audit.Head) error {
	return errNotYet
}

var errNotYet = fault.New(fault.Unavailable, "The audit trail can't be read.")
