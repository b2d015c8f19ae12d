package backup

import (
	"context"
	"encoding/hex"
	"io"
	"iter"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// BackUp makes a full backup at the target of that name, or one at each target
// for "" (action access.BackupWrite), and reads it back: every value is
// decrypted and the set hash compared (level 2). That a target did not take it
// is an outcome and not an error; each outcome is kept and on record.
func (k *Keeper) BackUp(ctx context.Context, agent access.Agent, target string) ([]Outcome, error) {
	if err := k.permit(ctx, agent, access.BackupWrite); err != nil {
		return nil, err
	}
	targets := k.options.Targets
	if target != "" {
		t, err := k.target(target)
		if err != nil {
			return nil, err
		}
		targets = []*Target{t}
	}
	if err := k.begin(TaskBackup); err != nil {
		return nil, err
	}
	defer k.end()
	var all []Outcome
	for _, t := range targets {
		o := k.full(ctx, agent, t)
		all = append(all, o)
		if err := k.note(ctx, agent, access.BackupWrite, o); err != nil {
			return all, err
		}
	}
	return all, nil
}

// full makes one full backup and reads it back.
func (k *Keeper) full(ctx context.Context, agent access.Agent, t *Target) Outcome {
	o := Outcome{Task: TaskBackup, Target: t.Name, At: k.clock()}
	n, err := k.writeFull(ctx, agent, t, &o)
	if err == nil {
		o.Level, err = k.check(ctx, t, n, 2, &o)
	}
	o.end(k.clock(), err)
	return o
}

// writeFull streams a snapshot to the target.
func (k *Keeper) writeFull(ctx context.Context, agent access.Agent, t *Target, o *Outcome) (Name, error) {
	newest := k.key() // before the snapshot: it has the next generation too, should that come
	before, err := k.balance(ctx)
	if err != nil {
		return Name{}, err
	}
	held, err := k.options.Vault.Snapshot(ctx, request(agent, access.BackupWrite))
	if err != nil {
		return Name{}, err
	}
	defer held.Close() // Records tells what matters
	after, err := k.balance(ctx)
	if err != nil {
		return Name{}, err
	}
	if before == after { // nobody posted in between: it is that of the snapshot
		o.Balance = after
	}
	key, err := keyAt(newest, held.Generation)
	if err != nil {
		return Name{}, err
	}
	s, err := sealerOf(key)
	if err != nil {
		return Name{}, err
	}
	h := k.headerOf(held, key)
	o.of(nameOf(h), h)
	k.at(t.Name, h.Records)
	var r Result
	err = t.add(ctx, nameOf(h), func(w io.Writer) (err error) {
		r, err = write(w, h, s, k.counted(ctx, held.Records()))
		return err
	})
	o.Bytes, o.Sum = r.Bytes, hex.EncodeToString(r.Sum[:])
	return nameOf(h), err
}

// headerOf describes a snapshot whose root key is given.
func (k *Keeper) headerOf(s *vault.Snapshot, key *seal.Key) *Header {
	h := &Header{
		Kind: Full, StoreID: s.StoreID, Time: k.clock().UTC(), Sequence: s.Seq, Generation: s.Generation,
		Head: audit.Head{Size: s.AuditSize, Root: s.AuditRoot}, Set: setToken(key, s.Set), Slot: key.Slot().Bytes(),
	}
	for _, c := range s.Counts {
		h.Records += c.Count
	}
	return h
}

// balance folds the books, where there is a way to.
func (k *Keeper) balance(ctx context.Context) (string, error) {
	if k.options.TrialBalance == nil {
		return "", nil
	}
	return k.options.TrialBalance(ctx, k.options.Vault)
}

// counted counts values of a task under way, and stops when ctx ends.
func (k *Keeper) counted(ctx context.Context, values iter.Seq2[vault.Stored, error]) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		n := uint64(0)
		for r, err := range values {
			if n++; n%progressStep == 0 {
				k.passed(progressStep)
				if ctx.Err() != nil {
					yield(vault.Stored{}, ctx.Err())
					return
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
