package backup

import (
	"context"
	"io"
	"iter"

	"coffer/internal/fault"
	"coffer/internal/vault"
)

// passer sees values as they go by.
type passer func(context.Context, iter.Seq2[vault.Stored, error]) iter.Seq2[vault.Stored, error]

// chain is a full backup at a target and the increments that follow it.
type chain struct {
	target     *Target
	full       Name
	increments []Name
}

// last returns the last backup of the chain.
func (c chain) last() Name {
	if n := len(c.increments); n > 0 {
		return c.increments[n-1]
	}
	return c.full
}

// chainTo returns the chain that ends with a backup at the target: for a full
// one it alone, or with newest all that follows; for an increment the full
// backup before it and what lies between.
func chainTo(ctx context.Context, t *Target, n Name, newest bool) (chain, error) {
	list, _, err := t.List(ctx)
	if err != nil {
		return chain{}, err
	}
	if n.Kind == Full {
		c := chain{target: t, full: n}
		if newest {
			c.increments, err = chainAfter(list, n)
		}
		return c, err
	}
	for _, e := range list { // the newest first
		if e.Kind != Full || e.StoreID != n.StoreID || e.Time.After(n.Time) {
			continue
		}
		all, err := chainAfter(list, e.Name)
		for i, inc := range all {
			if inc == n {
				return chain{t, e.Name, all[:i+1]}, nil
			}
		}
		if err == nil {
			err = fault.New(fault.NotFound, textGap, fault.Int(e.Sequence))
		}
		return chain{}, err
	}
	return chain{}, ErrNoBackup
}

// rebuild makes a store in dir from the chain, and returns the header of the
// full backup and what was read of it. Open verifies what it made.
func (c chain) rebuild(ctx context.Context, dir string, through passer, open opener) (h *Header, result Result, err error) {
	err = c.target.read(ctx, c.full, func(r io.Reader) error {
		d, err := NewReader(r)
		if err != nil {
			return err
		}
		if nameOf(d.Header) != c.full {
			return ErrAuth
		}
		key, err := open(d.Header)
		if err != nil {
			return err
		}
		if err := vault.Build(dir, through(ctx, d.frames(key))); err != nil {
			return buildFault(err)
		}
		h, result = d.Header, d.result()
		return nil
	})
	if err != nil || len(c.increments) == 0 {
		return h, result, err
	}
	return h, result, buildFault(vault.AppendSegments(dir, segments(ctx, c.target, h, c.increments, open)))
}
