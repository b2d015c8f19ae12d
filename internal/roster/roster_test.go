package roster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/pan"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// related is the part of the clinic's relation that is about clients.
func related(tx *vault.Tx, staff ident.ID[ident.Staff], e access.Entity) (bool, error) {
	if e.Kind != access.KindClient {
		return false, nil
	}
	return roster.Assigned(tx, staff, ident.ID[ident.Client](e.ID))
}

// world is a roster with a clock that the test drives.
type world struct {
	*roster.Roster
	t     testing.TB
	vault *vault.Vault
	desk  access.Agent
	now   *time.Time
}

func newWorld(t testing.TB) *world { return openWorld(t, false) }

// openWorld opens the roster, with commits left to the system's cache if
// noSync is set.
func openWorld(t testing.TB, noSync bool) *world {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 9, 0, 0, 0, zone)
	w := &world{t: t, desk: accesstest.Agent(access.FrontDesk), now: &now}
	w.vault = vaulttest.OpenWith(t, vault.Options{
		Tables: roster.Tables(), Relation: related, Now: func() time.Time { return now }, NoSync: noSync,
	})
	w.Roster = roster.New(w.vault)
	return w
}

func named(name string) roster.Details { return roster.Details{Name: phi.NewText(name)} }

func (w *world) create(name string) roster.Client {
	w.t.Helper()
	c, err := w.Create(w.t.Context(), w.desk, named(name))
	if err != nil {
		w.t.Fatalf("create %q: %v", name, err)
	}
	return c
}

func (w *world) find(text string) []string {
	w.t.Helper()
	hits, err := w.Find(w.t.Context(), w.desk, text)
	if err != nil {
		w.t.Fatalf("find %q: %v", text, err)
	}
	var names []string
	for _, c := range hits.Clients {
		names = append(names, c.Name.Reveal())
	}
	return names
}

func TestAccountNumbersFollowEachOther(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= 3; n++ {
		c := w.create("Ana Duarte")
		if want := roster.Account(fmt.Sprintf("P-%06d", n)); c.Account != want || c.ID.IsZero() {
			t.Errorf("client %d has account %s and id %v", n, c.Account, c.ID)
		}
		back, err := w.Client(t.Context(), w.desk, c.ID)
		if err != nil || back != c {
			t.Errorf("read back %+v, %v", back, err)
		}
	}
	if _, err := w.Create(t.Context(), w.desk, named("")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a client without a name: %v", err)
	}
	if c := w.create("Ben Ito"); c.Account != "P-000004" {
		t.Errorf("after a refusal the account is %s", c.Account)
	}
}

func TestChange(t *testing.T) {
	w := newWorld(t)
	c := w.create("Ana Duarte")
	c.Details.Name, c.Details.Memo = phi.NewText("Ana Duarte-Reis"), phi.NewText("calls back after five")
	if err := w.Change(t.Context(), w.desk, c.ID, c.Details); err != nil {
		t.Fatal(err)
	}
	if back, err := w.Client(t.Context(), w.desk, c.ID); err != nil || back != c {
		t.Errorf("read back %+v, %v", back, err)
	}
	if got := w.find("reis"); !slices.Equal(got, []string{"Ana Duarte-Reis"}) {
		t.Errorf("the new name is found as %q", got)
	}
	bad := c.Details
	bad.Memo = phi.NewText("4111 1111 1111 1111")
	if err := w.Change(t.Context(), w.desk, c.ID, bad); !errors.Is(err, pan.Err) {
		t.Errorf("a card number in the memo: %v", err)
	}
	if err := w.Change(t.Context(), w.desk, ident.ID[ident.Client]{9}, c.Details); !errors.Is(err, roster.ErrNoClient) {
		t.Errorf("a client who does not exist: %v", err)
	}
}

