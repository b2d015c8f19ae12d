package identity

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// clock is a clock that a test drives.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a store with one therapist, and what the test needs to act as her.
type world struct {
	*Identity
	t      testing.TB
	vault  *vault.Vault
	clock  *clock
	log    *bytes.Buffer
	maya   Staff
	secret string
}

const (
	mayaName     = "maya.okafor"
	mayaPassword = "three herons at low tide"
)

var lan = access.Origin{Via: "lan", Address: "192.0.2.7"}

func newWorld(t testing.TB, options ...Option) *world {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: &clock{at: time.Date(2026, 3, 31, 9, 0, 0, 0, zone)}, log: &bytes.Buffer{}}
	w.vault = vaulttest.OpenWith(t, vault.Options{Tables: Tables(), Now: w.clock.now})
	w.restart(options...)
	made, e, err := w.CreateStaff(t.Context(), w.System("test"), NewStaff{
		Name: "Maya.Okafor", DisplayName: "Dr. Maya Okafor",
		Roles: []access.Role{access.Therapist}, Password: mayaPassword,
	})
	if err != nil {
		t.Fatalf("create staff: %v", err)
	}
	w.maya, w.secret = made, e.Secret
	return w
}

// restart makes a fresh Identity over the vault, as a started daemon does.
func (w *world) restart(options ...Option) {
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	options = append([]Option{WithHash(small), WithLog(logger)}, options...)
	w.Identity = New(w.vault, access.NewIssuer(), options...)
}

// code returns what the therapist's authenticator shows, after a step has
// passed so that it was not used yet.
func (w *world) code() string {
	w.t.Helper()
	w.clock.pass(stepSeconds * time.Second)
	return w.codeNow()
}

func (w *world) codeNow() string {
	w.t.Helper()
	code, err := Code(w.secret, w.clock.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

func (w *world) form() SignInForm {
	return SignInForm{Name: mayaName, Password: mayaPassword, Code: w.code()}
}

func (w *world) mustSignIn() string {
	w.t.Helper()
	cookie, err := w.SignIn(w.t.Context(), w.form(), lan)
	if err != nil {
		w.t.Fatalf("sign in: %v", err)
	}
	return cookie
}

// alive reports whether the cookie's session lives, looked at in the
// background so that looking is not activity.
func (w *world) alive(cookie string) bool {
	w.t.Helper()
	_, _, err := w.Agent(w.t.Context(), cookie, lan, true)
	if err != nil && !errors.Is(err, ErrEnded) {
		w.t.Fatalf("agent: %v", err)
	}
	if err != nil && fault.KindOf(err) != fault.Unauthenticated {
		w.t.Errorf("an ended session is a fault of kind %v", fault.KindOf(err))
	}
	return err == nil
}

func (w *world) act(cookie string) access.Agent {
	w.t.Helper()
	agent, _, err := w.Agent(w.t.Context(), cookie, lan, false)
	if err != nil {
		w.t.Fatalf("agent: %v", err)
	}
	return agent
}

// rows returns the stored sessions.
func (w *world) rows() []stay {
	w.t.Helper()
	var all []stay
	err := w.vault.View(w.t.Context(), w.request(access.SessionRead, access.None), func(tx *vault.Tx) error {
		for row, err := range sessions.All(tx) {
			if err != nil {
				return err
			}
			all = append(all, row.Shared)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) credential() credential {
	w.t.Helper()
	var c credential
	err := w.vault.View(w.t.Context(), w.request(access.CredentialRead, access.None), func(tx *vault.Tx) error {
		row, err := credentialOf(tx, w.maya.ID)
		c = row.Shared
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
