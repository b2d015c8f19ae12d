package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// openBox is a server over a real store, sealed to a software TPM.
type openBox struct {
	t     *testing.T
	vault *vault.Vault
	path  string
	as    *access.Agent // who acts at the console
	it    access.Agent
	staff map[string]access.Agent // by sign-in name
	names []string                // of the routes, sorted
	s     *Server
}

// serveStore starts a server of a box that serves.
func serveStore(t *testing.T) *openBox {
	t.Helper()
	dir := t.TempDir()
	header := filepath.Join(dir, "coffer.seal")
	key, err := seal.Provision(t.Context(), sealtest.TPM(t), header, seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(t.Context(), accesstest.System("test"), vault.Options{
		Dir: filepath.Join(dir, "store"), Key: key, Tables: append(books.Tables(), ops.Tables()...), MapBytes: 1 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.Close()
		key.Wipe()
	})
	b := books.New(v)
	o := ops.New(ops.Machine{
		Version: "test", State: dir, TPM: sealtest.TPM(t), Header: header, Root: fstest.MapFS{}, Now: time.Now,
		Clinic: "Test Clinic", Daemon: accesstest.System("ops"),
		Proof: func(pin string) seal.Proof { return seal.Proof{PIN: pin} },
		Setup: func() (seal.Setup, error) { return seal.Setup{}, nil },
	})
	if err := errors.Join(b.Setup(t.Context(), accesstest.System("setup")), o.Opened(t.Context(), ops.Store{Vault: v, Books: b, Key: key, Seal: key.Status()})); err != nil {
		t.Fatal(err)
	}
	box := &openBox{t: t, vault: v, path: socketPath(t), it: accesstest.Agent(access.IT), staff: map[string]access.Agent{
		"owner": accesstest.Agent(access.Owner), "officer": accesstest.Agent(access.Officer), "desk": accesstest.Agent(access.FrontDesk),
	}}
	box.as = &box.it
	box.s = NewServer(Options{Ops: o, Agent: func() access.Agent { return *box.as }, SignIn: func(_ context.Context, p Person) (access.Agent, func(), error) {
		if person := box.staff[p.Name]; !person.IsNobody() {
			return person, func() {}, nil
		}
		return access.Agent{}, nil, fault.New(fault.Unauthenticated, "Name, password or code is not right.")
	}})
	box.names = slices.Sorted(maps.Keys(box.s.routes()))
	l, err := Listen(box.path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- box.s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(box.s.Close(context.Background()), <-done); err != nil {
			t.Error(err)
		}
	})
	return box
}

// send asks what a pattern names and returns the status of the answer.
func (b *openBox) send(pattern, body string) int {
	b.t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", b.path)
	}}}
	r, err := http.NewRequestWithContext(b.t.Context(), method, "http://coffer"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode
}

// events returns the whole trail from a number on, oldest first.
func (b *openBox) events(from uint64) []vault.TrailEvent {
	b.t.Helper()
	var all []vault.TrailEvent
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.AuditRead, Entity: access.None, Purpose: access.Operations}
	for before := uint64(0); ; {
		page, err := b.vault.Trail(b.t.Context(), r, vault.TrailQuery{From: from, Before: before, Limit: 1000})
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, page.Events...)
		if before = page.Next; before == 0 {
			slices.Reverse(all)
			return all
		}
	}
}

// demand sends a question and fails the test unless it left an event of who
// asked, or of one of them, and one that was refused unless an event says so.
func (b *openBox) demand(pattern, variant, body string, who ...string) {
	b.t.Helper()
	from := b.vault.Status().Events
	status := b.send(pattern, body)
	left, refused := false, status == http.StatusOK
	for _, e := range b.events(from) {
		mine := slices.Contains(who, e.Actor)
		left = left || mine
		refused = refused || e.Outcome != "ok"
	}
	if !left || !refused {
		b.t.Errorf("%s, %s (%d): event of %v: %v, of a refusal: %v", pattern, variant, status, who, left, refused)
	}
}

// rightBodies are what makes a question do something. Every other one needs no
// body.
var rightBodies = map[string]string{
	"POST /v1/seal/reseal":      `{"NewPIN":"271828"}`,
	"POST /v1/recovery/sheet":   `{"form":"shares"}`,
	"POST /v1/recovery/test":    `{"papers":["ABCD"]}`,
	"POST /v1/key/rotate":       `{"pin":"271828"}`,
	"POST /v1/audit/export":     `{"plain":true,"reason":"an auditor without a passphrase","as":{"name":"officer"}}`,
	"POST /v1/store/accept":     `{"reason":"entered again from the receipts"}`,
	"POST /v1/recovery/open":    `{"papers":["ABCD"],"reason":"mainboard exchanged"}`,
	"POST /v1/recovery/confirm": `{"id":"none"}`,
}

