package ui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/terminal/sim"
)

var links = regexp.MustCompile(`(?:href|action|hx-get|hx-post)="(/[^"]*)"`)

// crawl opens every page that a person can reach by links, and returns them by
// path. Forms are not sent.
func (b *browser) crawl() map[string]answer {
	b.c.t.Helper()
	pages, todo := map[string]answer{}, []string{"/", "/help"}
	for len(todo) > 0 && len(pages) < 400 {
		path := strings.ReplaceAll(todo[0], "&amp;", "&")
		todo = todo[1:]
		if _, seen := pages[path]; seen || strings.HasPrefix(path, "/static/") || path == "/bell" {
			continue
		}
		a := b.get(path)
		pages[path] = a
		if a.status >= 500 {
			b.c.t.Errorf("%s: %d\n%s", path, a.status, a.body)
		}
		for _, link := range links.FindAllStringSubmatch(a.body, -1) {
			todo = append(todo, link[1])
		}
	}
	return pages
}

// busyClinic is a clinic where money has moved in each way.
func busyClinic(t *testing.T) *clinic {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	desk.until(desk.payNatively(c, 0, "card", nil).url.Path, "Approved")
	cash := desk.payNatively(c, 1, "cash", url.Values{"amount": {"91.73"}}).url.Path
	desk.until(cash, "Paid in cash")
	form := url.Values{"kind": {"refund"}, "amount": {"10.00"}, "reason": {"credit"}}
	desk.post(cash+"/give-back", desk.get(cash+"/give-back").fill(t, cash+"/give-back", form)) // waits for a second person
	desk.until(desk.payNatively(c, 2, "card", url.Values{"amount": {"100.41"}}).url.Path, "Declined")
	return c
}

// Each role follows every link that it is shown. None leads to a page that
// breaks or that the role may not open.
func TestEachRoleCrawlsWhatItIsShown(t *testing.T) {
	c := busyClinic(t)
	for role, want := range map[string]struct {
		pages []string
		many  int
	}{
		"desk":    {[]string{"/today", "/find", "/help"}, 20},
		"rivera":  {[]string{"/my/day"}, 5},
		"ledgers": {[]string{"/books", "/books/journal", "/books/accounts/1060", "/books/accounts/1100?sub=P-000001"}, 20},
		"boxes":   {[]string{"/appliance"}, 3},
	} {
		pages := c.signIn(role).crawl()
		for path, a := range pages {
			posts := a.status == http.StatusNotFound && strings.Contains(a.body, "cannot be used in that way")
			if a.status != http.StatusOK && a.status != http.StatusNoContent && !posts {
				t.Errorf("%s: a link leads to %s: %d", role, path, a.status)
			}
		}
		for _, path := range want.pages {
			if _, ok := pages[path]; !ok {
				t.Errorf("%s is not shown %s", role, path)
			}
		}
		if len(pages) < want.many {
			t.Errorf("%s reached %d pages only", role, len(pages))
		}
	}
}

func words(name string) []string { return strings.Fields(name) }

// IT is shown no client, no account number and no amount, on any page of its
// own and on any page of others.
func TestITSeesNoClientAndNoAmount(t *testing.T) {
	c := busyClinic(t)
	desk, it := c.signIn("desk").crawl(), c.signIn("boxes")
	pages := it.crawl()
	for path := range desk {
		pages[path] = it.get(path)
	}
	for path, a := range pages {
		for _, secret := range []string{"P-0000", "91.73", "150.00", "(207) 555", "side door"} {
			if strings.Contains(a.body, secret) {
				t.Errorf("IT reads %q on %s", secret, path)
			}
		}
		for _, name := range clientNames {
			for _, word := range words(name) {
				if strings.Contains(a.body, word) {
					t.Errorf("IT reads %q on %s", word, path)
				}
			}
		}
	}
}

// The accountant sees account numbers and amounts, and nobody's name.
func TestAccountantSeesNoName(t *testing.T) {
	c := busyClinic(t)
	desk, accountant := c.signIn("desk").crawl(), c.signIn("ledgers")
	pages := accountant.crawl()
	seen := false
	for path := range desk {
		pages[path] = accountant.get(path)
	}
	for path, a := range pages {
		seen = seen || strings.Contains(a.body, "P-000002") && strings.Contains(a.body, "91.73")
		for _, name := range clientNames {
			for _, word := range append(words(name), "(207) 555", "side door") {
				if strings.Contains(a.body, word) {
					t.Errorf("the accountant reads %q on %s", word, path)
				}
			}
		}
	}
	if !seen {
		t.Error("the accountant does not find the cash payment of P-000002")
	}
}

func TestBooksLeadFromEachNumberToItsEntries(t *testing.T) {
	c := busyClinic(t)
	accountant := c.signIn("ledgers")
	trial := accountant.get("/books")
	for _, want := range []string{"Debits and credits are equal.", "150.00", "91.73", `href="/books/accounts/1060"`} {
		if !strings.Contains(trial.body, want) {
			t.Errorf("the trial balance lacks %q", want)
		}
	}
	account := accountant.get("/books/accounts/1060")
	entry := regexp.MustCompile(`/books/entries/[0-9a-z]+`).FindString(account.body)
	if entry == "" {
		t.Fatalf("no entry on\n%s", account.body)
	}
	if a := accountant.get(entry); a.status != 200 || !strings.Contains(a.body, "/books/accounts/1100?sub=P-000001") {
		t.Errorf("%s: %d\n%s", entry, a.status, a.body)
	}
	if a := accountant.get("/books?date=2026-11-24"); strings.Contains(a.body, "150.00") || a.status != 200 {
		t.Errorf("the day before: %d shows today's money", a.status)
	}
	for _, date := range []string{"tomorrow", "2027-01-01"} {
		if a := accountant.get("/books?date=" + date); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Enter the day as") {
			t.Errorf("%s: %d", date, a.status)
		}
	}
	if a := accountant.get("/books/accounts/7777"); a.status != http.StatusNotFound {
		t.Errorf("an account that is not: %d", a.status)
	}
}

