package vault_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// killed is what SIGKILL leaves of a store after its newest commit was
// confirmed, with what the files were one commit before.
type killed struct {
	options             vault.Options
	file, last          []byte
	oldFile, oldLast    []byte
	journal, oldJournal []byte
	foreign             []byte // coffer.last of another store
	sequence            uint64 // of the newest commit
	confirmed           time.Time
	newer, older        int // head pages
}

// lastClock is the clock of the tests here.
var lastClock = time.Date(2026, 11, 25, 10, 30, 0, 0, time.UTC)

func newKilled(t *testing.T) *killed {
	t.Helper()
	k := &killed{confirmed: lastClock.Add(time.Minute)}
	now := lastClock
	k.options = vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: []vault.AnyTable{clients, entries},
		MapBytes: 1 << 30, Now: func() time.Time { return now }}
	v, err := vault.Create(t.Context(), accesstest.System("test"), k.options)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "before") })
	}
	k.oldJournal = k.read(t, "coffer.journal")
	k.oldFile, k.oldLast = k.read(t, "coffer.db"), k.read(t, "coffer.last")
	now = k.confirmed
	update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "payment") })
	k.sequence = v.Status().Sequence
	k.journal = k.read(t, "coffer.journal")
	k.file, k.last = k.read(t, "coffer.db"), k.read(t, "coffer.last")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	k.newer = newerHead(k.file)
	k.older = 1 - k.newer
	k.foreign = bytes.Clone(k.last)
	binary.BigEndian.PutUint64(k.foreign[1:], k.sequence+100) // its HMAC is of another content
	return k
}

