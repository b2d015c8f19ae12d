package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"coffer/internal/seal/sealtest"
)

// guestOf opens a browser in front of a box.
func (b box) guestOf(t *testing.T) *guest {
	t.Helper()
	v := &guest{t: t, base: "https://localhost:" + b.config.Listen[strings.LastIndex(b.config.Listen, ":")+1:], dir: b.dir}
	v.openBrowser(filepath.Join(b.dir, "profile"))
	return v
}

// send writes a form's fields, by their selectors, and sends it.
func (v *guest) send(action string, fields map[string]string) {
	v.t.Helper()
	for selector, value := range fields {
		v.do(chromedp.SetValue(chromedp.CSS(selector), value))
	}
	v.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('form[action=%q]').requestSubmit()`, action)))
}

// says waits for words on the page.
func (v *guest) says(words string) {
	v.t.Helper()
	v.until(fmt.Sprintf(`document.readyState === 'complete' && document.body.innerText.includes(%q)`, words))
}

// typeBack goes from the printed sheet to the form that asks for two groups
// and types them, each changed by spoil. It returns the papers.
func (v *guest) typeBack(spoil func(string) string) (papers [][]string) {
	v.t.Helper()
	v.says("It is shown this once")
	for _, text := range strings.Split(v.text(`[...document.querySelectorAll('.paper')].map(p => [...p.querySelectorAll('.groups b')].map(b => b.innerText).join(' ')).join('|')`), "|") {
		papers = append(papers, strings.Fields(text))
	}
	asks := strings.Fields(v.text(`[...document.querySelectorAll('[name=ask]')].map(a => a.value).join(' ')`))
	v.send("/set-up/type-back", nil)
	v.says("Type it back")
	answers := map[string]string{}
	for i, ask := range asks {
		var paper, group int
		if _, err := fmt.Sscanf(ask, "%d.%d", &paper, &group); err != nil {
			v.t.Fatal(err)
		}
		answers[fmt.Sprintf("#answer-%d", i+1)] = spoil(papers[paper-1][group-1])
	}
	v.send("/set-up/confirm", answers)
	return papers
}

// From an empty box to an open clinic, in a browser: nothing but the ceremony
// is served before a sheet is in force, a wrong code and groups typed wrong are
// refused, and of three shares two open. Then the box gets a PIN: its page asks
// for it, says how many attempts are left and, when there are none, how long to
// wait, and opens the clinic to the right one.
func TestBoxFromEmptyToItsPIN(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	r := b.start(t)
	code := regexp.MustCompile(`setup_code=(\S+)`).FindStringSubmatch(r.log.String())
	if code == nil {
		t.Fatalf("the journal has no set-up code:\n%s", r.log)
	}
	v := b.guestOf(t)
	v.do(chromedp.Navigate(v.base + "/today"))
	v.says("Set up this box")
	v.send("/set-up/sheet", map[string]string{"#code": "ABCDE-FGHJK"})
	v.says("Set up this box")
	v.until(`!!document.querySelector('.notice.bad')`)
	sheet := func(form string) {
		t.Helper()
		v.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('input[name=form][value=%s]').checked = true`, form)))
		v.send("/set-up/sheet", map[string]string{"#code": code[1]})
	}
	sheet("one")
	v.typeBack(func(string) string { return "WRONG" })
	v.says("is not what the sheet says")
	if out := b.must(t, 0, "", "seal", "status"); !regexp.MustCompile(`recovery sheet +no`).MatchString(out) {
		t.Errorf("a sheet that was typed back wrong is in force:\n%s", out)
	}
	if status, page, err := b.page("/sign-in"); err != nil || status != http.StatusOK || strings.Contains(page, `name="password"`) {
		t.Errorf("the clinic is open without a sheet: %d %v", status, err)
	}
	v.do(chromedp.Navigate(v.base + "/"))
	sheet("shares")
	papers := v.typeBack(strings.ToLower)
	v.says("The recovery sheet is in force")
	v.until(`location.pathname === '/sign-in' && !!document.querySelector('#password')`) // by itself
	if len(papers) != 3 {
		t.Fatalf("%d papers", len(papers))
	}
	share := func(n int) string { return strings.Join(papers[n], " ") + "\n" }
	b.must(t, 0, share(2)+share(0), "recovery", "test")
	if _, _, exit := b.answering(t, share(1)+share(1), "recovery", "test"); exit == 0 {
		t.Error("one share, given twice, opens")
	}

	b.must(t, 0, "271828\n271828\n", "seal", "reseal", "--new-pin")
	r.signal(t, syscall.SIGTERM)
	b.start(t)
	v.do(chromedp.Navigate(v.base + "/today"))
	v.says("Only the PIN is missing")
	v.send("/unlock", map[string]string{"#pin": "271829"})
	v.says("Attempts left before the TPM locks itself: 9")
	v.send("/unlock", map[string]string{"#pin": "2718280000"})
	v.says("Attempts left before the TPM locks itself: 8")
	v.picture("pin-wrong")
	v.send("/unlock", map[string]string{"#pin": "271828"})
	v.says("The PIN was right")
	v.until(`location.pathname === '/sign-in' && !!document.querySelector('#password')`)
}
