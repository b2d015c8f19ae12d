package ui

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/identity"
)

// cookieName has the prefix that makes a browser insist on Secure, path "/"
// and this very host (RFC 6265bis, section 4.1.3.2).
const cookieName = "__Host-coffer"

// idleNotice is how long before the session's end a page says so.
const idleNotice = 60 * time.Second

var (
	errCSRF   = fault.New(fault.Denied, "This form was made before you signed in. Go back, reload the page and send it again.")
	errDenied = fault.New(fault.Denied, "Your role does not open this page. Start from your first page.")
)

// csrfToken returns the token that a session's forms carry. It follows from
// the cookie and not the other way round, so it ends with the session and
// needs no storage.
func csrfToken(cookie string) string { return derived(cookie, "coffer/csrf/1") }

// derived returns a text that follows from the cookie for one use.
func derived(cookie, use string) string {
	mac := hmac.New(sha256.New, []byte(cookie))
	mac.Write([]byte(use))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// admit finds out who asks and refuses what the route does not allow them: a
// form without the session's token, a page that the role cannot open at all, and
// for everybody a card number.
// Each refusal is recorded. Whether the agent may see this very client is
// decided below, and recorded.
func (s *server) admit(c *call, r route) error {
	var err error
	if !r.open {
		err = s.recognise(c, r.background)
	}
	switch {
	case err != nil: // nobody's form is not read
		err = cmp.Or(judgeAddress(c.Request()), err)
	case r.open:
		err = c.judge()
	default:
		err = cmp.Or(c.judge(), allowed(c, r))
	}
	if err == nil {
		return nil
	}
	return cmp.Or(s.attempted(c, r, err), err)
}

// parseForm reads the form of a request. A file in it is held in memory only.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	if err := r.ParseMultipartForm(sizeMaxOf(r)); !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// allowed decides what can be decided before anything is looked for.
func allowed(c *call, r route) error {
	if c.Request().Method == http.MethodPost && !hmac.Equal([]byte(c.FormValue("csrf")), []byte(csrfToken(c.cookie))) {
		return errCSRF
	}
	if r.action != "" && !c.agent.May(r.action) {
		return errDenied
	}
	return nil
}

// recognise turns the cookie into the agent of this call.
func (s *server) recognise(c *call, background bool) error {
	cookie, err := c.Cookie(cookieName)
	if err != nil {
		return identity.ErrNobody
	}
	agent, session, err := s.Identity.Agent(c.Request().Context(), cookie.Value, origin(c), background)
	if err != nil {
		return err
	}
	c.agent, c.session, c.cookie = agent, session, cookie.Value
	return nil
}

func origin(c *call) access.Origin { return access.Origin{Via: "lan", Address: c.RealIP()} }

func setCookie(c *call, value string) {
	cookie := &http.Cookie{
		Name: cookieName, Value: value, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// signInView is the sign-in form.
type signInView struct {
	Name, Next    string
	Problem, Note string
}

// GET /sign-in
func (s *server) signInForm(c *call) error {
	view := signInView{Next: localPath(c.QueryParam("next"))}
	switch c.QueryParam("why") {
	case "locked":
		view.Note = "The screen is locked. Sign in to go on where you were."
	case "out":
		view.Note = "You are signed out."
	case "ended":
		view.Note = "Your session has ended. What was saved is safe, and a card payment that had begun went on."
	}
	return render(c, signInPage, http.StatusOK, view)
}

// POST /sign-in
func (s *server) signIn(c *call) error {
	form := identity.SignInForm{Name: c.FormValue("name"), Password: c.FormValue("password"), Code: c.FormValue("code")}
	view := signInView{Name: form.Name, Next: localPath(c.FormValue("next"))}
	cookie, err := "", error(errTooOften)
	if s.throttle.allow(c.RealIP(), s.Now()) {
		cookie, err = s.Identity.SignIn(c.Request().Context(), form, origin(c))
	}
	if err != nil {
		return s.refuseSignIn(c, view, err)
	}
	setCookie(c, cookie)
	if view.Next != "" {
		return c.Redirect(http.StatusSeeOther, view.Next)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (s *server) refuseSignIn(c *call, view signInView, err error) error {
	kind := fault.KindOf(err)
	if kind != fault.Unauthenticated && kind != fault.Exhausted {
		return err
	}
	s.logFailure(c, err, kind, reference())
	view.Problem = fault.Message(err)
	return render(c, signInPage, kind.HTTPStatus(), view)
}

// POST /sign-out
func (s *server) signOut(c *call) error { return s.leave(c, "/sign-in?why=out") }

// POST /lock ends the session and leads back to where the person was.
func (s *server) lock(c *call) error {
	to := "/sign-in?why=locked"
	if from := c.FormValue("next"); localPath(from) != "" {
		to += "&next=" + url.QueryEscape(from)
	}
	return s.leave(c, to)
}

func (s *server) leave(c *call, to string) error {
	if err := s.Identity.SignOut(c.Request().Context(), c.agent); err != nil {
		return err
	}
	setCookie(c, "")
	c.Response().Header().Set("Clear-Site-Data", clearSiteData)
	return c.Redirect(http.StatusSeeOther, to)
}

// toSignIn answers a request of nobody: to the sign-in page, and back to the
// page afterwards. A fragment's request moves the whole page.
func (s *server) toSignIn(c *call) {
	r := c.Request()
	from := r.URL.RequestURI()
	if isHX(r) {
		from = ""
		if u, err := url.Parse(r.Header.Get(hxCurrentURL)); err == nil {
			from = u.RequestURI()
		}
	}
	to, query := "/sign-in", url.Values{}
	if _, err := c.Cookie(cookieName); err == nil { // else nobody was signed in here
		query.Set("why", "ended")
	}
	if next := localPath(from); next != "" && (isHX(r) || r.Method == http.MethodGet) {
		query.Set("next", next)
	}
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	c.Response().Header().Set(hxRedirect, to)
	if isHX(r) || c.Path() == "/session" || c.Path() == "/bell" || c.Path() == "/witness" {
		c.Response().WriteHeader(http.StatusUnauthorized)
		return
	}
	setCookie(c, "")
	http.Redirect(c.Response(), r, to, http.StatusSeeOther)
}

// localPath returns next if it is a path of this site that is worth going back
// to, or the empty text.
func localPath(next string) string {
	u, err := url.Parse(next)
	bad := err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(next) > 200 ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || holdsCard(u)
	if bad || next == "/" || strings.HasPrefix(next, "/sign-in") {
		return ""
	}
	return next
}

// GET /session says whether the session lives, and does not prolong it.
func (s *server) sessionLives(c *call) error { return c.NoContent(http.StatusNoContent) }

// POST /still-here prolongs the session, which admitting the call has done.
func (s *server) stillHere(c *call) error {
	if isHX(c.Request()) {
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// GET / leads to the person's first page.
func (s *server) first(c *call) error { return c.Redirect(http.StatusSeeOther, home(c.agent)) }
