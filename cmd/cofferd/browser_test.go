package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"coffer/internal/demo"
)

// guest is somebody in front of the demo with a browser.
type guest struct {
	t    *testing.T
	ctx  context.Context
	base string
	face string // of the card terminal
	dir  string
}

// TestGuestSells does what the README says: starts the demo, opens the
// printed address, signs in with the printed sign-in, and takes a card payment
// with four keys. COFFER_PICTURES names a directory for pictures of it.
func TestGuestSells(t *testing.T) {
	v := receive(t)
	v.signIn("desk")
	v.until(`document.activeElement?.matches('[data-row]')`)
	v.picture("today")
	v.key("ArrowDown", "ArrowDown", 40, "")
	v.key("p", "KeyP", 80, "p")
	v.until(`document.activeElement?.id === 'amount'`)
	v.picture("pay")
	v.key("Enter", "Enter", 13, "\r")
	v.until(`!!document.querySelector('#panel .step.busy')`)
	v.picture("waiting")
	v.until(`document.querySelector('#panel .said')?.innerText === 'Approved'`)
	v.picture("approved")
	v.key("Enter", "Enter", 13, "\r")
	v.until(`document.activeElement?.matches('[data-row]')`)
	v.sellsByHand()
	for who, path := range map[string]string{"books": "/books", "rivera": "/my/day", "box": "/appliance"} {
		v.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('form[action="/sign-out"]').submit()`))
		v.until(`location.pathname === '/sign-in' && document.readyState === 'complete'`)
		v.signIn(who)
		v.do(chromedp.Navigate(v.base + path))
		v.until(`document.readyState === 'complete' && !!document.querySelector('h1')`)
		v.picture(who)
		if text := v.text(`document.body.innerText`); strings.Contains(text, "Something went wrong") {
			t.Errorf("%s sees:\n%s", who, text)
		}
	}
}

// receive starts the demo and a browser.
func receive(t *testing.T) *guest {
	t.Helper()
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(program(t, "cofferd"), "demo", "--dir", filepath.Join(dir, "d"), "--listen", "127.0.0.1:0", "--terminal-page", "127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &guest{t: t, dir: filepath.Join(dir, "d")}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ends with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`https://localhost:\d+`).FindString(lines.Text()); m != "" {
			v.base = m
		}
		if m := regexp.MustCompile(`http://127.0.0.1:\d+`).FindString(lines.Text()); m != "" {
			v.face = m
		}
		if strings.Contains(lines.Text(), "Ctrl-C ends it") {
			break
		}
	}
	if v.base == "" || v.face == "" {
		t.Fatal("the demo prints no address of its pages, or of the terminal's")
	}
	go func() {
		for lines.Scan() { // so that the demo never waits for a reader
		}
	}()
	v.openBrowser(filepath.Join(dir, "profile"))
	return v
}

func (v *guest) openBrowser(profile string) {
	v.t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, chromedp.WindowSize(1200, 800), chromedp.NoFirstRun, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	v.t.Cleanup(stopAllocator)
	ctx, stop := chromedp.NewContext(allocator)
	v.t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1200, 800)); err != nil {
		v.t.Fatalf("chromium does not start (./script/setup installs it): %v", err)
	}
	v.ctx = ctx
}

func (v *guest) do(step chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, time.Minute)
	defer stop()
	if err := chromedp.Do(ctx, step); err != nil {
		v.t.Fatalf("the browser cannot: %v", err)
	}
}

func (v *guest) text(expression string) string {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, time.Minute)
	defer stop()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		v.t.Fatal(err)
	}
	return text
}

// until waits for an expression to hold on the page.
func (v *guest) until(expression string) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, time.Minute)
	defer stop()
	for {
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`)); err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
			v.t.Fatalf("the page never came to %s:\n%s", expression, v.text(`document.body.innerText`))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// key presses a key as a keyboard does.
func (v *guest) key(key, code string, number int64, text string) {
	v.t.Helper()
	press := input.DispatchKeyEventParams{Type: "rawKeyDown", Key: key, Code: code, WindowsVirtualKeyCode: number, Text: text}
	if text != "" {
		press.Type = "keyDown"
	}
	release := press
	release.Type, release.Text = "keyUp", ""
	for _, event := range []input.DispatchKeyEventParams{press, release} {
		if _, err := chromedp.Call(v.ctx, input.DispatchKeyEvent, event); err != nil {
			v.t.Fatal(err)
		}
	}
}

func (v *guest) signIn(name string) {
	v.t.Helper()
	code, err := demo.Code(v.dir, name)
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(chromedp.Navigate(v.base + "/sign-in"))
	for field, value := range map[string]string{"name": name, "password": "blue heron at low tide", "code": code} {
		v.do(chromedp.SetValue(chromedp.CSS("#"+field), value))
	}
	v.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('form[action="/sign-in"]').submit()`))
	v.until(`document.readyState === 'complete' && location.pathname !== '/sign-in'`)
}

func (v *guest) picture(name string) {
	dir := os.Getenv("COFFER_PICTURES")
	if dir == "" {
		return
	}
	ctx, stop := context.WithTimeout(v.ctx, time.Minute)
	defer stop()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("guest-%s.png", name)), image, 0o644)
	}
	if err != nil {
		v.t.Error(err)
	}
}
