package ui_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/ident"
	"coffer/internal/seal"
	"coffer/internal/terminal/sim"
	"coffer/internal/ui"
)

// The sale by search takes eight keys and no mouse, from the list.
func TestSaleByKeyboardBySearch(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	b := c.openTab()
	b.signIn(c, "desk")
	b.focused("[data-row]")
	b.keys = 0
	b.key("/")
	b.focused("#find-text")
	b.write("bra")
	b.key("Enter") // at once: what is on the screen may still be the rows of an earlier letter
	b.focused("#amount")
	b.says("Otto Brandvold")
	b.key("Enter")
	b.says("Present card")
	c.must(c.sim.Insert("mastercard"))
	b.focused("#done")
	b.says("Approved")
	b.key("Enter")
	b.focused("#find-text")
	if b.keys > 8 {
		t.Errorf("the sale took %d keys", b.keys)
	}
	if c.charged() != 150_00 {
		t.Errorf("the terminal charged %v", c.charged())
	}
	b.until(`document.querySelector('#hits').innerText.includes('One client found') || document.querySelector('#hits').innerText === ''`)
	b.accessible("today-found")
}

// One-letter keys act in the list alone, and typed letters stay letters.
func TestLettersInFieldsAreLetters(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "desk")
	b.key("/")
	b.focused("#find-text")
	b.write("p/jk?")
	b.until(`document.querySelector('#find-text').value === 'p/jk?'`)
	b.until(`!document.querySelector('#sheet').open`)
	b.key("ArrowDown")
	b.focused("[data-row]")
	b.key("?")
	b.says("Next row")
	b.accessible("keys")
	b.key("Escape")
	b.focused("[data-row]")
}

// Each end of a card payment in the panel, with no violation in any.
func TestPanelOfEachEnd(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	b := c.openTab()
	b.signIn(c, "desk")
	sale := func(amount string) {
		t.Helper()
		b.focused("[data-row]")
		b.key("p")
		b.focused("#amount")
		b.write(amount)
		b.key("Enter")
		b.says("Present card")
	}
	sale("100.41")
	c.must(c.sim.Tap("visa"))
	b.says("Declined")
	b.focused("#again")
	b.accessible("pay-declined")
	b.key("Escape")

	sale("100.61")
	c.must(c.sim.Tap("visa"))
	b.says("Partly approved")
	b.focused("#again")
	b.accessible("pay-partial")
	b.key("Enter") // take the rest
	b.until(`document.querySelector('#amount')?.value === '50.30'`)
	b.key("Escape")
	b.until(`!document.querySelector('#sheet').open`)

	sale("10.00")
	c.must(c.sim.Unplug())
	c.must(c.sim.Tap("visa"))
	b.says("Terminal unplugged")
	b.accessible("pay-not-known")
	c.must(c.sim.Plug())
	b.says("Approved")
	b.focused("#done")
	b.key("Enter")
	b.focused("[data-row]")
}

func TestWrongAmountInThePanel(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "desk")
	b.key("p")
	b.focused("#amount")
	b.write("lots")
	b.key("Enter")
	b.says("Enter an amount in dollars and cents")
	b.focused("#amount")
	b.accessible("pay-wrong-amount")
	b.write("15000")
	b.key("Enter")
	b.says("more than is due")
	b.accessible("pay-more-than-due")
	b.expect("422")
}

