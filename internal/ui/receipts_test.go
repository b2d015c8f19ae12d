package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// A receipt is found by its number, day or amount, and by nobody but the desk.
func TestReceiptsAreFound(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	desk.payNatively(c, 0, "cash", nil)
	desk.payNatively(c, 1, "cash", url.Values{"amount": {"91.73"}})
	for query, want := range map[string][2]bool{
		"": {true, true}, "?number=2": {false, true}, "?amount=150.00": {true, false}, "?day=2026-11-25": {true, true},
		"?day=2026-11-24": {false, false}, "?number=1&amount=91.73": {false, false},
	} {
		a := desk.get("/receipts" + query)
		if got := [2]bool{strings.Contains(a.body, ">No. 1<"), strings.Contains(a.body, ">No. 2<")}; got != want || a.status != http.StatusOK {
			t.Errorf("%q finds %v, want %v (%d)", query, got, want, a.status)
		}
	}
	if a := desk.get("/receipts?amount=lots"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="lots"`) {
		t.Errorf("%d", a.status)
	}
	if a := c.signIn("boxes").get("/receipts"); a.status != http.StatusForbidden {
		t.Errorf("IT reads receipts: %d", a.status)
	}
	b := c.openTab()
	b.signIn(c, "desk")
	b.enter("/receipts")
	b.focused("#number")
	b.accessible("receipts")
	b.fitsPhone("receipts")
	b.write("2")
	evaluate[any](b, `document.querySelector('#on').value = ''; 0`)
	b.key("Enter")
	b.says("91.73")
}
