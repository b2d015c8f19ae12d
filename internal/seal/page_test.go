package seal_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unsafe"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

func TestWipeClearsThePage(t *testing.T) {
	b, wipe, free, err := seal.NewPage()
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	copy(b, "a root key of thirty-two bytes...")
	wipe()
	for i, c := range b {
		if c != 0 {
			t.Fatalf("byte %d is %#x", i, c)
		}
	}
}

func TestWipedKeyDerivesNothing(t *testing.T) {
	k := sealtest.Key(t)
	k.Wipe()
	defer func() {
		if recover() == nil {
			t.Fatal("derived from a wiped key")
		}
	}()
	k.Derive("test")
}

// TestRootPageIsLockedAndNotDumped reads the kernel's flags of the mapping:
// lo locked, dd not in a core dump.
func TestRootPageIsLockedAndNotDumped(t *testing.T) {
	k := sealtest.Key(t)
	flags := mappingFlags(t, uintptr(unsafe.Pointer(&seal.Root(k)[0])))
	for _, want := range []string{"lo", "dd"} {
		if !strings.Contains(flags, " "+want+" ") {
			t.Errorf("flags %q lack %s", flags, want)
		}
	}
}

// mappingFlags returns VmFlags of the mapping that holds address.
func mappingFlags(t *testing.T, address uintptr) string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	here := false
	s := bufio.NewScanner(f)
	for s.Scan() {
		var from, to uintptr
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); n == 2 {
			here = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(s.Text(), "VmFlags:"); ok && here {
			return flags + " "
		}
	}
	t.Fatal("no mapping")
	return ""
}

func TestKeyPrintsAsNothing(t *testing.T) {
	k := sealtest.Key(t)
	root := string(seal.Root(k))
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("key", "key", k)
	printed := b.String() + fmt.Sprintf("%v %+v %s %q", k, k, k, k)
	if strings.Contains(printed, root) || !strings.Contains(printed, "seal.Key") {
		t.Fatal(printed)
	}
}
