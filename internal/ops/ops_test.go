package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/host"
	"coffer/internal/ops"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// box is a machine with a sealed key and a clock that the test moves.
type box struct {
	*ops.Ops
	machine ops.Machine
	seal    seal.Status
	now     time.Time
	it      access.Agent
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), it: accesstest.Agent(access.IT)}
	dir := t.TempDir()
	header := filepath.Join(dir, "coffer.seal")
	k, err := seal.Provision(t.Context(), sealtest.TPM(t), header, seal.Setup{Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	b.seal = k.Status()
	k.Wipe()
	b.machine = ops.Machine{
		Version: "test", State: dir, TPM: sealtest.TPM(t), Header: header,
		Root: fstest.MapFS{}, Now: func() time.Time { return b.now },
		Clinic: "Test Clinic", Daemon: accesstest.System("ops"),
		Proof: func(pin string) seal.Proof { return seal.Proof{PIN: pin} },
		Setup: func() (seal.Setup, error) { return seal.Setup{}, nil },
	}
	b.Ops = ops.New(b.machine)
	return b
}

// opened says that a store is open.
func (b *box) opened(t *testing.T, s ops.Store) {
	t.Helper()
	if err := b.Opened(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// tables are what the tests' stores hold.
func tables() []vault.AnyTable { return append(books.Tables(), ops.Tables()...) }

// open opens an empty store with books.
func (b *box) open(t *testing.T) *vault.Vault {
	t.Helper()
	v := vaulttest.Open(t, nil, tables()...)
	store := books.New(v)
	if err := store.Setup(t.Context(), accesstest.System("setup")); err != nil {
		t.Fatal(err)
	}
	b.opened(t, ops.Store{Vault: v, Books: store, Seal: b.seal, Certificate: func() time.Time { return b.now.AddDate(0, 0, 90) }})
	return v
}

func (b *box) line(t *testing.T, name string) ops.Line {
	t.Helper()
	d, err := b.Doctor(t.Context(), b.it)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range d.Lines {
		if l.Verdict != ops.OK && l.Next == "" || l.Verdict == ops.OK && l.Next != "" {
			t.Errorf("%s: %s with next step %q", l.Name, l.Verdict, l.Next)
		}
		if l.Name == name {
			return l
		}
	}
	return ops.Line{}
}

func TestStatusInEveryState(t *testing.T) {
	b := newBox(t)
	for _, step := range []struct {
		to   func()
		want ops.State
		code string
	}{
		{func() {}, ops.Starting, ""},
		{func() { b.Sealed(seal.ErrOtherTPM) }, ops.Sealed, "SEAL-002"},
		{func() { b.Sealed(errors.New("secret cause")) }, ops.Sealed, "internal"},
		{func() { b.open(t) }, ops.Serving, ""},
	} {
		step.to()
		s, err := b.Status(t.Context(), b.it)
		if err != nil || s.State != step.want {
			t.Fatalf("%+v %v, want %s", s, err, step.want)
		}
		if (s.Reason == nil) != (step.code == "") || s.Reason != nil && s.Reason.Code != step.code {
			t.Fatalf("reason %+v, want %q", s.Reason, step.code)
		}
		if s.Reason != nil && strings.Contains(s.Reason.Words, "secret") {
			t.Fatal("a cause reached a person")
		}
		if (s.Store != nil) != (step.want == ops.Serving) || s.Version != "test" {
			t.Fatalf("%+v", s)
		}
	}
}

func TestDenials(t *testing.T) {
	b := newBox(t)
	nobodys := []access.Agent{{}, accesstest.Agent(access.FrontDesk), accesstest.Agent(access.Therapist, access.Accountant)}
	ask := func() {
		t.Helper()
		for _, a := range nobodys {
			_, e1 := b.Status(t.Context(), a)
			_, e2 := b.Doctor(t.Context(), a)
			_, e3 := b.Verify(t.Context(), a)
			for _, err := range []error{e1, e2, e3} {
				if fault.KindOf(err) != fault.Denied {
					t.Errorf("%v: %v", a.Roles(), err)
				}
			}
		}
	}
	ask()
	v := b.open(t)
	before := v.Status().Events
	ask()
	if got := v.Status().Events - before; got != uint64(3*len(nobodys)) {
		t.Errorf("%d denials on record", got)
	}
}

func TestVerifyOfASoundStore(t *testing.T) {
	b := newBox(t)
	if _, err := b.Verify(t.Context(), b.it); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	b.Sealed(seal.ErrNoTPM)
	if _, err := b.Verify(t.Context(), b.it); !errors.Is(err, seal.ErrNoTPM) {
		t.Fatal(err)
	}
	v := b.open(t)
	before := v.Status().Events
	got, err := b.Verify(t.Context(), b.it)
	if err != nil || !got.OK || len(got.Findings) != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	if got.Store.ID != v.Status().StoreID || got.Store.Records == 0 || got.Store.Pages == 0 || got.Audit.Events < before {
		t.Fatalf("%+v", got)
	}
	if v.Status().Events == before {
		t.Error("a verification left no event")
	}
}

// TestVerifyFindsDamage damages the file under the running daemon.
func TestVerifyFindsDamage(t *testing.T) {
	b := newBox(t)
	dir := filepath.Join(t.TempDir(), "store")
	o := vault.Options{Dir: dir, Key: sealtest.Key(t), Tables: tables(), MapBytes: 1 << 30}
	v, err := vault.Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Log(err) // a damaged store may refuse its last commit
		}
	})
	store := books.New(v)
	if err := store.Setup(t.Context(), accesstest.System("setup")); err != nil {
		t.Fatal(err)
	}
	b.opened(t, ops.Store{Vault: v, Books: store})
	damage(t, dir)
	got, err := b.Verify(t.Context(), b.it)
	if err != nil {
		t.Fatal(err)
	}
	if got.OK || len(got.Findings) == 0 || got.Findings[0].What == "" || got.Findings[0].Where == "" {
		t.Fatalf("%+v", got)
	}
	if l := b.line(t, "store-check"); l.Verdict != ops.Fail {
		t.Errorf("%+v", l)
	}
}

