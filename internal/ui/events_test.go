package ui_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/ident"
	"coffer/internal/terminal/sim"
	"coffer/internal/ui"
	"coffer/internal/vault"
)

// bareRoutes are the only routes that leave no event: styles, scripts, and the
// word that the pages are served.
var bareRoutes = []string{"GET /static/:name", "GET /favicon.ico", "GET /healthz"}

// request is one request of the walk and the events that there were before and
// after it.
type walked struct {
	name          string
	before, after uint64
	status        int
}

// walk sends every row of the table as somebody, with good and with bad
// identifiers, with and without the token of the session.
func (b *browser) walk(who, token string, good map[string]string) []walked {
	b.c.t.Helper()
	var all []walked
	ask := func(row ui.Row, variant, path string, form url.Values) {
		before := b.c.vault.Status().Events
		a := b.send(b.request(row.Method, path, form))
		all = append(all, walked{who + " " + row.Method + " " + row.Path + ", " + variant, before, b.c.vault.Status().Events, a.status})
	}
	ask(ui.Row{Method: http.MethodGet, Path: "what is nowhere"}, "at the top", "/nope1", nil)
	ask(ui.Row{Method: http.MethodGet, Path: "what is nowhere"}, "deeper", "/nope/zzz", nil)
	ask(ui.Row{Method: http.MethodDelete, Path: "a page"}, "by a wrong method", "/today", nil)
	for _, row := range ui.Rows() {
		signedIn := token != ""
		leaves := row.Path == "/sign-out" || row.Path == "/lock"
		streams := row.Path == "/bell" // see TestBellCarriesTopicsAlone
		if row.Path == "/sign-in" || row.Bare || (leaves || streams) && signedIn {
			continue
		}
		for variant, id := range map[string]string{"an existing one": good[row.Path], "none such": ident.New[ident.Client](b.c.clock.now()).String(), "no identifier": "17x"} {
			path := row.Path
			if at := strings.IndexByte(path, ':'); at >= 0 {
				name, rest, _ := strings.Cut(path[at:], "/")
				path = path[:at] + id
				if rest != "" {
					path += "/" + rest
				}
				if name == "" || id == "" {
					b.c.t.Fatalf("the walk knows nothing for %s", row.Path)
				}
			} else if variant != "none such" {
				continue
			}
			ask(row, variant, path, url.Values{"csrf": {token}})
			if row.Method == http.MethodPost && variant == "none such" {
				ask(row, "without token", path, nil)
			}
		}
	}
	return all
}

// trailOf returns who caused each event from a number on.
func (c *clinic) actorsFrom(from uint64) map[uint64]vault.TrailEvent {
	c.t.Helper()
	all := map[uint64]vault.TrailEvent{}
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.AuditRead, Entity: access.None, Purpose: access.Operations}
	for before := uint64(0); ; {
		page, err := c.vault.Trail(c.t.Context(), r, vault.TrailQuery{From: from, Before: before, Limit: 1000})
		c.must(err)
		for _, e := range page.Events {
			all[e.Seq] = e
		}
		if before = page.Next; before == 0 {
			return all
		}
	}
}

// Every route of the table, asked by each role and by nobody, allowed and
// denied, with something that exists, with nothing that does, with what is no
// identifier, and with a form of somebody else's: each request leaves an event
// of who asked. Keeps 164.312(b).
func TestEveryRequestLeavesAnEvent(t *testing.T) {
	c := busyClinic(t)
	good := c.goodIdentifiers()
	for who := range c.people {
		b := c.signIn(who)
		token := b.get("/help").fill(t, "/sign-out", nil).Get("csrf")
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.demandEvents(who, b.walk(who, token, good))
	}
	nobody := c.browser()
	nobody.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	before := c.vault.Status().Events
	nobody.get("/sign-in")
	c.demandEvents("nobody", []walked{{"nobody GET /sign-in", before, c.vault.Status().Events, http.StatusOK}})
	all := nobody.walk("nobody", "", good)
	for _, w := range all[3:] {
		if w.status != http.StatusSeeOther && w.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", w.name, w.status)
		}
	}
	c.demandEvents("nobody", all[:100]) // more of one address are turned away without an event each, lest they fill the disk
}

