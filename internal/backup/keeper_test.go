package backup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

func TestBackupIsVerifiedAndRemembered(t *testing.T) {
	c := newClinic(t)
	o := c.backUp(t)
	if o.Level != 2 || o.Records != c.v.Status().Records-1 || o.Balance == "" || o.Bytes == 0 || o.Sum == "" {
		t.Errorf("%+v", o)
	}
	for level := 1; level <= 3; level++ {
		v, err := c.k.Verify(t.Context(), it, "disk", o.Name, level)
		if err != nil || !v.OK || v.Level != level || v.Sequence != o.Sequence || v.Sum != o.Sum {
			t.Errorf("level %d: %+v, %v", level, v, err)
		}
	}
	s, err := c.k.Status(t.Context(), it)
	if err != nil || s.Alarm || s.Drill == nil || !s.Drill.OK || len(s.Targets) != 1 || len(s.Targets[0].Copies) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if copy := s.Targets[0].Copies[0]; copy.Level != 3 || copy.Failed != nil || copy.Name.String() != o.Name {
		t.Errorf("%+v", copy)
	}
	if left, err := os.ReadDir(c.k.options.Scratch); err != nil || len(left) != 0 {
		t.Errorf("scratch holds %v, %v", left, err)
	}
}

// TestSpoiledBackups: whatever happens to the copy, verification and drill say
// so by the exact fault, keep it, and raise the alarm.
func TestSpoiledBackups(t *testing.T) {
	c := newClinic(t)
	good := c.backUp(t)
	whole, err := os.ReadFile(c.path(good.Name))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		change func([]byte) []byte
		want   *fault.Error
	}{
		"cut at the end":    {func(b []byte) []byte { return b[:len(b)-1] }, ErrTruncated},
		"cut in a chunk":    {func(b []byte) []byte { return b[:len(b)/2] }, ErrTruncated},
		"empty":             {func(b []byte) []byte { return nil }, ErrTruncated},
		"a bit in it":       {func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, ErrAuth},
		"a bit at its end":  {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, ErrAuth},
		"a bit in its head": {func(b []byte) []byte { b[len(magic)+4+20] ^= 1; return b }, ErrAuth},
		"no backup":         {func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			c.spoil(t, good.Name, func([]byte) []byte { return x.change(bytes.Clone(whole)) })
			for level := 1; level <= 3; level++ {
				o, err := c.k.Verify(t.Context(), it, "disk", good.Name, level)
				if err != nil || o.OK || o.Level != 0 || o.Code != string(Code(x.want)) || o.What == "" || o.Name != good.Name {
					t.Errorf("level %d: %+v, %v", level, o, err)
				}
			}
			s, err := c.k.Status(t.Context(), it)
			if err != nil || !s.Alarm || s.Drill.OK || s.Targets[0].Copies[0].Failed == nil {
				t.Errorf("no alarm: %+v, %v", s, err)
			}
		})
	}
}

