package ui_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/terminal/sim"
	"coffer/internal/ui"
)

const (
	planted      = "4111 1111 1111 1111"
	plantedWords = "This looks like a card number. Coffer never takes one: let the client use the terminal."
)

// incident fails the test unless the answer refuses the card number without
// repeating it, and an event of who sent it says so without a digit.
func (c *clinic) incident(what, who string, from uint64, a answer) {
	c.t.Helper()
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, plantedWords) || strings.Contains(a.body, "1111") {
		c.t.Fatalf("%s: %d\n%s", what, a.status, a.body)
	}
	found := false
	for _, e := range c.actorsFrom(from) {
		found = found || e.Act == string(access.CardRefuse) && e.Actor == who && e.Outcome == audit.Refused
		for _, d := range e.Details {
			if strings.Contains(d.Value, "1111") {
				c.t.Errorf("%s: the trail holds it", what)
			}
		}
	}
	if !found {
		c.t.Errorf("%s leaves no incident of %s", what, who)
	}
}

// A card number in a field of any form, or in any address, is refused with
// words, whatever the page and whoever sends it, and is an incident in the
// trail; no page, no event and no line of log holds its digits. Keeps C7.
func TestCardNumberIsRefusedEverywhere(t *testing.T) {
	c := newClinic(t, sim.Options{})
	for _, who := range []string{"desk", "boxes", "privacy"} {
		b := c.signIn(who)
		token := b.get("/help").fill(t, "/sign-out", nil).Get("csrf")
		for _, row := range ui.Rows() {
			path := strings.NewReplacer(":id", ident.New[ident.Client](c.clock.now()).String(), ":number", "1", ":name", "app.css", ":code", "1060").Replace(row.Path)
			form := url.Values{"csrf": {token}, "memo": {planted}}
			if row.Method == http.MethodGet {
				path, form = path+"?"+url.Values{"q": {planted}}.Encode(), nil
			}
			if row.Open { // who sends it is not looked for
				continue
			}
			from := c.vault.Status().Events
			c.incident(row.Method+" "+row.Path, who, from, b.send(b.request(row.Method, path, form)))
		}
	}
	nobody := c.browser()
	for what, ask := range map[string]func() answer{
		"signing in": func() answer {
			return nobody.post("/sign-in", url.Values{"name": {planted}, "password": {password}, "code": {"000000"}})
		},
		"a password":      func() answer { return nobody.post("/sign-in", url.Values{"name": {"desk"}, "password": {planted}}) },
		"a next page":     func() answer { return nobody.get("/sign-in?" + url.Values{"next": {"/x/" + planted}}.Encode()) },
		"an address":      func() answer { return nobody.get("/clients/" + url.PathEscape(planted)) },
		"a wrong address": func() answer { return nobody.get("/" + url.PathEscape(planted)) },
		"a style":         func() answer { return nobody.get("/static/" + url.PathEscape(planted)) },
	} {
		from := c.vault.Status().Events
		c.incident(what, "nobody", from, ask())
	}
	if strings.Contains(c.log.String(), "1111") {
		t.Error("the log holds it")
	}
}

// While the box is being set up, or its books are shut, it is the same.
func TestCardNumberIsRefusedBeforeTheBooksAreOpen(t *testing.T) {
	c := newClinic(t, sim.Options{})
	setUp, err := ui.FirstRun(ui.FirstRunOptions{Clinic: clinicName, Names: []string{hostName}, Zone: c.zone, Now: c.clock.now, Ops: c.ops, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	shut, err := ui.Sealed(ui.SealedOptions{Clinic: clinicName, Names: []string{hostName}, Why: seal.ErrOtherTPM, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	for name, handler := range map[string]http.Handler{"set-up": setUp, "sealed": shut} {
		c.server = nil // beside the pages of the clinic
		c.serve(handler, slog.New(slog.DiscardHandler))
		b := c.browser()
		from := c.vault.Status().Events
		for _, a := range []answer{
			b.post("/unlock", url.Values{"pin": {planted}}), b.post("/set-up/sheet", url.Values{"code": {planted}}), b.get("/" + url.PathEscape(planted)), b.get("/x?q=" + url.QueryEscape(planted)),
		} {
			if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, plantedWords) || strings.Contains(a.body, "1111") {
				t.Errorf("%s: %d\n%s", name, a.status, a.body)
			}
		}
		if name == "set-up" {
			c.awaitEvent(from, access.CardRefuse, "from", "lan:127.0.0.1")
		}
	}
}
