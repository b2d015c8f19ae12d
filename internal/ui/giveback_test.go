package ui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// A refund by keyboard, from the client's page: five keys and the reason. It
// waits until a second person has approved it, and is carried out through the
// terminal.
func TestRefundByTwoPeople(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	paid := desk.payNatively(c, 0, "card", nil).url.Path
	desk.until(paid, "Approved")
	b := c.openTab()
	b.signIn(c, "desk")
	b.enter("/clients/" + c.clients[0].ID.String())
	evaluate[any](b, `document.querySelector('main a[href^="/payments/"]').focus(); 0`)
	b.keys = 0
	b.key("Enter")
	b.focused("#done")
	b.key("Tab")
	b.focused("#give-back")
	b.key("Enter")
	b.focused("#reason-mistake")
	keys := b.keys
	b.key("ArrowDown") // the reason
	b.until(`document.querySelector('#reason-double').checked`)
	b.accessible("giveback")
	b.fitsPhone("giveback")
	evaluate[any](b, `document.querySelector('#kind-refund').click(); document.querySelector('#amount').value = '40.00'; document.querySelector('#reason-double').focus(); 0`)
	b.key("Enter")
	b.says("Waits for approval")
	if keys+1 > 5 {
		t.Errorf("the refund took %d keys and its reason", keys+1)
	}
	b.accessible("payment-proposed")
	if c.charged() != 150_00 {
		t.Fatalf("the terminal has %v before the approval", c.charged())
	}
	b.enter("/approvals")
	if text := evaluate[string](b, `document.querySelector('main').innerText`); !strings.Contains(text, "Withdraw") || strings.Contains(text, "Refuse") {
		t.Errorf("the desk is offered\n%s", text)
	}
	b.signIn(c, "owner")
	b.enter("/approvals")
	b.says("Paid twice")
	b.accessible("approvals")
	b.fitsPhone("approvals")
	evaluate[any](b, `document.querySelector('[id^="approve-"]').click(); 0`)
	b.says("It is approved.")
	if text := evaluate[string](b, `document.body.innerText`); strings.Contains(text, "Quintanar") || strings.Contains(text, "Carry it out") {
		t.Errorf("the owner reads\n%s", text)
	}
	b.signIn(c, "desk")
	b.enter(paid)
	b.says("owner approved it")
	b.accessible("payment-approved-refund")
	evaluate[any](b, `document.querySelector('[id^="carry-"]').click(); 0`)
	b.says("Refunded")
	if c.charged() != 110_00 {
		t.Errorf("the terminal has %v", c.charged())
	}
	b.enter("/clients/" + c.clients[0].ID.String())
	b.says("Partly refunded")
	b.take(regexp.MustCompile("Autofocus processing was blocked")) // the live payment changed under the focus
}

// Who may not give back is refused, whatever is sent; so is who has asked.
func TestGivingBackIsRefused(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	paid := desk.payNatively(c, 1, "cash", nil).url.Path
	form := desk.get(paid+"/give-back").fill(t, paid+"/give-back", url.Values{"kind": {"refund"}, "amount": {"10.00"}, "reason": {"credit"}})
	for _, who := range []string{"rivera", "ledgers", "boxes", "owner", "privacy"} {
		one := c.signIn(who)
		own := one.get("/help").fill(t, "/sign-out", form)
		own.Set("csrf", one.get("/help").fill(t, "/sign-out", nil).Get("csrf"))
		if a := one.post(paid+"/give-back", own); a.status != http.StatusForbidden {
			t.Errorf("%s gives back: %d", who, a.status)
		}
	}
	form.Set("amount", "150.01")
	if a := desk.post(paid+"/give-back", form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "more than what is left") {
		t.Errorf("too much: %d", a.status)
	}
	form.Set("amount", "10.00")
	waits := desk.post(paid+"/give-back", form)
	act := between(waits.body, `action="/approvals/`, `/withdraw`)
	for who, home := range map[string]string{"ledgers": "/books", "owner": "/days"} {
		if a := c.signIn(who).get("/"); a.url.Path != home || !strings.Contains(a.body, "One waits for your approval.") {
			t.Errorf("%s starts at %s and is not told what waits", who, a.url.Path)
		}
		if a := desk.get("/today"); a.status != http.StatusOK || strings.Contains(a.body, "waits for your approval") {
			t.Errorf("the desk: %d", a.status)
		}
	}
	for _, word := range []string{"approve", "refuse"} {
		if a := desk.post("/approvals/"+act+"/"+word, waits.fill(t, "/sign-out", nil)); a.status != http.StatusForbidden {
			t.Errorf("the desk can %s: %d", word, a.status)
		}
	}
	if a := desk.post("/approvals/"+act+"/carry-out", waits.fill(t, "/sign-out", url.Values{"command": {form.Get("command")}})); a.status != http.StatusConflict {
		t.Errorf("carried out without approval: %d", a.status)
	}
	if a := desk.post("/approvals/"+act+"/withdraw", waits.fill(t, "/sign-out", nil)); !strings.Contains(a.body, "It is withdrawn.") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}
