package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// post and person are the rows of the tests.
type post struct {
	Cents int64 `cbor:"1,keyasint"`
}

type person struct {
	Name phi.Text `cbor:"1,keyasint"`
}

var (
	entries = vault.NewJournal[post, vault.None](vault.BucketEntries)
	clients = vault.NewTable[post, person](vault.BucketClients)

	it      = accesstest.Agent(access.IT)
	system  = accesstest.System("backup")
	officer = accesstest.Agent(access.Officer)
	desk    = accesstest.Agent(access.FrontDesk)
)

const canary = "Ada Canary-Lovelace"

// clinic is a box with a store, a sheet and a keeper of its backups.
type clinic struct {
	device string
	place  Place
	seed   *recovery.Seed
	key    *seal.Key
	v      *vault.Vault
	media  string // the target's directory
	target *Target
	k      *Keeper
}

func (c *clinic) options() vault.Options {
	return vault.Options{
		Dir: c.place.Dir, Key: c.key, MapBytes: 1 << 28, Anchor: seal.NewAnchor(c.device, c.key),
		Tables: append(Tables(), entries, clients),
	}
}

// newClinic makes a box, with some records in its store.
func newClinic(t testing.TB) *clinic {
	t.Helper()
	base := t.TempDir()
	c := &clinic{
		device: sealtest.TPM(t), seed: recovery.New(), media: t.TempDir(),
		place: Place{Header: filepath.Join(base, "coffer.seal"), Dir: filepath.Join(base, "store")},
	}
	var err error
	c.key, err = seal.Provision(t.Context(), c.device, c.place.Header, seal.Setup{Now: time.Now(), Recovery: c.seed.Public()})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	t.Cleanup(c.key.Wipe)
	if c.v, err = vault.Create(t.Context(), system, c.options()); err != nil {
		t.Fatal(err)
	}
	made := c.v
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	c.target, err = NewTarget(TargetConfig{Name: "disk", Target: "dir:" + c.media, Hourly: true})
	if err != nil {
		t.Fatal(err)
	}
	c.post(t, 30)
	c.k = New(Options{Vault: c.v, Self: system, Targets: []*Target{c.target}, Scratch: filepath.Join(base, "scratch"), TrialBalance: balance})
	return c
}

// post writes n entries and n clients.
func (c *clinic) post(t testing.TB, n int) {
	t.Helper()
	r := access.Request{Agent: desk, Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	err := c.v.Update(t.Context(), r, func(tx *vault.Tx) error {
		for i := range n {
			if _, err := entries.Insert(tx, vault.Row[post, vault.None]{Shared: post{int64(i)}}); err != nil {
				return err
			}
			_, err := clients.Insert(tx, vault.Row[post, person]{Client: ident.New[ident.Client](tx.Now()), Private: person{phi.NewText(canary)}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// balance is the trial balance of the tests.
func balance(ctx context.Context, v *vault.Vault) (string, error) {
	var sum, n int64
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.FeeRead, Entity: access.None, Purpose: access.Operations}
	err := v.View(ctx, r, func(tx *vault.Tx) error {
		for r, err := range entries.All(tx) {
			if err != nil {
				return err
			}
			sum, n = sum+r.Shared.Cents, n+1
		}
		return nil
	})
	return fmt.Sprintf("%d in %d", sum, n), err
}

// backUp makes a full backup that must go well.
func (c *clinic) backUp(t testing.TB) Outcome {
	t.Helper()
	all, err := c.k.BackUp(t.Context(), it, "disk")
	if err != nil || len(all) != 1 || !all[0].OK {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// ship sends what was committed since the last backup, as each hour does.
func (c *clinic) ship(t testing.TB) Outcome {
	t.Helper()
	if err := c.k.begin(TaskIncrement); err != nil {
		t.Fatal(err)
	}
	defer c.k.end()
	o := c.k.increment(t.Context(), system, c.target)
	if !o.OK || o.Task != TaskIncrement {
		t.Fatalf("%+v", o)
	}
	return o
}

// path is where a backup lies.
func (c *clinic) path(name string) string { return filepath.Join(c.media, name) }

// spoil changes a backup on its target.
func (c *clinic) spoil(t testing.TB, name string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(c.path(name))
	if err == nil {
		err = os.WriteFile(c.path(name), change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
