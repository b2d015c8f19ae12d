package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// contradicted takes a payment of which the terminal says things that do not
// fit, so that two people must say what became of it. It returns its path.
func (c *clinic) contradicted(desk *browser, n int) string {
	c.t.Helper()
	c.must(c.sim.Inject(sim.Fault{Kind: sim.EOTForReply, Message: "T00"}))
	for range 4 {
		c.must(c.sim.Inject(sim.Fault{Kind: sim.WrongRef, Message: "R02", Count: 20}))
	}
	path := desk.payNatively(c, n, "card", nil).url.Path
	desk.until(path, "Needs a decision")
	return path
}

// state sends the statement of one person about the open payment at path.
func (b *browser) state(path string, typed url.Values) answer {
	b.c.t.Helper()
	path += "/resolve"
	return b.post(path, b.get(path).fill(b.c.t, path, typed))
}

func statement(charged, amount, evidence string) url.Values {
	return url.Values{"charged": {charged}, "amount": {amount}, "evidence": {evidence}}
}

// namesNobody fails the test if a page holds a word of a client's name.
func (a answer) namesNobody(t *testing.T) {
	t.Helper()
	for _, name := range clientNames {
		for _, word := range words(name) {
			if strings.Contains(a.body, word) {
				t.Errorf("%s names %q", a.url, word)
			}
		}
	}
}

func (a answer) says(t testing.TB, status int, words ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d, want %d", a.url, a.status, status)
	}
	for _, one := range words {
		if !strings.Contains(a.body, one) {
			t.Errorf("%s does not say %q:\n%s", a.url, one, a.body)
		}
	}
}

// A payment that the terminal contradicts holds its client's account until two
// people have said the same. The second may be the accountant, who is shown no
// name.
func TestTwoPeopleStateWhatBecameOfAPayment(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk, accountant := c.signIn("desk"), c.signIn("ledgers")
	if a := desk.get("/today"); strings.Contains(a.body, "open-payments") {
		t.Error("the day speaks of open payments, and there is none")
	}
	desk.get("/payments/open").says(t, http.StatusOK, "Nothing is open.")
	path := c.contradicted(desk, 0)
	desk.get("/today").says(t, http.StatusOK, "One payment is open", `href="/payments/open"`)
	desk.get(path).says(t, http.StatusOK, `href="`+path+`/resolve"`)
	desk.payNatively(c, 0, "cash", nil).says(t, http.StatusConflict, "is not finished", `href="/payments/open"`)
	desk.get("/payments/open").says(t, http.StatusOK, clientNames[0], "P-000001", "150.00", "Needs a decision", `href="`+path+`/resolve"`)
	desk.get(path+"/resolve").says(t, http.StatusOK, clientNames[0], "Two people must state the same", "You are the first")

	for words, typed := range map[string]url.Values{
		"Say whether the money moved":           statement("", "150.00", "terminal_slip"),
		"choose one of the two answers":         statement("Yes", "150.00", "terminal_slip"),
		"Choose what you looked at":             statement("yes", "150.00", "I think so"),
		"Enter an amount in dollars and cents":  statement("yes", "all", "terminal_slip"),
		"Choose what happened, the amount":      statement("yes", "150.01", "terminal_slip"),
		"Choose what happened, the amount, and": statement("yes", "0.00", "batch_report"),
	} {
		a := desk.state(path, typed)
		a.says(t, http.StatusUnprocessableEntity, words, `value="`+typed.Get("amount")+`"`)
	}
	a := desk.state(path, statement("yes", "150.00", "terminal_slip"))
	a.says(t, http.StatusOK, "You have stated this.", "Yes, the card was charged, 150.00", "the terminal&#39;s slip")
	desk.state(path, statement("yes", "150.00", "terminal_slip")).says(t, http.StatusOK, "You have stated this.") // once more is not a second person
	desk.get("/payments/open").says(t, http.StatusOK, "One person has stated.")

	list := accountant.get("/payments/open")
	list.says(t, http.StatusOK, "P-000001", "150.00", "One person has stated.", "desk at ")
	form := accountant.get(path + "/resolve")
	form.says(t, http.StatusOK, "P-000001", "One person has stated this.", "Yes, the card was charged, 150.00")
	no := accountant.state(path, statement("no", "150.00", "batch_report"))
	no.says(t, http.StatusConflict, "A second person must confirm the same decision.")
	done := accountant.state(path, statement("yes", "150.00", "batch_report"))
	done.says(t, http.StatusOK, "Two people stated the same.", "Nothing is open.")
	for _, a := range []answer{list, form, no, done} {
		a.namesNobody(t)
	}
	desk.get(path).says(t, http.StatusOK, "Approved", "Receipt")
	desk.get("/clients/"+c.clients[0].ID.String()).says(t, http.StatusOK, "Nothing is due")
	accountant.get(path+"/resolve").says(t, http.StatusNotFound, "needs no decision any more")
	for _, who := range []string{"rivera", "boxes"} {
		other := c.signIn(who)
		for _, address := range []string{"/payments/open", path + "/resolve"} {
			other.get(address).says(t, http.StatusForbidden, "Your role does not open this page.")
		}
	}
}

// A terminal that went away with the answer holds nobody's account for ever.
func TestTwoPeopleStateWhatATerminalThatIsGoneCannot(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	desk, accountant := c.signIn("desk"), c.signIn("ledgers")
	path := desk.payNatively(c, 0, "card", nil).url.Path
	desk.until(path, "Present card")
	c.must(c.sim.Unplug())
	desk.until(path, "State what happened")
	desk.state(path, statement("no", "150.00", "processor_portal")).says(t, http.StatusOK, "You have stated this.", "No, nothing was charged")
	accountant.state(path, statement("no", "", "bank_confirmation")).says(t, http.StatusOK, "Two people stated the same.")
	desk.get(path).says(t, http.StatusOK, "Not charged")
	desk.payNatively(c, 0, "cash", nil).says(t, http.StatusOK, "Paid in cash")
	c.must(c.sim.Plug())
}

// IT reads why a terminal is blocked and what to inspect, and puts it back to
// work; nobody else can.
func TestITPutsATerminalBackToWork(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk, it := c.signIn("desk"), c.signIn("boxes")
	if a := it.get("/appliance"); strings.Contains(a.body, "Put back to work") {
		t.Error("a terminal that is not blocked can be put back")
	}
	c.must(c.sim.Inject(sim.Fault{Kind: sim.PANLeak}))
	desk.payNatively(c, 0, "card", nil)
	page := it.until("/appliance", "is blocked")
	page.says(t, http.StatusOK, "Front desk terminal is blocked", "The terminal sent data that it must never send", "Inspect it before it works again", "Put back to work")
	page.namesNobody(t)
	path := "/terminals/" + c.terminals[0].ID().String() + "/release"
	form := page.fill(t, path, nil)
	desk.post(path, url.Values{"csrf": {desk.get("/find").fill(t, "/find", nil).Get("csrf")}}).says(t, http.StatusForbidden, "Your role")
	if a := it.post(path, form); a.url.Path != "/appliance" || strings.Contains(a.body, "Put back to work") {
		t.Errorf("putting it back leads to %s:\n%s", a.url, a.body)
	}
	it.post("/terminals/17/release", form).says(t, http.StatusNotFound)
	it.until("/appliance", ">Ready<") // as soon as it has said what became of the payment
	desk.until(desk.payNatively(c, 1, "card", nil).url.Path, "Approved")
}
