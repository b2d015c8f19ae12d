package ui_test

import (
	"net/http"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// The accountant takes a courtesy off an account by its number; more than one
// person may decide waits for the owner.
func TestAdjustInTheBrowser(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "ledgers")
	b.enter("/books/accounts/1100?sub=P-000001")
	evaluate[any](b, `document.querySelector('main a[href^="/adjust"]').click(); 0`)
	b.focused("#reason-courtesy")
	b.says("What is open: 150.00")
	b.accessible("adjust")
	b.fitsPhone("adjust")
	b.key("ArrowDown")
	evaluate[any](b, `document.querySelector('#amount').value = '25.00'; 0`)
	b.key("Enter")
	b.says("It is posted.")
	b.says("What is open: 125.00")
	b.focused("#reason-courtesy")
	b.key("ArrowDown")
	b.key("Enter")
	b.says("A second person must approve it.")
	if text := evaluate[string](b, `document.body.innerText`); strings.Contains(text, "Quintanar") {
		t.Error("the accountant reads a name")
	}
	b.signIn(c, "owner")
	b.enter("/approvals")
	b.says("The fee is waived")
	evaluate[any](b, `document.querySelector('[id^="approve-"]').click(); 0`)
	b.says("It is approved and posted.")
	b.enter("/adjust?account=p-000001")
	b.says("Nothing is open on this account.")
	if a := c.signIn("desk").get("/adjust"); a.status != http.StatusForbidden {
		t.Errorf("the desk adjusts: %d", a.status)
	}
}
