package ui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what a test waits for.
const patience = 10 * time.Second

// chromium is the one browser of all tests, started by the first that needs
// it; each test has a window of its own that shares nothing with the others.
var chromium struct {
	once   sync.Once
	ctx    context.Context
	stop   []func()
	missed string // why there is no browser
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range chromium.stop {
		stop()
	}
	os.Exit(code)
}

func startChromium() {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		chromium.missed = "no chromium on this machine: ./script/setup installs it"
		return
	}
	profile, err := os.MkdirTemp("", "coffer-browser-")
	if err != nil {
		chromium.missed = err.Error()
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.WindowSize(1200, 800),
		chromedp.NoFirstRun, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP "+hostName+" 127.0.0.1"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	chromium.ctx = ctx
	chromium.stop = []func(){stop, stopAllocator, func() { os.RemoveAll(profile) }}
	if err := chromedp.Do(ctx); err != nil {
		chromium.missed = "chromium does not start: " + err.Error()
	}
}

// tab is one window of the browser. Whatever the browser complains about on
// its console fails the test, unless the test expects it.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string
	keys int // pressed, since the test last looked

	mu         sync.Mutex
	complaints []string
}

// openTab opens a window on the clinic. The clinic's server closes after it.
func (c *clinic) openTab() *tab {
	c.t.Helper()
	chromium.once.Do(startChromium)
	if chromium.missed != "" {
		c.t.Fatal(chromium.missed)
	}
	ctx, stop := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	b := &tab{t: c.t, ctx: ctx, base: c.url}
	c.t.Cleanup(func() {
		b.finish()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil { // without a deadline: the window lives as long as this context
		c.t.Fatalf("the browser opens no window: %v", err)
	}
	b.size(1200, 800)
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if strings.Contains(m.Text, "Clear-Site-Data header") {
				continue // says that it did as it was told
			}
			b.mu.Lock()
			b.complaints = append(b.complaints, fmt.Sprintf("%s: %s", m.Type, m.Text))
			b.mu.Unlock()
		}
	}()
	return b
}

// finish fails the test for what the browser complained about, and keeps a
// picture of a page on which a test failed.
func (b *tab) finish() {
	for _, complaint := range b.complained() {
		b.t.Errorf("the browser complains: %s", complaint)
	}
	if b.t.Failed() {
		b.picture("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
	}
}

func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// expect waits for a complaint that matches, and takes all such complaints out
// of the list.
func (b *tab) expect(pattern string) {
	b.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !b.take(re) {
		select {
		case <-again.C:
		case <-late:
			b.t.Errorf("the browser does not complain of %q, but of %q", pattern, b.complained())
			return
		}
	}
}

// take removes the complaints that match, and reports whether there were any.
func (b *tab) take(re *regexp.Regexp) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.complaints)
	b.complaints = slices.DeleteFunc(b.complaints, re.MatchString)
	return len(b.complaints) < before
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 3*patience)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("the browser cannot: %v", err)
	}
}

func evaluate[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 3*patience)
	defer stop()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatalf("the page cannot evaluate %.80s: %v", expression, err)
	}
	return value
}

// until waits for an expression to hold on the page, through navigations.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && holds {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.t.Fatalf("the page never came to %s: %v\nfocus: %s\npage: %.1500s", expression, err,
				evaluate[string](b, `document.activeElement?.outerHTML.slice(0,300) || ''`),
				evaluate[string](b, `document.querySelector('#panel [data-state]')?.innerText || document.body.innerText`))
		}
	}
}

