package vault_test

import (
	"fmt"
	"sync"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// TestConcurrentRequests runs writers of pairs, requests that fail, readers
// that must never see half a pair, and checks of the live store together.
func TestConcurrentRequests(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	no := fault.New(fault.Invalid, "No.")
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() {
			for i := range 40 {
				tag := fmt.Sprintf("%d-%d", w, i)
				err := v.Update(t.Context(), writing, func(tx *vault.Tx) error {
					if err := insertTwice(tx, tag); err != nil || i%4 != 0 {
						return err
					}
					return no
				})
				if (i%4 == 0) != (err == error(no)) {
					t.Errorf("update %s: %v", tag, err)
				}
			}
		})
	}
	for range 4 {
		all.Go(func() {
			for range 30 {
				if err := v.View(t.Context(), reading, func(tx *vault.Tx) error { return whole(tx, nil) }); err != nil {
					t.Errorf("view: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for range 3 {
			if _, err := v.Check(t.Context(), verify); err != nil {
				t.Errorf("check: %v", err)
			}
		}
	})
	all.Wait()
	if n := v.Status().Records; n != 6*30*2 {
		t.Errorf("%d records", n)
	}
}
