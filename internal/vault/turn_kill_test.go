package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

var rotating = request(access.IT, access.KeyRotate, access.Entity{Kind: access.KindStore})

// turnUntilKilled writes as writeUntilKilled does while the keys of the store
// change without end: each bucket's, then the root.
func turnUntilKilled(j job) error {
	ctx := context.Background()
	v, err := j.open()
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	var mu sync.Mutex
	start := v.Status().Sequence
	for w := range 2 {
		go func() {
			for i := 0; ; i++ {
				tag := fmt.Sprintf("%d-%d-%d", start, w, i)
				if err := v.Update(ctx, writing, func(tx *vault.Tx) error { return insertTwice(tx, tag) }); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(tag)
				mu.Unlock()
			}
		}()
	}
	go func() {
		for {
			if err := turn(ctx, v, j); err != nil {
				failed <- err
				return
			}
		}
	}()
	return <-failed
}

// turn changes the keys of all buckets and the root. What was cut short goes on.
func turn(ctx context.Context, v *vault.Vault, j job) error {
	for _, b := range v.Buckets() {
		if err := v.Rekey(ctx, rotating, b); err != nil {
			return err
		}
	}
	next, err := seal.BeginRotation(ctx, j.Device, j.Header, seal.Proof{})
	if err != nil {
		return err
	}
	defer next.Wipe()
	if err := v.Rotate(ctx, rotating, next); err != nil {
		return err
	}
	return seal.EndRotation(ctx, j.Device, j.Header, seal.Proof{})
}

// TestKilledWhileKeysTurn kills a process at random moments while it changes
// the keys of its store. After each the store opens, is whole, and has every
// commit that was told of.
func TestKilledWhileKeysTurn(t *testing.T) {
	j := job{Dir: t.TempDir() + "/store", Device: sealtest.TPM(t), Header: t.TempDir() + "/coffer.seal", Turn: true}
	key, err := seal.Provision(t.Context(), j.Device, j.Header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := vault.Options{Dir: j.Dir, Key: key, Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, v, 1500)
	acked := map[string]bool{}
	for round := range 8 {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for _, tag := range runAndKill(t, j, 1+rand.IntN(120)) {
			acked[tag] = true
		}
		if o.Key, err = seal.Unseal(t.Context(), j.Device, j.Header, seal.Proof{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		t.Cleanup(o.Key.Wipe)
		if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
			t.Fatalf("round %d: %v %s", round, err, vault.Detail(err))
		}
		if s := v.Status(); s.Torn || s.Lost != 0 || s.Witness != vault.WitnessKnown {
			t.Fatalf("round %d: %+v", round, s)
		}
		if _, err := v.Check(t.Context(), verify); err != nil {
			t.Fatalf("round %d: %v %s", round, err, vault.Detail(err))
		}
		view(t, v, func(tx *vault.Tx) error { return wholeBut(tx, acked, 1500) })
	}
	if err := turn(t.Context(), v, j); err != nil {
		t.Fatal(err)
	}
	if v.Status().Rekeying != 0 {
		t.Error("a re-key did not end")
	}
	t.Logf("%d commits acknowledged, 0 lost", len(acked))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// wholeBut is whole for a store that had n entries before.
func wholeBut(tx *vault.Tx, acked map[string]bool, n int) error {
	count := map[string]int{}
	for row, err := range entries.All(tx) {
		if err != nil {
			return err
		}
		if row.Key > uint64(n) {
			count[row.Shared.Tag]++
		}
	}
	return eachTwice(count, acked)
}

// childOf runs the part of a child.
func childOf(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	switch {
	case j.Stay != "":
		return rotateAndStay(j)
	case j.Turn:
		return turnUntilKilled(j)
	}
	return writeUntilKilled(j)
}