// says waits for words on the page, in its panel if one is open.
func (b *tab) says(words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(document.querySelector('#panel [data-state]')?.innerText || document.body?.innerText || '').includes(%q)`, words))
}

// focused waits until the focus is on what the selector finds.
func (b *tab) focused(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`!!document.activeElement?.matches(%q)`, selector))
}

// special are keys that write nothing, or something else than their name.
var special = map[string]input.DispatchKeyEventParams{
	"Enter":     {Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, Text: "\r"},
	"Tab":       {Key: "Tab", Code: "Tab", WindowsVirtualKeyCode: 9},
	"Escape":    {Key: "Escape", Code: "Escape", WindowsVirtualKeyCode: 27},
	"ArrowDown": {Key: "ArrowDown", Code: "ArrowDown", WindowsVirtualKeyCode: 40},
	"ArrowUp":   {Key: "ArrowUp", Code: "ArrowUp", WindowsVirtualKeyCode: 38},
}

// marks are the key codes of characters that are neither letter nor digit.
var marks = map[string]int64{".": 190, "/": 191, "?": 191, "-": 189}

// key presses one key as a keyboard does: down with its text, then up.
func (b *tab) key(name string) {
	b.t.Helper()
	b.chord(name, 0)
	b.keys++
}

// chord presses a key with modifiers (1 Alt, 2 Ctrl, 8 Shift).
func (b *tab) chord(name string, modifiers int64) {
	b.t.Helper()
	press, ok := special[name]
	if !ok {
		press = input.DispatchKeyEventParams{Key: name, Text: name, WindowsVirtualKeyCode: int64(strings.ToUpper(name)[0])}
		if code := marks[name]; code != 0 {
			press.WindowsVirtualKeyCode = code
		}
	}
	if modifiers != 0 {
		press.Text, press.Modifiers = "", modifiers
	}
	press.Type = "keyDown"
	if press.Text == "" {
		press.Type = "rawKeyDown"
	}
	release := press
	release.Type, release.Text = "keyUp", ""
	for _, event := range []input.DispatchKeyEventParams{press, release} {
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, event); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *tab) write(text string) {
	b.t.Helper()
	for _, letter := range text {
		b.key(string(letter))
	}
}

// enter opens a path by its address and waits until its scripts have run.
func (b *tab) enter(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.until(`document.readyState === 'complete'`)
}

// signIn signs a person in through the form.
func (b *tab) signIn(c *clinic, name string) {
	b.t.Helper()
	b.enter("/sign-in")
	b.fillSignIn(c, name)
	b.until(`document.readyState === 'complete' && !location.pathname.startsWith('/sign-in')`)
}

func (b *tab) fillSignIn(c *clinic, name string) {
	b.t.Helper()
	for field, value := range map[string]string{"name": name, "password": password, "code": c.code(name)} {
		b.do(chromedp.SetValue(chromedp.CSS("#"+field), value))
	}
	b.do(chromedp.Focus(chromedp.CSS("#code")))
	b.key("Enter")
}

// picture writes a picture of the page where COFFER_PICTURES says.
func (b *tab) picture(name string) {
	dir := os.Getenv("COFFER_PICTURES")
	if dir == "" {
		return
	}
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644)
	}
	if err != nil {
		b.t.Logf("no picture: %v", err)
	}
}

// dark shows the page in dark colours, or in light ones again.
func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

// size gives the window the size of a desk's screen or a phone's.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// axe is the accessibility checker (axe-core 4.14.1, MPL-2.0).
var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("testdata/axe.min.js")
	return string(text), err
})

// What axe looks for: every rule of WCAG 2.2 A and AA and of its own best
// practice; and where only colours have changed, contrast alone.
const (
	everyRule    = `{type: 'tag', values: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}`
	contrastRule = `{type: 'rule', values: ['color-contrast', 'link-in-text-block']}`
)

// violations runs axe over the page as it is, and returns what breaks a rule.
func (b *tab) violations(rules string) []string {
	b.t.Helper()
	script, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	if !evaluate[bool](b, `!!window.axe`) {
		evaluate[any](b, script+`;0`)
	}
	text := evaluate[string](b, `axe.run(document, {runOnly: `+rules+`}).then(r => JSON.stringify(
		r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))))`,
		chromedp.EvalAwaitPromise)
	var found []string
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// accessible fails the test if axe finds a violation in this state of a page,
// in light and dark colours, and keeps a picture of each.
func (b *tab) accessible(state string) {
	b.t.Helper()
	b.picture(state)
	for _, problem := range b.violations(everyRule) {
		b.t.Errorf("%s: %s", state, problem)
	}
	b.dark(true)
	b.picture(state + "-dark")
	for _, problem := range b.violations(contrastRule) {
		b.t.Errorf("%s, dark: %s", state, problem)
	}
	b.dark(false)
}

// fitsPhone fails the test if the page scrolls sideways on a phone, and scans
// it there.
func (b *tab) fitsPhone(state string) {
	b.t.Helper()
	b.size(390, 844)
	b.until(`window.innerWidth === 390`)
	if wide := evaluate[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		b.t.Errorf("%s: the page is %d wide on a phone of 390", state, wide)
	}
	b.picture(state + "-phone")
	for _, problem := range b.violations(everyRule) {
		b.t.Errorf("%s, phone: %s", state, problem)
	}
	b.size(1200, 800)
}
