package ui_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
)

// Part by card and the rest in cash, in eight keys at most.
func TestSplitTenderByKeyboard(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	b := c.openTab()
	b.signIn(c, "desk")
	b.focused("[data-row]")
	b.keys = 0
	b.key("p")
	b.focused("#amount")
	b.write("50")
	b.key("Enter")
	b.says("Present card")
	c.must(c.sim.Tap("visa"))
	b.says("Approved")
	b.focused("#done")
	b.key("Tab")
	b.focused("#rest-cash")
	b.accessible("pay-rest")
	b.key("Enter")
	b.until(`document.querySelector('#amount')?.value === '100.00'`)
	b.focused("#amount")
	b.key("Enter")
	b.says("Paid in cash")
	b.focused("#done")
	b.key("Enter")
	b.focused("[data-row]")
	if b.keys > 8 {
		t.Errorf("the split took %d keys", b.keys)
	}
	if c.charged() != 50_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
}

// When the usual terminal has gone, the page says so and offers the other; what
// was provably not sent moves there by one confirmation; what is not known
// locks the account there too.
func TestSecondTerminalTakesOver(t *testing.T) {
	c := newClinic(t, sim.Options{}, sim.Options{Serial: "0821999002"})
	desk := c.signIn("desk")
	desk.until(desk.payNatively(c, 0, "card", url.Values{"terminal": {c.terminals[0].ID().String()}}).url.Path, "Approved")
	c.rest()
	c.must(c.sim.Inject(sim.Fault{Kind: sim.Busy}))
	page := desk.get("/clients/" + c.clients[1].ID.String() + "/pay")
	asked := desk.post("/payments", page.fill(t, "/payments", url.Values{"amount": {"150.00"}, "tender": {"card"}, "terminal": {c.terminals[0].ID().String()}}))
	busy := asked.url.Path
	if busy == "/payments" {
		t.Fatalf("not taken: %s", between(asked.body, `id="pay-problem"`, `</div>`))
	}
	moved := desk.until(busy, "Take it at Back desk terminal")
	a := desk.post("/payments", moved.fill(t, "/payments", url.Values{"tender": {"card"}}))
	if a.url.Path == "/payments" {
		t.Fatalf("not taken elsewhere: %s", between(a.body, `id="pay-problem"`, `</div>`))
	}
	desk.until(a.url.Path, "Approved")
	if net := sim.Net(c.others[0].Ledger()); net != 150_00 {
		t.Errorf("the second terminal charged %v", net)
	}
	c.rest()
	desk.until(desk.payNatively(c, 2, "card", url.Values{"amount": {"10.00"}, "terminal": {c.terminals[0].ID().String()}}).url.Path, "Approved") // the usual one again
	c.rest()
	c.must(c.sim.Unplug())
	path := "/clients/" + c.clients[3].ID.String() + "/pay"
	desk.until(path, "Back desk terminal is chosen instead.")
	c.must(c.others[0].Unplug())
	if a := desk.until(path, "No terminal can take a card now."); strings.Index(a.body, `id="pay-cash"`) > strings.Index(a.body, `id="pay-card"`) {
		t.Error("a card is what Enter does although no terminal can take one")
	}
	if a := desk.payNatively(c, 3, "cash", nil); !strings.Contains(a.body, "Paid in cash") {
		t.Errorf("cash is not taken: %d", a.status)
	}
}

// rest waits until no terminal is in a conversation: a result is on the page a
// moment before.
func (c *clinic) rest() {
	c.t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer again.Stop()
	for {
		all, err := c.till.Terminals(c.t.Context(), accesstest.Agent(access.FrontDesk))
		c.must(err)
		if !slices.ContainsFunc(all, func(t till.TerminalStatus) bool { return !t.Ready }) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			c.t.Fatalf("the terminals do not come to rest: %+v", all)
		}
	}
}

// Fifty presses of the same button, at once, are one sale.
func TestFiftyPostsAreOneSale(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	form := desk.get("/clients/"+c.clients[0].ID.String()+"/pay").fill(t, "/payments", url.Values{"amount": {"150.00"}, "tender": {"card"}})
	var group sync.WaitGroup
	paths := make([]string, 50)
	for i := range paths {
		group.Go(func() {
			w, err := desk.Do(desk.request(http.MethodPost, "/payments", form))
			if err != nil {
				t.Error(err)
				return
			}
			paths[i] = w.Request.URL.Path
			w.Body.Close()
		})
	}
	group.Wait()
	for _, path := range paths {
		if path != paths[0] || !strings.HasPrefix(path, "/payments/") {
			t.Fatalf("fifty presses lead to %s and %s", paths[0], path)
		}
	}
	desk.until(paths[0], "Approved")
	if c.charged() != 150_00 || len(c.sim.Ledger()) != 1 {
		t.Errorf("the terminal charged %v in %d", c.charged(), len(c.sim.Ledger()))
	}
}

// A sale in flight goes on while its cashier signs off or the browser dies, and
// is found again; its page says where the money is.
func TestSaleSurvivesSignOffAndBrowser(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	desk := c.signIn("desk")
	path := desk.payNatively(c, 0, "card", nil).url.Path
	page := desk.until(path, "Present card")
	if a := desk.post("/sign-out", page.fill(t, "/sign-out", nil)); a.status != http.StatusOK {
		t.Fatalf("sign out: %d", a.status)
	}
	c.must(c.sim.Tap("visa")) // nobody is signed in
	desk = c.signIn("desk")   // a new browser, which knows nothing of the old one
	a := desk.until(path, "Approved")
	for _, words := range []string{"Authorised by the bank", "Captured: 150.00", "Allocated: 150.00 to charges", "open batch", "Settled by the processor"} {
		if !strings.Contains(a.body, words) {
			t.Errorf("the payment does not say %q", words)
		}
	}
	if a := desk.get("/clients/" + c.clients[0].ID.String()); !strings.Contains(a.body, "Nothing is due") {
		t.Errorf("the client's page:\n%s", a.body)
	}
	if c.charged() != 150_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
	serial := c.terminals[0].Status().Device.Serial
	form := desk.get("/drawer").fill(t, "/drawer/batch", url.Values{"terminal": {serial}, "number": {"7"}, "count": {"1"}, "amount": {"150.00"}})
	desk.post("/drawer/batch", form)
	desk.until(path, "the terminal has closed batch 7")
}
