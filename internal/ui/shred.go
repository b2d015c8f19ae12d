package ui

import (
	"net/http"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ops"
)

// shredView erases a client for ever, in two steps: who and why; then once
// more, typed.
type shredView struct {
	Client  string // account number or identifier
	Reason  string
	Confirm bool // the second step
	Done    string
	Problem string
}

var (
	errShredReason = fault.New(fault.Invalid, "Say why in 10 to 500 letters: who asked for it, and on what ground.")
	errShredTyped  = fault.New(fault.Invalid, "Type the account number exactly as it stands above. Nothing was erased.")
)

// GET /audit/shred
func (s *server) shredForm(c *call) error {
	return render(c, shredPage, http.StatusOK, shredView{Client: strings.TrimSpace(c.QueryParam("client"))})
}

// POST /audit/shred is the first step: it says what would be erased.
func (s *server) shredAsk(c *call) error {
	v := shredView{Client: strings.ToUpper(strings.TrimSpace(c.FormValue("client"))), Reason: strings.TrimSpace(c.FormValue("reason"))}
	if n := len([]rune(v.Reason)); n < 10 || n > 500 {
		return s.shredAgain(c, v, errShredReason)
	}
	if _, err := s.clientNamed(c, v.Client); err != nil {
		return s.shredAgain(c, v, err)
	}
	v.Confirm = true
	return render(c, shredPage, http.StatusOK, v)
}

// POST /audit/shred/confirm erases, when the account number was typed again.
func (s *server) shredConfirm(c *call) error {
	v := shredView{Client: c.FormValue("client"), Reason: c.FormValue("reason"), Confirm: true}
	typed := strings.ToUpper(strings.TrimSpace(c.FormValue("typed")))
	if typed != v.Client || typed == "" {
		return s.shredAgain(c, v, errShredTyped)
	}
	client, err := s.clientNamed(c, v.Client)
	if err == nil {
		_, err = s.Ops.ShredClient(c.Request().Context(), c.agent, client, typed, v.Reason, c.FormValue("pin"))
	}
	if err != nil {
		return s.shredAgain(c, v, err)
	}
	return render(c, shredPage, http.StatusOK, shredView{Done: v.Client})
}

// clientNamed returns the client of an account number.
func (s *server) clientNamed(c *call, account string) (ident.ID[ident.Client], error) {
	page, err := s.Ops.WhoLooked(c.Request().Context(), c.agent, account, ops.TrailQuery{Limit: 1})
	return page.Client, err
}

// shredAgain shows the step again with what was wrong; what is no mistake of
// the form is a problem of its own.
func (s *server) shredAgain(c *call, v shredView, err error) error {
	kind := fault.KindOf(err)
	switch kind {
	case fault.Invalid:
		v.Problem = fault.Message(err)
	case fault.NotFound:
		v.Problem, v.Confirm = "There is no client with this account number.", false
	default:
		return err
	}
	s.logFailure(c, err, kind, reference())
	return render(c, shredPage, http.StatusUnprocessableEntity, v)
}
