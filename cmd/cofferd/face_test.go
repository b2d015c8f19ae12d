package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/chromedp/chromedp"
)

// sellsByHand takes payments while the guest is the hand at the terminal, on
// its own page in another tab: a card that is tapped, one that is declined, a
// sale that is cancelled, and one amid which the cable is pulled.
func (v *guest) sellsByHand() {
	tab, stop := chromedp.NewContext(v.ctx, chromedp.WithNewBrowserContext())
	defer stop()
	hand := &guest{t: v.t, ctx: tab, dir: v.dir}
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1200, 800)); err != nil { // without a deadline: the window lives as long as this context
		v.t.Fatal(err)
	}
	hand.do(chromedp.Navigate(v.face))
	hand.until(`document.querySelector('.screen')?.dataset.screen === 'idle'`)
	hand.press("by-hand")
	hand.until(`document.querySelector('button[value="by-itself"]')`)
	for n, c := range []struct{ card, press, screen, desk string }{
		{"mastercard", "tap", "Approved", `document.querySelector('#panel .said')?.innerText === 'Approved'`},
		{"declined", "insert", "Declined", `document.querySelector('#panel .said')?.innerText.includes('Declined')`},
		{"", "cancel", "Cancelled", `/ancelled/.test(document.querySelector('#panel .said')?.innerText)`},
	} {
		v.begin(fmt.Sprintf("3%d.00", n))
		hand.until(`document.querySelector('.screen')?.innerText.includes('Tap, insert or swipe')`)
		hand.picture("terminal-" + c.press)
		if c.card != "" {
			hand.do(chromedp.SetValue(chromedp.CSS("#card"), c.card))
		}
		hand.press(c.press)
		hand.until(`document.querySelector('.screen')?.innerText.includes('` + c.screen + `')`)
		v.until(c.desk)
	}
	v.begin("37.00")
	hand.until(`document.querySelector('.screen')?.dataset.screen === 'present card'`)
	hand.press("unplug")
	hand.until(`document.querySelector('.facts')?.innerText.includes('The cable is out')`)
	v.until(`/not known|unplugged|cable/i.test(document.querySelector('#panel')?.innerText)`)
	hand.do(chromedp.SetValue(chromedp.CSS("#card"), "amex"))
	hand.press("tap") // what runs on the device goes on
	hand.until(`document.querySelector('.screen')?.innerText.includes('Approved')`)
	hand.press("plug")
	v.until(`document.querySelector('#panel .said')?.innerText === 'Approved'`)
	hand.picture("terminal-plugged")
	if n := strings.Count(hand.text(`document.querySelector('tbody').innerText`), "Mastercard 4444"); n != 1 {
		v.t.Errorf("the ledger on the page has the tapped card %d times:\n%s", n, hand.text(`document.body.innerText`))
	}
	hand.press("by-itself")
	hand.accessible()
	v.do(chromedp.Navigate(v.base + "/today"))
	v.until(`document.activeElement?.matches('[data-row]')`)
}

// debtor is the row of the day list whose client owes most: more than all the
// sales of sellsByHand come to.
const debtor = `[...document.querySelectorAll('[data-row]')].map(r => [r, Math.max(0, ...(r.closest('tr').innerText.match(/\d[\d,]*\.\d\d/g) || []).map(n => +n.replaceAll(',', '')))]).sort((a, b) => b[1] - a[1])[0][0]`

// begin begins a sale at the desk.
func (v *guest) begin(amount string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base + "/today"))
	v.until(`document.activeElement?.matches('[data-row]')`)
	v.do(chromedp.Evaluate[chromedp.Void](debtor + `.focus()`))
	v.key("p", "KeyP", 80, "p")
	v.until(`document.activeElement?.id === 'amount'`)
	v.do(chromedp.SetValue(chromedp.CSS("#amount"), amount))
	v.key("Enter", "Enter", 13, "\r")
	v.until(`!!document.querySelector('#panel .step.busy')`)
}

// press presses a button of the terminal's page.
func (v *guest) press(what string) {
	v.t.Helper()
	v.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('button[value="` + what + `"]').click()`))
}

// accessible has axe look at the page; the console is not asked for it, since
// the page's policy forbids what is not its own.
func (v *guest) accessible() {
	v.t.Helper()
	script, err := os.ReadFile("../../internal/ui/testdata/axe.min.js")
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(chromedp.Evaluate[chromedp.Void](string(script) + `; axe.run(document).then(r => { window.broken = r.violations.map(x => x.id + ' ' + x.nodes[0].html).join('\n') || 'none' }); 0`))
	v.until(`window.broken`)
	if found := v.text(`window.broken`); found != "none" {
		v.t.Errorf("axe: %s", found)
	}
}