// Every page that has no panel, for each role, on a desk's screen, in the dark
// and on a phone.
func TestEveryPageIsAccessible(t *testing.T) {
	c := busyClinic(t)
	c.keepBackups()
	_, err := c.ops.BackUpNow(t.Context(), accesstest.Agent(access.IT), "")
	c.must(err)
	b := c.openTab()
	b.enter("/sign-in")
	b.accessible("sign-in")
	b.fitsPhone("sign-in")
	paid := c.signIn("desk").get("/clients/" + c.clients[0].ID.String()).body
	payment := strings.TrimPrefix(links.FindString(paid[strings.Index(paid, `href="/payments/`):]), `href="`)
	payment = strings.TrimSuffix(payment, `"`)
	scan := func(role string, paths ...string) {
		t.Helper()
		b.signIn(c, role)
		for _, path := range paths {
			b.enter(path)
			name := role + strings.ReplaceAll(strings.ReplaceAll(path, "/", "-"), payment[len("/payments/"):], "one")
			name, _, _ = strings.Cut(strings.Split(name, "?")[0], "06h")
			b.accessible(name)
			b.fitsPhone(name)
		}
	}
	client := c.clients[0].ID.String()
	scan("desk", "/today", "/find", "/help", "/clients/"+client, "/clients/"+client+"/pay", payment,
		strings.Replace(payment, "/payments/", "/receipts/", 1))
	b.enter("/clients/" + ident.New[ident.Client](c.clock.now()).String())
	b.accessible("problem")
	b.fitsPhone("problem")
	b.expect("404")
	scan("rivera", "/my/day", "/my/clients/"+client, "/appointments/"+c.day[4].ID.String()+"/close")
	scan("ledgers", "/books", "/books/journal", "/books/accounts/1100")
	b.enter("/books/accounts/1060") // an entry's page is opened by its link
	evaluate[any](b, `document.querySelector('a[href^="/books/entries/"]').click(); 0`)
	b.until(`location.pathname.startsWith('/books/entries/') && document.readyState === 'complete'`)
	b.accessible("ledgers-entry")
	b.fitsPhone("ledgers-entry")
	scan("boxes", "/appliance", "/backups", "/terminals", "/terminals/evidence")
	b.enter("/terminals") // a device's page is opened by its link
	evaluate[any](b, `document.querySelector('a[href^="/devices/"]').click(); 0`)
	b.until(`location.pathname.startsWith('/devices/') && document.readyState === 'complete'`)
	b.accessible("boxes-device")
	b.fitsPhone("boxes-device")
}

// The pages of the privacy officer and the owner, and the ceremony that makes a
// recovery sheet: printed, typed back, in force, rehearsed.
func TestOfficersPagesAreAccessible(t *testing.T) {
	c := newClinic(t, sim.Options{})
	c.signIn("desk").raise("rewritten")
	b := c.openTab()
	scan := func(role string, paths ...string) {
		t.Helper()
		b.signIn(c, role)
		for _, path := range paths {
			b.enter(path)
			name := role + strings.ReplaceAll(strings.Split(path, "?")[0], "/", "-")
			b.accessible(name)
			b.fitsPhone(name)
		}
	}
	scan("privacy", "/audit?client=P-000001", "/audit", "/audit/events/30", "/audit/export", "/audit/shred")
	scan("owner", "/recovery")
	evaluate[any](b, `document.querySelector('form[action="/recovery/sheet"]').requestSubmit(); 0`)
	b.says("It is shown this once")
	b.accessible("owner-sheet")
	b.fitsPhone("owner-sheet")
	groups := evaluate[[]string](b, `[...document.querySelectorAll('.groups b')].map(g => g.innerText)`)
	asks := evaluate[[]string](b, `[...document.querySelectorAll('[name=ask]')].map(a => a.value.split('.')[1])`)
	evaluate[any](b, `document.querySelector('form[action="/recovery/type-back"]').requestSubmit(); 0`)
	b.says("Type it back")
	b.accessible("owner-type-back")
	b.fitsPhone("owner-type-back")
	for i, ask := range asks {
		n, err := strconv.Atoi(ask)
		c.must(err)
		evaluate[any](b, fmt.Sprintf(`document.querySelector('#answer-%d').value = %q; 0`, i+1, strings.ToLower(groups[n-1])))
	}
	evaluate[any](b, `document.querySelector('form[action="/recovery/confirm"]').requestSubmit(); 0`)
	b.says("The new sheet is in force")
	evaluate[any](b, fmt.Sprintf(`document.querySelector('#paper-1').value = %q; document.querySelector('form[action="/recovery/test"]').requestSubmit(); 0`, strings.Join(groups, " ")))
	b.says("The rehearsal held")
	b.accessible("owner-rehearsed")
	if text := evaluate[string](b, `document.documentElement.outerHTML`); strings.Contains(text, groups[0]) {
		t.Error("the sheet is shown again")
	}
}