// A therapist sees assigned clients; anybody else does not exist.
func TestTherapistSeesAssignedClientsAlone(t *testing.T) {
	c := newClinic(t, sim.Options{})
	rivera := c.signIn("rivera")
	day := rivera.get("/my/day")
	for i, name := range clientNames {
		mine := i%2 == 0
		if strings.Contains(day.body, name) != mine {
			t.Errorf("%s on the day: %v, want %v", name, !mine, mine)
		}
		a := rivera.get("/my/clients/" + c.clients[i].ID.String())
		if mine && (a.status != http.StatusOK || !strings.Contains(a.body, name)) || !mine && a.status != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.status)
		}
		if !mine && strings.Contains(a.body, words(name)[0]) {
			t.Errorf("the page of somebody else's client names %s", name)
		}
	}
	if a := rivera.get("/clients/" + c.clients[0].ID.String()); a.status != http.StatusForbidden {
		t.Errorf("the desk's page of a client: %d", a.status)
	}
}

func TestTherapistClosesAndChargesOnce(t *testing.T) {
	c := newClinic(t, sim.Options{})
	rivera := c.signIn("rivera")
	path := "/appointments/" + c.day[4].ID.String() + "/close"
	form := rivera.get("/my/day").fill(t, path, nil)
	if form.Get("service") != "90834" || form.Get("minutes") != "45" {
		t.Fatalf("one tap would send %v", form)
	}
	for range 2 {
		if a := rivera.post(path, form); a.url.Path != "/my/day" || a.status != http.StatusOK {
			t.Fatalf("closing leads to %s: %d\n%s", a.url, a.status, a.body)
		}
	}
	desk := c.signIn("desk")
	if a := desk.get("/clients/" + c.clients[4].ID.String()); !strings.Contains(a.body, `<p class="big">150.00</p>`) {
		t.Errorf("the client was not charged once:\n%s", a.body)
	}
	if a := rivera.post("/appointments/"+c.day[5].ID.String()+"/close", form); a.status != http.StatusNotFound && a.status != http.StatusForbidden && a.status != http.StatusConflict {
		t.Errorf("closing somebody else's session: %d", a.status)
	}
}

func TestOtherServiceAndLength(t *testing.T) {
	c := newClinic(t, sim.Options{})
	okafor := c.signIn("okafor")
	path := "/appointments/" + c.day[5].ID.String() + "/close"
	page := okafor.get(path)
	if !strings.Contains(page.body, "Individual, 60 min") || strings.Contains(page.body, "Missed appointment") {
		t.Errorf("the services to close a session with:\n%s", page.body)
	}
	form := page.fill(t, path, url.Values{"service": {"90837"}, "minutes": {"two"}})
	wrong := okafor.post(path, form)
	if wrong.status != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, "whole minutes") || !strings.Contains(wrong.body, `value="two"`) {
		t.Errorf("%d\n%s", wrong.status, wrong.body)
	}
	form.Set("minutes", "60")
	form.Set("service", "NOSHOW")
	if a := okafor.post(path, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "This service cannot close a session") {
		t.Errorf("a session closed with a fee: %d\n%s", a.status, a.body)
	}
	form.Set("service", "90837")
	if a := okafor.post(path, form); a.url.Path != "/my/day" || !strings.Contains(a.body, "Held") {
		t.Errorf("%s %d", a.url, a.status)
	}
}

func TestArrivedFromTheDay(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	path := "/appointments/" + c.day[4].ID.String() + "/arrive"
	a := desk.post(path, desk.get("/today").fill(t, path, nil))
	if a.url.Path != "/today" || !strings.Contains(a.body, `<span class="pill warm">Arrived</span>`) {
		t.Errorf("%s\n%s", a.url, a.body)
	}
	due := desk.get("/today?due=yes")
	if strings.Contains(due.body, clientNames[4]) || !strings.Contains(due.body, clientNames[0]) {
		t.Error("the choice of those with something due does not choose")
	}
	one := desk.get("/today?therapist=" + c.people["okafor"].ID.String())
	if strings.Contains(one.body, clientNames[0]) || !strings.Contains(one.body, clientNames[1]) {
		t.Error("the choice of a therapist does not choose")
	}
}

// Who asks for a page of another role is turned away, and that is an event.
func TestDenialOfARoleIsRecorded(t *testing.T) {
	c := newClinic(t, sim.Options{})
	for who, path := range map[string]string{"ledgers": "/today", "rivera": "/books", "boxes": "/find"} {
		person := c.signIn(who)
		person.get("/help")
		before := c.vault.Status().Events
		if a := person.get(path); a.status != http.StatusForbidden {
			t.Errorf("%s gets %s: %d", who, path, a.status)
		}
		denials := 0
		for _, e := range c.actorsFrom(before) {
			if e.Outcome == audit.Denied {
				denials++
			}
		}
		if denials != 1 {
			t.Errorf("%s asks for %s: %d denials on record", who, path, denials)
		}
	}
}