func (k *killed) read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(k.options.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put lays the files down; no last means none.
func (k *killed) put(t *testing.T, file, last []byte) {
	t.Helper()
	bare(t, k.options.Dir)
	if err := os.WriteFile(filepath.Join(k.options.Dir, "coffer.db"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(k.options.Dir, "coffer.last")
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if last == nil {
		return
	}
	if err := os.WriteFile(name, last, 0o600); err != nil {
		t.Fatal(err)
	}
}

// flipped returns the file with one bit of a head page's content flipped.
func (k *killed) flipped(page int) []byte {
	b := bytes.Clone(k.file)
	b[page*4096+16+50] ^= 4
	return b
}

func (k *killed) open(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), accesstest.System("test"), k.options)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOneFlippedBitCannotHideAPayment flips a bit of a head page after the
// process was killed, which sets the store back by a confirmed commit, and
// puts an older file back; coffer.last tells, as far as it is there.
func TestOneFlippedBitCannotHideAPayment(t *testing.T) {
	k := newKilled(t)
	cases := map[string]struct {
		file, last []byte
		torn, lost bool
		rows       uint64
		witness    vault.Witness
	}{
		"as it was":                            {k.file, k.last, false, false, 12, vault.WitnessKnown},
		"newer head flipped":                   {k.flipped(k.newer), k.last, true, true, 10, vault.WitnessKnown},
		"older head flipped":                   {k.flipped(k.older), k.last, true, false, 12, vault.WitnessKnown},
		"newer flipped, its commit not told":   {k.flipped(k.newer), k.oldLast, true, false, 10, vault.WitnessKnown},
		"commit not told":                      {k.file, k.oldLast, false, false, 12, vault.WitnessKnown},
		"newer flipped, coffer.last missing":   {k.flipped(k.newer), nil, true, false, 10, vault.WitnessMissing},
		"newer flipped, coffer.last foreign":   {k.flipped(k.newer), k.foreign, true, false, 10, vault.WitnessForeign},
		"newer flipped, coffer.last cut":       {k.flipped(k.newer), k.last[:20], true, false, 10, vault.WitnessForeign},
		"newer flipped, coffer.last empty":     {k.flipped(k.newer), []byte{}, true, false, 10, vault.WitnessMissing},
		"older file put back":                  {k.oldFile, k.last, false, true, 10, vault.WitnessKnown},
		"older file put back with its witness": {k.oldFile, k.oldLast, false, false, 10, vault.WitnessKnown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k.put(t, c.file, c.last)
			v := k.open(t)
			s := v.Status()
			if s.Torn != c.torn || (s.Lost != 0) != c.lost || s.Records != c.rows || s.Witness != c.witness {
				t.Errorf("status = %+v", s)
			}
			k.judge(t, v, c.lost)
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			v = k.open(t) // the trace stays
			if s := v.Status(); s.Torn || s.Witness != vault.WitnessKnown {
				t.Errorf("opened again: %+v", s)
			}
			k.judge(t, v, c.lost)
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// judge compares what the store says of a loss, in its status and its check.
func (k *killed) judge(t *testing.T, v *vault.Vault, lost bool) {
	t.Helper()
	s := v.Status()
	check, err := v.Check(t.Context(), verify)
	if !lost {
		if err != nil || s.Lost != 0 || !s.LostAt.IsZero() {
			t.Errorf("lost %d at %v: %v", s.Lost, s.LostAt, err)
		}
		return
	}
	if s.Lost != k.sequence || !s.LostAt.Equal(k.confirmed) || s.Sequence <= k.sequence {
		t.Errorf("lost %d at %v, want %d at %v; now at %d", s.Lost, s.LostAt, k.sequence, k.confirmed, s.Sequence)
	}
	if fault.KindOf(err) != fault.Corrupt || check.Finding == nil || check.Finding.Where != "head" || check.Finding.Position != k.sequence {
		t.Errorf("check = %+v, %v", check.Finding, err)
	}
}

// TestScratchedHeadPageLosesNothing flips each of the first bytes of each head
// page, which bbolt does not look at: the newest commit is opened.
func TestScratchedHeadPageLosesNothing(t *testing.T) {
	k := newKilled(t)
	for page := range 2 {
		for _, at := range []int{0, 8, 10, 12} {
			b := bytes.Clone(k.file)
			b[page*4096+at] ^= 1
			k.put(t, b, k.last)
			v := k.open(t)
			if s := v.Status(); !s.Torn || s.Lost != 0 || s.Records != 12 {
				t.Errorf("page %d, byte %d: %+v", page, at, s)
			}
			k.judge(t, v, false)
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestShortFileIsNamed: a file whose end is missing is said to be short.
func TestShortFileIsNamed(t *testing.T) {
	k := newKilled(t)
	for _, n := range []int{0, 4096, 8191, 8192, 5 * 4096} {
		k.put(t, k.file[:n], k.last)
		_, err := vault.Open(t.Context(), accesstest.System("test"), k.options)
		if got := vault.Detail(err); fault.KindOf(err) != fault.Corrupt || !bytes.HasPrefix([]byte(got), []byte("file ")) {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
	}
}

// TestCreateSeesThatAStoreIsGone: coffer.last of a store under the same seal
// keeps Create from putting an empty one in its place.
func TestCreateSeesThatAStoreIsGone(t *testing.T) {
	k := newKilled(t)
	if err := os.Remove(filepath.Join(k.options.Dir, "coffer.db")); err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]func() error{
		"create": func() error {
			_, err := vault.Create(t.Context(), accesstest.System("test"), k.options)
			return err
		},
		"open": func() error { _, err := vault.Open(t.Context(), accesstest.System("test"), k.options); return err },
	} {
		if err := how(); err != error(vault.ErrNoStore) {
			t.Errorf("%s = %v", name, err)
		}
	}
}

// TestOtherThingsInTheFilesPlaces puts a FIFO and a directory where each file
// belongs: opening says so at once, and the journal gets the path.
func TestOtherThingsInTheFilesPlaces(t *testing.T) {
	k := newKilled(t)
	for _, name := range []string{"coffer.db", "coffer.lock", "coffer.last"} {
		path := filepath.Join(k.options.Dir, name)
		for what, place := range map[string]func() error{
			"fifo":      func() error { return unix.Mkfifo(path, 0o600) },
			"directory": func() error { return os.Mkdir(path, 0o700) },
		} {
			k.put(t, k.file, k.last)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := place(); err != nil {
				t.Fatal(err)
			}
			_, err := vault.Open(t.Context(), accesstest.System("test"), k.options)
			if fault.KindOf(err) != fault.Unavailable || !bytes.Contains([]byte(vault.Detail(err)), []byte(name)) {
				t.Errorf("%s as a %s: %v, detail %q", name, what, err, vault.Detail(err))
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}