// The pages of a box whose books are shut, or that has no recovery sheet yet.
func TestShutBoxIsAccessible(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	show := func(handler http.Handler, err error) {
		t.Helper()
		c.must(err)
		c.server = nil // beside the pages of the clinic
		c.serve(handler, slog.New(slog.DiscardHandler))
		b.base = c.url
		b.enter("/today")
	}
	scan := func(state string) {
		t.Helper()
		b.accessible(state)
		b.fitsPhone(state)
	}
	show(ui.Sealed(ui.SealedOptions{Clinic: clinicName, Names: []string{hostName}, Why: seal.ErrOtherTPM}))
	b.says("The disk and the security chip do not belong together")
	b.says("SEAL-002")
	scan("sealed")
	show(ui.Sealed(ui.SealedOptions{Clinic: clinicName, Names: []string{hostName}, Why: seal.ErrPINNeeded, Unlock: func(context.Context, access.Origin, string) error {
		return seal.ErrLockout
	}}))
	b.focused("#pin")
	b.write("271828")
	b.key("Enter")
	b.says("The TPM has locked itself")
	b.focused("#pin") // there is a way on
	scan("sealed-pin")
	b.expect("503")
	show(ui.FirstRun(ui.FirstRunOptions{Clinic: clinicName, Names: []string{hostName}, Zone: c.zone, Now: c.clock.now, Ops: c.ops, Log: slog.New(slog.DiscardHandler)}))
	b.focused("#code")
	scan("set-up")
	b.write("wrong")
	b.key("Enter")
	b.says("This is not the set-up code")
	c.awaitEvent(0, access.RecoveryMake, "act", "setup") // who has no session leaves an event, too
	scan("set-up-wrong")
	b.expect("403")
}

// The warning comes a minute before the end, can be answered, and keeps the
// session; the lock blanks the page and leads back to it.
func TestIdleWarningAndLock(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "desk")
	evaluate[any](b, `const real = Date.now; window.later = 0; Date.now = () => real.call(Date) + window.later; 0`)
	evaluate[any](b, `window.later = 545000; 0`)
	b.until(`!document.querySelector('#idle').firstElementChild.hidden`)
	if live := evaluate[string](b, `document.querySelector('#idle').getAttribute('aria-live')`); live != "assertive" {
		t.Errorf("the warning is aria-live=%q", live)
	}
	b.accessible("idle-warning")
	evaluate[any](b, `document.querySelector('#still-here').click(); 0`)
	b.until(`document.querySelector('#idle').firstElementChild.hidden`)
	b.key("p") // the warning is reachable over an open panel too
	b.focused("#amount")
	evaluate[any](b, `window.later += 545000; 0`)
	b.until(`!!document.querySelector('#sheet #idle') && !document.querySelector('#idle').firstElementChild.hidden`)
	b.accessible("idle-warning-panel")
	evaluate[any](b, `document.querySelector('#still-here').click(); 0`)
	b.until(`document.querySelector('#idle').firstElementChild.hidden`)

	b.enter("/find")
	b.chord("l", 3)
	b.until(`location.pathname === '/sign-in' && document.body.innerText.includes('The screen is locked')`)
	b.accessible("locked")
	b.fillSignIn(c, "desk")
	b.until(`location.pathname === '/find'`)
	c.locksQuietly(b)
}

// locksQuietly: between the lock and the answer to it the page asks nothing,
// which could only be refused, and what it had asked is dropped.
func (c *clinic) locksQuietly(b *tab) {
	c.t.Helper()
	b.enter("/find")
	evaluate[any](b, `addEventListener('submit', (e) => e.preventDefault(), {once: true}); 0`) // the answer never comes
	b.chord("l", 3)
	b.until(`left && bell.readyState === EventSource.CLOSED`)
	c.signIn("desk") // ends the session of the page
	asked := evaluate[int](b, `(async () => {
		const requests = () => performance.getEntriesByType('resource').length, before = requests();
		await Promise.all([check(), witness(), htmx.ajax('GET', '/help', {target: 'body'})]);
		return requests() - before;
	})()`, chromedp.EvalAwaitPromise)
	if asked != 0 {
		c.t.Errorf("the locked page asked %d times", asked)
	}
}

// When the session has ended on the server, the page goes with it.
func TestPageGoesWithItsSession(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "desk")
	c.clock.advance(11 * 60e9)
	evaluate[any](b, `const real = Date.now; Date.now = () => real.call(Date) + 605000; 0`)
	b.until(`location.pathname === '/sign-in'`)
	if body := evaluate[string](b, `document.body.innerText`); strings.Contains(body, "Zelda") {
		t.Error("the page of the ended session is still there")
	}
	b.expect("401")
}

