package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
)

func TestSignInGivesAnAgent(t *testing.T) {
	w := newWorld(t)
	cookie, err := w.SignIn(t.Context(), SignInForm{Name: " MAYA.okafor ", Password: mayaPassword, Code: w.code()}, lan)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(cookie); err != nil || len(raw) != cookieBytes {
		t.Errorf("cookie %q is not 32 bytes in base64url", cookie)
	}
	agent, info, err := w.Agent(t.Context(), cookie, lan, false)
	if err != nil {
		t.Fatal(err)
	}
	if agent.StaffID() != w.maya.ID || agent.Name() != mayaName || agent.Origin() != lan || agent.SessionID().IsZero() {
		t.Errorf("agent %+v", agent)
	}
	if !slices.Equal(agent.Roles(), []access.Role{access.Therapist}) || !slices.Equal(info.Roles, agent.Roles()) {
		t.Errorf("roles %v, on pages %v", agent.Roles(), info.Roles)
	}
	now := w.clock.now()
	if info.Staff != "Dr. Maya Okafor" || !info.Ends.Equal(now.Add(12*time.Hour)) || !info.IdleEnds.Equal(now.Add(10*time.Minute)) {
		t.Errorf("info %+v at %v", info, now)
	}
	stored := w.rows()
	if len(stored) != 1 || digest(stored[0].Cookie) != digestOf(cookie) || strings.Contains(string(stored[0].Cookie), cookie) {
		t.Errorf("stored %+v", stored)
	}
}

// TestRefusalsLookAlike: whatever is wrong, the words are the same.
func TestRefusalsLookAlike(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 10_000)
	for name, change := range map[string]func(*SignInForm){
		"name":            func(f *SignInForm) { f.Name = "may.okafor" },
		"password":        func(f *SignInForm) { f.Password += "." },
		"no password":     func(f *SignInForm) { f.Password = "" },
		"code":            func(f *SignInForm) { f.Code = "000000" },
		"no code":         func(f *SignInForm) { f.Code = "" },
		"nothing at all":  func(f *SignInForm) { *f = SignInForm{} },
		"huge password":   func(f *SignInForm) { f.Password = long },
		"huge name":       func(f *SignInForm) { f.Name = long },
		"display name":    func(f *SignInForm) { f.Name = "Dr. Maya Okafor" },
		"bytes in a name": func(f *SignInForm) { f.Name = "maya\x00okafor\xff" },
	} {
		form := w.form()
		change(&form)
		cookie, err := w.SignIn(t.Context(), form, lan)
		if !errors.Is(err, ErrWrong) || err.Error() != ErrWrong.Error() || cookie != "" {
			t.Errorf("wrong %s: %q, %v", name, cookie, err)
		}
		w.mustSignIn() // the count starts anew
	}
}

// TestRefusalsCostTheSame: a name that nobody has waits for a place to hash in
// just as a name that somebody has.
func TestRefusalsCostTheSame(t *testing.T) {
	w := newWorld(t)
	for range hashesAtOnce {
		w.hashing <- struct{}{}
	}
	for _, name := range []string{mayaName, "nobody.here"} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := w.SignIn(ctx, SignInForm{Name: name, Password: "three crows at low tide", Code: "123456"}, lan)
			done <- err
		}()
		cancel()
		if err := <-done; fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v, want to be waiting for a place", name, err)
		}
	}
}

func TestCodeWorksOnce(t *testing.T) {
	w := newWorld(t)
	form := w.form()
	if _, err := w.SignIn(t.Context(), form, lan); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 20 * time.Second, 20 * time.Second} {
		w.clock.pass(later)
		if _, err := w.SignIn(t.Context(), form, lan); !errors.Is(err, ErrWrong) {
			t.Errorf("the code again, %v later: %v", later, err)
		}
	}
	w.restart()
	if _, err := w.SignIn(t.Context(), form, lan); !errors.Is(err, ErrWrong) {
		t.Errorf("the code again after a restart: %v", err)
	}
}

