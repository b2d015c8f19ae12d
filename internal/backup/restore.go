package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// Orders say by what right a restore is done, and how the box seals the root.
type Orders struct {
	Seed   *recovery.Seed // of the recovery sheet, or of enough shares
	Device string         // the TPM
	Setup  seal.Setup     // how the root is sealed to this box
	Proof  seal.Proof     // what that seal asks for, such as the PIN
	// Reason is why, typed by a person: at least reasonMin characters where a
	// store is replaced. It goes on record in the restored store's own trail.
	Reason string
	// Head is the newest head of the audit trail that people know from
	// elsewhere, such as a browser or a printed report; zero: none.
	Head audit.Head
	// Vault has the tables, relation and clock of the store. The rest is
	// filled in.
	Vault vault.Options
}

// reasonMin is the shortest reason that says anything.
const reasonMin = 10

// Restored is what came back.
type Restored struct {
	Sequence   uint64 // last commit of the backup
	Made       time.Time
	Generation uint32 // of the new root
	Records    uint64
	Events     uint64
	Head       audit.Head // of the backup's trail
	Aside      string     // name under which the store before stands; empty: there was none
}

// Names in the directory that holds seal and store.
const (
	stagingName = "restoring"
	readyName   = "ready" // in the staging directory: it is whole, and goes into place
	asidePrefix = "aside-"
)

// Execute does what the plan says. The store is built, sealed to this box's
// TPM, opened and compared with the backup in a directory of its own, its root
// is exchanged for a new one, and the act is on record there, with the head of
// the trail then and now (action access.StoreRestore, which the system alone
// has). Only then it takes the place of the store that was there, which is set
// aside and opens with the recovery sheet alone from then on. Cut at any moment, either the old store
// opens as before, or Finish puts the new one into place.
func (p *Plan) Execute(ctx context.Context, agent access.Agent, o Orders) (Restored, error) {
	if access.Decide(request(agent, access.StoreRestore)) != access.Allow {
		return Restored{}, errDenied
	}
	if p.Present && len([]rune(o.Reason)) < reasonMin {
		return Restored{}, ErrReason
	}
	if err := Finish(ctx, o.Device, p.Place); err != nil { // of an earlier one
		return Restored{}, err
	}
	if err := p.same(ctx); err != nil {
		return Restored{}, err
	}
	lock, err := lockStore(p.Place.Dir)
	if err != nil {
		return Restored{}, err
	}
	if lock != nil {
		defer lock.Close() // the lock ends with it
	}
	staging := filepath.Join(p.Place.base(), stagingName)
	if err := errors.Join(p.abandon(ctx, o, staging), os.Mkdir(staging, 0o700)); err != nil {
		return Restored{}, because(ErrScratch, err)
	}
	r, err := p.stage(ctx, agent, o, staging)
	if err != nil {
		return Restored{}, errors.Join(err, p.abandon(ctx, o, staging))
	}
	if r.Aside, err = p.markReady(staging); err != nil {
		return Restored{}, err
	}
	return r, Finish(context.WithoutCancel(ctx), o.Device, p.Place)
}

var errDenied = fault.New(fault.Denied, "Your sign-in doesn't allow this. Ask the practice manager if you need it.")

// same returns nil if the plan is still what would happen.
func (p *Plan) same(ctx context.Context) error {
	now, err := PlanRestore(ctx, p.Target, p.Last.String(), p.Place)
	if err != nil {
		return err
	}
	if now.Name != p.Name || now.Increments != p.Increments || now.Present != p.Present || now.Known != p.Known {
		return ErrPlanStale
	}
	return nil
}

// lockStore takes the lock of the store that would be replaced, nil where
// there is none.
func lockStore(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "coffer.lock"), os.O_RDWR|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, because(ErrScratch, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(because(ErrStoreInUse, err), f.Close())
	}
	return f, nil
}

