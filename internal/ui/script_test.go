package ui_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/sim"
)

// payNatively takes a payment from the n-th client as a browser without
// JavaScript does, and returns the page that it ends on.
func (b *browser) payNatively(c *clinic, n int, tender string, typed url.Values) answer {
	b.c.t.Helper()
	page := b.get("/clients/" + c.clients[n].ID.String() + "/pay")
	values := page.fill(b.c.t, "/payments", url.Values{"amount": {"150.00"}, "tender": {tender}})
	for name, value := range typed {
		values[name] = value
	}
	return b.post("/payments", values)
}

// until reads a page again until it says words.
func (b *browser) until(path, words string) answer {
	b.c.t.Helper()
	again, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer again.Stop()
	for {
		a := b.get(path)
		if strings.Contains(a.body, words) {
			return a
		}
		select {
		case <-again.C:
		case <-late:
			b.c.t.Fatalf("%s never says %q:\n%s", path, words, a.body)
		}
	}
}

func (c *clinic) charged() money.Amount { return sim.Net(c.sim.Ledger()) }

func TestSaleWithoutJavaScript(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	a := desk.payNatively(c, 0, "card", nil)
	if !strings.HasPrefix(a.url.Path, "/payments/") || !strings.Contains(a.body, clientNames[0]) {
		t.Fatalf("the form leads to %s:\n%s", a.url, a.body)
	}
	a = desk.until(a.url.Path, "Approved")
	for _, words := range []string{"150.00", "Approval code", "Balance now", "Receipt"} {
		if !strings.Contains(a.body, words) {
			t.Errorf("the approved payment does not say %q", words)
		}
	}
	if c.charged() != 150_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
	if a := desk.get("/clients/" + c.clients[0].ID.String()); !strings.Contains(a.body, "Nothing is due") || !strings.Contains(a.body, "No. 1") {
		t.Errorf("the client's page does not show the payment:\n%s", a.body)
	}
}

func TestFormSentTwicePaysOnce(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	for _, tender := range []string{"card", "cash"} {
		n := map[string]int{"card": 0, "cash": 1}[tender]
		page := desk.get("/clients/" + c.clients[n].ID.String() + "/pay")
		form := page.fill(t, "/payments", url.Values{"amount": {"150.00"}, "tender": {tender}})
		first := desk.post("/payments", form)
		second := desk.post("/payments", form)
		if first.url.Path != second.url.Path {
			t.Errorf("%s: two payments, %s and %s", tender, first.url.Path, second.url.Path)
		}
		desk.until(first.url.Path, "Receipt")
		if third := desk.post("/payments", form); third.url.Path != first.url.Path {
			t.Errorf("%s: a third press leads to %s", tender, third.url.Path)
		}
	}
	if c.charged() != 150_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
}

func TestAmountsAreCheckedAndKept(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	for typed, words := range map[string]string{
		"":         "Enter an amount in dollars and cents",
		"lots":     "Enter an amount in dollars and cents",
		"-5":       "Enter an amount in dollars and cents",
		"0.00":     "Enter the amount to pay",
		"15000.00": "That is more than is due.",
	} {
		a := desk.payNatively(c, 0, "card", url.Values{"amount": {typed}})
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, words) {
			t.Errorf("%q: %d, not %q", typed, a.status, words)
		}
		if !strings.Contains(a.body, `value="`+typed+`" aria-invalid`) {
			t.Errorf("%q is not kept in its field", typed)
		}
	}
	if len(c.sim.Ledger()) != 0 {
		t.Fatal("a wrong amount reached the terminal")
	}
	a := desk.payNatively(c, 0, "cash", url.Values{"amount": {"200.00"}, "over": {"yes"}})
	if !strings.Contains(a.body, "Paid in cash") || !strings.Contains(a.body, "-50.00 (credit)") {
		t.Errorf("a prepayment: %s", a.body)
	}
}

