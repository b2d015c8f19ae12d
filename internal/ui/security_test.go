package ui_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/sim"
	"coffer/internal/ui"
)

var insecure = &tls.Config{InsecureSkipVerify: true} // httptest's own certificate

func TestEveryAnswerIsSafeToShow(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	for _, path := range []string{"/sign-in", "/today", "/nowhere", "/clients/nobody", "/healthz"} {
		a := desk.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self';",
			"Strict-Transport-Security":  "max-age=31536000",
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Cache-Control":              "no-store",
		} {
			if got := a.header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if csp := a.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") ||
			!strings.Contains(csp, "require-trusted-types-for 'script'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	_, rest, _ := strings.Cut(desk.get("/today").body, `<link rel="stylesheet" href="`)
	css, _, _ := strings.Cut(rest, `"`)
	if a := desk.get(css); a.status != http.StatusOK || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d, %q", css, a.status, a.header.Get("Cache-Control"))
	}
	if a := desk.get("/static/coffer.css"); a.status != http.StatusNotFound {
		t.Errorf("a file without a hash in its name: %d", a.status)
	}
}

func TestCookieIsTheBoxesOwn(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := b.post("/sign-in", url.Values{"name": {"desk"}, "password": {password}, "code": {c.code("desk")}})
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-coffer=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie %q is for other hosts too", cookie)
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	form := desk.get("/today").fill(t, "/find", url.Values{"text": {"zel"}})
	other := c.signIn("ledgers").get("/books").fill(t, "/sign-out", nil).Get("csrf")
	for name, try := range map[string]struct {
		site, origin, host string
		token              string
		want               int
	}{
		"own form":                  {site: "same-origin", want: 200},
		"own form, old browser":     {origin: c.url, want: 200},
		"another site":              {site: "cross-site", want: 403},
		"a sister host":             {site: "same-site", want: 403},
		"another origin":            {origin: "https://evil.example", want: 403},
		"no token":                  {site: "same-origin", token: "none", want: 403},
		"somebody else's token":     {site: "same-origin", token: other, want: 403},
		"a foreign name of the box": {site: "same-origin", host: "evil.example", want: 421},
	} {
		values := url.Values{"text": form["text"], "csrf": form["csrf"]}
		if try.token != "" {
			values.Set("csrf", try.token)
		}
		r := desk.request(http.MethodPost, "/find", values)
		r.Header.Del("Sec-Fetch-Site")
		if try.site != "" {
			r.Header.Set("Sec-Fetch-Site", try.site)
		}
		if try.origin != "" {
			r.Header.Set("Origin", try.origin)
		}
		if try.host != "" {
			r.Host = try.host
		}
		if a := desk.send(r); a.status != try.want {
			t.Errorf("%s: %d, want %d", name, a.status, try.want)
		}
	}
}

func TestWrongSignInsLookAlike(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.browser()
	good := c.code("desk")
	var texts []string
	for _, form := range []url.Values{
		{"name": {"desk"}, "password": {"something else entirely"}, "code": {good}},
		{"name": {"nobody"}, "password": {password}, "code": {good}},
		{"name": {"desk"}, "password": {password}, "code": {"000000"}},
	} {
		a := b.post("/sign-in", form)
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, "Name, password or code is not right.") {
			t.Errorf("%v: %d", form, a.status)
		}
		if strings.Contains(a.body, password) || strings.Contains(a.body, good) {
			t.Error("the page gives the secret back")
		}
		texts = append(texts, strings.ReplaceAll(a.body, "nobody", "desk"))
	}
	if texts[0] != texts[1] || texts[1] != texts[2] {
		t.Error("the answers differ")
	}
}

func TestSignInLeadsBack(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.browser()
	path := "/clients/" + c.clients[0].ID.String()
	a := b.get(path)
	if a.url.Path != "/sign-in" || a.url.Query().Get("next") != path {
		t.Fatalf("nobody is led to %s", a.url)
	}
	a = b.post("/sign-in", a.fill(t, "/sign-in", url.Values{"name": {"desk"}, "password": {password}, "code": {c.code("desk")}}))
	if a.url.Path != path || !strings.Contains(a.body, clientNames[0]) {
		t.Errorf("led to %s", a.url)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "/sign-in?next=/x"} {
		form := url.Values{"name": {"desk"}, "password": {password}, "code": {c.code("desk")}, "next": {next}}
		if a := b.post("/sign-in", form); a.url.Host != strings.TrimPrefix(c.url, "https://") || a.url.Path != "/today" {
			t.Errorf("next=%s leads to %s", next, a.url)
		}
	}
}

