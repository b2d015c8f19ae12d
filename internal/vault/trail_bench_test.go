package vault_test

import (
	"flag"
	"io"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// trailEvents is the length of the trail that BenchmarkTrail looks at.
var trailEvents = flag.Int("trail", 100_000, "events of BenchmarkTrail")

// BenchmarkTrail measures what is done with a long trail: -args -trail=1000000
// for a million events.
func BenchmarkTrail(b *testing.B) {
	o := vault.Options{Dir: b.TempDir() + "/store", Key: sealtest.Key(b), MapBytes: 8 << 30, NoSync: true, Tables: []vault.AnyTable{clients}}
	v, err := vault.Create(b.Context(), accesstest.System("test"), o)
	if err != nil {
		b.Fatal(err)
	}
	ada := client(b)
	addClient(b, v, ada)
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			happen(b, v, 256)
		}
		b.ReportMetric(float64(256*b.N)/b.Elapsed().Seconds(), "events/s")
	})
	for v.Status().Events < uint64(*trailEvents) {
		happen(b, v, 256)
	}
	old, err := v.Checkpoint(b.Context(), checkpoint)
	if err != nil {
		b.Fatal(err)
	}
	size := old.Size
	run := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("newest page", func() error { _, err := v.Trail(b.Context(), auditRead, vault.TrailQuery{}); return err })
	run("who looked at a client", func() error { _, err := v.Trail(b.Context(), auditRead, vault.TrailQuery{Client: ada}); return err })
	run("denied acts", func() error {
		_, err := v.Trail(b.Context(), auditRead, vault.TrailQuery{Outcome: audit.Denied})
		return err
	})
	run("acts of a role that nothing sums up", func() error {
		_, err := v.Trail(b.Context(), auditRead, vault.TrailQuery{Also: func(e vault.TrailEvent) bool { return e.Act == string(access.AuditWitness) }})
		return err
	})
	run("consistency", func() error { _, err := v.Consistency(b.Context(), witness, size/3, size); return err })
	run("checkpoint", func() error { _, err := v.Checkpoint(b.Context(), checkpoint); return err })
	run("export", func() error {
		_, err := v.ExportTrail(b.Context(), exporting, io.Discard, vault.TrailQuery{}, true)
		return err
	})
	run("check", func() error { _, err := v.Check(b.Context(), verify); return err })
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	run("open", func() error {
		v, err := vault.Open(b.Context(), accesstest.System("test"), o)
		if err != nil {
			return err
		}
		return v.Close()
	})
}
