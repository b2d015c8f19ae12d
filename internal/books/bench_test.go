package books

import (
	"context"
	"runtime"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/ledger"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

func benchClinic(b *testing.B, fast bool) *clinic {
	c := &clinic{TB: b, system: accesstest.System("till"), accountant: accesstest.Agent(access.Accountant)}
	c.v = vaulttest.OpenWith(b, vault.Options{Tables: Tables(), NoSync: fast})
	c.b = New(c.v)
	if err := c.b.Setup(context.Background(), c.system); err != nil {
		b.Fatal(err)
	}
	return c
}

// One entry a commit, durable when it returns.
func BenchmarkPostDurable(b *testing.B) {
	c := benchClinic(b, false)
	for b.Loop() {
		if err := c.do(func(tx *vault.Tx) error { _, err := Post(tx, charge("P-000001", 100)); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

// Thirty-two people at once, each entry durable when it returns: commits are
// shared.
func BenchmarkPostDurable32(b *testing.B) {
	c := benchClinic(b, false)
	b.SetParallelism(32 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.do(func(tx *vault.Tx) error { _, err := Post(tx, charge("P-000001", 100)); return err }); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// The work of posting alone: many entries a commit, no sync.
func BenchmarkPostWork(b *testing.B) {
	c := benchClinic(b, true)
	left := 0
	for b.Loop() {
		if left > 0 {
			left--
			continue
		}
		left = 99
		if err := c.do(func(tx *vault.Tx) error {
			for range 100 {
				if _, err := Post(tx, charge("P-000001", 100)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// history posts 100,000 postings to 1,000 accounts.
func history(b *testing.B, c *clinic) {
	for part := range 500 {
		if err := c.do(func(tx *vault.Tx) error {
			for i := range 100 {
				n := part*100 + i
				d := charge(ledger.Sub("P-"+string([]byte{'0', '0', '0', '0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})), 100)
				d.Effective = tx.Today().AddDays(n%365 - 364)
				if _, err := Post(tx, d); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// What a reader waits for at 100,000 postings.
func BenchmarkReadAt1e5(b *testing.B) {
	c := benchClinic(b, true)
	history(b, c)
	var day civil.Date
	c.must(func(tx *vault.Tx) error { day = tx.Today(); return nil })
	for name, read := range map[string]func() error{
		"trial-balance": func() error { _, err := c.b.TrialBalance(context.Background(), c.accountant, 0); return err },
		"trial-balance-of-a-day": func() error {
			_, err := c.b.TrialBalance(context.Background(), c.accountant, day.AddDays(-100))
			return err
		},
		"account-page": func() error {
			_, err := c.b.Account(context.Background(), c.accountant, Receivables, "", Page{Before: 25000})
			return err
		},
		"client-balance": func() error {
			return c.do(func(tx *vault.Tx) error { _, err := Client(tx, "P-000007"); return err })
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