func TestLeavingEndsTheSession(t *testing.T) {
	c := newClinic(t, sim.Options{})
	for _, path := range []string{"/sign-out", "/lock"} {
		desk := c.signIn("desk")
		form := desk.get("/find").fill(t, path, nil)
		desk.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		cookies := desk.Jar.Cookies(&url.URL{Scheme: "https", Host: hostName, Path: "/"})
		a := desk.post(path, form)
		if a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Clear-Site-Data"), `"cookies"`) {
			t.Errorf("%s: %d, %q", path, a.status, a.header.Get("Clear-Site-Data"))
		}
		if to := a.header.Get("Location"); path == "/lock" && to != "/sign-in?why=locked&next=%2Ffind" {
			t.Errorf("%s leads to %s", path, to)
		}
		r := desk.request(http.MethodGet, "/today", nil)
		for _, cookie := range cookies {
			r.AddCookie(cookie) // a thief who kept it
		}
		if a := desk.send(r); a.status != http.StatusSeeOther {
			t.Errorf("%s: the old cookie still opens a page: %d", path, a.status)
		}
	}
}

func TestPollingDoesNotKeepASessionAlive(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	told := false
	for range 11 { // 11 minutes of a page that only asks by itself
		c.clock.advance(time.Minute)
		desk.get("/session")
		told = told || strings.Contains(desk.get("/today/rows").body, "Your session has ended")
	}
	if !told {
		t.Error("nobody was told that the session has ended")
	}
	if a := desk.get("/session"); a.status != http.StatusUnauthorized {
		t.Errorf("the session lives after 11 idle minutes: %d", a.status)
	}
	if a := desk.get("/today"); a.url.Path != "/sign-in" || strings.Contains(a.body, "Your session has ended") {
		t.Errorf("who is not signed in any more is led to %s:\n%s", a.url, a.body)
	}
	desk = c.signIn("desk")
	form := desk.get("/today").fill(t, "/still-here", nil)
	for range 4 { // "still here" is an act
		c.clock.advance(9 * time.Minute)
		if a := desk.post("/still-here", form); a.url.Path != "/today" {
			t.Fatalf("still here leads to %s", a.url)
		}
	}
	if a := desk.get("/session"); a.status != http.StatusNoContent {
		t.Errorf("an active session ended: %d", a.status)
	}
}

// A browser without JavaScript reads a running payment again by itself; that
// shows the same page, and keeps no session alive.
func TestPaymentReadAgainByItself(t *testing.T) {
	c := newClinic(t, sim.Options{Manual: true})
	desk := c.signIn("desk")
	page := desk.payNatively(c, 0, "card", nil)
	again := page.url.Path + "/again"
	for _, a := range []answer{desk.get(page.url.Path), desk.get(again)} {
		if !strings.Contains(a.body, `<noscript><meta http-equiv="refresh" content="3;url=`+again+`"></noscript>`) || !strings.Contains(a.body, clientNames[0]) {
			t.Errorf("%s: %d\n%s", a.url, a.status, a.body)
		}
	}
	for range 11 {
		c.clock.advance(time.Minute)
		desk.get(again)
	}
	if a := desk.get("/session"); a.status != http.StatusUnauthorized {
		t.Errorf("the session lives after 11 idle minutes: %d", a.status)
	}
}

func TestProblemsSayWhatToDo(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	token := desk.get("/find").fill(t, "/find", nil).Get("csrf")
	nobody := ident.New[ident.Client](c.clock.now()).String()
	long := url.Values{"csrf": {token}, "text": {strings.Repeat("x", 70<<10)}}
	for name, try := range map[string]struct {
		a      answer
		status int
		words  string
	}{
		"no such address":              {desk.get("/nowhere"), 404, "There is nothing at this address."},
		"no such client":               {desk.get("/clients/" + nobody), 404, "There is no such client."},
		"not an identifier":            {desk.get("/payments/17"), 404, "There is nothing at this address."},
		"wrong method":                 {desk.get("/payments"), 404, "This address cannot be used in that way."},
		"another role's page":          {desk.get("/books"), 403, "Your role does not open this page."},
		"too much text":                {desk.post("/find", long), 422, "That was too much text for this form."},
		"a form without what it needs": {desk.post("/payments", url.Values{"csrf": {token}}), 422, "The form did not arrive whole."},
	} {
		if try.a.status != try.status || !strings.Contains(try.a.body, try.words) {
			t.Errorf("%s: %d, want %d and %q:\n%s", name, try.a.status, try.status, try.words, try.a.body)
		}
		if !strings.Contains(try.a.body, "Reference ") {
			t.Errorf("%s: no reference", name)
		}
	}
	r := desk.request(http.MethodGet, "/clients/"+nobody+"/pay", nil)
	r.Header.Set("HX-Request", "true")
	if a := desk.send(r); a.status != 404 || a.header.Get("HX-Retarget") != "#panel" || strings.Contains(a.body, "<html") {
		t.Errorf("a fragment's problem: %d into %q", a.status, a.header.Get("HX-Retarget"))
	}
}