// TestTwoBackupsSpliced: the head of one with the body of another.
func TestTwoBackupsSpliced(t *testing.T) {
	c := newClinic(t)
	first := c.backUp(t)
	c.post(t, 3)
	secondOne := c.backUp(t)
	a, err := os.ReadFile(c.path(first.Name))
	if err != nil {
		t.Fatal(err)
	}
	c.spoil(t, secondOne.Name, func(b []byte) []byte { return append(pieces(t, b)[0], a[len(pieces(t, a)[0]):]...) })
	o, err := c.k.Verify(t.Context(), it, "disk", secondOne.Name, 2)
	if err != nil || o.Code != string(Code(ErrAuth)) {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestOlderBackupUnderANewName: a name says nothing that its header does not.
func TestOlderBackupUnderANewName(t *testing.T) {
	c := newClinic(t)
	o := c.backUp(t)
	n, err := ParseName(o.Name)
	if err != nil {
		t.Fatal(err)
	}
	n.Sequence, n.Time = n.Sequence+5, n.Time.AddDate(0, 0, 1)
	if err := os.Rename(c.path(o.Name), c.path(n.String())); err != nil {
		t.Fatal(err)
	}
	if v, err := c.k.Verify(t.Context(), it, "", "", 1); err != nil || v.Code != string(Code(ErrAuth)) {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestForgedBackup: whoever has the public half of the sheet can seal to it,
// but not sign as the box.
func TestForgedBackup(t *testing.T) {
	c := newClinic(t)
	o := c.backUp(t)
	h := someHeader(0)
	h.StoreID, h.Generation, h.Slot = c.key.StoreID(), c.key.Generation(), c.key.Slot().Bytes()
	h.Time, h.Sequence = o.Made, o.Sequence
	var file bytes.Buffer
	if _, err := write(&file, h, newBox().sealer(), seqOf(nil)); err != nil {
		t.Fatal(err)
	}
	c.spoil(t, o.Name, func([]byte) []byte { return file.Bytes() })
	for level := 1; level <= 3; level++ {
		if v, err := c.k.Verify(t.Context(), it, "disk", o.Name, level); err != nil || v.Code != string(Code(ErrAuth)) {
			t.Errorf("level %d: %+v, %v", level, v, err)
		}
	}
}

// TestOtherBoxesBackup: it is of no use here, and opens for nobody.
func TestOtherBoxesBackup(t *testing.T) {
	c, other := newClinic(t), newClinic(t)
	o := other.backUp(t)
	if err := os.Link(other.path(o.Name), c.path(o.Name)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.k.Verify(t.Context(), it, "", "", 2); !errors.Is(err, ErrNoBackup) {
		t.Error(err)
	}
	f, err := os.Open(c.path(o.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Header.byBox(c.key); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if _, err := d.Header.bySeed(c.seed); !errors.Is(err, recovery.ErrWrongSeed) {
		t.Error(err)
	}
	if _, err := d.Header.bySeed(other.seed); err != nil {
		t.Error(err)
	}
}

// TestCanary: no name and no key of the box is on the medium.
func TestCanary(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	found := 0
	err := filepath.WalkDir(c.media, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(path, canary) || bytes.Contains(b, []byte(canary)) || bytes.Contains(b, []byte("Lovelace")) {
			t.Errorf("%s holds a name", path)
		}
		found++
		return err
	})
	if err != nil || found != 1 {
		t.Fatal(found, err)
	}
}

func TestWhoMayBackUp(t *testing.T) {
	c := newClinic(t)
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"back up": func() error { return second(c.k.BackUp(ctx, desk, "")) },
		"verify":  func() error { return second(c.k.Verify(ctx, desk, "", "", 1)) },
		"drill":   func() error { return second(c.k.Drill(ctx, desk, "", "")) },
		"status":  func() error { return second(c.k.Status(ctx, desk)) },
	} {
		before := c.v.Status().Events
		if err := ask(); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v", name, err)
		}
		if c.v.Status().Events == before {
			t.Errorf("%s: the denial is not on record", name)
		}
	}
	if list, _, err := c.target.List(ctx); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

func TestWithoutASheetThereIsNoBackup(t *testing.T) {
	c := newClinic(t)
	path := filepath.Join(t.TempDir(), "coffer.seal")
	key, err := seal.Provision(t.Context(), c.device, path, seal.Setup{Now: c.k.clock()})
	if err != nil {
		t.Fatal(err)
	}
	defer key.Wipe()
	v, err := vault.Create(t.Context(), system, vault.Options{Dir: t.TempDir() + "/store", Key: key, Tables: Tables(), MapBytes: 1 << 26})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	all, err := New(Options{Vault: v, Targets: []*Target{c.target}}).BackUp(t.Context(), it, "")
	if err != nil || len(all) != 1 || all[0].Code != string(Code(ErrNoRecovery)) {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestTargetThatIsGone: the outcome says so, and is kept.
func TestTargetThatIsGone(t *testing.T) {
	c := newClinic(t)
	if err := os.RemoveAll(c.media); err != nil {
		t.Fatal(err)
	}
	all, err := c.k.BackUp(t.Context(), it, "disk")
	if err != nil || all[0].OK || all[0].Code != string(Code(ErrTargetAbsent)) {
		t.Fatalf("%+v, %v", all, err)
	}
	s, err := c.k.Status(t.Context(), it)
	if err != nil || !s.Alarm || !errors.Is(s.Targets[0].Err, ErrTargetAbsent) || s.Targets[0].Last == nil || s.Targets[0].Last.OK {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.k.BackUp(t.Context(), it, "no such target"); !errors.Is(err, ErrNoTarget) {
		t.Error(err)
	}
}

// TestOneTaskAtATime: a second one is told to wait.
func TestOneTaskAtATime(t *testing.T) {
	c := newClinic(t)
	if err := c.k.begin(TaskBackup); err != nil {
		t.Fatal(err)
	}
	if _, err := c.k.Drill(t.Context(), it, "", ""); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if p, ok := c.k.Underway(); !ok || p.Task != TaskBackup {
		t.Errorf("%+v", p)
	}
	c.k.end()
	if _, ok := c.k.Underway(); ok {
		t.Error("still under way")
	}
}

// TestDrillSeesOtherBooks: a trial balance that differs fails the drill.
func TestDrillSeesOtherBooks(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	c.k.options.TrialBalance = func(context.Context, *vault.Vault) (string, error) { return "other", nil }
	o, err := c.k.Drill(t.Context(), system, "", "")
	if err != nil || o.OK || o.Code != string(Code(ErrDrill)) || !strings.Contains(o.What, "trial balance") {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestTasksAreOnRecord: who backed up, verified and drilled is in the trail.
func TestTasksAreOnRecord(t *testing.T) {
	c := newClinic(t)
	o := c.backUp(t)
	if _, err := c.k.Verify(t.Context(), it, "disk", o.Name, 3); err != nil {
		t.Fatal(err)
	}
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.AuditRead, Entity: access.None, Purpose: access.Operations}
	page, err := c.v.Trail(t.Context(), r, vault.TrailQuery{})
	if err != nil {
		t.Fatal(err)
	}
	acts := map[string]int{}
	for _, e := range page.Events {
		acts[e.Act]++
	}
	if acts[string(access.BackupWrite)] < 2 || acts[string(access.BackupDrill)] < 1 {
		t.Errorf("%v", acts)
	}
}
