package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

var rotating = access.Request{Agent: accesstest.Agent(access.IT), Action: access.KeyRotate, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}

// crowd inserts n entries.
func crowd(t *testing.T, v *Vault, n int) {
	t.Helper()
	for from := 0; from < n; from += 1000 {
		err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error {
			for i := from; i < min(n, from+1000); i++ {
				if _, err := canaryEntries.Insert(tx, Row[canary, None]{Shared: canary{fmt.Sprint(i)}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// keyIDs counts the records of a bucket under each key.
func keyIDs(t *testing.T, v *Vault, b Bucket) map[uint32]int {
	t.Helper()
	ids := map[uint32]int{}
	for _, r := range storedOf(t, v) {
		if r.Bucket == b.ID {
			ids[binary.BigEndian.Uint32(r.Value[1:])]++
		}
	}
	return ids
}

// TestRekeyGoesOn cuts a re-key short after its first commit and opens the
// store again: the next call ends it, and the old key is gone.
func TestRekeyGoesOn(t *testing.T) {
	v, _ := canaries(t, 1)
	crowd(t, v, 4500)
	old := v.state.slot(BucketEntries.ID).keyID
	step := func(tx *Tx) error { _, err := tx.rekey(BucketEntries.ID); return err }
	if err := v.Update(t.Context(), rotating, step); err != nil {
		t.Fatal(err)
	}
	if ids := keyIDs(t, v, BucketEntries); len(ids) != 2 || ids[old] != 2501 || v.Status().Rekeying != 1 {
		t.Fatalf("after one step: %v, %+v", ids, v.Status())
	}
	crowd(t, v, 10) // under the new key
	o := v.Options()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	if v.Status().Rekeying != 1 {
		t.Fatal("the re-key was forgotten")
	}
	before := v.state.nextKey
	if err := v.Rekey(t.Context(), rotating, BucketEntries); err != nil {
		t.Fatal(err)
	}
	if ids := keyIDs(t, v, BucketEntries); len(ids) != 1 || ids[old] != 0 || v.state.nextKey != before {
		t.Fatalf("at the end: %v", ids)
	}
	if _, there := v.state.keys.Get(old); there || v.Status().Rekeying != 0 {
		t.Fatal("the old key is still in the keyring")
	}
	if _, err := v.Check(t.Context(), checking); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRekeyIsDecided(t *testing.T) {
	v, _ := canaries(t, 0)
	defer v.Close()
	if err := v.Rekey(t.Context(), checking, BucketEntries); fault.KindOf(err) != fault.Internal {
		t.Errorf("in another's name: %v", err)
	}
	if err := v.Rekey(t.Context(), rotating, Bucket{ID: 0x7777}); fault.KindOf(err) != fault.Internal {
		t.Errorf("no such bucket: %v", err)
	}
	if err := v.Rekey(t.Context(), rotating, BucketEntries); err != nil || len(v.Buckets()) != 0 {
		t.Errorf("an empty bucket: %v, %v", err, v.Buckets())
	}
	denied := rotating
	denied.Agent = accesstest.Agent(access.FrontDesk)
	if err := v.Rekey(t.Context(), denied, BucketEntries); fault.KindOf(err) != fault.Denied {
		t.Errorf("a front desk's: %v", err)
	}
}

// TestRekeyUnderLoad gives every bucket a new key while others write and read:
// none of them fails, and nothing is lost.
func TestRekeyUnderLoad(t *testing.T) {
	v, _ := canaries(t, 200)
	crowd(t, v, 5000)
	var failures, done atomic.Int64
	stop := make(chan struct{})
	var others sync.WaitGroup
	for w := range 3 {
		others.Go(func() {
			for i := byte(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := ident.ID[ident.Client]{2, byte(w), i}
				err := v.Update(context.Background(), canaryWriting, func(tx *Tx) error { return plantCanaries(tx, id) })
				err = errors.Join(err, v.View(context.Background(), canaryWriting, func(tx *Tx) error {
					for _, err := range canaryClients.Newest(tx) {
						if err != nil {
							return err
						}
					}
					_, err := canaryEntries.At(tx, 1)
					return err
				}))
				done.Add(1)
				if err != nil {
					failures.Add(1)
				}
			}
		})
	}
	for _, b := range v.Buckets() {
		if err := v.Rekey(t.Context(), rotating, b); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	others.Wait()
	if failures.Load() != 0 || done.Load() == 0 {
		t.Fatalf("%d of %d others failed", failures.Load(), done.Load())
	}
	for _, b := range v.Buckets() {
		if ids := keyIDs(t, v, b); len(ids) != 1 {
			t.Errorf("%s: %v", b.Name, ids)
		}
	}
	if _, err := v.Check(t.Context(), checking); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSealsAreCounted(t *testing.T) {
	v, _ := canaries(t, 3)
	defer v.Close()
	b := v.state.slot(BucketEntries.ID)
	if b.seals != 3 || v.Status().Due != 0 {
		t.Fatalf("%d seals, %+v", b.seals, v.Status())
	}
	b.seals = sealsDue - 1
	crowd(t, v, 1)
	if v.Status().Due != 1 {
		t.Error("a worn key is not due")
	}
	if err := v.Rekey(t.Context(), rotating, BucketEntries); err != nil {
		t.Fatal(err)
	}
	if b = v.state.slot(BucketEntries.ID); b.seals != 4 || v.Status().Due != 0 {
		t.Errorf("after the re-key: %d", b.seals)
	}
}

// turning is a store whose root can be rotated.
type turning struct {
	device, header string
	o              Options
}

func newTurning(t *testing.T) *turning {
	t.Helper()
	r := &turning{device: sealtest.TPM(t), header: filepath.Join(t.TempDir(), "coffer.seal")}
	key, err := seal.Provision(t.Context(), r.device, r.header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	r.o = Options{Dir: t.TempDir() + "/store", Key: key, Tables: canaryTables, MapBytes: 1 << 30}
	return r
}

// open opens the store with what the header gives.
func (r *turning) open(t *testing.T, header string) (*Vault, error) {
	t.Helper()
	key, err := seal.Unseal(t.Context(), r.device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(key.Wipe)
	o := r.o
	o.Key = key
	return Open(t.Context(), accesstest.System("test"), o)
}

// TestRootRotation goes through an exchange of the root and opens the store
// after each of its steps; at the end the former root opens nothing.
func TestRootRotation(t *testing.T) {
	r := newTurning(t)
	v, err := Create(t.Context(), accesstest.System("test"), r.o)
	if err != nil {
		t.Fatal(err)
	}
	id := ident.ID[ident.Client]{5}
	if err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error { return plantCanaries(tx, id) }); err != nil {
		t.Fatal(err)
	}
	former := v.state.root
	again := func(step string, generation uint32) {
		t.Helper()
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if v, err = r.open(t, r.header); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if s := v.Status(); s.Witness != WitnessKnown || s.Lost != 0 || v.state.root.generation != generation {
			t.Fatalf("%s: %+v", step, s)
		}
		if _, err := v.Check(t.Context(), checking); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	next, err := seal.BeginRotation(t.Context(), r.device, r.header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	again("begun", 1)
	if err := v.Rotate(t.Context(), rotating, r.o.Key); err != nil { // the root it has
		t.Fatal(err)
	}
	if err := v.Rotate(t.Context(), rotating, next); err != nil {
		t.Fatal(err)
	}
	again("rotated", 2)
	if err := v.Rotate(t.Context(), rotating, next); err != nil { // goes on after a cut
		t.Fatal(err)
	}
	next.Wipe()
	if err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error { return plantCanaries(tx, ident.ID[ident.Client]{6}) }); err != nil {
		t.Fatal(err)
	}
	again("written", 2)
	if err := seal.EndRotation(t.Context(), r.device, r.header, seal.Proof{}); err != nil {
		t.Fatal(err)
	}
	again("ended", 2)
	all := storedOf(t, v)
	if n := len(steal(former, all, Identity, Service, Tokens, Ledger, Audit, Box, Chart).keys); n != 0 {
		t.Errorf("the former root unwraps %d keys", n)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), accesstest.System("test"), r.o) // with the key of generation 1
	if fault.KindOf(err) != fault.Corrupt {
		t.Errorf("the former root: %v", err)
	}
}

func TestRotateRefusesOtherRoots(t *testing.T) {
	v, _ := canaries(t, 1)
	defer v.Close()
	if err := v.Rotate(t.Context(), rotating, sealtest.Key(t)); !errors.Is(err, errNextRoot) {
		t.Errorf("another store's: %v", err)
	}
	if err := v.Rotate(t.Context(), checking, v.Options().Key); !errors.Is(err, errNextRoot) {
		t.Errorf("in another's name: %v", err)
	}
}
