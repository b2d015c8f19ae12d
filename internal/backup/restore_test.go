package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// emptyBox is a box that has no store yet.
func emptyBox(t testing.TB) Place {
	t.Helper()
	base := t.TempDir()
	return Place{Header: filepath.Join(base, "coffer.seal"), Dir: filepath.Join(base, "store")}
}

func (c *clinic) orders(device string) Orders {
	return Orders{
		Seed: c.seed, Device: device, Setup: seal.Setup{Now: time.Now()},
		Vault: vault.Options{Tables: c.options().Tables, MapBytes: 1 << 28},
	}
}

func plan(t testing.TB, g *Target, name string, at Place) *Plan {
	t.Helper()
	p, err := PlanRestore(t.Context(), g, name, at)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// opens unseals and opens the store at a place, and returns how many entries
// it has.
func opens(t testing.TB, device string, at Place) (n uint64, s vault.Status, acts []string) {
	t.Helper()
	key, err := seal.Unseal(t.Context(), device, at.Header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer key.Wipe()
	v, err := vault.Open(t.Context(), system, vault.Options{
		Dir: at.Dir, Key: key, MapBytes: 1 << 28, Anchor: seal.NewAnchor(device, key), Tables: append(Tables(), entries, clients),
	})
	if err != nil {
		t.Fatal(err, vault.Detail(err))
	}
	err = v.View(t.Context(), access.Request{Agent: desk, Action: access.FeeRead, Entity: access.None, Purpose: access.Operations}, func(tx *vault.Tx) error {
		n = entries.Count(tx)
		for r, err := range clients.All(tx) {
			if err != nil || r.Private.Name.Reveal() != canary {
				t.Errorf("a client did not come back: %v", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := v.Trail(t.Context(), access.Request{Agent: officer, Action: access.AuditRead, Entity: access.None, Purpose: access.Operations}, vault.TrailQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		acts = append(acts, e.Act)
		for _, d := range e.Details {
			acts = append(acts, d.Key+"="+d.Value)
		}
	}
	s = v.Status()
	if _, err := v.Check(t.Context(), access.Request{Agent: it, Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	return n, s, acts
}

// TestRestoreOnANewBox: another TPM, an empty disk, the sheet and the medium.
func TestRestoreOnANewBox(t *testing.T) {
	c := newClinic(t)
	made := c.backUp(t)
	at, device := emptyBox(t), sealtest.Another(t)
	p := plan(t, c.target, "", at)
	if p.Present || p.Older() || p.Known != 0 || p.Sequence() != made.Sequence || p.Fingerprint != c.seed.Public().Fingerprint() {
		t.Errorf("%+v", p)
	}
	o := c.orders(device)
	o.Head = audit.Head{Size: made.Events + 7, Root: audit.Hash{7}}
	r, err := p.Execute(t.Context(), system, o)
	if err != nil {
		t.Fatal(err, seal.Detail(err), vault.Detail(err))
	}
	if r.Aside != "" || r.Generation != c.key.Generation()+1 || r.Head != made.Head || r.Sequence != made.Sequence {
		t.Errorf("%+v", r)
	}
	n, s, acts := opens(t, device, at)
	if n != 30 || s.StoreID != c.key.StoreID() || s.Events <= made.Events {
		t.Errorf("%d entries, %+v", n, s)
	}
	for _, want := range []string{string(access.StoreRestore), "backup.root=" + made.Head.Root.SafeString(), "last.root=" + o.Head.Root.SafeString()} {
		if !strings.Contains(strings.Join(acts, "\n"), want) {
			t.Errorf("the trail lacks %q", want)
		}
	}
	if left, err := os.ReadDir(at.base()); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// The store that was backed up opens as before, on its own box.
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := opens(t, c.device, c.place); n != 30 {
		t.Errorf("%d entries on the old box", n)
	}
}

// TestRestoreByShares: two of three open it, one does not make a seed.
func TestRestoreByShares(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	shares, err := c.seed.Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recovery.Read(shares[1].Text()); !errors.Is(err, recovery.ErrFewShares) && !errors.Is(err, recovery.ErrIsShare) {
		t.Fatalf("one share of three: %v", err)
	}
	at, device := emptyBox(t), sealtest.Another(t)
	o := c.orders(device)
	if o.Seed, err = recovery.Read(shares[2].Text(), shares[0].Text()); err != nil {
		t.Fatal(err)
	}
	if _, err := plan(t, c.target, "", at).Execute(t.Context(), system, o); err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if n, _, _ := opens(t, device, at); n != 30 {
		t.Error(n)
	}
}

func TestRestoreWithAnotherSheet(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	at := emptyBox(t)
	o := c.orders(sealtest.Another(t))
	o.Seed = recovery.New()
	if _, err := plan(t, c.target, "", at).Execute(t.Context(), system, o); !errors.Is(err, recovery.ErrWrongSeed) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(at.base()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRestoreOfAnOldBackupOnTheSameBox is the one legal rollback: it takes the
// sheet and a reason, is on record, and sets the present store aside.
func TestRestoreOfAnOldBackupOnTheSameBox(t *testing.T) {
	c := newClinic(t)
	made := c.backUp(t)
	c.post(t, 5)
	now := c.v.Status().Sequence
	inUse := plan(t, c.target, made.Name, c.place)
	o := c.orders(c.device)
	o.Reason = "the disk lost what was written after noon"
	if _, err := inUse.Execute(t.Context(), system, o); !errors.Is(err, ErrStoreInUse) && !errors.Is(err, ErrPlanStale) {
		t.Fatalf("under a running store: %v", err)
	}
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	p := plan(t, c.target, made.Name, c.place)
	if !p.Present || !p.Older() || p.Known < now || p.Sequence() != made.Sequence {
		t.Errorf("shown: %+v", p)
	}
	without := o
	without.Reason = "because"
	if _, err := p.Execute(t.Context(), system, without); !errors.Is(err, ErrReason) {
		t.Fatalf("without a reason: %v", err)
	}
	if _, err := p.Execute(t.Context(), it, o); fault.KindOf(err) != fault.Denied {
		t.Fatalf("by IT alone: %v", err)
	}
	if n, _, _ := opens(t, c.device, c.place); n != 35 {
		t.Fatalf("%d entries after what was refused", n)
	}
	p = plan(t, c.target, made.Name, c.place)
	r, err := p.Execute(t.Context(), system, o)
	if err != nil {
		t.Fatal(err, seal.Detail(err), vault.Detail(err))
	}
	n, _, acts := opens(t, c.device, c.place)
	if n != 30 || !strings.Contains(strings.Join(acts, "\n"), "reason="+o.Reason) {
		t.Errorf("%d entries, %v", n, acts)
	}
	aside := filepath.Join(c.place.base(), r.Aside)
	header := filepath.Join(aside, "coffer.seal")
	if k, err := seal.Unseal(t.Context(), c.device, header, seal.Proof{}); !errors.Is(err, seal.ErrCounterMissing) {
		t.Fatalf("the store that was set aside opens without the sheet: %v %v", k, err)
	}
	key, err := seal.Recover(t.Context(), c.device, header, c.seed, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	defer key.Wipe()
	before := c.options()
	before.Dir, before.Key, before.Anchor, before.AcceptRollback = filepath.Join(aside, "store"), key, seal.NewAnchor(c.device, key), "the restore was a mistake"
	v, err := vault.Open(t.Context(), system, before)
	if err != nil {
		t.Fatal(err, vault.Detail(err))
	}
	if s := v.Status(); s.Sequence < now {
		t.Errorf("commit %d in the store that was set aside, which had %d", s.Sequence, now)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// TestWhatLiesInStaging: whatever somebody puts where a restore works, one
// that fails leaves the live store as it was, and nobody's start waits.
func TestWhatLiesInStaging(t *testing.T) {
	for name, put := range map[string]func(c *clinic, staging string) error{
		"a link to the store's own directory": func(_ *clinic, staging string) error { return os.Symlink(".", staging) },
		"a copy of the live seal": func(c *clinic, staging string) error {
			text, err := os.ReadFile(c.place.Header)
			return errors.Join(err, os.Mkdir(staging, 0o700), os.WriteFile(filepath.Join(staging, "coffer.seal"), text, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			made := c.backUp(t)
			if err := c.v.Close(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, made.Name, func(b []byte) []byte { return b[:len(b)-100] })
			if err := put(c, filepath.Join(c.place.base(), stagingName)); err != nil {
				t.Fatal(err)
			}
			o := c.orders(c.device)
			o.Reason = "the disk lost what was written after noon"
			if _, err := plan(t, c.target, made.Name, c.place).Execute(t.Context(), system, o); err == nil {
				t.Fatal("half a backup was restored")
			}
			if n, _, _ := opens(t, c.device, c.place); n != 30 {
				t.Errorf("%d entries in the live store", n)
			}
		})
	}
}

// TestReadyThatIsNone: a mark of the commit point that no restore made is named.
func TestReadyThatIsNone(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink("/etc/hostname", path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"huge":      func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 3<<30)) },
	} {
		at := emptyBox(t)
		staging := filepath.Join(at.base(), stagingName)
		if err := errors.Join(os.Mkdir(staging, 0o700), put(filepath.Join(staging, readyName))); err != nil {
			t.Fatal(err)
		}
		if err := Finish(t.Context(), "", at); !errors.Is(err, ErrLeftover) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRestoreOfASpoiledBackup: nothing takes the place of the store.
func TestRestoreOfASpoiledBackup(t *testing.T) {
	c := newClinic(t)
	made := c.backUp(t)
	p := plan(t, c.target, "", emptyBox(t))
	c.spoil(t, made.Name, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	if _, err := p.Execute(t.Context(), system, c.orders(sealtest.Another(t))); !errors.Is(err, ErrAuth) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(p.Place.base()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRestoreOfAForgedBackup: a stream that is sealed to the sheet, but whose
// signer is not the root that it carries.
func TestRestoreOfAForgedBackup(t *testing.T) {
	c := newClinic(t)
	made := c.backUp(t)
	held, err := c.v.Snapshot(t.Context(), request(it, access.BackupWrite))
	if err != nil {
		t.Fatal(err)
	}
	h := c.k.headerOf(held, c.key)
	s, err := sealerOf(c.key)
	if err != nil {
		t.Fatal(err)
	}
	s.signer = newBox().signer
	f, err := os.Create(c.path(nameOf(h).String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = write(f, h, s, held.Records()); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Close(), held.Close(), os.Remove(c.path(made.Name))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := plan(t, c.target, "", emptyBox(t)).Execute(t.Context(), system, c.orders(sealtest.Another(t))); !errors.Is(err, ErrAuth) {
		t.Fatal(err)
	}
}

// TestRestoreCutOffInItsLastSteps: cut after each rename, Finish goes on.
func TestRestoreCutOffInItsLastSteps(t *testing.T) {
	for cut := range 5 {
		at := emptyBox(t)
		staging, aside := filepath.Join(at.base(), stagingName), filepath.Join(at.base(), asidePrefix+"1")
		put := func(path, content string) {
			t.Helper()
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		put(at.Header, "old seal")
		put(at.Header+".prev", "older seal")
		put(at.Dir+"/coffer.db", "old store")
		put(staging+"/coffer.seal", "new seal")
		put(staging+"/store/coffer.db", "new store")
		put(staging+"/ready", asidePrefix+"1")
		for i, step := range [][2]string{
			{at.Header + ".prev", aside + "/coffer.seal.prev"}, {at.Dir, aside + "/store"}, {staging + "/store", at.Dir}, {at.Header, aside + "/coffer.seal"},
		} {
			if i < cut {
				if err := errors.Join(os.MkdirAll(aside, 0o700), os.Rename(step[0], step[1])); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if err := Finish(t.Context(), "", at); err != nil {
				t.Fatalf("cut %d: %v", cut, err)
			}
		}
		for path, want := range map[string]string{
			at.Header: "new seal", at.Dir + "/coffer.db": "new store", aside + "/coffer.seal": "old seal",
			aside + "/coffer.seal.prev": "older seal", aside + "/store/coffer.db": "old store",
		} {
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("cut %d: %s holds %q, %v", cut, filepath.Base(path), got, err)
			}
		}
		if _, err := os.Lstat(staging); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("cut %d: the staging directory is left", cut)
		}
	}
}

// TestFinishWaitsForTheTPM: while the TPM can't be asked, the store that is set
// aside keeps its counters, so Finish says so and does it at the next start.
func TestFinishWaitsForTheTPM(t *testing.T) {
	c := newClinic(t)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	staging := filepath.Join(c.place.base(), stagingName)
	header := filepath.Base(c.place.Header)
	for _, err := range []error{
		os.MkdirAll(staging, 0o700),
		os.WriteFile(filepath.Join(staging, header), []byte("restored"), 0o600),
		os.WriteFile(filepath.Join(staging, readyName), []byte(asidePrefix+"1"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := Finish(t.Context(), filepath.Join(t.TempDir(), "none"), c.place); !errors.Is(err, seal.ErrNoTPM) {
		t.Errorf("without a TPM: %v", err)
	}
	if err := Finish(t.Context(), c.device, c.place); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Unseal(t.Context(), c.device, filepath.Join(c.place.base(), asidePrefix+"1", header), seal.Proof{}); !errors.Is(err, seal.ErrCounterMissing) {
		t.Errorf("the store set aside still has its counters: %v", err)
	}
}

// TestFinishBelievesNoPath: the ready file can't lead outside.
func TestFinishBelievesNoPath(t *testing.T) {
	for _, name := range []string{"../out", asidePrefix + "1/../../out", "/tmp", "x"} {
		at := emptyBox(t)
		staging := filepath.Join(at.base(), stagingName)
		if err := errors.Join(os.Mkdir(staging, 0o700), os.WriteFile(staging+"/ready", []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := Finish(t.Context(), "", at); !errors.Is(err, ErrLeftover) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestIncrementsComeBack: what was committed since the full backup is in the
// hourly ones, and a missing one is a gap.
func TestIncrementsComeBack(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	var names []string
	for range 3 {
		c.post(t, 2)
		names = append(names, c.ship(t).Name)
	}
	if o, err := c.k.Drill(t.Context(), it, "", ""); err != nil || !o.OK {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, want := range map[string]uint64{"": 36, names[1]: 34} {
		at, device := emptyBox(t), sealtest.Another(t)
		p := plan(t, c.target, name, at)
		if _, err := p.Execute(t.Context(), system, c.orders(device)); err != nil {
			t.Fatal(err, seal.Detail(err), vault.Detail(err))
		}
		if n, _, _ := opens(t, device, at); n != want {
			t.Errorf("%q: %d entries, not %d", name, n, want)
		}
	}
	if err := os.Remove(c.path(names[1])); err != nil {
		t.Fatal(err)
	}
	if _, err := PlanRestore(t.Context(), c.target, "", emptyBox(t)); Code(err) != "BACKUP-007" {
		t.Errorf("with a gap: %v", err)
	}
	if _, err := PlanRestore(t.Context(), c.target, names[0], emptyBox(t)); err != nil {
		t.Errorf("up to the gap: %v", err)
	}
}

func TestRestoreIsCancelled(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	p := plan(t, c.target, "", emptyBox(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Execute(ctx, system, c.orders(sealtest.Another(t))); err == nil {
		t.Fatal("restored")
	}
	if left, err := os.ReadDir(p.Place.base()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRestoreWhereOnlyAFormerSealIs: somebody has removed seal and store to
// begin anew, and left coffer.seal.prev. It is set aside.
func TestRestoreWhereOnlyAFormerSealIs(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	at, device := emptyBox(t), sealtest.Another(t)
	if err := os.WriteFile(at.Header+".prev", []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := plan(t, c.target, "", at).Execute(t.Context(), system, c.orders(device))
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := opens(t, device, at); n != 30 {
		t.Errorf("%d entries", n)
	}
	if b, err := os.ReadFile(filepath.Join(at.base(), r.Aside, "coffer.seal.prev")); err != nil || string(b) != "former" {
		t.Errorf("%q, %v", b, err)
	}
}
