package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// Drill restores a backup into scratch, opens it as a restored store would be
// opened, and compares it with its header and with the running store (action
// access.BackupDrill): the set hash, the counts, the head of the audit trail,
// of which the running one must be a continuation, and the trial balance. The
// scratch store is wiped. name and target are as in Verify. That it failed is
// an outcome, which says what differs and what to do.
func (k *Keeper) Drill(ctx context.Context, agent access.Agent, target, name string) (Outcome, error) {
	if err := k.permit(ctx, agent, access.BackupDrill); err != nil {
		return Outcome{}, err
	}
	if err := k.begin(TaskDrill); err != nil {
		return Outcome{}, err
	}
	defer k.end()
	o := Outcome{Task: TaskDrill, Target: target, Name: name, At: k.clock()}
	t, n, err := k.find(ctx, target, name)
	if err != nil {
		return Outcome{}, err
	}
	o.Target, o.Name, o.Made, o.Sequence = t.Name, n.String(), n.Time, n.Sequence
	k.at(t.Name, 0)
	c, err := chainTo(ctx, t, n, name == "")
	if err == nil {
		err = k.drill(ctx, agent, c, &o)
	}
	if err == nil {
		o.Level = 3
	}
	o.end(k.clock(), err)
	return o, k.note(ctx, agent, access.BackupDrill, o)
}

// drill runs in an empty directory, which it leaves empty.
func (k *Keeper) drill(ctx context.Context, agent access.Agent, c chain, o *Outcome) (err error) {
	dir := filepath.Join(k.options.Scratch, "drill")
	if err := os.MkdirAll(k.options.Scratch, 0o700); err != nil {
		return because(ErrScratch, err)
	}
	if fi, err := os.Lstat(k.options.Scratch); err != nil || !fi.IsDir() { // a link leads to what is not ours to clear
		return because(ErrScratch, errors.Join(err, fs.ErrInvalid))
	}
	if err := os.RemoveAll(dir); err != nil {
		return because(ErrScratch, err)
	}
	defer func() {
		if wipe := os.RemoveAll(dir); err == nil && wipe != nil {
			err = because(ErrScratch, wipe)
		}
	}()
	var root *seal.Key
	h, result, err := c.rebuild(ctx, dir, k.counted, func(h *Header) (key streamKey, err error) {
		if h.StoreID != k.key().StoreID() {
			return nil, ErrForeign
		}
		root, key, err = h.byBox(k.key())
		return key, err
	})
	if err != nil {
		return err
	}
	o.of(c.full, h)
	o.Bytes, o.Sum, o.Sequence = result.Bytes, hex.EncodeToString(result.Sum[:]), c.last().Sequence
	live := k.options.Vault.Options()
	w, err := vault.Open(ctx, k.options.Self, vault.Options{
		Dir: dir, Key: root, Tables: live.Tables, Relation: live.Relation, Now: live.Now, MapBytes: live.MapBytes,
		AcceptRollback: "restore drill",
	})
	if err != nil {
		return drillFault("it does not open", err)
	}
	err = k.compare(ctx, agent, w, root, h, o, len(c.increments) > 0)
	return first(err, w.Close())
}

// buildFault tells a backup that is wrong from a disk that is full.
func buildFault(err error) error {
	switch {
	case err == nil, Code(err) != "", errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case fault.KindOf(err) == fault.Corrupt, fault.KindOf(err) == fault.Invalid:
		return because(ErrSetMismatch, err)
	}
	return because(ErrScratch, err)
}

// compare says whether the restored store is the one that was backed up.
func (k *Keeper) compare(ctx context.Context, agent access.Agent, w *vault.Vault, root *seal.Key, h *Header, o *Outcome, later bool) error {
	if err := restoredSet(ctx, agent, w, root, h, o.Sequence); err != nil {
		return drillFault("records", err)
	}
	if err := descends(ctx, agent, w, h.Head); err != nil {
		return drillFault("audit trail", err)
	}
	if err := descends(ctx, agent, k.options.Vault, h.Head); err != nil {
		return drillFault("audit trail of the running store", err)
	}
	if k.options.TrialBalance == nil {
		return nil
	}
	balance, err := k.options.TrialBalance(ctx, w)
	if err != nil {
		return drillFault("trial balance", err)
	}
	o.Balance = balance
	then, err := k.balanceOf(ctx, agent, o.Name)
	if err != nil {
		return err
	}
	if then != "" && then != balance && !later {
		return drillFault("trial balance", ErrSetMismatch)
	}
	return nil
}

// restoredSet decrypts every value of an opened copy, which has a commit more:
// its opening. Where no increment follows the full backup, the set and the
// counts must be those of its header.
func restoredSet(ctx context.Context, agent access.Agent, w *vault.Vault, root *seal.Key, h *Header, last uint64) error {
	s, err := w.Snapshot(ctx, request(agent, access.BackupWrite))
	if err != nil {
		return err
	}
	got, err := vault.VerifyStored(root, s.Records())
	if err = first(err, s.Close()); err != nil {
		return err
	}
	if got.Seq <= last || got.Head.Size <= h.Head.Size {
		return ErrSetMismatch
	}
	if last > h.Sequence {
		return nil
	}
	got.Seq, got.Head = h.Sequence, h.Head
	return h.matches(root, got)
}

// descends returns nil if the trail of v begins with the given head.
func descends(ctx context.Context, agent access.Agent, v *vault.Vault, from audit.Head) error {
	s := v.Status()
	now := audit.Head{Size: s.Events, Root: s.Root}
	proof, err := v.Consistency(ctx, request(agent, access.AuditWitness), from.Size, now.Size)
	if err != nil {
		return err
	}
	return audit.CheckConsistency(proof, from, now)
}

// balanceOf returns the trial balance when a backup was made, empty if it is
// not known.
func (k *Keeper) balanceOf(ctx context.Context, agent access.Agent, name string) (string, error) {
	balance := ""
	err := k.options.Vault.View(ctx, request(agent, access.BackupDrill), func(tx *vault.Tx) error {
		for r, err := range results.Newest(tx) {
			if err != nil {
				return err
			}
			if r.Shared.Task == TaskBackup && r.Shared.Name == name {
				balance = r.Shared.Balance
				return nil
			}
		}
		return nil
	})
	return balance, err
}

// drillFault says in what the restored store differs. What only hindered the
// drill stays the fault it is.
func drillFault(what fault.Code, err error) error {
	if errors.Is(err, context.Canceled) || fault.KindOf(err) == fault.Denied || errors.Is(err, vault.ErrDiskFull) {
		return err
	}
	return fault.Wrap(err, fault.Corrupt, textDrill, what)
}
