package ops

import (
	"context"
	"fmt"
	"time"

	"coffer/internal/access"
	"coffer/internal/backup"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/recovery"
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
	Replaces bool                  `json:"replaces"`       // books that are on this box
	Note     string                `json:"note,omitempty"` // what is missing, in words
}

var (
	errStoreHere = fault.New(fault.Conflict, "There are books on this box. To put an older state in their place, stop Coffer, say --replace and give a reason; they are set aside (BACKUP-039).")
	errServing   = fault.New(fault.Conflict, "The books are open. Stop Coffer (systemctl stop cofferd), then restore: cofferctl does it without the daemon (BACKUP-040).")
)

// Restore brings the store back from a backup, on a box that has none or, as
// a recorded act, over one that is shut, which is set aside. The clinic is
// served at once after.
func (o *Ops) Restore(ctx context.Context, origin access.Origin, r Restoring) (Restored, error) {
	if _, _, sealed := o.look(); sealed == nil || o.machine.Reopen == nil {
		return Restored{}, errServing
	}
	if !o.changing.TryLock() {
		return Restored{}, errChanging
	}
	restored, err := o.restore(ctx, r)
	o.changing.Unlock()
	if err != nil {
		o.remember(refusal{At: o.machine.Now(), What: "restore", Code: Code(err), Via: origin.Via + ":" + origin.Address})
		return Restored{}, err
	}
	if !restored.Done {
		return restored, nil
	}
	return restored, o.machine.Reopen(ctx, r.PIN, "")
}

// restore plans and, unless it is a dry run, executes.
func (o *Ops) restore(ctx context.Context, r Restoring) (Restored, error) {
	target, err := o.targetOf(r.Target)
	if err != nil {
		return Restored{}, err
	}
	plan, err := backup.PlanRestore(ctx, target, r.Name, backup.Place{Header: o.machine.Header, Dir: o.machine.Store.Dir})
	if err != nil {
		return Restored{}, err
	}
	result := Restored{
		At: o.machine.Now(), Target: target.Name, Name: plan.Last.String(), Made: plan.Made(),
		Store: plan.Header.StoreID, Sequence: plan.Sequence(), Records: plan.Header.Records, Events: plan.Header.Head.Size,
		Replaces: plan.Present, Note: planNote(plan, r.Claimed),
	}
	if r.DryRun {
		return result, nil
	}
	if plan.Present && !r.Replace {
		return Restored{}, errStoreHere
	}
	done, err := o.execute(ctx, plan, r)
	if err != nil {
		return Restored{}, err
	}
	result.Done, result.Sequence, result.Records, result.Events = true, done.Sequence, done.Records, done.Events
	return result, nil
}

// planNote says what would not come back.
func planNote(p *backup.Plan, claimed uint64) string {
	known := max(p.Known, claimed)
	if known <= p.Sequence() {
		return ""
	}
	return fmt.Sprintf("The backup ends with commit %d, and commit %d is known: what was posted between is missing. Enter it again from receipts and the terminals' lists.", p.Sequence(), known)
}

func (o *Ops) execute(ctx context.Context, plan *backup.Plan, r Restoring) (backup.Restored, error) {
	seed, err := recovery.Read(r.Papers...)
	if err != nil {
		return backup.Restored{}, err
	}
	defer seed.Wipe()
	setup, err := o.machine.Setup()
	if err != nil {
		return backup.Restored{}, err
	}
	setup.Now, setup.PIN = o.machine.Now(), r.PIN
	return plan.Execute(ctx, o.machine.Daemon, backup.Orders{
		Seed: seed, Device: o.machine.TPM, Setup: setup, Proof: o.machine.Proof(r.PIN), Reason: r.Reason, Vault: o.machine.Store,
	})
}

// targetOf returns a target of the boot file by its name, the first one for
// "", or one that is described.
func (o *Ops) targetOf(name string) (*backup.Target, error) {
	for _, t := range o.machine.Targets {
		if name == "" || t.Name == name {
			return t, nil
		}
	}
	if name == "" {
		return nil, errNoTargets
	}
	return backup.NewTarget(backup.TargetConfig{Target: name})
}

// AcceptLoss acknowledges that a confirmed commit is gone, once what it held
// was entered again. The reason goes on record; the doctor is silent after.
func (o *Ops) AcceptLoss(ctx context.Context, agent access.Agent, reason string) error {
	store, err := o.open(ctx, agent, access.StoreAcceptLoss)
	if err != nil {
		return err
	}
	if !validReason(reason) {
		return errLossReason
	}
	return store.Vault.AcceptLoss(ctx, request(agent, access.StoreAcceptLoss), reason)
}

var errLossReason = fault.New(fault.Invalid, "Say what was done about the lost commit, in 10 to 500 characters. It goes on record.")

// Compacted is the result of Compact.
type Compacted struct {
	Asked time.Time `json:"asked"`
	Bytes int64     `json:"bytes"` // of the store file now
}

// Compact asks for the store's file to be written anew at the next start,
// without what was deleted and without old ciphertexts in free pages.
func (o *Ops) Compact(ctx context.Context, agent access.Agent) (Compacted, error) {
	store, err := o.open(ctx, agent, access.StoreCompact)
	if err != nil {
		return Compacted{}, err
	}
	if err := store.Vault.Compact(ctx, request(agent, access.StoreCompact)); err != nil {
		return Compacted{}, err
	}
	return Compacted{Asked: o.machine.Now(), Bytes: store.Vault.Status().FileBytes}, nil
}