func TestLogHoldsNoAddressAndNoText(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	desk.post("/find", desk.get("/today").fill(t, "/find", url.Values{"text": {"quintanar"}}))
	desk.get("/clients/" + c.clients[0].ID.String())
	desk.get("/nowhere/zelda-in-the-address?q=brandvold")
	desk.post("/payments", url.Values{"amount": {"brandvold"}})
	log := c.log.String()
	if !strings.Contains(log, "request failed") {
		t.Error("failures leave no line in the log")
	}
	for _, word := range append([]string{"quintanar", "zelda", "brandvold", "/nowhere/zelda", password}, clientNames...) {
		if strings.Contains(strings.ToLower(log), strings.ToLower(word)) {
			t.Errorf("the log holds %q", word)
		}
	}
}

func TestSignInIsThrottledByAddress(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.browser()
	last := 0
	for i := range 25 {
		form := url.Values{"name": {"nobody" + string(rune('a'+i))}, "password": {"wrong horse battery staple"}, "code": {"000000"}}
		last = b.post("/sign-in", form).status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("attempt 25 of one address: %d", last)
	}
}

func TestBellCarriesTopicsAlone(t *testing.T) {
	c := newClinic(t, sim.Options{})
	desk := c.signIn("desk")
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	r := desk.request(http.MethodGet, "/bell", nil).WithContext(ctx)
	w, err := desk.Do(r)
	c.must(err)
	defer w.Body.Close()
	if kind := w.Header.Get("Content-Type"); kind != "text/event-stream" || w.ProtoMajor != 2 {
		t.Fatalf("%q over HTTP/%d", kind, w.ProtoMajor)
	}
	lines := bufio.NewScanner(w.Body)
	lines.Scan()
	if lines.Text() != "retry: 500" {
		t.Errorf("the stream begins with %q", lines.Text())
	}
	c.awaitEvent(0, access.PageRead, "route", "GET /bell")
	payment := desk.payNatively(c, 0, "card", nil)
	id := payment.url.Path[strings.LastIndex(payment.url.Path, "/")+1:]
	for lines.Scan() {
		line := lines.Text()
		if line == "data: payment-"+id {
			return
		}
		if line != "" && line != ": " && line != "data: terminals" && line != "data: day" {
			t.Errorf("the stream says %q", line)
		}
	}
	t.Errorf("the bell did not ring for the payment: %v", lines.Err())
}

// The stream outlives the server's limit on slow answers; an ordinary answer
// does not need to, so the limit can be a tenth of a second here.
func TestStreamOutlivesTheWriteTimeout(t *testing.T) {
	c := newClinic(t, sim.Options{})
	srv := httptest.NewUnstartedServer(c.ui)
	srv.Config.WriteTimeout = 100 * time.Millisecond
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	desk := c.signIn("desk")
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	r := desk.request(http.MethodGet, "/bell", nil).WithContext(ctx)
	r.URL.Host = hostName + srv.Listener.Addr().String()[strings.LastIndex(srv.Listener.Addr().String(), ":"):]
	w, err := desk.Do(r)
	c.must(err)
	defer w.Body.Close()
	lines, began := bufio.NewScanner(w.Body), time.Now()
	ring := time.NewTicker(20 * time.Millisecond)
	defer ring.Stop()
	go func() {
		for range ring.C {
			if ctx.Err() != nil {
				return
			}
			c.bell.Ring("day")
		}
	}()
	for lines.Scan() {
		if time.Since(began) > 500*time.Millisecond {
			return
		}
	}
	t.Errorf("the stream ended after %v: %v", time.Since(began), lines.Err())
}

func TestSealedBoxSaysWhatToDo(t *testing.T) {
	reason := fault.New(fault.Sealed, "SEAL-003: the TPM counts another generation than the store. Call IT.")
	handler, err := ui.Sealed(ui.SealedOptions{Names: []string{hostName}, Why: reason})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/today", "/sign-in"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://"+hostName+path, nil))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d", path, w.Code)
		}
		for _, words := range []string{"SEAL-003", "What to do", "cofferctl doctor"} {
			if !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s does not say %q", path, words)
			}
		}
	}
}
