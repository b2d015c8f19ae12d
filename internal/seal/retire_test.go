package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// leftovers lists the files of a header.
func leftovers(t *testing.T, header string) []string {
	t.Helper()
	found, err := filepath.Glob(header + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRetiredStoreLeavesNothing(t *testing.T) {
	b := newBox(t)
	b.provision(seal.Setup{})
	b.reseal(seal.Proof{}, seal.Setup{PIN: pin}) // makes a .prev
	write(t, b.header+".new-1234", []byte("what a killed writer left"))
	kept := read(t, b.header)
	before := read(t, b.header+".prev")
	// What the disk still has under another name shows what became of the bytes.
	held := []string{filepath.Join(t.TempDir(), "now"), filepath.Join(t.TempDir(), "before")}
	for i, name := range []string{b.header, b.header + ".prev"} {
		if err := os.Link(name, held[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := seal.Retire(t.Context(), b.device, b.header); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if left := leftovers(t, b.header); len(left) != 0 {
		t.Fatal(left)
	}
	for _, name := range held {
		if s := strings.Trim(string(read(t, name)), "\x00"); s != "" {
			t.Fatalf("not overwritten: %q", s)
		}
	}
	if err := seal.Retire(t.Context(), b.device, b.header); !isFault(err, seal.ErrNoHeader) {
		t.Fatal(err)
	}
	// A copy of the header opens nothing, and its counters are gone.
	for _, copied := range [][]byte{kept, before} {
		write(t, b.header, copied)
		b.refuses(seal.Proof{PIN: pin}, seal.ErrCounterMissing)
	}
	if n := indexes(t, b.device); n != 0 {
		t.Fatalf("%d indexes left", n)
	}
}

// indexes counts the NV indexes of the counters' range.
func indexes(t *testing.T, device string) int {
	t.Helper()
	n, err := seal.Indexes(t.Context(), device)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	return n
}

func TestRetireLeavesOtherStoresAlone(t *testing.T) {
	a, _ := store(t)
	old := read(t, a)
	b, want := store(t)
	device := sealtest.TPM(t)
	if err := seal.Retire(t.Context(), device, a); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	// A new store takes the indexes that came free; then somebody retires the
	// old header once more.
	c, third := store(t)
	write(t, a, old)
	if err := seal.Retire(t.Context(), device, a); !isFault(err, seal.ErrGeneration) {
		t.Fatal(err)
	}
	for header, want := range map[string][32]byte{b: want, c: third} {
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err != nil || k.Derive("test") != want {
			t.Fatal(err, seal.Detail(err))
		}
		k.Wipe()
	}
}

func TestRetireIsRefusedWhereItWouldBeHalfDone(t *testing.T) {
	header, _ := store(t)
	whole := read(t, header)
	if err := seal.Retire(t.Context(), sealtest.Another(t), header); !isFault(err, seal.ErrOtherTPM) {
		t.Fatal(err)
	}
	if err := seal.Retire(t.Context(), filepath.Join(t.TempDir(), "none"), header); !isFault(err, seal.ErrNoTPM) {
		t.Fatal(err)
	}
	write(t, header, whole[1:])
	if err := seal.Retire(t.Context(), sealtest.TPM(t), header); !isFault(err, seal.ErrHeader) {
		t.Fatal(err)
	}
	write(t, header, whole)
	k, err := seal.Unseal(t.Context(), sealtest.TPM(t), header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k.Wipe()
}

func TestKilledRetireIsFinishedByTheNext(t *testing.T) {
	device := sealtest.TPM(t)
	for _, step := range []string{"anchor removed", "counter removed", "renamed", "wiped"} {
		header, _ := store(t)
		if err := seal.Reseal(t.Context(), device, header, seal.Proof{}, seal.Setup{}); err != nil {
			t.Fatal(err, seal.Detail(err))
		}
		killed(t, "retire", step, device, header)
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err == nil {
			k.Wipe()
		}
		if opens := step == "anchor removed"; opens != (err == nil) {
			t.Fatalf("after %q: %v", step, err)
		}
		if err := seal.Retire(t.Context(), device, header); err != nil {
			t.Fatal(step, err, seal.Detail(err))
		}
		if left := leftovers(t, header); len(left) != 0 {
			t.Fatal(step, left)
		}
	}
	if n := indexes(t, device); n != 0 {
		t.Fatalf("%d indexes left", n)
	}
}
