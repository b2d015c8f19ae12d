package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// Verify reads a backup back (action access.BackupVerify): level 1 its
// signature, sum and counts, for which no key is needed; level 2 every value
// decrypted and the set hash, the counts and the audit trail compared; level 3
// is Drill. name "" is the newest backup at the target, target "" the newest
// anywhere. That it is not whole is an outcome and not an error.
func (k *Keeper) Verify(ctx context.Context, agent access.Agent, target, name string, level int) (Outcome, error) {
	if level == 3 {
		return k.Drill(ctx, agent, target, name)
	}
	if level != 1 && level != 2 {
		return Outcome{}, errLevel
	}
	if err := k.permit(ctx, agent, access.BackupVerify); err != nil {
		return Outcome{}, err
	}
	if err := k.begin(TaskVerify); err != nil {
		return Outcome{}, err
	}
	defer k.end()
	t, n, err := k.find(ctx, target, name)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Task: TaskVerify, Target: t.Name, Name: n.String(), Made: n.Time, Sequence: n.Sequence, At: k.clock()}
	k.at(t.Name, 0)
	o.Level, err = k.check(ctx, t, n, level, &o)
	o.end(k.clock(), err)
	return o, k.note(ctx, agent, access.BackupVerify, o)
}

var errLevel = fault.New(fault.Invalid, "There is no such level of verification. Say 1, 2 or 3.")

// find returns the backup of that name. Without a name it is the newest full
// one by the box's own clock; without a target, that of all targets that answer.
func (k *Keeper) find(ctx context.Context, target, name string) (*Target, Name, error) {
	var newest *Target
	var found Name
	var failed error
	now := k.clock()
	for _, t := range k.options.Targets {
		if target != "" && t.Name != target {
			continue
		}
		list, _, err := t.List(ctx)
		if err != nil {
			failed = err
			continue
		}
		for _, e := range list {
			switch {
			case e.StoreID != k.key().StoreID():
			case name != "" && e.Name.String() == name:
				return t, e.Name, nil
			case name == "" && e.Kind == Full && (newest == nil || newer(e.Name, found, now)):
				newest, found = t, e.Name
			}
		}
	}
	if newest != nil {
		return newest, found, nil
	}
	if failed != nil {
		return nil, Name{}, failed
	}
	return nil, Name{}, ErrNoBackup
}

// check reads a backup to the given level, 1 or 2, and returns the level that
// was reached.
func (k *Keeper) check(ctx context.Context, t *Target, n Name, level int, o *Outcome) (reached int, err error) {
	err = t.read(ctx, n, func(r io.Reader) error {
		d, err := k.reader(r, n)
		if err != nil {
			return err
		}
		o.of(n, d.Header)
		var result Result
		if level == 1 {
			result, err = d.Sum()
		} else {
			result, err = k.decrypt(ctx, d)
		}
		if err != nil {
			return err
		}
		o.Bytes, o.Sum = result.Bytes, hex.EncodeToString(result.Sum[:])
		return nil
	})
	if err != nil {
		return 0, err
	}
	return level, nil
}

// reader begins to read a backup of this box, under the name that it should
// have. A backup of the root generation in force must be signed by it.
func (k *Keeper) reader(r io.Reader, n Name) (*Reader, error) {
	d, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	if d.Header.StoreID != k.key().StoreID() {
		return nil, ErrForeign
	}
	if nameOf(d.Header) != n {
		return nil, ErrAuth
	}
	if root, ok := k.key().At(d.Header.Generation); ok {
		if err := d.Header.signedBy(root); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// decrypt reads every value of a backup and compares them with its header.
func (k *Keeper) decrypt(ctx context.Context, d *Reader) (Result, error) {
	root, key, err := d.Header.byBox(k.key())
	if err != nil {
		return Result{}, err
	}
	if d.Header.Kind == Increment {
		for _, err := range k.counted(ctx, d.frames(key)) {
			if err != nil {
				return Result{}, err
			}
		}
		return d.result(), nil
	}
	got, err := vault.VerifyStored(root, k.counted(ctx, d.frames(key)))
	if err != nil {
		return Result{}, storedFault(err)
	}
	return d.result(), d.Header.matches(root, got)
}

// matches compares what the values are with what the header says.
func (h *Header) matches(root *seal.Key, got vault.Summary) error {
	if got.StoreID != h.StoreID || got.Seq != h.Sequence || got.Generation != h.Generation || got.Records != h.Records ||
		got.Head != h.Head || !bytes.Equal(setToken(root, got.Set), h.Set) {
		return ErrSetMismatch
	}
	return nil
}

// storedFault turns the vault's finding about a backup's values into this
// package's; faults of reading stay what they are.
func storedFault(err error) error {
	if Code(err) == "" && fault.KindOf(err) == fault.Corrupt && !errors.Is(err, context.Canceled) {
		return because(ErrSetMismatch, err)
	}
	return err
}
