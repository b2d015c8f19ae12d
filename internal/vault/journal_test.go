package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

var flipWriting = access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None}

func insertFlip(t *testing.T, v *Vault, text string) error {
	t.Helper()
	return v.Update(t.Context(), flipWriting, func(tx *Tx) error {
		_, err := flipTable.Insert(tx, Row[flipRow, flipRow]{Client: ident.ID[ident.Client]{1}, Shared: flipRow{text}})
		return err
	})
}

func mustInsert(t *testing.T, v *Vault, text string) {
	t.Helper()
	if err := insertFlip(t, v, text); err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T, v *Vault) []string {
	t.Helper()
	var all []string
	err := v.View(t.Context(), flipWriting, func(tx *Tx) error {
		for row, err := range flipTable.All(tx) {
			if err != nil {
				return err
			}
			all = append(all, row.Shared.Text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// journalled returns the options, the journal and its frames of a small store.
func journalled(t *testing.T) (Options, []byte, []frame) {
	t.Helper()
	o := Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: []AnyTable{flipTable}, MapBytes: 1 << 30}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		mustInsert(t, v, strconv.Itoa(i))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(o.Dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return o, b, framesOf(t, b, deriveKeys(o.Key).journal)
}

func framesOf(t *testing.T, b []byte, key *journalKey) []frame {
	t.Helper()
	var frames []frame
	_, _, err := eachFrame(bytes.NewReader(b), int64(len(b)), key, func(f frame, _ []byte) error {
		frames = append(frames, f)
		return nil
	})
	if err != nil && !errors.Is(err, errForeign) {
		t.Fatal(err)
	}
	return frames
}

func sameFrames(a, b []frame) bool {
	return slices.EqualFunc(a, b, func(a, b frame) bool {
		return a.seq == b.seq && a.tag == b.tag && a.base == b.base && slices.EqualFunc(a.writes, b.writes, func(a, b write) bool {
			return a.place == b.place && bytes.Equal(a.value, b.value)
		})
	})
}

// TestFlippedJournal flips each byte of a journal, cuts it after each, and
// exchanges, repeats and leaves out its frames: what is read is always the
// beginning of what was written.
func TestFlippedJournal(t *testing.T) {
	o, b, whole := journalled(t)
	key := deriveKeys(o.Key).journal
	if len(whole) < 6 {
		t.Fatalf("%d frames", len(whole))
	}
	for at := range b {
		c := bytes.Clone(b)
		c[at] ^= 1 << (at % 8)
		if got := framesOf(t, c, key); len(got) >= len(whole) || !sameFrames(got, whole[:len(got)]) {
			t.Fatalf("byte %d: %d frames", at, len(got))
		}
		if got := framesOf(t, b[:at], key); len(got) >= len(whole) || !sameFrames(got, whole[:len(got)]) {
			t.Fatalf("cut at %d: %d frames", at, len(got))
		}
	}
	var starts []int
	_, end, err := eachFrame(bytes.NewReader(b), int64(len(b)), key, func(_ frame, raw []byte) error {
		starts = append(starts, bytes.Index(b, raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	part := func(i int) []byte { return b[starts[i]:append(starts, int(end))[i+1]] }
	for name, c := range map[string][]byte{
		"left out":  slices.Concat(b[:starts[2]], part(3), part(4)),
		"repeated":  slices.Concat(b[:starts[2]], part(1), part(2)),
		"exchanged": slices.Concat(b[:starts[2]], part(3), part(2), part(4)),
	} {
		if got := framesOf(t, c, key); !sameFrames(got, whole[:2]) {
			t.Errorf("%s: %d frames", name, len(got))
		}
	}
	other := deriveKeys(sealtest.Key(t)).journal
	if got := framesOf(t, b, other); len(got) != 0 {
		t.Errorf("another root reads %d frames", len(got))
	}
}

// TestFlippedCompanions flips each byte of coffer.last, coffer.clean and the
// journal's head and first frame, one at a time, and opens the store.
func TestFlippedCompanions(t *testing.T) {
	o, _, _ := journalled(t)
	store := map[string][]byte{}
	for _, name := range []string{fileName, lastName, cleanName, journalName} {
		b, err := os.ReadFile(filepath.Join(o.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		store[name] = b
	}
	for name, until := range map[string]int{lastName: lastBytes, cleanName: cleanBytes, journalName: journalHeadBytes + frameHeadBytes + 2} {
		for at := range until {
			for n, b := range store {
				if n == name {
					b = bytes.Clone(b)
					b[at] ^= 1 << (at % 8)
				}
				if err := os.WriteFile(filepath.Join(o.Dir, n), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			v, err := Open(t.Context(), accesstest.System("test"), o)
			if name == cleanName {
				if !errors.Is(err, ErrAltered) {
					t.Fatalf("%s, byte %d: %v", name, at, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, byte %d: %v", name, at, err)
			}
			s := v.Status()
			if s.Lost != 0 || s.Records != 4 || (s.Witness == WitnessForeign) != (name == lastName) || (s.Journal == JournalKnown) != (name == lastName) {
				t.Errorf("%s, byte %d: %+v", name, at, s)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// unsyncable makes every sync of an open file fail: it puts a device that takes
// any write, and knows no sync, in its place. It returns what undoes that.
func unsyncable(t *testing.T, fd int) (undo func()) {
	t.Helper()
	kept, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	zero, err := os.OpenFile("/dev/zero", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	if err := unix.Dup3(int(zero.Fd()), fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(unix.Dup3(kept, fd, unix.O_CLOEXEC), unix.Close(kept)); err != nil {
			t.Error(err)
		}
	}
}

// boltFile returns bbolt's descriptor of the store file.
func boltFile(t *testing.T, v *Vault) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		fd, err := strconv.Atoi(e.Name())
		target, _ := os.Readlink("/proc/self/fd/" + e.Name()) // one that is gone has no target
		if err == nil && target == filepath.Join(v.options.Dir, fileName) && fd != int(v.file.Fd()) {
			return fd
		}
	}
	t.Fatal("bbolt has no descriptor of the file")
	return 0
}

// TestFailingSyncs lets the syncs of journal and store file fail. Nobody is told
// of the commit; what was told of before is there.
func TestFailingSyncs(t *testing.T) {
	for name, c := range map[string]struct {
		fd   func(v *Vault) int
		stop bool
	}{
		"journal": {func(v *Vault) int { return int(v.journal.file.Fd()) }, true},
		"store":   {func(v *Vault) int { return boltFile(t, v) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, _, _ := journalled(t)
			v, err := Open(t.Context(), accesstest.System("test"), o)
			if err != nil {
				t.Fatal(err)
			}
			mustInsert(t, v, "told")
			undo := unsyncable(t, c.fd(v))
			if err := insertFlip(t, v, "failed"); err == nil || c.stop && fault.KindOf(err) != fault.Corrupt {
				t.Errorf("Update = %v", err)
			}
			if stopped := v.Status().Stopped; stopped != c.stop {
				t.Errorf("stopped: %v", stopped)
			}
			undo()
			if err := v.Close(); err != nil && !c.stop {
				t.Error(err)
			}
			if v, err = Open(t.Context(), accesstest.System("test"), o); err != nil {
				t.Fatal(err)
			}
			all := texts(t, v)
			if !slices.Contains(all, "told") || !c.stop && slices.Contains(all, "failed") || v.Status().Lost != 0 {
				t.Errorf("%v, %+v", all, v.Status())
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAnchorOnAFailingDisk lets the syncs fail while the store is anchored: the
// counter in the TPM is not raised, and the store opens and anchors again.
func TestAnchorOnAFailingDisk(t *testing.T) {
	key, device := sealtest.Key(t), sealtest.TPM(t)
	counter := seal.NewAnchor(device, key)
	o := Options{Dir: t.TempDir() + "/store", Key: key, Tables: []AnyTable{flipTable}, MapBytes: 1 << 30, Anchor: counter}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	mustInsert(t, v, "told")
	for name, fd := range map[string]func() int{"store": func() int { return boltFile(t, v) }, "journal": func() int { return int(v.journal.file.Fd()) }} {
		before, err := counter.Value(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		undo := unsyncable(t, fd())
		if err := v.Anchor(t.Context(), accesstest.System("test")); err == nil || name == "journal" && Code(err) != "STORE-021" {
			t.Errorf("%s: Anchor = %v", name, err)
		}
		undo()
		if after, err := counter.Value(t.Context()); err != nil || after != before {
			t.Errorf("%s: the counter is %d, was %d, %v", name, after, before, err)
		}
		if err := v.Close(); err != nil && !v.Status().Stopped {
			t.Errorf("%s: %v", name, err)
		}
		if v, err = Open(t.Context(), accesstest.System("test"), o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := v.Anchor(t.Context(), accesstest.System("test")); err != nil || !slices.Equal(texts(t, v), []string{"told"}) || v.Status().Lost != 0 {
			t.Errorf("%s: %v, %+v", name, err, v.Status())
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// segmented puts what was committed so far into a completed segment.
func segmented(t *testing.T, v *Vault) {
	t.Helper()
	err := v.between(t.Context(), func() error {
		next, err := emptyJournal(v.options.Dir, v.journal.key, v.journal.last)
		if err != nil {
			return err
		}
		err = v.journal.complete(next)
		v.journal = next
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copyOf returns the files of the directory as a kill would leave them now.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir() + "/copy"
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestHealingOverSegments puts back a store file that is older than the present
// segment of the journal, and older than a change of the root.
func TestHealingOverSegments(t *testing.T) {
	device, header := sealtest.TPM(t), t.TempDir()+"/coffer.seal"
	key, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir() + "/store", Key: key, Tables: []AnyTable{flipTable}, MapBytes: 1 << 30}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	mustInsert(t, v, "0")
	old, err := os.ReadFile(filepath.Join(o.Dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1", "2", "3"} {
		segmented(t, v)
		mustInsert(t, v, text)
	}
	next, err := seal.BeginRotation(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	heal := func(step string, want []string) {
		t.Helper()
		c := o
		c.Dir, c.Key = copyOf(t, o.Dir), next
		if err := os.WriteFile(filepath.Join(c.Dir, fileName), old, 0o600); err != nil {
			t.Fatal(err)
		}
		healed, err := Open(t.Context(), accesstest.System("test"), c)
		if err != nil {
			t.Fatalf("%s: %v (%s)", step, err, Detail(err))
		}
		if got := texts(t, healed); !slices.Equal(got, want) || healed.Status().Lost != 0 || healed.Status().Healed.To == 0 {
			t.Errorf("%s: %v, %+v", step, got, healed.Status())
		}
		if _, err := healed.Check(t.Context(), checking); err != nil {
			t.Errorf("%s: %v", step, err)
		}
		if err := healed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	heal("segments", []string{"0", "1", "2", "3"})
	if err := v.Rotate(t.Context(), rotating, next); err != nil {
		t.Fatal(err)
	}
	mustInsert(t, v, "4")
	heal("rotated", []string{"0", "1", "2", "3", "4"})
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	middle, err := segmentPaths(o.Dir)
	if err != nil || len(middle) < 3 {
		t.Fatalf("%v %v", middle, err)
	}
	c := o
	c.Dir, c.Key = copyOf(t, o.Dir), next
	err = errors.Join(os.WriteFile(filepath.Join(c.Dir, fileName), old, 0o600), os.Remove(filepath.Join(c.Dir, cleanName)),
		os.Remove(filepath.Join(c.Dir, filepath.Base(middle[1]))))
	if err != nil {
		t.Fatal(err)
	}
	gap, err := Open(t.Context(), accesstest.System("test"), c)
	if err != nil {
		t.Fatal(err)
	}
	if s := gap.Status(); s.Lost == 0 || Code(s.Warning) != "STORE-019" {
		t.Errorf("with a segment missing: %+v", s)
	}
	if err := gap.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOldSegmentsGo: completed segments take bounded room.
func TestOldSegmentsGo(t *testing.T) {
	dir := t.TempDir()
	for seq := range uint64(6) {
		f, err := os.Create(segmentPath(dir, seq+1))
		if err == nil {
			err = errors.Join(f.Truncate(segmentsKeep/4), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := dropSegments(dir); err != nil {
		t.Fatal(err)
	}
	paths, err := segmentPaths(dir)
	if err != nil || len(paths) != 4 || paths[0] != segmentPath(dir, 3) {
		t.Errorf("%v %v", paths, err)
	}
}