// TestCodeWorksOnceAtOnce: of many sign-ins with one code at one time, one
// succeeds, and one session is there.
func TestCodeWorksOnceAtOnce(t *testing.T) {
	w := newWorld(t)
	form := w.form()
	var good atomic.Int32
	var wg sync.WaitGroup
	for range failuresFree {
		wg.Go(func() {
			if _, err := w.SignIn(t.Context(), form, lan); err == nil {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 || len(w.rows()) != 1 {
		t.Errorf("%d sign-ins succeeded, %d sessions are stored", good.Load(), len(w.rows()))
	}
}

// TestHungUp: whoever hangs up after the password was compared has made an
// attempt all the same, which is an event and counts.
func TestHungUp(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= failuresFree; n++ {
		a := attempt{form: SignInForm{Name: mayaName, Password: "three crows at low tide", Code: w.codeNow()}, origin: lan}
		ctx, hangUp := context.WithCancel(t.Context())
		if err := w.prove(ctx, &a); err != nil {
			t.Fatal(err)
		}
		hangUp()
		before := w.vault.Status().Events
		if _, err := w.conclude(ctx, a); !errors.Is(err, ErrWrong) {
			t.Fatalf("attempt %d: %v", n, err)
		}
		if w.vault.Status().Events <= before {
			t.Errorf("attempt %d is no event", n)
		}
	}
	right := SignInForm{Name: mayaName, Password: mayaPassword, Code: w.codeNow()}
	if _, err := w.SignIn(t.Context(), right, lan); !errors.Is(err, ErrSlow) {
		t.Errorf("after %d guesses nobody waited for: %v", failuresFree, err)
	}
}

// TestLock keeps 164.308(a)(5)(ii)(C) and PCI DSS 8.3.4 for a name that
// somebody has and for one that nobody has: five attempts as they come, then
// waits, then half an hour; each attempt an event.
func TestLock(t *testing.T) {
	for _, name := range []string{mayaName, "nobody.here"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			try := func(password string) error {
				t.Helper()
				before := w.vault.Status().Events
				_, err := w.SignIn(t.Context(), SignInForm{Name: name, Password: password, Code: w.codeNow()}, lan)
				if w.vault.Status().Events <= before {
					t.Errorf("an attempt left no event")
				}
				return err
			}
			for n := 1; n <= failuresMax; n++ {
				if err := try("three crows at low tide"); !errors.Is(err, ErrWrong) {
					t.Fatalf("attempt %d: %v", n, err)
				}
				if n < failuresFree || n == failuresMax {
					continue
				}
				if err := try(mayaPassword); !errors.Is(err, ErrSlow) {
					t.Fatalf("right after attempt %d: %v", n, err)
				}
				w.clock.pass(delayMax)
			}
			if err := try(mayaPassword); !errors.Is(err, ErrLocked) {
				t.Errorf("after ten failures: %v", err)
			}
			if name == mayaName {
				w.restart()
			}
			w.clock.pass(lockTime - time.Second)
			if err := try(mayaPassword); !errors.Is(err, ErrLocked) {
				t.Errorf("after 29:59: %v", err)
			}
			w.clock.pass(time.Second)
			want := error(nil)
			if name != mayaName {
				want = ErrWrong
			}
			if err := try(mayaPassword); !errors.Is(err, want) {
				t.Errorf("after 30 minutes: %v, want %v", err, want)
			}
		})
	}
}

// TestGuessesAtOnceAreCounted: sending guesses together wins nothing.
func TestGuessesAtOnceAreCounted(t *testing.T) {
	w := newWorld(t)
	var looked atomic.Int32
	var wg sync.WaitGroup
	for range 3 * failuresMax {
		wg.Go(func() {
			_, err := w.SignIn(t.Context(), SignInForm{Name: mayaName, Password: "three crows at low tide"}, lan)
			if errors.Is(err, ErrWrong) {
				looked.Add(1)
			}
		})
	}
	wg.Wait()
	if looked.Load() != failuresFree {
		t.Errorf("%d guesses were looked at, want %d", looked.Load(), failuresFree)
	}
	if got := w.credential().Throttle.Failures; got != failuresFree {
		t.Errorf("%d failures are stored", got)
	}
}

func TestSuccessForgivesFailures(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		for range failuresFree - 1 {
			if _, err := w.SignIn(t.Context(), SignInForm{Name: mayaName}, lan); !errors.Is(err, ErrWrong) {
				t.Fatal(err)
			}
		}
		w.mustSignIn()
	}
}

func TestOldHashIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	old := w.credential().Password
	dearer := Params{Time: 2, MemoryKiB: 128, Threads: 1}
	w.restart(WithHash(dearer))
	form := w.form()
	form.Code = "000000"
	if _, err := w.SignIn(t.Context(), form, lan); !errors.Is(err, ErrWrong) {
		t.Fatal(err)
	}
	if w.credential().Password != old {
		t.Error("a failed attempt changed the hash")
	}
	w.mustSignIn()
	fresh := w.credential().Password
	if h, err := parsePHC(fresh); err != nil || h.Params != dearer {
		t.Errorf("stored %q, %v", fresh, err)
	}
	w.mustSignIn()
	if w.credential().Password != fresh {
		t.Error("a hash of the right costs was made anew")
	}
}