// Every question of the protocol, as it should be, without a body, with one
// that is none, with one that does not end, by who may not ask and by who is
// not let in: each leaves an event of who asked, and each refusal one that
// says so. Keeps 164.312(b).
func TestEveryQuestionLeavesAnEvent(t *testing.T) {
	t.Parallel()
	b := serveStore(t)
	const retire = "POST /v1/retire"
	it, owner, officer, desk := b.it.Name(), b.staff["owner"].Name(), b.staff["officer"].Name(), b.staff["desk"].Name()
	before := b.events(0)
	for _, name := range b.names {
		for variant, body := range map[string]string{
			"as it should be": rightBodies[name], "no JSON": "{", "of another shape": `{"pin":[],"papers":7,"as":1,"limit":"x","reason":{},"target":1,"form":[],"id":{},"Level":1}`, "too long": strings.Repeat("x", bodyMax+1),
		} {
			b.demand(name, variant, body, it, officer)
		}
		b.as = &access.Agent{}
		b.demand(name, "by nobody", rightBodies[name], "nobody", officer)
		b.as = &b.it
	}
	b.demand(retire, "by the desk", `{"clinic":"Test Clinic","as":{"name":"desk"}}`, desk)
	b.demand(retire, "of another clinic", `{"clinic":"Other","as":{"name":"owner"}}`, owner)
	b.demand(retire, "by a stranger", `{"as":{"name":"x"}}`, it)
	b.demand("POST /v1/audit/export", "without a reason", `{"plain":true,"as":{"name":"officer"}}`, officer)
	for _, card := range []string{`"4111 1111 1111 1111"`, `4111111111111111`, `["x",{"y":"5555-5555-5555-4444"}]`, `"\u0034111111111111111"`} {
		for name, body := range map[string]string{"POST /v1/store/accept": `{"reason":` + card + `}`, "POST /v1/audit/export": `{"plain":true,"reason":"x","as":{"name":"officer"},"y":` + card + `}`, "GET /v1/status": card} {
			from := b.vault.Status().Events
			if status := b.send(name, body); status != http.StatusUnprocessableEntity {
				t.Errorf("%s with a card number: %d", name, status)
			}
			if events := b.events(from); len(events) != 1 || events[0].Act != string(access.CardRefuse) || events[0].Actor != it {
				t.Errorf("%s with a card number left %v", name, events)
			}
		}
	}
	b.demand("POST /v1/nothing", "unknown", "", it)
	b.demand("DELETE /v1/status", "unknown", "", it)
	b.s.allowed = map[uint32]bool{uint32(os.Geteuid()) + 1: true}
	b.demand("GET /v1/status", "by another user", "", "nobody")
	b.s.allowed[uint32(os.Geteuid())] = true
	b.demand(retire, "as it should be", `{"clinic":"Test Clinic","as":{"name":"owner"}}`, owner)
	b.demandPrefix(before)
}

// demandPrefix fails the test unless the trail still begins with these events
// and is whole.
func (b *openBox) demandPrefix(before []vault.TrailEvent) {
	b.t.Helper()
	now := b.events(0)
	if len(now) < len(before) {
		b.t.Fatalf("the trail had %d events and has %d", len(before), len(now))
	}
	for i, e := range before {
		if fmt.Sprint(e) != fmt.Sprint(now[i]) {
			b.t.Errorf("event %d was\n%v and is\n%v", i, e, now[i])
		}
	}
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.AuditVerify, Entity: access.None, Purpose: access.Operations}
	if _, err := b.vault.Check(b.t.Context(), r); err != nil {
		b.t.Errorf("the trail does not verify: %v", err)
	}
}

// junk are values that a question may hold.
var junk = []string{
	`""`, `"x"`, `"Test Clinic"`, `"one"`, `"shares"`, `"bound"`, `"271828"`, `"314159"`, `"a reason long enough to count"`, `"dir:/nowhere"`,
	`"../../etc"`, `0`, `1`, `-1`, `3`, `18446744073709551615`, `true`, `false`, `null`, `[]`, `["ABCD"]`, `["",""]`, `{}`, `{"name":"owner"}`, `{"name":"desk"}`, `{"name":"officer"}`,
}

// fields are the names that questions give their parts.
var fields = []string{
	"form", "papers", "as", "id", "answers", "pin", "reason", "data", "target", "name", "level", "limit", "before", "openings", "clinic",
	"Level", "PIN", "NewPIN", "NoPIN", "claimed", "replace", "dry_run",
}

// No question, whatever it says, makes the trail shorter or changes an event
// that is in it, and none goes unrecorded.
func TestNoQuestionShortensTheTrail(t *testing.T) {
	t.Parallel()
	b := serveStore(t)
	r := rand.New(rand.NewPCG(7, 11))
	before := b.events(0)
	for n := range 45 {
		name := b.names[r.IntN(len(b.names))]
		parts := []string{`"plain":true`} // an encrypted export costs a second
		for range r.IntN(5) {
			parts = append(parts, fmt.Sprintf("%q:%s", fields[r.IntN(len(fields))], junk[r.IntN(len(junk))]))
		}
		from := b.vault.Status().Events
		status := b.send(name, "{"+strings.Join(parts, ",")+"}")
		if now := b.vault.Status().Events; now <= from {
			t.Errorf("%s %v (%d): %d events, then %d", name, parts, status, from, now)
		}
		if n%15 == 14 {
			b.demandPrefix(before)
			before = b.events(0)
		}
	}
}
