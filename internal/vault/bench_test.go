package vault_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

func benchVault(b *testing.B, noSync bool) *vault.Vault {
	b.Helper()
	o := vault.Options{Dir: b.TempDir() + "/store", Key: sealtest.Key(b), Tables: []vault.AnyTable{clients, entries}, NoSync: noSync}
	v, err := vault.Create(b.Context(), accesstest.System("bench"), o)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func insertOne(tx *vault.Tx) error {
	_, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: "bench", Count: 12, At: tx.Now()}})
	return err
}

// BenchmarkUpdate measures durable, audited, encrypted puts a second with one
// writer and with 32.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			v := benchVault(b, false)
			defer v.Close()
			puts := make(chan struct{}, b.N)
			for range b.N {
				puts <- struct{}{}
			}
			close(puts)
			b.ResetTimer()
			var all sync.WaitGroup
			for range writers {
				all.Go(func() {
					for range puts {
						if err := v.Update(b.Context(), writing, insertOne); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// BenchmarkView measures audited reads of one row.
func BenchmarkView(b *testing.B) {
	v := benchVault(b, false)
	defer v.Close()
	if err := v.Update(b.Context(), writing, insertOne); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := v.View(b.Context(), reading, func(tx *vault.Tx) error { _, err := entries.At(tx, 1); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store of 100,000 records with private parts of 1,000
// clients and two indexes.
func BenchmarkOpen(b *testing.B) {
	v := benchVault(b, true)
	for i := range 100 {
		err := v.Update(b.Context(), writing, func(tx *vault.Tx) error {
			for k := range 1000 {
				row := vault.Row[note, person]{Shared: note{Tag: fmt.Sprint(k), Count: int64(i*1000 + k), At: time.Unix(0, 0)}, Private: person{phi.NewText("Ada Example")}}
				row.Client[0], row.Client[1], row.Client[2] = 1, byte(k>>8), byte(k)
				if _, err := clients.Insert(tx, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	o := v.Options()
	o.NoSync = false
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v, err := vault.Open(b.Context(), accesstest.System("bench"), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "records/s")
}
