package seal_test

import (
	"path/filepath"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// BenchmarkAnchor is one step of the anchor counter.
func BenchmarkAnchor(b *testing.B) {
	device := sealtest.TPM(b)
	k, err := seal.Provision(b.Context(), device, filepath.Join(b.TempDir(), "coffer.seal"), seal.Setup{Now: now})
	if err != nil {
		b.Fatal(err, seal.Detail(err))
	}
	defer k.Wipe()
	a := seal.NewAnchor(device, k)
	for b.Loop() {
		if err := a.Advance(b.Context()); err != nil {
			b.Fatal(err, seal.Detail(err))
		}
	}
}

// BenchmarkRecover opens a header by its sheet and seals it to the TPM anew.
func BenchmarkRecover(b *testing.B) {
	device, header := sealtest.TPM(b), filepath.Join(b.TempDir(), "coffer.seal")
	s := seal.Setup{Now: now, Recovery: sheet(1).Public()}
	k, err := seal.Provision(b.Context(), device, header, s)
	if err != nil {
		b.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
	for b.Loop() {
		k, err := seal.Recover(b.Context(), device, header, sheet(1), s)
		if err != nil {
			b.Fatal(err, seal.Detail(err))
		}
		k.Wipe()
	}
}
