package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/backup"
	"coffer/internal/vault"
)

// backup measures a full backup to a directory and its restore to another box
// with a TPM of its own. A restore counts until the store on the other box has
// been opened and verified and its root exchanged.
func (b *bench) backup(ctx context.Context, box *box) error {
	place := filepath.Join(b.dir, "backups")
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	target, err := backup.NewTarget(backup.TargetConfig{Name: "disk", Target: "dir:" + place})
	if err != nil {
		return err
	}
	made, err := b.backUp(ctx, box, target)
	if err != nil {
		return err
	}
	return b.restore(ctx, box, target, made)
}

// backUp makes the backup.
func (b *bench) backUp(ctx context.Context, box *box, target *backup.Target) (backup.Outcome, error) {
	v, err := vault.Open(ctx, accesstest.System("bench"), box.options(false))
	if err != nil {
		return backup.Outcome{}, err
	}
	k := backup.New(backup.Options{
		Vault: v, Targets: []*backup.Target{target}, Self: accesstest.System("bench"), Scratch: filepath.Join(b.dir, "scratch"),
		TrialBalance: func(context.Context, *vault.Vault) (string, error) { return "", nil },
	})
	all, err := k.BackUp(ctx, accesstest.Agent(access.IT), "disk")
	var read backup.Outcome
	if err == nil {
		read, err = k.Verify(ctx, accesstest.Agent(access.IT), "disk", all[0].Name, 2)
	}
	if err = errors.Join(err, v.Close()); err != nil {
		return backup.Outcome{}, err
	}
	made := all[0]
	if !made.OK || !read.OK {
		return made, errors.New(made.What + read.What)
	}
	rate := func(d time.Duration) string { return fmt.Sprintf("%.0f MB/s", perSecond(int(made.Bytes), d)/1e6) }
	b.row("backup to a directory", rate(made.Took-read.Took), fmt.Sprintf("%d MB, synced; it alone", made.Bytes/1e6), "≥ 200 MB/s")
	b.row("the same, read back and every record verified", rate(made.Took), fmt.Sprintf("reading back alone %.1f s", read.Took.Seconds()), "")
	return made, nil
}

// restore brings the backup back on another box.
func (b *bench) restore(ctx context.Context, from *box, target *backup.Target, made backup.Outcome) error {
	other, err := newBox(ctx, filepath.Join(b.dir, "other"))
	if err != nil {
		return err
	}
	at := backup.Place{Header: filepath.Join(other.dir, "restored", "coffer.seal"), Dir: filepath.Join(other.dir, "restored", "store")}
	took, err := spent(func() error {
		if err := os.Mkdir(filepath.Dir(at.Dir), 0o700); err != nil {
			return err
		}
		plan, err := backup.PlanRestore(ctx, target, made.Name, at)
		if err != nil {
			return err
		}
		_, err = plan.Execute(ctx, accesstest.System("restore"), backup.Orders{
			Seed: from.seed, Device: other.device, Setup: from.setup(), Reason: "measured on another box",
			Vault: vault.Options{Tables: from.options(false).Tables},
		})
		return err
	})
	b.row("records/s restored on another TPM", fmt.Sprintf("%.0f", perSecond(int(made.Records), took)), fmt.Sprintf("%.1f s in all", took.Seconds()), "≥ 150000")
	return errors.Join(err, other.close())
}
