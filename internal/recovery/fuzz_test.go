package recovery_test

import (
	"errors"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/recovery"
)

// FuzzParse: what is read prints as something that is read as the same.
func FuzzParse(f *testing.F) {
	f.Add(new(recovery.Seed).Text())
	f.Add("000000")
	f.Add("------")
	f.Add("ÄÖÜ\u2013\u00a0\xff")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := recovery.Parse(text)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		again, err := recovery.Parse(s.Text())
		if err != nil || again.Text() != s.Text() {
			t.Fatal(err)
		}
	})
}

// FuzzParseShare does so for shares, and joins what it reads.
func FuzzParseShare(f *testing.F) {
	shares, err := new(recovery.Seed).Split(2, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shares[0].Text(), shares[1].Text())
	f.Add("22", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		s, err := recovery.ParseShare(a)
		if err == nil {
			again, err := recovery.ParseShare(s.Text())
			if err != nil || again != s {
				t.Fatal(err)
			}
		}
		if _, err := recovery.Read(a, b); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}

// FuzzOpen: nothing but what Seal made opens.
func FuzzOpen(f *testing.F) {
	s := new(recovery.Seed)
	sealed, err := s.Public().Seal("info", nil, []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed[:1153])
	f.Add(append(sealed[:len(sealed)-1:len(sealed)-1], sealed[len(sealed)-1]^1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := s.Open("other info", nil, b); !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatal(plain, err)
		}
		if p, err := recovery.ParsePublic(b); err == nil {
			if _, err := p.Seal("info", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}
