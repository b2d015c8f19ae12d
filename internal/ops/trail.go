package ops

import (
	"context"
	"io"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
)

// TrailQuery narrows the audit trail; zero fields do not narrow.
type TrailQuery struct {
	From, Until time.Time              // From ≤ event < Until
	Actor       string                 // sign-in name
	Act         string                 // an action, or a part of one up to its dot: "payment"
	Outcome     string                 // "ok", "denied", …
	Client      ident.ID[ident.Client] // events that touched the client
	AfterHours  bool                   // before 07:00, after 20:00, or on a week-end, in the clinic's zone
	Before      uint64                 // events with smaller numbers only: the next page; 0: from the newest
	Limit       int                    // at most; 0: 100
}

// Trail is a page of the audit trail, the newest event first.
type Trail struct {
	Client ident.ID[ident.Client] `json:"client,omitzero"` // whose events these are; zero: everybody's
	Events []TrailEvent           `json:"events"`
	Next   uint64                 `json:"next,omitempty"` // Before of the next page; 0: there is none
	Size   uint64                 `json:"size"`           // events in the whole trail
	Badge  ChainBadge             `json:"badge"`
}

// TrailEvent is one event.
type TrailEvent struct {
	Number  uint64        `json:"number"`
	Time    time.Time     `json:"time"`
	Actor   string        `json:"actor"`
	Via     string        `json:"via"`
	Act     string        `json:"act"`
	Object  string        `json:"object"` // kind and identifier
	Outcome string        `json:"outcome"`
	Details []TrailDetail `json:"details,omitempty"` // the private part, for who may read it
}

// TrailDetail is one fact of an event's private part.
type TrailDetail struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ChainBadge says whether the trail is known to be whole.
type ChainBadge struct {
	OK       bool      `json:"ok"`
	Checked  time.Time `json:"checked"`            // when the whole trail was last recomputed
	Signed   uint64    `json:"signed"`             // events under the newest checkpoint
	SignedAt time.Time `json:"signed_at,omitzero"` // when it was signed
	ByTPM    bool      `json:"by_tpm"`             // it carries a quote
	Reason   *Reason   `json:"reason,omitempty"`   // what is wrong
}

// Trail returns a page of the trail for the privacy officer.
func (o *Ops) Trail(ctx context.Context, agent access.Agent, q TrailQuery) (Trail, error) {
	return Trail{}, errStarting
}

// WhoLooked returns the events that touched the client whom who names: an
// account number such as "P-004217", or an identifier.
func (o *Ops) WhoLooked(ctx context.Context, agent access.Agent, who string, q TrailQuery) (Trail, error) {
	return Trail{}, errStarting
}

// Checkpoint is the newest signed head of the trail.
type Checkpoint struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   string    `json:"root"` // base64, as in the note
	Note   string    `json:"note"` // signed, C2SP tlog-checkpoint
	At     time.Time `json:"at"`
	ByTPM  bool      `json:"by_tpm"`
}

// Consistency is a proof that the trail of New events begins with that of Old
// (RFC 6962 section 2.1.2).
type Consistency struct {
	Old   uint64   `json:"old"`
	New   uint64   `json:"new"`
	Proof []string `json:"proof"` // base64
}

// LatestCheckpoint returns the newest checkpoint, for browsers that witness.
func (o *Ops) LatestCheckpoint(ctx context.Context, agent access.Agent) (Checkpoint, error) {
	return Checkpoint{}, errStarting
}

// SignCheckpoint signs the trail as it is now.
func (o *Ops) SignCheckpoint(ctx context.Context, agent access.Agent) (Checkpoint, error) {
	return Checkpoint{}, errStarting
}

// Consistency proves that a trail of old events is the beginning of that of
// size events.
func (o *Ops) Consistency(ctx context.Context, agent access.Agent, old, size uint64) (Consistency, error) {
	return Consistency{}, errStarting
}

// Export says what leaves the box, and how.
type Export struct {
	Query  TrailQuery
	Plain  bool   // not encrypted; then a Reason is due
	Reason string // goes on record
}

// ExportReady is an export that may be fetched once, within ten minutes, by
// who prepared it.
type ExportReady struct {
	ID         string `json:"id"`
	Name       string `json:"name"`                 // of the file
	Passphrase string `json:"passphrase,omitempty"` // shown once; empty for a plain export
}

// PrepareExport puts the export on record and makes its passphrase.
func (o *Ops) PrepareExport(ctx context.Context, agent access.Agent, e Export) (ExportReady, error) {
	return ExportReady{}, errStarting
}

// WriteExport writes a prepared export: a tar of checkpoints, leaves and
// openings, encrypted by age with the passphrase unless it is plain.
func (o *Ops) WriteExport(ctx context.Context, agent access.Agent, id string, w io.Writer) error {
	return errStarting
}
