package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// takenDay is a clinic whose desk has taken a card, cash and a check, with a
// float in the drawer.
func takenDay(t *testing.T) (*clinic, *browser) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	drawer := desk.get("/drawer")
	if a := desk.post("/drawer/open", drawer.fill(t, "/drawer/open", url.Values{"float": {"100.00"}})); !strings.Contains(a.body, "The float is in your drawer.") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	desk.until(desk.payNatively(c, 0, "card", nil).url.Path, "Approved")
	desk.until(desk.payNatively(c, 1, "cash", url.Values{"amount": {"91.73"}}).url.Path, "Paid in cash")
	desk.until(desk.payNatively(c, 2, "check", url.Values{"check": {"1001"}}).url.Path, "Paid by check")
	return c, desk
}

// count sends a count of the drawer.
func (b *browser) count(t *testing.T, pieces url.Values) answer {
	t.Helper()
	return b.post("/drawer/count", b.get("/drawer").fill(t, "/drawer/count", pieces))
}

// A cashier reads nothing of what should be in the drawer before the count, on
// any page about the drawer, and not by how much a first count is wrong.
func TestDrawerPageIsBlind(t *testing.T) {
	c, desk := takenDay(t)
	blind := func(where, body string) {
		t.Helper()
		for _, secret := range []string{"191.73", "191", "−0.73", "-0.73", "0.73"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s: the cashier reads %q", where, secret)
			}
		}
	}
	blind("before", desk.get("/drawer").body)
	wrong := desk.count(t, url.Values{"p10000": {"1"}, "p2000": {"4"}, "p1000": {"1"}, "p100": {"1"}}) // 191.00
	if !strings.Contains(wrong.body, "It does not agree with the books.") {
		t.Fatalf("%s", wrong.body)
	}
	blind("after a wrong count", strings.ReplaceAll(wrong.body, "191.00", ""))
	if a := desk.count(t, url.Values{"p100": {"one"}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="one"`) {
		t.Errorf("a count in words: %d\n%s", a.status, a.body)
	}
	right := desk.count(t, url.Values{"p10000": {"1"}, "p5000": {"1"}, "p2000": {"2"}, "p100": {"1"}, "p25": {"2"}, "p10": {"2"}, "p1": {"3"}})
	if !strings.Contains(right.body, "It is 0.73 more than in the books") { // the first count was posted as 0.73 short
		t.Errorf("%s", right.body)
	}
	if a := desk.get("/days"); a.status != http.StatusForbidden {
		t.Errorf("the desk reads the close of the day: %d", a.status)
	}
	accountant := c.signIn("ledgers")
	if a := accountant.get("/days"); !strings.Contains(a.body, "difference -0.73") || !strings.Contains(a.body, "difference 0.73 (recount)") {
		t.Errorf("%s", a.body)
	}
}

// A check goes to the bank on a slip and comes back: due again, with the fee.
func TestChecksToTheBankAndBack(t *testing.T) {
	c, desk := takenDay(t)
	page := desk.get("/checks")
	if !strings.Contains(page.body, "To deposit: 150.00") || !strings.Contains(page.body, "1001") {
		t.Fatalf("%s", page.body)
	}
	id := between(page.body, `name="check" value="`, `"`)
	slip := desk.post("/checks/deposit", page.fill(t, "/checks/deposit", url.Values{"check": {id}}))
	if !strings.Contains(slip.body, "Deposit slip 1: 150.00") || strings.Contains(slip.body, ">Returned<") {
		t.Fatalf("%s", slip.body)
	}
	accountant := c.signIn("ledgers")
	path := "/checks/" + id + "/return"
	back := accountant.post(path, accountant.get("/checks").fill(t, path, url.Values{"fee": {"25.00"}}))
	if !strings.Contains(back.body, `<span class="pill bad">Returned</span>`) {
		t.Errorf("%s", back.body)
	}
	if a := desk.get("/clients/" + c.clients[2].ID.String()); !strings.Contains(a.body, `<p class="big">175.00</p>`) {
		t.Errorf("the client owes\n%s", a.body)
	}
	if a := desk.post(path, url.Values{"csrf": {desk.get("/help").fill(t, "/sign-out", nil).Get("csrf")}, "command": {back.fill(t, "/sign-out", nil).Get("csrf")}}); a.status == http.StatusOK {
		t.Errorf("the desk returned a check: %d", a.status)
	}
}

// From the open drawer to the sealed sheet, in browsers: the cashier counts,
// another person seals, in six keys from the own first page at most, and the
// sheet prints.
func TestDayInTheBrowser(t *testing.T) {
	c, desk := takenDay(t)
	form := desk.get("/drawer").fill(t, "/drawer/batch", url.Values{
		"terminal": {between(desk.get("/drawer").body, `<select id="terminal" name="terminal"><option value="`, `"`)}, "number": {"1"}, "count": {"1"}, "amount": {"149.99"},
	})
	if a := desk.post("/drawer/batch", form); !strings.Contains(a.body, "They differ from the books") {
		t.Errorf("a cent less: %d\n%s", a.status, a.body)
	}
	b := c.openTab()
	b.signIn(c, "desk")
	b.enter("/drawer")
	b.accessible("drawer")
	b.fitsPhone("drawer")
	for field, text := range map[string]string{"p10000": "1", "p5000": "1", "p2000": "2", "p100": "1", "p25": "2", "p10": "2", "p1": "3"} {
		evaluate[any](b, `document.getElementById("`+field+`").focus(); 0`)
		b.write(text)
	}
	b.key("Enter")
	b.says("It agrees with the books.")
	evaluate[any](b, `document.getElementById("drop").focus(); 0`)
	b.write("91.73")
	b.key("Enter")
	b.says("Was it a mistake?")
	b.accessible("drawer-drop")
	b.fitsPhone("drawer-drop")
	b.enter("/checks")
	b.accessible("checks")
	b.fitsPhone("checks")
	b.signIn(c, "ledgers")
	b.enter("/days")
	b.focused("#seal")
	b.says("0.01 less than the books have")
	b.accessible("days")
	b.fitsPhone("days")
	b.enter("/books")
	evaluate[any](b, `document.querySelector('nav a[href="/days"]').focus(); 0`)
	b.keys = 3 // Tab to the menu's line, at most
	b.key("Enter")
	b.focused("#seal")
	b.key("Enter")
	b.says("Day sheet No. 1")
	if b.keys > 6 {
		t.Errorf("closing the day took %d keys", b.keys)
	}
	for _, words := range []string{"Card payments", "Cash payments", "Check payments", "91.73", "Hash of this sheet", "The audit trail was signed over"} {
		b.says(words)
	}
	b.accessible("daysheet")
	b.fitsPhone("daysheet")
	b.picture("daysheet-paper")
	b.enter("/days")
	b.says("Today is closed.")
}

// A drop that was mistyped is taken back by its cashier and typed anew; both
// stand in the books, and the drawer is counted again. Nobody else is offered
// it, and a colleague's request changes nothing.
func TestMistypedDropIsTakenBack(t *testing.T) {
	c, desk := takenDay(t)
	drop := func(amount string) answer {
		return desk.post("/drawer/drop", desk.get("/drawer").fill(t, "/drawer/drop", url.Values{"drop": {amount}}))
	}
	page := drop("919.00")
	path := "/drawer/drops/" + between(page.body, `action="/drawer/drops/`, `/back"`) + "/back"
	form := page.fill(t, path, url.Values{"reason": {"because"}})
	if a := desk.post(path, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Choose why") {
		t.Errorf("without a reason: %d\n%s", a.status, a.body)
	}
	form.Set("reason", "mistyped")
	if a := c.signIn("ledgers").post(path, form); a.status != http.StatusForbidden {
		t.Errorf("the accountant takes a drop back: %d", a.status)
	}
	for range 2 {
		if a := desk.post(path, form); !strings.Contains(a.body, "It is taken back.") || !strings.Contains(a.body, "Taken back.") || strings.Contains(a.body, `action="`+path) {
			t.Fatalf("%d\n%s", a.status, a.body)
		}
	}
	drop("91.00")
	if a := desk.count(t, url.Values{"p10000": {"1"}, "p25": {"2"}, "p10": {"2"}, "p1": {"3"}}); !strings.Contains(a.body, "It agrees with the books.") {
		t.Errorf("%s", a.body)
	}
	if a := c.signIn("ledgers").get("/days"); !strings.Contains(a.body, "Cash taken out by mistake, taken back") {
		t.Errorf("%s", a.body)
	}
}
