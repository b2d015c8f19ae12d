package ops_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// TestASetBackStoreIsNeverSound: a bit of the newer or older head page is
// flipped, and coffer.last taken away; doctor and verify say what that means.
func TestASetBackStoreIsNeverSound(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 59, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "store")
	o := vault.Options{Dir: dir, Key: sealtest.Key(t), Tables: tables(), MapBytes: 1 << 30, Now: func() time.Time { return at }}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := books.New(v).Setup(t.Context(), accesstest.System("setup")); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	file, last := readFile(t, dir, "coffer.db"), readFile(t, dir, "coffer.last")
	newer := 0
	if binary.LittleEndian.Uint64(file[4096+64:]) > binary.LittleEndian.Uint64(file[64:]) {
		newer = 1
	}
	for name, c := range map[string]struct {
		head    int // page whose bit is flipped, -1 for none
		last    []byte
		verdict ops.Verdict
		ok      bool
		words   string
	}{
		"sound":                  {-1, last, ops.OK, true, "records"},
		"newer head":             {newer, last, ops.Fail, false, "confirmed at 2026-03-02T08:59:00Z, is gone"},
		"older head":             {1 - newer, last, ops.Warn, true, "No commit that was confirmed is known to be lost."},
		"newer head, no witness": {newer, nil, ops.Warn, true, "coffer.last, which names the last confirmed commit, was missing: whether one is lost is not known."},
		"no witness":             {-1, nil, ops.Warn, true, "was missing."},
		"foreign witness":        {-1, last[1:], ops.Warn, true, "of another store."},
	} {
		t.Run(name, func(t *testing.T) {
			changed := append([]byte(nil), file...)
			if c.head >= 0 {
				changed[c.head*4096+70] ^= 1
			}
			writeFile(t, dir, "coffer.db", changed)
			writeFile(t, dir, "coffer.clean", nil)
			writeFile(t, dir, "coffer.journal", nil)
			writeFile(t, dir, "coffer.last", c.last)
			v, err := vault.Open(t.Context(), accesstest.System("test"), o)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			b := newBox(t)
			b.opened(t, ops.Store{Vault: v, Books: books.New(v), Seal: b.seal})
			if l := b.line(t, "store"); l.Verdict != c.verdict || !strings.Contains(l.Value, c.words) {
				t.Errorf("doctor: %+v", l)
			}
			if l := b.line(t, "store-check"); (l.Verdict == ops.OK) != c.ok {
				t.Errorf("doctor: %+v", l)
			}
			s, err := b.Status(t.Context(), b.it)
			if err != nil || (s.Store.Lost == 0) != c.ok || (s.Store.Note == "") != (c.verdict == ops.OK) || s.Store.CheckedOK != c.ok {
				t.Errorf("status: %+v %v", s.Store, err)
			}
			got, err := b.Verify(t.Context(), b.it)
			if err != nil || got.OK != c.ok {
				t.Fatalf("verify: %+v %v", got, err)
			}
			if !c.ok && (got.Findings[0].Where != "head" || got.Findings[0].Position != s.Store.Lost) {
				t.Errorf("verify: %+v", got.Findings)
			}
		})
	}
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeFile writes a file of the store, or removes it for nil.
func writeFile(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	err := os.RemoveAll(filepath.Join(dir, name))
	if err == nil && b != nil {
		err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDoctorSeesWhoCanReachTheStore changes modes, owners and kinds one at a
// time.
func TestDoctorSeesWhoCanReachTheStore(t *testing.T) {
	b := newBox(t)
	state := b.machine.State
	db := filepath.Join(state, "store", "coffer.db")
	for _, err := range []error{
		os.Chmod(state, 0o700), os.Mkdir(filepath.Dir(db), 0o700), os.WriteFile(db, nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if l := b.line(t, "permissions"); l.Verdict != ops.OK {
		t.Fatalf("%+v", l)
	}
	for words, c := range map[string]struct{ change, back func() error }{
		". has mode 0777":                {func() error { return os.Chmod(state, 0o777) }, func() error { return os.Chmod(state, 0o700) }},
		"store has mode 0750":            {func() error { return os.Chmod(filepath.Dir(db), 0o750) }, func() error { return os.Chmod(filepath.Dir(db), 0o700) }},
		"store/coffer.db has mode 0666":  {func() error { return os.Chmod(db, 0o666) }, func() error { return os.Chmod(db, 0o600) }},
		"store/coffer.db has mode 4600":  {func() error { return unix.Chmod(db, 0o4600) }, func() error { return os.Chmod(db, 0o600) }},
		"coffer.seal has mode 0640":      {func() error { return os.Chmod(b.machine.Header, 0o640) }, func() error { return os.Chmod(b.machine.Header, 0o600) }},
		"coffer.seal.prev is a symbolic": {func() error { return os.Symlink("coffer.seal", b.machine.Header+".prev") }, func() error { return os.Remove(b.machine.Header + ".prev") }},
		"store/coffer.last is something": {func() error { return unix.Mkfifo(filepath.Dir(db)+"/coffer.last", 0o600) }, func() error { return os.Remove(filepath.Dir(db) + "/coffer.last") }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		if l := b.line(t, "permissions"); l.Verdict != ops.Fail || !strings.Contains(l.Value, words) {
			t.Errorf("%s: %+v", words, l)
		}
		if err := c.back(); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(db, 12345, 0); err != nil {
			t.Fatal(err)
		}
		if l := b.line(t, "permissions"); l.Verdict != ops.Fail || !strings.Contains(l.Value, "store/coffer.db belongs to user 12345") {
			t.Errorf("%+v", l)
		}
	}
}

// TestITIsNotToldToCallIT takes every sentence of package vault: none of them
// sends the person who looks after the box to herself.
func TestITIsNotToldToCallIT(t *testing.T) {
	files, err := filepath.Glob("../vault/*.go")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`fault\.(?:New|Wrap)\([^"\n]*\n?[^"\n]*"([^"\n]+)"`)
	her := regexp.MustCompile(`\bIT\b`)
	n := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range text.FindAllStringSubmatch(string(b), -1) {
			n++
			if words := ops.Words(sentence(m[1])); her.MatchString(words) {
				t.Errorf("%s: %q", name, words)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d sentences found", n)
	}
}

// sentence is an error with a text that was read from a source file.
type sentence string

func (s sentence) Error() string { return string(s) }

// As gives the text out as the code of a fault.
func (s sentence) As(target any) bool {
	f, ok := target.(**fault.Error)
	if ok {
		*f = fault.New(fault.Corrupt, "%v", fault.Code(s))
	}
	return ok
}