// damage flips a bit in every page of the store's file beyond the head pages.
func damage(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for _, name := range names {
		fi, err := os.Stat(name)
		if err != nil || fi.Size() < 3*page {
			continue
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		one := make([]byte, 1)
		for at := int64(2*page + 200); at < fi.Size(); at += page {
			if _, err := f.ReadAt(one, at); err != nil {
				t.Fatal(err)
			}
			one[0] ^= 0x10
			if _, err := f.WriteAt(one, at); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	t.Fatalf("no store file among %v", names)
}

func TestDoctorLines(t *testing.T) {
	b := newBox(t)
	b.open(t)
	for name, want := range map[string]ops.Verdict{
		"seal": ops.Warn, "disk": ops.OK, "store": ops.OK, "store-check": ops.OK,
		"certificate": ops.OK, "firmware": ops.Warn,
	} {
		if l := b.line(t, name); l.Verdict != want || l.Value == "" {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if l := b.line(t, "seal"); !strings.Contains(l.Value, "level bound, TPM IBM") {
		t.Errorf("%+v", l)
	}
	b.now = b.now.AddDate(0, 0, 8)
	if l := b.line(t, "store-check"); l.Verdict != ops.Warn || l.Value != "passed 8 days ago" {
		t.Errorf("%+v", l)
	}
	if _, err := b.Verify(t.Context(), b.it); err != nil {
		t.Fatal(err)
	}
	if l := b.line(t, "store-check"); l.Verdict != ops.OK || l.Value != "passed less than an hour ago" {
		t.Errorf("%+v", l)
	}
}

func TestDoctorOfASealedBox(t *testing.T) {
	b := newBox(t)
	b.Sealed(seal.ErrGeneration)
	l := b.line(t, "seal")
	if l.Verdict != ops.Fail || l.Value != "sealed, SEAL-003" || l.Next != seal.ErrGeneration.Message() {
		t.Fatalf("%+v", l)
	}
	d, err := b.Doctor(t.Context(), b.it)
	if err != nil || d.Verdict != ops.Fail {
		t.Fatalf("%+v %v", d, err)
	}
}

func TestDoctorSeesATPMThatWouldNotOpenAgain(t *testing.T) {
	b := newBox(t)
	b.machine.TPM = sealtest.Another(t)
	b.Ops = ops.New(b.machine)
	b.open(t)
	if l := b.line(t, "seal"); l.Verdict != ops.Fail || !strings.Contains(l.Value, "SEAL-002") {
		t.Fatalf("%+v", l)
	}
}

func TestDoctorOfAnEndingCertificate(t *testing.T) {
	b := newBox(t)
	v := b.open(t)
	for left, want := range map[time.Duration]ops.Verdict{
		20 * 24 * time.Hour: ops.OK, 13 * 24 * time.Hour: ops.Warn, -time.Hour: ops.Fail,
	} {
		b.opened(t, ops.Store{Vault: v, Books: books.New(v), Seal: b.seal, Certificate: func() time.Time { return b.now.Add(left) }})
		if l := b.line(t, "certificate"); l.Verdict != want {
			t.Errorf("%v: %+v", left, l)
		}
	}
}

func TestDoctorKnowsItsOwnPortFromOthers(t *testing.T) {
	ports, err := host.Ports()
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	b.machine.Ports = ports
	b.Ops = ops.New(b.machine)
	if l := b.line(t, "ports"); l.Verdict != ops.OK {
		t.Errorf("%+v", l)
	}
}

// TestResultsHoldNoClient: no field of a result could carry a client or an
// amount: they hold numbers, times, booleans, identifiers of machines and
// text whose every source is a constant, a device or a counter.
func TestResultsHoldNoClient(t *testing.T) {
	for _, v := range []any{ops.Status{}, ops.Diagnosis{}, ops.Verification{}} {
		walk(t, reflect.TypeOf(v), reflect.TypeOf(v).Name())
	}
}

func walk(t *testing.T, typ reflect.Type, path string) {
	t.Helper()
	name := typ.PkgPath() + "." + typ.Name()
	for _, banned := range []string{"phi.", "money.", "ident.ID[coffer/internal/ident.Client]", "ledger."} {
		if strings.Contains(name, banned) {
			t.Errorf("%s is a %s", path, name)
		}
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		walk(t, typ.Elem(), path)
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.PkgPath == "" {
				if tag := f.Tag.Get("json"); tag == "" || strings.ToLower(tag) != tag {
					if typ.PkgPath() == reflect.TypeFor[ops.Status]().PkgPath() {
						t.Errorf("%s.%s has the tag %q", path, f.Name, tag)
					}
				}
				walk(t, f.Type, path+"."+f.Name)
			}
		}
	}
}

func TestStatusSurvivesJSON(t *testing.T) {
	b := newBox(t)
	b.open(t)
	want, err := b.Status(context.Background(), b.it)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got ops.Status
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(text) {
		t.Fatalf("%s\n%s %v", text, again, err)
	}
}

// terminals starts one terminal that answers, one whose line does not exist,
// and waits until the first is attached.
func terminals(t *testing.T) []*terminal.Terminal {
	t.Helper()
	profile, err := firmwareconfig.Profile("sim-pax")
	if err != nil {
		t.Fatal(err)
	}
	s, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	there := terminal.Start(terminal.Config{Name: "desk-1", Profile: profile, Dial: s.Dial})
	away := terminal.Start(terminal.Config{Name: "desk-2", Profile: profile, Address: "serial:" + filepath.Join(t.TempDir(), "none")})
	t.Cleanup(func() {
		if err := errors.Join(there.Close(), away.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	late := time.After(10 * time.Second)
	for !there.Status().Attached {
		select {
		case <-there.Changed():
		case <-late:
			t.Fatal("the terminal does not attach")
		}
	}
	return []*terminal.Terminal{there, away}
}

func TestTerminalsAnswerOrNot(t *testing.T) {
	b := newBox(t)
	v := b.open(t)
	b.opened(t, ops.Store{Vault: v, Books: books.New(v), Seal: b.seal, Terminals: terminals(t)})
	s, err := b.Status(t.Context(), b.it)
	if err != nil || len(s.Terminals) != 2 {
		t.Fatalf("%+v %v", s, err)
	}
	there, away := s.Terminals[0], s.Terminals[1]
	if !there.Attached || there.Reason != nil || there.Model != "A35" || there.Serial == "" || !there.Simulated {
		t.Errorf("%+v", there)
	}
	if away.Attached || away.Reason == nil || away.Reason.Words == "" {
		t.Errorf("%+v", away)
	}
	if l := b.line(t, "terminal desk-1"); l.Verdict != ops.OK || !strings.HasPrefix(l.Value, "answers, A35") {
		t.Errorf("%+v", l)
	}
	if l := b.line(t, "terminal desk-2"); l.Verdict != ops.Warn || !strings.HasPrefix(l.Value, "does not answer, ") {
		t.Errorf("%+v", l)
	}
}
