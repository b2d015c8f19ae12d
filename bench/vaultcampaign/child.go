package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// place is a directory with a store, its header and its TPM.
type place struct{ dir string }

func (p place) header() string { return filepath.Join(p.dir, "coffer.seal") }
func (p place) store() string  { return filepath.Join(p.dir, "store") }
func (p place) tpm() string    { return filepath.Join(p.dir, "tpm") }
func (p place) device() string { return filepath.Join(p.tpm(), "tpm.sock") }

// row is what the campaign writes: two rows of each commit have one tag.
type row struct {
	Tag string `cbor:"1,keyasint"`
}

var rows = vault.NewJournal(vault.BucketEntries,
	vault.NewIndex("tag", func(r vault.Row[row, vault.None]) []string { return []string{r.Shared.Tag} }))

func request(a access.Action, k access.Kind) access.Request {
	return access.Request{Agent: agentOf(a), Action: a, Entity: access.Entity{Kind: k}, Purpose: access.Operations}
}

// agentOf returns an agent that may do the act.
func agentOf(a access.Action) access.Agent {
	system := accesstest.System("campaign")
	if system.May(a) {
		return system
	}
	for _, role := range []access.Role{access.IT, access.Owner, access.Accountant, access.FrontDesk} {
		if agent := accesstest.Agent(role); agent.May(a) {
			return agent
		}
	}
	return system
}

// open unseals and opens the store.
func (p place) open(ctx context.Context) (*vault.Vault, error) {
	key, err := seal.Unseal(ctx, p.device(), p.header(), seal.Proof{})
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, accesstest.System("campaign"), p.options(key))
}

func (p place) options(key *seal.Key) vault.Options {
	return vault.Options{Dir: p.store(), Key: key, Tables: []vault.AnyTable{rows}, MapBytes: 1 << 30, Anchor: seal.NewAnchor(p.device(), key)}
}

// child opens the store and acts until it is killed. It prints each tag after
// its commit. The TPM may be killed before it.
func child(ctx context.Context, p place, seedText, life string, out io.Writer) error {
	if life == sealing {
		return sealNew(ctx, p, out)
	}
	seed, err := strconv.ParseUint(seedText, 10, 64)
	if err != nil {
		return err
	}
	v, err := p.open(ctx)
	if err != nil {
		return fmt.Errorf("open: %w (%s%s%s%s)", err, vault.Code(err), seal.Code(err), vault.Detail(err), seal.Detail(err))
	}
	fmt.Fprintln(out, "open")
	w := &worker{place: p, vault: v, life: life, out: out}
	var all sync.WaitGroup
	for i := range uint64(3) {
		all.Go(func() { w.commit(ctx, i) })
	}
	w.upkeep(ctx, rand.New(rand.NewPCG(seed, 1)))
	all.Wait()
	return w.err
}

// worker is one life of the process.
type worker struct {
	place
	vault *vault.Vault
	life  string
	out   io.Writer
	mu    sync.Mutex
	err   error
}

// commit writes until it can't.
func (w *worker) commit(ctx context.Context, n uint64) {
	for i := 0; ; i++ {
		tag := fmt.Sprintf("%s-%d-%d", w.life, n, i)
		err := w.vault.Update(ctx, request(access.ChargePost, access.KindNone), func(tx *vault.Tx) error {
			for range 2 {
				if _, err := rows.Insert(tx, vault.Row[row, vault.None]{Shared: row{tag}}); err != nil {
					return err
				}
			}
			return nil
		})
		w.mu.Lock()
		if err == nil {
			fmt.Fprintln(w.out, tag)
		} else {
			w.err = errors.Join(w.err, err)
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// upkeep does what else changes seal and store, in random order. A TPM that was
// killed makes acts fail, and that is no matter.
func (w *worker) upkeep(ctx context.Context, random *rand.Rand) {
	acts := []func(context.Context) error{w.anchor, w.anchor, w.anchor, w.reseal, w.rotate, w.rekey, w.backup}
	for {
		n := random.IntN(len(acts))
		w.mu.Lock()
		failed := w.err != nil
		w.mu.Unlock()
		if failed {
			return
		}
		if err := acts[n](ctx); err != nil && fault.KindOf(err) != fault.Sealed && fault.KindOf(err) != fault.Unavailable {
			w.mu.Lock()
			w.err = errors.Join(w.err, fmt.Errorf("act %d: %w (%s%s)", n, err, vault.Detail(err), seal.Detail(err)))
			w.mu.Unlock()
		}
	}
}

func (w *worker) anchor(ctx context.Context) error {
	return w.vault.Anchor(ctx, accesstest.System("campaign"))
}

func (w *worker) reseal(ctx context.Context) error {
	return seal.Reseal(ctx, w.device(), w.header(), seal.Proof{}, seal.Setup{Now: time.Now()})
}

func (w *worker) rotate(ctx context.Context) error {
	next, err := seal.BeginRotation(ctx, w.device(), w.header(), seal.Proof{})
	if err != nil {
		return err
	}
	if err := w.vault.Rotate(ctx, request(access.KeyRotate, access.KindStore), next); err != nil {
		return err
	}
	return seal.EndRotation(ctx, w.device(), w.header(), seal.Proof{Key: next})
}

func (w *worker) rekey(ctx context.Context) error {
	return w.vault.Rekey(ctx, request(access.KeyRotate, access.KindStore), vault.BucketEntries)
}

// backup reads a snapshot and what the journal has after it.
func (w *worker) backup(ctx context.Context) error {
	r := request(access.BackupWrite, access.KindStore)
	s, err := w.vault.Snapshot(ctx, r)
	if err != nil {
		return err
	}
	for _, broken := range s.Records() {
		if broken != nil {
			err = broken
			break
		}
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	for _, err := range w.vault.Segment(ctx, r, s.Seq) {
		if err != nil && !errors.Is(err, vault.ErrSegmentGone) {
			return err
		}
	}
	return nil
}