// After a decline that the bank will never take back, the same card is not
// offered again: another card or cash is.
func TestDeclineForEverOffersNoSameCard(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	path := desk.payNatively(c, 0, "card", url.Values{"amount": {"100.43"}}).url.Path
	page := desk.until(path, "Do not try this card again")
	if strings.Contains(page.body, "Try again") || !strings.Contains(page.body, ">Another card or cash</a>") || !strings.Contains(page.body, "will never approve it") {
		t.Errorf("%s", page.body)
	}
	again := "/clients/" + c.clients[0].ID.String() + "/pay"
	if !strings.Contains(page.body, `href="`+again) {
		t.Fatalf("no way to another card:\n%s", page.body)
	}
	if a := desk.payNatively(c, 0, "cash", nil); !strings.Contains(a.body, "Paid in cash") {
		t.Errorf("cash: %d\n%s", a.status, a.body)
	}
	if c.charged() != 0 {
		t.Errorf("the terminal charged %v", c.charged())
	}
}

// Every end of a card payment has its words and its next step.
func TestEveryEndHasItsWords(t *testing.T) {
	for name, try := range map[string]struct {
		options sim.Options
		fault   sim.Kind
		amount  string
		words   []string
		charged money.Amount
	}{
		"declined":  {amount: "100.41", words: []string{"Declined", "Nothing was charged", "Try again"}},
		"no funds":  {amount: "100.51", words: []string{"Nothing was charged", "Try again"}},
		"partial":   {amount: "100.61", words: []string{"Partly approved", "Take the rest"}, charged: 50_31},
		"host down": {amount: "100.91", words: []string{"Nothing was charged", "Try again"}},
		"no card":   {fault: sim.Timeout, options: sim.Options{CardTimeout: 50 * time.Millisecond}, amount: "100.00", words: []string{"No card in time", "Nothing was charged"}},
		"busy":      {fault: sim.Busy, amount: "100.00", words: []string{"Not charged", "Nothing was charged", "Start again"}},
		"lost answer": {fault: sim.HangUp, options: sim.Options{PlugDelay: 50 * time.Millisecond}, amount: "100.00",
			words: []string{"Approved", "Receipt"}, charged: 100_00},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t, try.options)
			desk := c.signIn("desk")
			if try.fault != "" {
				c.must(c.sim.Inject(sim.Fault{Kind: try.fault}))
			}
			a := desk.payNatively(c, 0, "card", url.Values{"amount": {try.amount}})
			if !strings.HasPrefix(a.url.Path, "/payments/") {
				t.Fatalf("%d:\n%s", a.status, a.body)
			}
			for _, words := range try.words {
				desk.until(a.url.Path, words)
			}
			if c.charged() != try.charged {
				t.Errorf("the terminal charged %v, want %v", c.charged(), try.charged)
			}
			if done := desk.get(a.url.Path); !strings.Contains(done.body, ">Done</a>") {
				t.Error("there is no way on")
			}
		})
	}
}

func TestCancelAtTheTerminal(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	desk := c.signIn("desk")
	a := desk.payNatively(c, 0, "card", nil)
	page := desk.until(a.url.Path, "Cancel payment")
	desk.post(a.url.Path+"/cancel", page.fill(t, a.url.Path+"/cancel", nil))
	desk.until(a.url.Path, "Nothing was charged")
	if c.charged() != 0 {
		t.Errorf("the terminal charged %v", c.charged())
	}
}

// The cable is pulled while the bank is asked: the payment is not known yet,
// nobody can charge again, and the answer comes by itself with the cable.
func TestNotKnownYetUntilTheTerminalIsBack(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	desk := c.signIn("desk")
	a := desk.payNatively(c, 0, "card", nil)
	desk.until(a.url.Path, "Present card")
	c.must(c.sim.Unplug())
	c.must(c.sim.Tap("visa"))
	page := desk.until(a.url.Path, "Terminal unplugged")
	for _, words := range []string{"It never charges twice", "Leave it open and go on", "Do not take the payment again"} {
		page = desk.until(a.url.Path, words)
	}
	if strings.Contains(page.body, "Try again") {
		t.Error("the page offers to charge again")
	}
	again := desk.payNatively(c, 0, "cash", nil)
	if again.status != http.StatusConflict || !strings.Contains(again.body, "is not finished") {
		t.Errorf("a second payment of the client: %d", again.status)
	}
	c.must(c.sim.Plug())
	desk.until(a.url.Path, "Approved")
	if c.charged() != 150_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
}