// stage makes the restored store in the staging directory.
func (p *Plan) stage(ctx context.Context, agent access.Agent, o Orders, staging string) (Restored, error) {
	dir, header := filepath.Join(staging, filepath.Base(p.Place.Dir)), filepath.Join(staging, filepath.Base(p.Place.Header))
	h, _, err := p.chain.rebuild(ctx, dir, uncounted, p.opener(o.Seed))
	if err != nil {
		return Restored{}, err
	}
	slot, err := seal.ParseSlot(h.Slot)
	if err != nil {
		return Restored{}, because(ErrAuth, err)
	}
	key, err := seal.Adopt(ctx, o.Device, header, slot, o.Seed, o.Setup)
	if err != nil {
		return Restored{}, err
	}
	defer key.Wipe()
	if err := errors.Join(h.signedBy(key), syncDir(staging)); err != nil {
		return Restored{}, err
	}
	v := o.Vault
	v.Dir, v.Key, v.Anchor, v.AcceptRollback = dir, key, seal.NewAnchor(o.Device, key), "restored from a backup"
	w, err := vault.Open(ctx, agent, v)
	if err != nil {
		return Restored{}, storedFault(err)
	}
	r, err := p.record(ctx, agent, o, w, key, h)
	if err == nil {
		r.Generation, err = rotate(ctx, agent, o, w, header)
	}
	return r, first(err, w.Close())
}

// record compares the restored store with the backup and puts the act into
// its trail.
func (p *Plan) record(ctx context.Context, agent access.Agent, o Orders, w *vault.Vault, key *seal.Key, h *Header) (Restored, error) {
	if err := restoredSet(ctx, agent, w, key, h, p.Sequence()); err != nil {
		return Restored{}, err
	}
	r := request(agent, access.StoreRestore)
	if err := w.NoteRestore(ctx, r, h.Head, o.Head); err != nil {
		return Restored{}, err
	}
	err := w.Record(ctx, r, audit.OK, audit.Detail{Key: "reason", Value: o.Reason},
		audit.Detail{Key: "backup", Value: p.Last.String()},
		audit.Detail{Key: "sequence", Value: fault.Int(p.Sequence()).SafeString()},
		audit.Detail{Key: "known", Value: fault.Int(p.Known).SafeString()})
	s := w.Status()
	return Restored{Sequence: p.Sequence(), Made: p.Made(), Records: s.Records, Events: s.Events, Head: h.Head}, err
}

// rotate exchanges the root for a new one, as the old one is in every backup.
func rotate(ctx context.Context, agent access.Agent, o Orders, w *vault.Vault, header string) (uint32, error) {
	next, err := seal.BeginRotation(ctx, o.Device, header, o.Proof)
	if err != nil {
		return 0, err
	}
	defer next.Wipe()
	if err := w.Rotate(ctx, request(agent, access.KeyRotate), next); err != nil {
		return 0, err
	}
	return next.Generation(), seal.EndRotation(ctx, o.Device, header, o.Proof)
}

// uncounted passes values on until ctx ends.
func uncounted(ctx context.Context, values iter.Seq2[vault.Stored, error]) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for v, err := range values {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// abandon takes back what a restore that failed or was cut off has made: its
// counters in the TPM and its directory.
func (p *Plan) abandon(ctx context.Context, o Orders, staging string) error {
	header := filepath.Join(staging, filepath.Base(p.Place.Header))
	// What can't be retired is a counter in the TPM that nobody asks again, or
	// no seal of a restore at all.
	if fi, err := os.Lstat(staging); err == nil && fi.IsDir() {
		_ = seal.RetireUnfinished(context.WithoutCancel(ctx), o.Device, header, p.Place.Header)
	}
	return os.RemoveAll(staging)
}

// markReady is the commit point: from now on the restored store is the store.
func (p *Plan) markReady(staging string) (aside string, err error) {
	_, err = os.Lstat(p.Place.previous())
	if p.Present || err == nil {
		aside = p.Place.nextAside()
	}
	path := filepath.Join(staging, readyName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", because(ErrScratch, err)
	}
	_, err = io.WriteString(f, aside)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = errors.Join(syncDir(staging), syncDir(filepath.Dir(staging)))
	}
	if err != nil {
		return "", because(ErrScratch, err)
	}
	return aside, nil
}