// What is asked of a box that is being set up is an event of the daemon with
// the address that asked, also before anybody has shown the code.
func TestFirstRunLeavesEvents(t *testing.T) {
	c := newClinic(t, sim.Options{})
	handler, err := ui.FirstRun(ui.FirstRunOptions{Clinic: clinicName, Names: []string{hostName}, Zone: c.zone, Now: c.clock.now, Ops: c.ops, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	c.server = nil // beside the pages of the clinic
	c.serve(handler, slog.New(slog.DiscardHandler))
	b := c.browser()
	typeBack := url.Values{"code": {"ABCDE-FGHJK"}, "id": {"none"}, "ask": {"1.5", "1.6"}}
	for name, try := range map[string]struct {
		ask    func() answer
		status int
		asked  string
	}{
		"the page":                  {func() answer { return b.get("/") }, http.StatusOK, "page"},
		"any address":               {func() answer { return b.get("/nope/zzz") }, http.StatusOK, "page"},
		"a type-back without asks":  {func() answer { return b.post("/set-up/type-back", nil) }, http.StatusUnprocessableEntity, "type-back"},
		"a confirming without asks": {func() answer { return b.post("/set-up/confirm", nil) }, http.StatusUnprocessableEntity, "confirm"},
		"a type-back":               {func() answer { return b.post("/set-up/type-back", typeBack) }, http.StatusOK, "type-back"},
	} {
		from := c.vault.Status().Events
		if a := try.ask(); a.status != try.status {
			t.Errorf("%s: %d", name, a.status)
		}
		var left []string
		for _, e := range c.actorsFrom(from) {
			for _, d := range e.Details {
				left = append(left, d.Key+"="+d.Value)
			}
			if refused := try.status != http.StatusOK; e.Act == string(access.PageRead) && refused != (e.Outcome == audit.Refused) {
				t.Errorf("%s: the event says %s", name, e.Outcome)
			}
		}
		if !slices.Contains(left, "asked="+try.asked) || !slices.Contains(left, "from=lan:127.0.0.1") {
			t.Errorf("%s leaves no event that says so: %v", name, left)
		}
	}
}

// goodIdentifiers returns, by route, one thing that exists.
func (c *clinic) goodIdentifiers() map[string]string {
	c.t.Helper()
	desk, books := c.signIn("desk"), c.signIn("ledgers")
	client := c.clients[0].ID.String()
	page := desk.get("/clients/" + client)
	payment := between(page.body, `href="/payments/`, `"`)
	entry := between(books.get("/books/accounts/1060").body, `href="/books/entries/`, `"`)
	good := map[string]string{}
	for _, row := range ui.Rows() {
		switch {
		case strings.Contains(row.Path, "/clients/"):
			good[row.Path] = client
		case strings.Contains(row.Path, "/payments/"), strings.Contains(row.Path, "/receipts/"):
			good[row.Path] = payment
		case strings.Contains(row.Path, "/appointments/"):
			good[row.Path] = c.day[4].ID.String()
		case strings.Contains(row.Path, "/accounts/"):
			good[row.Path] = "1060"
		case strings.Contains(row.Path, "/entries/"):
			good[row.Path] = entry
		case strings.Contains(row.Path, "/terminals/"):
			good[row.Path] = c.terminals[0].Status().ID.String()
		case strings.Contains(row.Path, "/devices/"):
			good[row.Path] = between(c.signIn("boxes").get("/terminals").body, `href="/devices/`, `"`)
		case strings.Contains(row.Path, "/drawer/drops/"):
			drawer := desk.get("/drawer")
			dropped := desk.post("/drawer/drop", drawer.fill(c.t, "/drawer/drop", url.Values{"drop": {"1.00"}}))
			good[row.Path] = between(dropped.body, `action="/drawer/drops/`, "/back")
		case strings.Contains(row.Path, "/approvals/"):
			good[row.Path] = between(desk.get("/approvals").body, `action="/approvals/`, "/withdraw")
		case strings.Contains(row.Path, "/checks/"):
			good[row.Path] = payment
		case strings.Contains(row.Path, "/days/"), strings.Contains(row.Path, "/work/"):
			good[row.Path] = "1"
		case strings.Contains(row.Path, "/audit/"):
			good[row.Path] = "3"
		}
	}
	return good
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// demandEvents fails the test for each request that left no event of who; one
// that was denied must have left a denial.
func (c *clinic) demandEvents(who string, all []walked) {
	c.t.Helper()
	events := c.actorsFrom(all[0].before)
	for _, w := range all {
		left := false
		for seq := w.before; seq < w.after; seq++ {
			e := events[seq]
			left = left || e.Actor == who && e.Via == "lan:127.0.0.1" && (w.status != http.StatusForbidden || e.Outcome == audit.Denied)
		}
		if !left {
			c.t.Errorf("%s (%d): no event of %s", w.name, w.status, who)
		}
	}
}

// The routes that may be without event are those that are listed here, with
// their reason; whoever adds one must add it here, too.
func TestBareRoutesAreTheListedOnes(t *testing.T) {
	var bare []string
	for _, row := range ui.Rows() {
		if row.Bare {
			bare = append(bare, row.Method+" "+row.Path)
		}
	}
	slices.Sort(bare)
	want := slices.Sorted(slices.Values(bareRoutes))
	if !slices.Equal(bare, want) {
		t.Errorf("bare are %v, want %v", bare, want)
	}
}

// Each way to fail at the sign-in is an event of nobody with the reason.
func TestEveryFailedSignInLeavesAnEvent(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.browser()
	for why, form := range map[string]url.Values{
		"unknown_name":   {"name": {"stranger"}, "password": {password}, "code": {"000000"}},
		"wrong_password": {"name": {"desk"}, "password": {"wrong horse battery staple"}, "code": {c.code("desk")}},
		"wrong_code":     {"name": {"rivera"}, "password": {password}, "code": {"000000"}},
	} {
		from := c.vault.Status().Events
		if a := b.post("/sign-in", form); a.status != http.StatusUnauthorized {
			t.Fatalf("%s: %d", why, a.status)
		}
		found := false
		for _, e := range c.actorsFrom(from) {
			for _, d := range e.Details {
				found = found || e.Act == string(access.SignIn) && d.Key == "result" && d.Value == why
			}
		}
		if !found {
			t.Errorf("%s leaves no event that says so", why)
		}
	}
}

// A second sign-in of a person ends the first one, wherever that is, and the
// trail says so: nobody shares an account unseen.
func TestSecondSignInEndsTheFirst(t *testing.T) {
	c := newClinic(t, sim.Options{})
	first := c.signIn("desk")
	from := c.vault.Status().Events
	second := c.signIn("desk")
	if a := first.get("/today"); a.url.Path != "/sign-in" {
		t.Errorf("the first session still opens %s", a.url)
	}
	if a := second.get("/today"); a.status != http.StatusOK || a.url.Path != "/today" {
		t.Errorf("the second session opens %s: %d", a.url, a.status)
	}
	ended := false
	for _, e := range c.actorsFrom(from) {
		for _, d := range e.Details {
			ended = ended || e.Act == string(access.SessionClose) && d.Key == "why" && d.Value == "superseded"
		}
	}
	if !ended {
		t.Error("the end of the first session is no event")
	}
}

// awaitEvent waits until the trail holds an event from a number on.
func (c *clinic) awaitEvent(from uint64, act access.Action, key, value string) {
	c.t.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer again.Stop()
	for {
		for _, e := range c.actorsFrom(from) {
			for _, d := range e.Details {
				if e.Act == string(act) && d.Key == key && (d.Value == value || value == "") {
					return
				}
			}
		}
		select {
		case <-again.C:
		case <-late:
			c.t.Fatalf("no event %s with %s=%s", act, key, value)
		}
	}
}

// What happens to a terminal and to the store is in the trail like what people
// do: plugged in, unplugged, blocked, put back to work, opened, clock set.
func TestMachinesLeaveEvents(t *testing.T) {
	c := newClinic(t, sim.Options{})
	c.awaitEvent(0, access.StoreOpen, "sequence", "")
	c.awaitEvent(0, access.TerminalAttach, "terminal", "attached")
	from := c.vault.Status().Events
	c.must(c.sim.Unplug())
	c.awaitEvent(from, access.TerminalAttach, "terminal", "detached")
	c.must(c.sim.Plug())
	c.awaitEvent(from, access.TerminalAttach, "terminal", "attached")
	c.must(c.sim.Inject(sim.Fault{Kind: sim.PANLeak}))
	c.signIn("desk").payNatively(c, 0, "card", nil)
	c.awaitEvent(from, access.TerminalLock, "reason", "")
	it := c.signIn("boxes")
	path := "/terminals/" + c.terminals[0].Status().ID.String() + "/release"
	it.post(path, it.until("/appliance", "is blocked").fill(t, path, nil))
	c.awaitEvent(from, access.TerminalWrite, "purpose", "")
	c.clock.advance(time.Hour)
	c.awaitEvent(from, access.StoreClock, "step", "+1h0m0s")
}
