package audit

import (
	"bytes"
	"testing"
	"time"
)

func sampleEvent(seq uint64) Event {
	return Event{Seq: seq, Time: time.Date(2026, 3, 31, 9, 5, 0, 42000, time.UTC), Boot: "0011223344556677", Actor: "dana", Via: "lan:192.0.2.7",
		Session: "01jqzz3v5y8x7w6t5r4q3p2n1m", Act: "client.read", Object: "client:01jqzz3v5y8x7w6t5r4q3p2n1m", Outcome: OK}
}

func BenchmarkParseLeaf(b *testing.B) {
	leaf := sampleEvent(7).AppendLeaf(nil)
	for b.Loop() {
		if _, err := ParseLeaf(leaf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafHash(b *testing.B) {
	leaf := sampleEvent(7).AppendLeaf(nil)
	for b.Loop() {
		LeafHash(leaf)
	}
}

// BenchmarkVerifierAdd is one event of a verification, opening included.
func BenchmarkVerifierAdd(b *testing.B) {
	var v Verifier
	o := NewOpening([32]byte{1}, Detail{"purpose", "treatment"}, Detail{"role", "therapist"})
	b.ReportAllocs()
	for b.Loop() {
		e := sampleEvent(v.tree.size)
		e.Commit = o.Commit()
		if p := v.Add(Record{e.AppendLeaf(nil), o}); p != nil {
			b.Fatal(p)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkVerifyExport verifies an export of 100,000 events with their
// private parts and a checkpoint each thousand, as cofferverify does.
func BenchmarkVerifyExport(b *testing.B) {
	const events = 100_000
	w := newSpecimen(b, events, 1000)
	export := w.export(w.records)
	trust := w.trust()
	b.SetBytes(int64(len(export)))
	for b.Loop() {
		r, err := VerifyExport(bytes.NewReader(export), trust)
		if err != nil || len(r.Findings) != 0 || r.Events != events {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}
