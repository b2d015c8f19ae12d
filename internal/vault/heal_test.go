package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// files is the content of a store's directory.
type files map[string][]byte

func readAll(t testing.TB, dir string) files {
	t.Helper()
	f := files{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			f[d.Name()], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// write makes the directory hold exactly these files.
func (f files) write(t testing.TB, dir string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, b := range f {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// with returns the files with some exchanged; nil removes one.
func (f files) with(changes files) files {
	g := files{}
	for name, b := range f {
		g[name] = b
	}
	for name, b := range changes {
		if g[name] = b; b == nil {
			delete(g, name)
		}
	}
	return g
}

func flipped(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[(at+len(c))%len(c)] ^= 4
	return c
}

// killedFiles is what SIGKILL leaves after the newest commit, and one commit
// before it.
func killedFiles(t *testing.T) (k *killed, now, before files) {
	t.Helper()
	k = newKilled(t)
	now = files{"coffer.db": k.file, "coffer.last": k.last, "coffer.journal": k.journal, "coffer.lock": nil}
	before = files{"coffer.db": k.oldFile, "coffer.last": k.oldLast, "coffer.journal": k.oldJournal, "coffer.lock": nil}
	return k, now, before
}

// TestTheJournalBringsBackWhatTheFileLost damages, tears and exchanges the
// files of a killed store, one or several at a time. What the journal has comes
// back; what it does not fit is never used.
func TestTheJournalBringsBackWhatTheFileLost(t *testing.T) {
	k, now, before := killedFiles(t)
	end := len(bytes.TrimRight(k.journal, "\x00"))
	oldEnd := len(bytes.TrimRight(k.oldJournal, "\x00"))
	torn := k.flipped(k.newer)
	other := newKilled(t)
	for name, c := range map[string]struct {
		files   files
		rows    uint64
		healed  bool
		lost    bool
		journal vault.JournalState
	}{
		"as it was":                        {now, 12, false, false, vault.JournalKnown},
		"newest head torn":                 {now.with(files{"coffer.db": torn}), 12, true, false, vault.JournalKnown},
		"older file put back":              {now.with(files{"coffer.db": k.oldFile}), 12, true, false, vault.JournalKnown},
		"older file and coffer.last":       {now.with(files{"coffer.db": k.oldFile, "coffer.last": k.oldLast}), 12, true, false, vault.JournalKnown},
		"head torn, coffer.last missing":   {now.with(files{"coffer.db": torn, "coffer.last": nil}), 12, true, false, vault.JournalKnown},
		"frame torn before the store":      {before.with(files{"coffer.journal": k.journal[:oldEnd+(end-oldEnd)/2]}), 10, false, false, vault.JournalKnown},
		"frame torn after the store":       {now.with(files{"coffer.journal": k.journal[:oldEnd+(end-oldEnd)/2], "coffer.last": k.oldLast}), 12, false, false, vault.JournalBehind},
		"confirmed frame torn":             {now.with(files{"coffer.journal": k.journal[:oldEnd+(end-oldEnd)/2]}), 12, false, false, vault.JournalForeign},
		"journal one commit behind":        {now.with(files{"coffer.journal": k.oldJournal}), 12, false, false, vault.JournalBehind},
		"journal missing":                  {now.with(files{"coffer.journal": nil}), 12, false, false, vault.JournalMissing},
		"journal empty":                    {now.with(files{"coffer.journal": {}}), 12, false, false, vault.JournalForeign},
		"journal of another store":         {now.with(files{"coffer.journal": other.journal}), 12, false, false, vault.JournalForeign},
		"journal's head flipped":           {now.with(files{"coffer.journal": flipped(k.journal, 3)}), 12, false, false, vault.JournalForeign},
		"head torn, last frame flipped":    {now.with(files{"coffer.db": torn, "coffer.journal": flipped(k.journal, end-3)}), 10, false, true, vault.JournalForeign},
		"head torn, frame cut off":         {now.with(files{"coffer.db": torn, "coffer.journal": k.oldJournal}), 10, false, true, vault.JournalKnown},
		"head torn, journal foreign":       {now.with(files{"coffer.db": torn, "coffer.journal": other.journal}), 10, false, true, vault.JournalForeign},
		"head torn, earlier frame flipped": {now.with(files{"coffer.db": torn, "coffer.journal": flipped(k.journal, oldEnd-3)}), 10, false, true, vault.JournalForeign},
	} {
		t.Run(name, func(t *testing.T) {
			c.files.write(t, k.options.Dir)
			v := k.open(t)
			s := v.Status()
			if s.Records != c.rows || (s.Healed.To != 0) != c.healed || (s.Lost != 0) != c.lost || s.Journal != c.journal {
				t.Errorf("status = %+v", s)
			}
			if c.healed && s.Healed.To != k.sequence {
				t.Errorf("healed %+v, want up to %d", s.Healed, k.sequence)
			}
			if _, err := v.Check(t.Context(), verify); (err != nil) != c.lost || c.lost && vault.Code(err) != "STORE-019" {
				t.Errorf("check: %v", err)
			}
			update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "after") })
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			if aside, _ := filepath.Glob(k.options.Dir + "/coffer.journal.aside.*"); (len(aside) == 1) != (c.journal == vault.JournalForeign) {
				t.Errorf("set aside: %v", aside)
			}
			v = k.open(t)
			if s := v.Status(); s.Records != c.rows+2 || s.Healed.To != 0 || s.Journal != vault.JournalKnown || !s.Clean {
				t.Errorf("opened again: %+v", s)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestALossIsAcceptedForGood: a commit that the journal can't bring back is
// found by every check until somebody takes it on himself.
func TestALossIsAcceptedForGood(t *testing.T) {
	k, now, _ := killedFiles(t)
	now.with(files{"coffer.db": k.flipped(k.newer), "coffer.journal": nil}).write(t, k.options.Dir)
	v := k.open(t)
	accept := access.Request{Agent: accesstest.Agent(access.Owner), Action: access.StoreAcceptLoss, Entity: access.Entity{Kind: access.KindStore}}
	if _, err := v.Check(t.Context(), verify); !errors.Is(err, vault.ErrLost) {
		t.Fatalf("check: %v", err)
	}
	if err := v.AcceptLoss(t.Context(), accept, ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	desk := accept
	desk.Agent = accesstest.Agent(access.FrontDesk)
	if err := v.AcceptLoss(t.Context(), desk, "no"); fault.KindOf(err) != fault.Denied {
		t.Errorf("the front desk: %v", err)
	}
	if err := v.AcceptLoss(t.Context(), accept, "the disk was exchanged; payments compared"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := v.Check(t.Context(), verify); err != nil || v.Status().Lost != 0 {
			t.Errorf("afterwards: %v, lost %d", err, v.Status().Lost)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		v = k.open(t)
	}
	if err := v.AcceptLoss(t.Context(), accept, "again"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("nothing is lost: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAStoppedStoreIsSealed flips bytes of the store file between stop and
// start, and of its seal: each is refused. Without the seal the file is as good
// as after a kill.
func TestAStoppedStoreIsSealed(t *testing.T) {
	k := newKilled(t)
	stopped := readAll(t, k.options.Dir)
	size := len(stopped["coffer.db"])
	for name, c := range map[string]files{
		"first byte":       {"coffer.db": flipped(stopped["coffer.db"], 0)},
		"free page":        {"coffer.db": flipped(stopped["coffer.db"], size-1)},
		"last byte":        {"coffer.db": flipped(stopped["coffer.db"], size-4096)},
		"longer":           {"coffer.db": append(bytes.Clone(stopped["coffer.db"]), make([]byte, 4096)...)},
		"shorter":          {"coffer.db": stopped["coffer.db"][:size-4096]},
		"older":            {"coffer.db": k.oldFile},
		"seal flipped":     {"coffer.clean": flipped(stopped["coffer.clean"], -1)},
		"seal's size":      {"coffer.clean": flipped(stopped["coffer.clean"], 9)},
		"seal's root":      {"coffer.clean": flipped(stopped["coffer.clean"], 3)},
		"seal cut":         {"coffer.clean": stopped["coffer.clean"][:20]},
		"seal emptied":     {"coffer.clean": {}},
		"seal of a device": {"coffer.clean": append(bytes.Clone(stopped["coffer.clean"]), 0)},
	} {
		t.Run(name, func(t *testing.T) {
			stopped.with(c).write(t, k.options.Dir)
			_, err := vault.Open(t.Context(), accesstest.System("test"), k.options)
			if !errors.Is(err, vault.ErrAltered) || fault.KindOf(err) != fault.Corrupt {
				t.Errorf("Open = %v", err)
			}
			if _, err := vault.Open(t.Context(), accesstest.System("test"), k.options); !errors.Is(err, vault.ErrAltered) {
				t.Errorf("opened again = %v", err)
			}
		})
	}
	for name, c := range map[string]files{"as it was": nil, "without its seal": {"coffer.clean": nil}} {
		t.Run(name, func(t *testing.T) {
			stopped.with(c).write(t, k.options.Dir)
			v := k.open(t)
			if s := v.Status(); s.Clean != (c == nil) || s.Records != 12 {
				t.Errorf("status = %+v", s)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSegmentsRebuildTheStore builds a store from a snapshot and lets it follow
// the journal's segments up to the newest commit.
func TestSegmentsRebuildTheStore(t *testing.T) {
	k := newKilled(t)
	v := k.open(t)
	backup := access.Request{Agent: accesstest.System("backup"), Action: access.BackupWrite, Entity: access.Entity{Kind: access.KindStore}}
	base, err := v.Snapshot(t.Context(), backup)
	if err != nil {
		t.Fatal(err)
	}
	o := k.options
	o.Dir = t.TempDir() + "/copy"
	if err := errors.Join(vault.Build(o.Dir, base.Records()), base.Close()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		update(t, v, func(tx *vault.Tx) error { return insertTwice(tx, "later") })
	}
	want := v.Status().Sequence + 1 // the reading itself is recorded first
	if err := vault.AppendSegments(o.Dir, v.Segment(t.Context(), backup, base.Seq)); err != nil {
		t.Fatal(err)
	}
	for _, err := range v.Segment(t.Context(), backup, base.Seq-1_000) {
		if !errors.Is(err, vault.ErrSegmentGone) {
			t.Errorf("from before the journal: %v", err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	o.AcceptRollback = "drill"
	if v, err = vault.Open(t.Context(), accesstest.System("test"), o); err != nil {
		t.Fatal(err)
	}
	if s := v.Status(); s.Healed != (vault.Healed{From: base.Seq + 1, To: want}) || s.Records != 18 {
		t.Errorf("status = %+v, want up to %d", s, want)
	}
	if _, err := v.Check(t.Context(), verify); err != nil {
		t.Error(err)
	}
	if seq, at, err := vault.LastKnown(o.Dir); err != nil || seq != v.Status().Sequence || at.IsZero() {
		t.Errorf("LastKnown = %d, %v, %v", seq, at, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}
