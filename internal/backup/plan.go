package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// Place is where a box keeps its store. Both names must be in the same
// directory, in which a restore puts "restoring" and sets the present store
// aside under "aside-N".
type Place struct {
	Header string // path of coffer.seal
	Dir    string // directory of the store
}

// base returns the directory that holds both.
func (p Place) base() string { return filepath.Dir(p.Dir) }

// previous is the seal before the present one, which may stand alone.
func (p Place) previous() string { return p.Header + ".prev" }

// Plan is a restore that was not begun: what would come back, and what it
// would replace. People see it before they decide.
type Plan struct {
	Place       Place
	Target      *Target
	Header      *Header   // of the full backup
	Name        Name      // of the full backup
	Last        Name      // of the last increment; Name where there is none
	Increments  int       // how many hourly backups are added to it
	Fingerprint [32]byte  // of the recovery sheet that opens it
	Present     bool      // a store stands where this one would go; it would be set aside
	Known       uint64    // the last commit that the box knows of, by its own word; 0: unknown
	KnownAt     time.Time // when that was; zero: unknown
	chain       chain
}

// Sequence returns the number of the last commit that would come back.
func (p *Plan) Sequence() uint64 { return p.Last.Sequence }

// Made returns when the last backup that would come back was made.
func (p *Plan) Made() time.Time { return p.Last.Time }

// Older reports whether the box knows of commits that would not come back.
func (p *Plan) Older() bool { return p.Known > p.Sequence() }

// PlanRestore looks at a target for what a restore would bring back: the
// backup of that name, or for "" the newest full one with the increments that
// follow it. The name of an increment means the full backup before it and all
// between. It reads the header only and changes nothing. ErrNoBackup, ErrGap,
// or what the target said.
func PlanRestore(ctx context.Context, t *Target, name string, at Place) (*Plan, error) {
	if filepath.Dir(at.Header) != at.base() || at.Header == at.Dir {
		return nil, errPlace
	}
	c, err := chosen(ctx, t, name)
	if err != nil {
		return nil, err
	}
	p := &Plan{Place: at, Target: t, Name: c.full, Last: c.last(), Increments: len(c.increments), chain: c}
	err = t.read(ctx, c.full, func(r io.Reader) error {
		d, err := NewReader(r)
		if err == nil && nameOf(d.Header) != c.full {
			err = ErrAuth
		}
		if err == nil {
			p.Header = d.Header
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slot, err := seal.ParseSlot(p.Header.Slot)
	if err != nil {
		return nil, because(ErrAuth, err)
	}
	p.Fingerprint = slot.Fingerprint()
	return p, p.look()
}

var errPlace = fault.New(fault.Internal, "The seal and the store are not in one directory, so a restore can't exchange them. Report this to the makers of Coffer.")

// chosen returns the chain that a name means, of whichever store it is.
func chosen(ctx context.Context, t *Target, name string) (chain, error) {
	if name != "" {
		n, err := ParseName(name)
		if err != nil {
			return chain{}, ErrNoBackup
		}
		return chainTo(ctx, t, n, false)
	}
	list, _, err := t.List(ctx)
	if err != nil {
		return chain{}, err
	}
	for _, e := range list { // the newest first
		if e.Kind == Full {
			increments, err := chainAfter(list, e.Name)
			return chain{t, e.Name, increments}, err
		}
	}
	return chain{}, ErrNoBackup
}

// look finds out what the restore would replace.
func (p *Plan) look() error {
	for _, path := range []string{p.Place.Header, p.Place.Dir} {
		switch _, err := os.Lstat(path); {
		case err == nil:
			p.Present = true
		case !errors.Is(err, fs.ErrNotExist):
			return because(ErrScratch, err)
		}
	}
	known, at, err := vault.LastKnown(p.Place.Dir)
	if err == nil {
		p.Known, p.KnownAt = known, at
	}
	return nil // a store that can't tell is replaced with the reason that is asked for anyway
}

// opener gives the stream keys to the holder of the recovery sheet.
func (p *Plan) opener(seed *recovery.Seed) opener {
	return func(h *Header) (streamKey, error) { return h.bySeed(seed) }
}