func TestByAccount(t *testing.T) {
	w := newWorld(t)
	c := w.create("Ana Duarte")
	r := access.Request{Agent: w.desk, Action: access.ClientRead, Entity: access.Client(c.ID), Purpose: access.Operations}
	err := w.vault.View(t.Context(), r, func(tx *vault.Tx) error {
		if got, err := roster.ByAccount(tx, "p-000001"); err != nil || got.ID != c.ID {
			t.Errorf("by account: %+v, %v", got, err)
		}
		if _, err := roster.ByAccount(tx, "P-000002"); !errors.Is(err, roster.ErrNoClient) {
			t.Errorf("an account nobody has: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{
		"Ana Duarte", "Anna Lindqvist", "José Álvarez", "Łukasz Żółć", "Mary O'Brien",
		"Sofia Müller-Lüdenscheidt", "An Li", "Duarte Ana Sofia",
	} {
		w.create(name)
	}
	table := map[string][]string{
		"ana":          {"Ana Duarte", "Duarte Ana Sofia"},
		"ANA DUA":      {"Ana Duarte", "Duarte Ana Sofia"},
		"duarte, ana":  {"Ana Duarte", "Duarte Ana Sofia"},
		"sof":          {"Duarte Ana Sofia", "Sofia Müller-Lüdenscheidt"},
		"jose alv":     {"José Álvarez"},
		"JOSÉ":         {"José Álvarez"},
		"zolc":         {"Łukasz Żółć"},
		"obrien":       {"Mary O'Brien"},
		"o'bri":        {"Mary O'Brien"},
		"ludens":       {"Sofia Müller-Lüdenscheidt"},
		"muller-lu":    {"Sofia Müller-Lüdenscheidt"},
		"an li":        {"An Li", "Anna Lindqvist"},
		"P-000003":     {"José Álvarez"},
		"p-00000":      {"An Li", "Ana Duarte", "Anna Lindqvist", "Duarte Ana Sofia", "José Álvarez", "Łukasz Żółć", "Mary O'Brien", "Sofia Müller-Lüdenscheidt"},
		"nna":          nil, // the middle of a word is no hit
		"ana lindq":    nil,
		"zzz":          nil,
		"sofia sofiax": nil,
	}
	for text, want := range table {
		if got := w.find(text); !slices.Equal(got, want) {
			t.Errorf("find %q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "an", "a n", "---", "  é ", "\x00\x00\x00", strings.Repeat("ana ", 9), strings.Repeat("a", 201)} {
		if _, err := w.Find(t.Context(), w.desk, text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("find %q: %v, want a refusal", text, err)
		}
	}
}

// TestFindShowsTwenty keeps 164.502(b): a search is no way to list everybody.
func TestFindShowsTwenty(t *testing.T) {
	w := newWorld(t)
	for n := range roster.HitsMax {
		w.create(fmt.Sprintf("Smith Number%d", n))
	}
	hits, err := w.Find(t.Context(), w.desk, "smith")
	if err != nil || len(hits.Clients) != roster.HitsMax || hits.More {
		t.Errorf("twenty: %d hits, more %v, %v", len(hits.Clients), hits.More, err)
	}
	w.create("Smith Smithson")
	hits, err = w.Find(t.Context(), w.desk, "smith")
	if err != nil || len(hits.Clients) != roster.HitsMax || !hits.More {
		t.Errorf("twenty-one: %d hits, more %v, %v", len(hits.Clients), hits.More, err)
	}
}

// TestWhoMay: each act of the roster by each role.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	c := w.create("Ana Duarte")
	acts := map[string]func(context.Context, access.Agent) error{
		"find": func(ctx context.Context, a access.Agent) error { _, err := w.Find(ctx, a, "ana"); return err },
		"read": func(ctx context.Context, a access.Agent) error { _, err := w.Client(ctx, a, c.ID); return err },
		"create": func(ctx context.Context, a access.Agent) error {
			_, err := w.Create(ctx, a, named("Ben Ito"))
			return err
		},
		"change": func(ctx context.Context, a access.Agent) error { return w.Change(ctx, a, c.ID, c.Details) },
		"assign": func(ctx context.Context, a access.Agent) error {
			return w.Assign(ctx, a, roster.Assignment{Therapist: a.StaffID(), Client: c.ID, Until: roster.Forever})
		},
	}
	for _, role := range []access.Role{access.Therapist, access.Accountant, access.IT} {
		for name, act := range acts {
			want := fault.Denied
			if role == access.Therapist && name == "read" {
				want = fault.NotFound
			}
			if err := act(t.Context(), accesstest.Agent(role)); err == nil || fault.KindOf(err) != want {
				t.Errorf("%s: %s: %v, want %v", role, name, err, want)
			}
		}
	}
	for name, act := range acts {
		if err := act(t.Context(), access.Agent{}); err == nil {
			t.Errorf("nobody: %s is allowed", name)
		}
	}
}

// TestAssignment keeps 164.502(b): a therapist knows assigned clients, on the
// days of the assignment; to anybody else's therapist the client does not
// exist.
func TestAssignment(t *testing.T) {
	w := newWorld(t)
	therapist, other := accesstest.Agent(access.Therapist), accesstest.Agent(access.Therapist)
	c := w.create("Ana Duarte")
	today := civil.Of(*w.now)
	if err := w.Assign(t.Context(), w.desk, roster.Assignment{
		Therapist: therapist.StaffID(), Client: c.ID, From: today.AddDays(1), Until: today.AddDays(3),
	}); err != nil {
		t.Fatal(err)
	}
	_, absent := w.Client(t.Context(), therapist, ident.ID[ident.Client]{9})
	for day := range 6 {
		knows := day >= 1 && day <= 3
		got, err := w.Client(t.Context(), therapist, c.ID)
		switch {
		case knows && (err != nil || got != c):
			t.Errorf("day %d: %v", day, err)
		case !knows && (fault.KindOf(err) != fault.NotFound || err.Error() != absent.Error()):
			t.Errorf("day %d: %v, want the same words as for no client: %v", day, err, absent)
		}
		if _, err := w.Client(t.Context(), other, c.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("day %d: another therapist reads: %v", day, err)
		}
		*w.now = w.now.AddDate(0, 0, 1)
	}
}

func TestUnassign(t *testing.T) {
	w := newWorld(t)
	therapist := accesstest.Agent(access.Therapist)
	c := w.create("Ana Duarte")
	for range 2 { // two that overlap end together
		if err := w.Assign(t.Context(), w.desk, roster.Assignment{Therapist: therapist.StaffID(), Client: c.ID, Until: roster.Forever}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Client(t.Context(), therapist, c.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Unassign(t.Context(), w.desk, therapist.StaffID(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Client(t.Context(), therapist, c.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("after the end: %v", err)
	}
}

func TestAssignRefuses(t *testing.T) {
	w := newWorld(t)
	c := w.create("Ana Duarte")
	staff := ident.ID[ident.Staff]{1}
	for name, a := range map[string]roster.Assignment{
		"ends first":   {Therapist: staff, Client: c.ID, From: 10, Until: 9},
		"no therapist": {Client: c.ID, Until: roster.Forever},
		"no client":    {Therapist: staff, Client: ident.ID[ident.Client]{9}, Until: roster.Forever},
	} {
		if err := w.Assign(t.Context(), w.desk, a); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestReopen: the index is built again from the sealed records.
func TestReopen(t *testing.T) {
	w := newWorld(t)
	w.create("José Álvarez")
	w.vault = vaulttest.Reopen(t, w.vault)
	w.Roster = roster.New(w.vault)
	if got := w.find("alvarez"); !slices.Equal(got, []string{"José Álvarez"}) {
		t.Errorf("after a restart: %q", got)
	}
	if c := w.create("Ben Ito"); c.Account != "P-000002" {
		t.Errorf("after a restart the account is %s", c.Account)
	}
}

// TestNothingInClear looks for names, memos and search words in every file of
// the store.
func TestNothingInClear(t *testing.T) {
	w := newWorld(t)
	d := roster.Details{
		Name: phi.NewText("Quillonia Barrowmead"), Born: phi.NewText("1987-05-30"), Phone: phi.NewText("555-0199-774"),
		Email: phi.NewText("quill@example.org"), Address: phi.NewText("77 Thistlewhack Lane"), Memo: phi.NewText("zanzibarred bell"),
	}
	if _, err := w.Create(t.Context(), w.desk, d); err != nil {
		t.Fatal(err)
	}
	if got := w.find("quillon"); len(got) != 1 {
		t.Fatalf("found %q", got)
	}
	dir := w.vault.Options().Dir
	scanned := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		scanned += len(content)
		lower := strings.ToLower(string(content))
		for _, word := range []string{"quillon", "barrowmead", "1987-05-30", "0199-774", "quill@", "thistlewhack", "zanzibarred"} {
			if strings.Contains(lower, word) {
				t.Errorf("%s holds %q in clear", filepath.Base(path), word)
			}
		}
		return err
	})
	if err != nil || scanned == 0 {
		t.Errorf("scanned %d bytes: %v", scanned, err)
	}
}

// TestErasedClientStaysInTheRoster: a client whose keys were destroyed has an
// account number and says when; nothing finds the person.
func TestErasedClientStaysInTheRoster(t *testing.T) {
	w := newWorld(t)
	made, err := w.Create(t.Context(), w.desk, roster.Details{Name: phi.NewText("Ada Example")})
	if err != nil {
		t.Fatal(err)
	}
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.ClientShred, Entity: access.Client(made.ID), Purpose: access.Operations}
	if err := w.vault.Shred(t.Context(), r, made.ID); err != nil {
		t.Fatal(err)
	}
	c, err := w.Client(t.Context(), w.desk, made.ID)
	if err != nil || c.Account != made.Account || c.Erased.IsZero() || c.Name.Reveal() != "Erased on "+civil.Of(c.Erased).String() {
		t.Fatalf("%+v %v", c, err)
	}
	if err := w.Change(t.Context(), w.desk, made.ID, roster.Details{Name: phi.NewText("Ada Example")}); !errors.Is(err, vault.ErrShredded) {
		t.Errorf("written again: %v", err)
	}
	for text, want := range map[string]int{"ada": 0, "example": 0, string(made.Account): 1} {
		if found, err := w.Find(t.Context(), w.desk, text); err != nil || len(found.Clients) != want {
			t.Errorf("%d found, %v", len(found.Clients), err)
		}
	}
}
