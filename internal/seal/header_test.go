package seal_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// TestFlippedHeaderIsRefused flips a bit of every byte of the header; with
// -full every bit.
func TestFlippedHeaderIsRefused(t *testing.T) {
	header, _ := store(t)
	b, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Respell(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for bit := range 8 {
			if !*full && bit != i%8 {
				continue
			}
			b[i] ^= 1 << bit
			if _, err := seal.Respell(b); err == nil { // in the MAC, which needs the key
				if err := os.WriteFile(header, b, 0o600); err != nil {
					t.Fatal(err)
				}
				refuses(t, sealtest.TPM(t), header, seal.ErrHeader)
			} else if fault.KindOf(err) != fault.Sealed {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
			b[i] ^= 1 << bit
		}
	}
	for _, cut := range []int{0, 1, len(b) / 2, len(b) - 1} {
		if err := os.WriteFile(header, b[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, sealtest.TPM(t), header, seal.ErrHeader)
	}
	if err := os.WriteFile(header, bytes.Repeat([]byte(" "), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, sealtest.TPM(t), header, seal.ErrHeader)
}

func TestHeaderOfANewerVersion(t *testing.T) {
	if _, err := seal.Respell([]byte(`{"Version": 2}`)); !errors.Is(err, seal.ErrLevel) {
		t.Fatal(err)
	}
}

// FuzzHeader: what is accepted has exactly one spelling.
func FuzzHeader(f *testing.F) {
	f.Add([]byte(`{"Version":1}`))
	f.Add([]byte(`{"Version":1,"Roots":[{"Gen":1,"TPM":[{"GenIndex":4294967295}]}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := seal.Respell(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("two spellings of one header")
		}
		if err != nil && fault.KindOf(err) != fault.Sealed {
			t.Fatal(err)
		}
	})
}
