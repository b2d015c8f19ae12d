package backup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/ident"
	"coffer/internal/phi"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

const erasedName = "Zed Quagmire-Shredded"

// addErased writes a client whose name stands nowhere else, and erases him.
func (c *clinic) addErased(t *testing.T) ident.ID[ident.Client] {
	t.Helper()
	id := ident.New[ident.Client](time.Now())
	r := access.Request{Agent: desk, Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	err := c.v.Update(t.Context(), r, func(tx *vault.Tx) error {
		_, err := clients.Insert(tx, vault.Row[post, person]{Client: id, Private: person{phi.NewText(erasedName)}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	shred := access.Request{Agent: officer, Action: access.ClientShred, Entity: access.Client(id), Purpose: access.Operations}
	if err := c.v.Shred(t.Context(), shred, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestFreshBackupOfAnErasedClient: in what is backed up after a client was
// erased, his name is not to be had, not with the sheet, and not in the store
// that comes back from it. The trail goes on from the backup's head.
func TestFreshBackupOfAnErasedClient(t *testing.T) {
	c := newClinic(t)
	id := c.addErased(t)
	made := c.backUp(t)
	if plain := c.unsealedValues(t, made.Name); bytes.Contains(plain, []byte(erasedName)) || len(plain) == 0 {
		t.Error("the backup holds the name of an erased client")
	}
	at, device := emptyBox(t), sealtest.Another(t)
	if _, err := plan(t, c.target, "", at).Execute(t.Context(), system, c.orders(device)); err != nil {
		t.Fatal(err, seal.Detail(err), vault.Detail(err))
	}
	key, err := seal.Unseal(t.Context(), device, at.Header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	defer key.Wipe()
	o := c.options()
	o.Dir, o.Key, o.Anchor = at.Dir, key, seal.NewAnchor(device, key)
	v, err := vault.Open(t.Context(), system, o)
	if err != nil {
		t.Fatal(err, vault.Detail(err))
	}
	err = v.View(t.Context(), access.Request{Agent: desk, Action: access.FeeRead, Entity: access.None, Purpose: access.Operations}, func(tx *vault.Tx) error {
		erased := 0
		for r, err := range clients.All(tx) {
			if err != nil {
				return err
			}
			if r.Client != id {
				continue
			}
			if erased++; r.Erased.IsZero() || r.Private.Name.Reveal() != "" {
				t.Errorf("the erased client came back as %q", r.Private.Name.Reveal())
			}
		}
		if erased != 1 {
			t.Errorf("%d rows of the erased client", erased)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.historyGoesOn(t, v, made)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{c.media, c.place.base(), at.base()} {
		holdsNot(t, dir, erasedName)
	}
}

// unsealedValues returns all values of a backup, as the sheet opens it.
func (c *clinic) unsealedValues(t *testing.T, name string) (all []byte) {
	t.Helper()
	f, err := os.Open(c.path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.Header.bySeed(c.seed)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range d.frames(k) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Value...)
	}
	return all
}

// historyGoesOn: the head of the backup is the beginning of the restored trail,
// and an event behind it names it.
func (c *clinic) historyGoesOn(t *testing.T, v *vault.Vault, made Outcome) {
	t.Helper()
	now := audit.Head{Size: v.Status().Events, Root: v.Status().Root}
	witness := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.AuditWitness, Entity: access.None, Purpose: access.Operations}
	proof, err := v.Consistency(t.Context(), witness, made.Head.Size, now.Size)
	if err != nil || now.Size <= made.Head.Size || audit.CheckConsistency(proof, made.Head, now) != nil {
		t.Errorf("the head of the backup is not the beginning of the restored trail: %v", err)
	}
	r := access.Request{Agent: officer, Action: access.AuditRead, Entity: access.None, Purpose: access.Operations}
	page, err := v.Trail(t.Context(), r, vault.TrailQuery{Act: string(access.StoreRestore), Outcome: audit.OK})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, e := range page.Events {
		if e.Seq < made.Head.Size {
			t.Errorf("event %d of the restore stands before the head of the backup, %d", e.Seq, made.Head.Size)
		}
		if slices.Contains(e.Details, audit.Detail{Key: "backup.root", Value: made.Head.Root.SafeString()}) {
			named++
		}
	}
	if named != 1 {
		t.Errorf("%d events name the head of the backup", named)
	}
}

// holdsNot looks for a text in every file below dir.
func holdsNot(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			t.Errorf("%s holds a name", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unsyncing is a directory whose new files can't be made durable: each is in the
// place of a device that takes any write, and knows no sync.
type unsyncing struct{ *directory }

func (d unsyncing) create(name string) (file, error) {
	f, err := d.directory.create(name)
	if err != nil {
		return nil, err
	}
	zero, err := os.OpenFile("/dev/zero", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return f, errors.Join(unix.Dup3(int(zero.Fd()), int(f.(diskFile).f.Fd()), unix.O_CLOEXEC), zero.Close())
}

// TestMediumThatCannotSync: a backup that the medium did not make durable is
// none. The outcome says so, and the next one goes well.
func TestMediumThatCannotSync(t *testing.T) {
	c := newClinic(t)
	sound := c.target.dial
	c.target.dial = func(context.Context) (session, error) {
		root, err := os.OpenRoot(c.media)
		return unsyncing{&directory{root}}, err
	}
	all, err := c.k.BackUp(t.Context(), it, "")
	if err != nil || len(all) != 1 || all[0].OK || all[0].Code != string(Code(ErrTargetGone)) {
		t.Fatalf("%+v, %v", all, err)
	}
	c.target.dial = sound
	list, unfinished, err := c.target.List(t.Context())
	if err != nil || len(list) != 0 || unfinished != 1 {
		t.Errorf("%v, %d, %v", list, unfinished, err)
	}
	if s, err := c.k.Status(t.Context(), it); err != nil || !s.Alarm {
		t.Errorf("no alarm: %+v, %v", s, err)
	}
	c.post(t, 1)
	c.backUp(t)
}

// TestBackupInAnExchangeOfTheRoot: the store is under the next root already,
// and the former one is still the key that the box works with.
func TestBackupInAnExchangeOfTheRoot(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	next, err := seal.BeginRotation(t.Context(), c.device, c.place.Header, seal.Proof{Key: c.key})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Wipe()
	if err := c.v.Rotate(t.Context(), request(system, access.KeyRotate), next); err != nil {
		t.Fatal(err)
	}
	if o := c.backUp(t); o.Generation != next.Generation() {
		t.Errorf("%+v", o)
	}
	c.post(t, 3)
	if o := c.ship(t); o.Generation != next.Generation() {
		t.Errorf("%+v", o)
	}
	at, device := emptyBox(t), sealtest.Another(t)
	if _, err := plan(t, c.target, "", at).Execute(t.Context(), system, c.orders(device)); err != nil {
		t.Fatal(err, seal.Detail(err), vault.Detail(err))
	}
	if n, _, _ := opens(t, device, at); n != 33 {
		t.Errorf("%d entries came back", n)
	}
}

// failingClose is a session whose end fails, as that of a connection that broke.
type failingClose struct{ session }

func (f failingClose) close() error { return errors.Join(ErrTargetGone, f.session.close()) }

// TestSegmentsEndWithTheirConsumer: whoever takes no more, as when the disk is
// full, is not called again, whatever the target says at the end.
func TestSegmentsEndWithTheirConsumer(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	c.post(t, 3)
	c.ship(t)
	p := plan(t, c.target, "", emptyBox(t))
	dial := c.target.dial
	c.target.dial = func(ctx context.Context) (session, error) {
		s, err := dial(ctx)
		return failingClose{s}, err
	}
	for range segments(t.Context(), c.target, p.Header, p.chain.increments, p.opener(c.seed)) {
		break
	}
}
