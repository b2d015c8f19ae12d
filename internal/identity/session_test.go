package identity

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/vault/vaulttest"
)

// TestIdle keeps 164.312(a)(2)(iii): ten minutes without activity, with the
// page's own polling not being any.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	w.clock.pass(9 * time.Minute)
	w.act(cookie)
	for range 9 {
		w.clock.pass(time.Minute)
		if !w.alive(cookie) {
			t.Fatal("ended before ten minutes were over")
		}
	}
	w.clock.pass(time.Minute - time.Millisecond)
	if !w.alive(cookie) {
		t.Error("ended a millisecond early")
	}
	w.clock.pass(time.Millisecond)
	if w.alive(cookie) {
		t.Error("alive after ten idle minutes, kept so by polling")
	}
	if left := w.rows(); len(left) != 0 {
		t.Errorf("the store still has %+v", left)
	}
	if w.alive(cookie) {
		t.Error("an ended session came back")
	}
}

func TestAbsolute(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	for range 12*60/8 - 1 {
		w.clock.pass(8 * time.Minute)
		w.act(cookie)
	}
	w.clock.pass(8*time.Minute - time.Millisecond)
	if !w.alive(cookie) {
		t.Error("ended before twelve hours were over")
	}
	w.clock.pass(time.Millisecond)
	if w.alive(cookie) {
		t.Error("alive after twelve hours")
	}
}

// TestRestart: sessions outlive the daemon, and so does their idle time to
// within a minute, never longer.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	w.clock.pass(5 * time.Minute)
	w.act(cookie)
	w.clock.pass(59 * time.Second)
	w.act(cookie) // too soon to be stored
	w.vault = vaulttest.Reopen(t, w.vault)
	w.restart()
	w.clock.pass(9 * time.Minute)
	if !w.alive(cookie) {
		t.Fatal("the session did not outlive the restart")
	}
	w.clock.pass(time.Minute)
	if w.alive(cookie) {
		t.Error("the restart made the idle time longer")
	}
}

// TestActivityIsStoredOnceAMinute: a busy page does not busy the store.
func TestActivityIsStoredOnceAMinute(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	w.act(cookie)
	before := w.vault.Status().Events
	for range 120 {
		w.clock.pass(time.Second)
		w.act(cookie)
	}
	if got := w.vault.Status().Events - before; got != 2 {
		t.Errorf("120 requests in two minutes left %d events, want 2", got)
	}
	w.clock.pass(30 * time.Second)
	w.alive(cookie)
	if got := w.vault.Status().Events - before; got != 2 {
		t.Errorf("polling was stored")
	}
}

// TestOneSession keeps 164.312(a)(2)(i): the next sign-in ends the session
// that a person had, and that is an event.
func TestOneSession(t *testing.T) {
	w := newWorld(t)
	first := w.mustSignIn()
	w.act(first)
	before := w.vault.Status().Events
	second := w.mustSignIn()
	if got := w.vault.Status().Events - before; got != 3 { // read, signin, close
		t.Errorf("the second sign-in left %d events, want 3", got)
	}
	if w.alive(first) || !w.alive(second) {
		t.Errorf("first alive: %v, second alive: %v", w.alive(first), w.alive(second))
	}
	w.restart()
	if w.alive(first) || !w.alive(second) || len(w.rows()) != 1 {
		t.Error("after a restart the sessions are others")
	}
}

func TestSignOut(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	agent := w.act(cookie)
	for range 2 {
		if err := w.SignOut(t.Context(), agent); err != nil {
			t.Fatal(err)
		}
	}
	if w.alive(cookie) || len(w.rows()) != 0 {
		t.Error("the session lives on")
	}
	if err := w.SignOut(t.Context(), access.Agent{}); err != nil {
		t.Errorf("signing nobody out: %v", err)
	}
}

func TestCookiesOfNobody(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	if _, _, err := w.Agent(t.Context(), "", lan, false); !errors.Is(err, ErrNobody) {
		t.Errorf("no cookie: %v", err)
	}
	before := w.vault.Status().Events
	for _, c := range []string{"x", cookie + "x", cookie[1:], strings.ToUpper(cookie), strings.Repeat("A", 1<<16)} {
		agent, info, err := w.Agent(t.Context(), c, lan, false)
		if !errors.Is(err, ErrEnded) || !agent.IsNobody() || info.Staff != "" {
			t.Errorf("cookie %.50q: %+v, %v", c, agent, err)
		}
	}
	if w.vault.Status().Events != before {
		t.Error("cookies of nobody write to the store")
	}
}

// TestStoreGone: when activity cannot be stored the person goes on, and the
// log says so without a name.
func TestStoreGone(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	w.act(cookie)
	if err := w.vault.Close(); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(2 * time.Minute)
	w.act(cookie)
	text := w.log.String()
	if !strings.Contains(text, "could not be stored") || strings.Contains(text, "maya") || strings.Contains(text, "Maya") {
		t.Errorf("log: %s", text)
	}
}

// TestManyAtOnce runs requests and sign-ins together; under
// the race detector it is the proof that they may.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	cookie := w.mustSignIn()
	form := w.form()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 50 {
				if _, _, err := w.Agent(t.Context(), cookie, lan, n%2 == 0); err != nil && !errors.Is(err, ErrEnded) {
					t.Errorf("agent: %v", err)
				}
			}
		})
	}
	wg.Go(func() {
		if _, err := w.SignIn(t.Context(), form, lan); err != nil {
			t.Errorf("sign in: %v", err)
		}
	})
	wg.Wait()
	if w.alive(cookie) {
		t.Error("the first session lives on")
	}
	if len(w.live) != 1 || len(w.rows()) != 1 {
		t.Errorf("%d sessions in memory, %d stored", len(w.live), len(w.rows()))
	}
}
