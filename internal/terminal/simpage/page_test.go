package simpage

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"coffer/internal/terminal/sim"
)

// TestHandWithoutScript walks the page as a browser without JavaScript does:
// it posts forms and is sent back to the page.
func TestHandWithoutScript(t *testing.T) {
	for _, speaks := range sim.Protocols() {
		t.Run(string(speaks), func(t *testing.T) {
			s, base := serve(t, speaks)
			for _, c := range []struct {
				form url.Values
				want string
			}{
				{url.Values{}, "Ready"},
				{url.Values{"do": {"tap"}, "card": {"visa"}}, "The terminal is not asking for a card."},
				{url.Values{"do": {"cancel"}}, "There is nothing to cancel."},
				{url.Values{"do": {"unplug"}}, "The cable is out."},
				{url.Values{"do": {"plug"}}, "Nobody is connected."},
				{url.Values{"do": {"by-itself"}}, "presents itself"},
				{url.Values{"do": {"by-hand"}}, "waits for your hand"},
				{url.Values{"do": {"power-off"}}, "No power."},
				{url.Values{"do": {"power-on"}}, "Starting"},
				{url.Values{"do": {"ledger"}}, "No such command"},
				{url.Values{"do": {"fault"}, "fault": {"no such <fault>"}}, "No fault has this name"},
				{url.Values{"do": {"fault"}, "fault": {"partial"}}, "What the bank says"},
			} {
				if got := post(t, base, c.form); !strings.Contains(got, c.want) || !strings.Contains(got, "<h1>") {
					t.Errorf("%v: the page has no %q:\n%s", c.form, c.want, got)
				}
			}
			if st := s.Status(); !st.Powered || !st.Manual {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestPageIsThisMachinesOwn: no other address, no other host name, and no form
// of another site's page.
func TestPageIsThisMachinesOwn(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.7:80", "example.org:80"} {
		if l, err := Listen(addr); err == nil {
			l.Close()
			t.Errorf("it listens at %s", addr)
		} else if !errors.Is(err, ErrLoopback) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	s, base := serve(t, sim.PAX)
	ask := func(method string, edit func(*http.Request)) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base, strings.NewReader("do=unplug"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		edit(r)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a
	}
	if a := ask("GET", func(r *http.Request) { r.Host = "rebound.example:80" }); a.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host name is answered %s", a.Status)
	}
	if a := ask("POST", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's form is answered %s", a.Status)
	}
	if a := ask("POST", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's form is answered %s", a.Status)
	}
	if !s.Status().Plugged {
		t.Error("another site has pulled the cable")
	}
	a := ask("GET", func(*http.Request) {})
	if p := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		t.Errorf("the policy is %q", p)
	}
}

func serve(t *testing.T, speaks sim.Protocol) (*sim.Sim, string) {
	t.Helper()
	s, err := sim.New(sim.Options{Protocol: speaks, Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(s)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, server.URL
}

func post(t *testing.T, base string, form url.Values) string {
	t.Helper()
	var a *http.Response
	var err error
	if len(form) == 0 {
		a, err = http.Get(base)
	} else {
		a, err = http.PostForm(base, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatal(a.Status, err)
	}
	return string(text)
}
