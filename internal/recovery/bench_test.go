package recovery_test

import (
	"testing"

	"coffer/internal/recovery"
)

// BenchmarkOpen is one recovery: two of three shares are read and joined, and
// a root key is opened.
func BenchmarkOpen(b *testing.B) {
	s := recovery.New()
	shares, err := s.Split(2, 3)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := s.Public().Seal("info", nil, make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	x, y := shares[0].Text(), shares[2].Text()
	for b.Loop() {
		s, err := recovery.Read(x, y)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Open("info", nil, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
