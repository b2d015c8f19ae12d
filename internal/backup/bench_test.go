package backup

import (
	"io"
	"testing"

	"coffer/internal/access"
	"coffer/internal/vault"
)

// benchRecords is the size of the store of the benchmarks, of which half are
// clients.
const benchRecords = 40_000

func benchClinic(b *testing.B) *clinic {
	b.Helper()
	c := newClinic(b)
	for range benchRecords / 2000 {
		c.post(b, 1000)
	}
	return c
}

// BenchmarkBackup streams a store's snapshot; bytes are of the plaintext.
func BenchmarkBackup(b *testing.B) {
	c := benchClinic(b)
	s, err := sealerOf(c.key)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		held, err := c.v.Snapshot(b.Context(), request(it, access.BackupWrite))
		if err != nil {
			b.Fatal(err)
		}
		r, err := write(io.Discard, c.k.headerOf(held, c.key), s, held.Records())
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(r.Plain))
		if err := held.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRebuild makes a store's file from a backup.
func BenchmarkRebuild(b *testing.B) {
	c := benchClinic(b)
	o := c.backUp(b)
	n, err := ParseName(o.Name)
	if err != nil {
		b.Fatal(err)
	}
	parts := chain{target: c.target, full: n}
	for b.Loop() {
		open := func(h *Header) (streamKey, error) { return h.bySeed(c.seed) }
		if _, _, err := parts.rebuild(b.Context(), b.TempDir()+"/store", uncounted, open); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(o.Records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkVerify decrypts every value of a backup (level 2).
func BenchmarkVerify(b *testing.B) {
	c := benchClinic(b)
	held, err := c.v.Snapshot(b.Context(), request(it, access.BackupWrite))
	if err != nil {
		b.Fatal(err)
	}
	defer held.Close()
	for b.Loop() {
		if _, err := vault.VerifyStored(c.key, held.Records()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchRecords*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