func TestDuplicateQuestion(t *testing.T) {
	for answer, want := range map[string]struct {
		words   string
		charged money.Amount
	}{"same": {"Same payment", 150_00}, "second": {"Approved", 300_00}} {
		t.Run(answer, func(t *testing.T) {
			c := newClinic(t, sim.Options{})
			desk := c.signIn("desk")
			first := desk.payNatively(c, 0, "card", nil)
			desk.until(first.url.Path, "Approved")
			c.must(c.sim.Inject(sim.Fault{Kind: sim.HostDup}))
			a := desk.payNatively(c, 1, "card", nil)
			page := desk.until(a.url.Path, "Paid twice?")
			to := desk.post(a.url.Path+"/answer", page.fill(t, a.url.Path+"/answer", url.Values{"answer": {answer}}))
			desk.until(to.url.Path, want.words)
			if c.charged() != want.charged {
				t.Errorf("the terminal charged %v, want %v", c.charged(), want.charged)
			}
		})
	}
}

func TestSecondEqualPaymentAsksFirst(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	desk.payNatively(c, 0, "cash", url.Values{"amount": {"50.00"}})
	a := desk.payNatively(c, 0, "cash", url.Values{"amount": {"50.00"}})
	if a.status != http.StatusConflict || !strings.Contains(a.body, `name="second"`) {
		t.Fatalf("%d:\n%s", a.status, a.body)
	}
	a = desk.post("/payments", a.fill(t, "/payments", url.Values{"amount": {"50.00"}, "tender": {"cash"}, "second": {"yes"}}))
	if !strings.Contains(a.body, "Paid in cash") {
		t.Errorf("%d:\n%s", a.status, a.body)
	}
}

// A form that does not say exactly how to pay, or which payment it is, does
// nothing: no word stands for another.
func TestFormsTakeExactWords(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	for _, tender := range []string{"", "Card", "cheque", "cash "} {
		a := desk.payNatively(c, 0, tender, nil)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "The form did not arrive whole.") {
			t.Errorf("paid by %q: %d", tender, a.status)
		}
	}
	if a := desk.get("/clients/" + c.clients[0].ID.String()); !strings.Contains(a.body, "No payments yet.") {
		t.Errorf("money moved:\n%s", a.body)
	}
	desk.until(desk.payNatively(c, 0, "card", nil).url.Path, "Approved")
	c.must(c.sim.Inject(sim.Fault{Kind: sim.HostDup}))
	path := desk.payNatively(c, 1, "card", nil).url.Path
	page := desk.until(path, "Paid twice?")
	for _, word := range []string{"", "yes", "Second"} {
		a := desk.post(path+"/answer", page.fill(t, path+"/answer", url.Values{"answer": {word}}))
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "The form did not arrive whole.") {
			t.Errorf("the answer %q: %d", word, a.status)
		}
	}
	if a := desk.get(path); !strings.Contains(a.body, "Paid twice?") {
		t.Errorf("the question is gone:\n%s", a.body)
	}
}

// A page that is behind, and still shows as due what was paid meanwhile, takes
// nothing twice: it asks first.
func TestPageThatIsBehindAsksFirst(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	old := desk.get("/clients/"+c.clients[0].ID.String()+"/pay").fill(t, "/payments", url.Values{"amount": {"120.00"}, "tender": {"cash"}})
	desk.payNatively(c, 0, "cash", url.Values{"amount": {"100.00"}})
	a := desk.post("/payments", old)
	if a.status != http.StatusConflict || !strings.Contains(a.body, "more than the client owes now") || !strings.Contains(a.body, "Take 70.00 more than is due") {
		t.Fatalf("%d:\n%s", a.status, a.body)
	}
	a = desk.post("/payments", a.fill(t, "/payments", url.Values{"amount": {"120.00"}, "tender": {"cash"}, "over": {"yes"}}))
	if !strings.Contains(a.body, "Paid in cash") || !strings.Contains(a.body, "-70.00 (credit)") {
		t.Errorf("%d:\n%s", a.status, a.body)
	}
}

