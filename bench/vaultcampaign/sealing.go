package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// sealing is the life of a process that makes a new store.
const sealing = "sealing"

// sealNew provisions the TPM, makes the store and tells of it.
func sealNew(ctx context.Context, p place, out io.Writer) error {
	fmt.Fprintln(out, "begins")
	if err := p.make(ctx); err != nil {
		return fmt.Errorf("%w (%s%s)", err, vault.Detail(err), seal.Detail(err))
	}
	fmt.Fprintln(out, "sealed")
	<-ctx.Done()
	return nil
}

// make seals a new root to the TPM, and makes an empty store under it.
func (p place) make(ctx context.Context) error {
	key, err := seal.Provision(ctx, p.device(), p.header(), seal.Setup{Now: time.Now()})
	if err != nil {
		return err
	}
	v, err := vault.Create(ctx, accesstest.System("campaign"), p.options(key))
	if err != nil {
		return err
	}
	return v.Close()
}

// sealRound kills a process that seals a new store to a new TPM.
func (c *campaign) sealRound(ctx context.Context, n int) (err error) {
	s := newCampaign(place{filepath.Join(c.dir, sealing)}, c.seed, c.out, c.start)
	s.random = c.random
	c.seals++
	if err := errors.Join(os.Mkdir(s.dir, 0o700), s.startTPM()); err != nil {
		return err
	}
	told, err := s.live(n, sealing)
	if err == nil && s.tpmKills > 0 {
		err = s.startTPM()
	}
	if err == nil {
		err = s.inspectSealed(ctx, len(told) > 0)
	}
	c.tpmKills += s.tpmKills
	if err := errors.Join(err, s.killTPM()); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// inspectSealed opens what is left of a new store. Where nobody was told of it,
// what is missing can be made again beside what is there.
func (c *campaign) inspectSealed(ctx context.Context, told bool) error {
	key, err := seal.Unseal(ctx, c.device(), c.header(), seal.Proof{})
	if errors.Is(err, seal.ErrNoHeader) && !told {
		err = c.make(ctx)
		if err == nil {
			key, err = seal.Unseal(ctx, c.device(), c.header(), seal.Proof{})
		}
	}
	if err != nil {
		return fmt.Errorf("told %v: %w (%s)", told, err, seal.Detail(err))
	}
	v, err := vault.Open(ctx, accesstest.System("campaign"), c.options(key))
	if errors.Is(err, vault.ErrNoStore) && !told {
		v, err = vault.Create(ctx, accesstest.System("campaign"), c.options(key))
	}
	if err != nil {
		return fmt.Errorf("told %v: %w (%s%s)", told, err, vault.Detail(err), seal.Detail(err))
	}
	return v.Close()
}
