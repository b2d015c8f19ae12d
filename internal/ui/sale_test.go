package ui_test

import (
	"testing"

	"coffer/internal/terminal/sim"
)

// The sale from the day's list takes four keys and no mouse.
func TestSaleByKeyboardFromTheDay(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	b := c.openTab()
	b.signIn(c, "desk")
	b.focused("[data-row]")
	b.keys = 0
	b.key("ArrowDown")
	b.focused("[data-row]")
	row := evaluate[string](b, `document.activeElement.id`)
	b.key("p")
	b.focused("#amount")
	b.accessible("pay-ask")
	b.key("Enter")
	b.says("Present card")
	b.accessible("pay-present")
	c.must(c.sim.Tap("visa"))
	b.says("Approved")
	b.focused("#done")
	b.accessible("pay-approved")
	b.key("Enter")
	b.focused("#" + row)
	if b.keys > 4 {
		t.Errorf("the sale took %d keys", b.keys)
	}
	b.until(`document.activeElement.closest('tr').innerText.includes('0.00')`)
	b.accessible("today-paid")
}
