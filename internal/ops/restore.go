package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
)

// Restoring says what to restore, and with what right.
type Restoring struct {
	Target  string   `json:"target,omitempty"`  // a target of the boot file, or the words for another: "dir:/media/stick"
	Name    string   `json:"name,omitempty"`    // of the backup; empty: the newest
	Papers  []string `json:"papers,omitempty"`  // the recovery sheet, or two shares
	PIN     string   `json:"pin,omitempty"`     // of the new seal
	Reason  string   `json:"reason,omitempty"`  // goes on record
	Claimed uint64   `json:"claimed,omitempty"` // the last commit that people know of, from a receipt or a checkpoint; 0: not known
	Replace bool     `json:"replace,omitempty"` // an older backup over the store of this box; the present one is moved aside
	DryRun  bool     `json:"dry_run,omitempty"` // only say what would be restored
}

// Restored is what was restored, or would be.
type Restored struct {
	At       time.Time             `json:"at"`
	Done     bool                  `json:"done"` // false for a dry run
	Target   string                `json:"target"`
	Name     string                `json:"name"`
	Made     time.Time             `json:"made"` // the backup
	Store    ident.ID[ident.Store] `json:"store"`
	Sequence uint64                `json:"sequence"` // of the last commit that is there again
	Records  uint64                `json:"records"`
	Events   uint64                `json:"events"`
	Note     string                `json:"note,omitempty"` // what is missing, in words
}

// Restore brings the store back from a backup, on a box that has none or, as
// a recorded act, over the present one. The clinic is served at once after.
func (o *Ops) Restore(ctx context.Context, origin access.Origin, r Restoring) (Restored, error) {
	return Restored{}, errStarting
}

// AcceptLoss lets a store be served that the TPM's counter says was set back:
// for whoever has the recovery sheet, with a reason, on record.
func (o *Ops) AcceptLoss(ctx context.Context, origin access.Origin, papers []string, pin, reason string) error {
	return errStarting
}

// Compacted is the result of Compact.
type Compacted struct {
	At     time.Time `json:"at"`
	Before int64     `json:"before_bytes"`
	After  int64     `json:"after_bytes"`
}

// Compact writes the store's file anew, without what was deleted and without
// old ciphertexts in free pages.
func (o *Ops) Compact(ctx context.Context, agent access.Agent) (Compacted, error) {
	return Compacted{}, errStarting
}