func TestVoidFromThePaymentsPage(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	a := desk.payNatively(c, 0, "card", nil)
	page := desk.until(a.url.Path, "Give back")
	give := a.url.Path + "/give-back"
	form := desk.get(give).fill(t, give, url.Values{"kind": {"void"}})
	if none := desk.post(give, form); none.status != http.StatusUnprocessableEntity || !strings.Contains(none.body, "Choose why the money is given back") {
		t.Errorf("a void without a reason: %d", none.status)
	}
	form.Set("reason", "mistake")
	void := desk.post(give, form)
	if again := desk.post(give, form); again.url.Path != void.url.Path {
		t.Errorf("the same form leads to %s and %s", void.url.Path, again.url.Path)
	}
	desk.until(void.url.Path, "Voided")
	if r := desk.get(strings.Replace(a.url.Path, "/payments/", "/receipts/", 1)); !strings.Contains(r.body, "VOIDED receipt") {
		t.Errorf("the receipt of a voided payment says:\n%s", r.body)
	}
	if list := desk.get("/clients/" + c.clients[0].ID.String()); !strings.Contains(list.body, ">Voided<") {
		t.Error("the client's list does not say that the payment was voided")
	}
	if late := desk.post(a.url.Path+"/cancel", page.fill(t, "/sign-out", nil)); late.status != http.StatusOK || !strings.Contains(late.body, "Voided") {
		t.Errorf("a cancel after the end: %d", late.status)
	}
	if c.charged() != 0 {
		t.Errorf("the terminal keeps %v", c.charged())
	}
}

func TestReceiptOnScreenAndPaper(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	a := desk.payNatively(c, 1, "card", nil)
	desk.until(a.url.Path, "Approved")
	path := strings.Replace(a.url.Path, "/payments/", "/receipts/", 1)
	page := desk.get(path)
	for _, words := range []string{clinicName, "P-000002", "$150.00", "Visa ending", "AID", "Balance after", "$0.00"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the receipt does not say %q", words)
		}
	}
	if strings.Contains(page.body, clientNames[1]) {
		t.Error("the receipt names the client")
	}
	form := page.fill(t, path+"/print", nil)
	first, second, third := desk.post(path+"/print", form), desk.post(path+"/print", form), desk.post(path+"/print", form)
	for _, pdf := range []answer{first, second, third} {
		if pdf.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(pdf.body, "%PDF-") {
			t.Fatalf("%d %s", pdf.status, pdf.header.Get("Content-Type"))
		}
	}
	if bytes.Equal([]byte(first.body), []byte(second.body)) {
		t.Error("a reprint does not say that it is a copy")
	}
	if second.body != third.body {
		t.Error("the same receipt gives different bytes")
	}
	if a := desk.payNatively(c, 2, "card", url.Values{"amount": {"100.41"}}); true {
		desk.until(a.url.Path, "Declined")
		none := desk.get(strings.Replace(a.url.Path, "/payments/", "/receipts/", 1))
		if none.status != http.StatusNotFound || !strings.Contains(none.body, "no money has moved") {
			t.Errorf("the receipt of a declined payment: %d", none.status)
		}
	}
}

func TestFindOpensExactlyOneMatch(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	page := desk.get("/find")
	post := func(path, text string) answer {
		return desk.post(path, page.fill(t, "/find", url.Values{"text": {text}}))
	}
	if a := post("/find", "zel"); a.url.Path != "/clients/"+c.clients[0].ID.String()+"/pay" {
		t.Errorf("one match leads to %s", a.url)
	}
	if a := post("/find", "P-00000"); a.url.Path != "/find" || !strings.Contains(a.body, "6 clients found") {
		t.Errorf("six matches: %s\n%s", a.url, a.body)
	}
	if a := post("/find", "zq"); !strings.Contains(a.body, "Not enough to go by") {
		t.Errorf("two letters: %s", a.body)
	}
	if a := post("/find", "xyzzy"); !strings.Contains(a.body, "No client found") {
		t.Errorf("nobody: %s", a.body)
	}
	if a := post("/find/live", "bran"); !strings.Contains(a.body, "Otto Brandvold") || strings.Contains(a.body, "<html") {
		t.Errorf("live: %s", a.body)
	}
	if a := post("/find/live", "b"); strings.TrimSpace(a.body) != "" {
		t.Errorf("one letter finds %q", a.body)
	}
}