// What the tests rely on to complain does complain.
func TestTheWatchersBite(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.signIn(c, "desk")
	evaluate[any](b, `document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="data:," width="1"><p id="faint">x</p>'); 0`)
	if found := strings.Join(b.violations(everyRule), "\n"); !strings.Contains(found, "image-alt") {
		t.Errorf("axe does not see an image without words: %s", found)
	}
	evaluate[any](b, `const s = document.createElement('style'); s.textContent = 'body{color:red}'; document.head.append(s); 0`)
	b.until(`getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'`)
	b.expect("Content Security Policy.*style|style.*Content Security Policy")
	evaluate[any](b, `document.body.insertAdjacentHTML('beforeend', '<button id="bad" onclick="window.struck = true">x</button>'); document.querySelector('#bad').click(); 0`)
	if evaluate[bool](b, `!!window.struck`) {
		t.Error("an inline handler ran")
	}
	b.expect("Content Security Policy.*(event handler|script)|(event handler|script).*Content Security Policy")
	if evaluate[bool](b, `(() => { try { document.createElement('script').textContent = 'window.struck = true'; return true } catch { return false } })()`) {
		t.Error("Trusted Types let a string become a script")
	}
	b.expect("(?i)trusted")
	if evaluate[bool](b, `(() => { try { trustedTypes.createPolicy('mine', {createHTML: s => s}); return true } catch { return false } })()`) {
		t.Error("another Trusted Types policy could be made")
	}
	b.expect("(?i)policy")
}

// The pages of open payments and of a blocked terminal, by keys alone and with
// no violation: two people state what became of a payment.
func TestOpenPaymentsByKeyboard(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	path := c.contradicted(desk, 0)
	list := func(b *tab, name string) {
		t.Helper()
		b.enter("/payments/open")
		b.accessible("open-" + name)
		b.fitsPhone("open-" + name)
	}
	b := c.openTab()
	b.signIn(c, "desk")
	b.says("One payment is open")
	b.accessible("today-open")
	b.fitsPhone("today-open")
	b.key("p")
	b.focused("#amount")
	b.key("Enter")
	b.says("is not finished")
	b.accessible("pay-locked")
	b.expect("409")
	evaluate[any](b, `document.querySelector('#open-payments').focus(); 0`)
	b.enter(path)
	b.accessible("payment-needs-a-decision")
	evaluate[any](b, `document.querySelector('#resolve').focus(); 0`)
	b.key("Enter")
	b.focused("#charged-yes")
	b.accessible("state-first")
	b.fitsPhone("state-first")
	b.key("Enter") // with nothing chosen
	b.says("Say whether the money moved")
	b.accessible("state-wrong")
	b.expect("422")
	b.focused("#charged-yes")
	b.key(" ")
	b.until(`document.querySelector('#charged-yes').checked`)
	evaluate[any](b, `document.querySelector('#evidence').value = 'terminal_slip'; document.querySelector('#state').focus(); 0`)
	b.key("Enter")
	b.says("You have stated this.")
	b.accessible("state-mine")
	list(b, "desk")
	b.enter("/sign-in") // a page that asks nothing by itself: the session ends below

	b = c.openTab()
	b.signIn(c, "ledgers")
	list(b, "ledgers")
	b.enter(path + "/resolve")
	b.focused("#charged-yes")
	b.accessible("state-second")
	b.fitsPhone("state-second")
	b.key(" ")
	b.until(`document.querySelector('#charged-yes').checked`)
	evaluate[any](b, `document.querySelector('#evidence').value = 'batch_report'; document.querySelector('#state').focus(); 0`)
	b.key("Enter")
	b.says("Two people stated the same.")
	b.accessible("open-decided")

	c.must(c.sim.Inject(sim.Fault{Kind: sim.PANLeak}))
	c.signIn("desk").payNatively(c, 1, "card", nil)
	c.signIn("boxes").until("/appliance", "is blocked")
	b = c.openTab()
	b.signIn(c, "boxes")
	evaluate[any](b, `document.querySelector('#terminals-title').scrollIntoView(); 0`)
	b.accessible("box-blocked")
	b.fitsPhone("box-blocked")
}
