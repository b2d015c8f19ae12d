package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/vault"
)

// blob is a record of recordBytes bytes.
type blob struct {
	Value []byte `cbor:"1,keyasint"`
}

// blobs stands in a bucket of the books; the bench has no other table.
var blobs = vault.NewJournal[blob, vault.None](vault.BucketEntries)

var writing = access.Request{
	Agent: accesstest.Agent(access.FrontDesk), Action: access.PaymentTake,
	Entity: access.None, Purpose: access.Payment,
}

// put inserts one record with its audit event.
func put(ctx context.Context, v *vault.Vault, value []byte) error {
	return v.Update(ctx, writing, func(tx *vault.Tx) error {
		_, err := blobs.Insert(tx, vault.Row[blob, vault.None]{Shared: blob{value}})
		return err
	})
}

// commits compares durable commits of one record. Coffer's also write an
// audit event and keep the set hash, the tree and the commit journal.
func (b *bench) commits(ctx context.Context) error {
	for _, c := range []struct {
		writers int
		aim     string
	}{{1, "≥ 1×"}, {16, ""}, {64, "≥ 3×"}} {
		ours, err := b.measureVault(ctx, c.writers)
		if err != nil {
			return err
		}
		rolling, err := measurePeer(ctx, b.dir, "delete", c.writers, b.span)
		if err != nil {
			return err
		}
		ahead, err := measurePeer(ctx, b.dir, "wal", c.writers, b.span)
		if err != nil {
			return err
		}
		b.row(fmt.Sprintf("durable commits/s, %d writers", c.writers), fmt.Sprintf("%.0f", ours),
			fmt.Sprintf("SQLCipher rollback journal %.0f (%.1f×), WAL %.0f (%.1f×)", rolling, ours/rolling, ahead, ours/ahead), c.aim)
	}
	return nil
}

// measureVault returns the commits a second of a new store.
func (b *bench) measureVault(ctx context.Context, writers int) (float64, error) {
	box, err := newBox(ctx, filepath.Join(b.dir, fmt.Sprintf("commits-%d", writers)))
	if err != nil {
		return 0, err
	}
	v, err := vault.Create(ctx, accesstest.System("bench"), box.options(false))
	if err != nil {
		return 0, errors.Join(err, box.close())
	}
	value := make([]byte, recordBytes)
	rate, err := measure(writers, b.span, func() error { return put(ctx, v, value) })
	return rate, errors.Join(err, v.Close(), box.close())
}

// spent returns what fn took.
func spent(fn func() error) (time.Duration, error) {
	since := time.Now()
	err := fn()
	return time.Since(since), err
}
