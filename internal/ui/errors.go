package ui

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"coffer/internal/fault"
)

// problemView is a failure as a person reads it: what went wrong, what to do,
// and a short reference that stands in the log beside the cause.
type problemView struct {
	Title     string
	Message   string
	Reference string
	Home      string
}

// problemTitles says in a few words what kind of failure it is.
var problemTitles = map[fault.Kind]string{
	fault.Internal:        "Something went wrong",
	fault.Invalid:         "Please check what was entered",
	fault.Denied:          "This is not open to you",
	fault.NotFound:        "Nothing here",
	fault.Conflict:        "Something has changed in the meantime",
	fault.Unavailable:     "Not available just now",
	fault.Sealed:          "The box is sealed",
	fault.Corrupt:         "Stop: stored data is damaged",
	fault.Exhausted:       "A limit is reached",
	fault.Unauthenticated: "You are signed out",
}

var (
	errNoPage   = fault.New(fault.NotFound, "There is nothing at this address. Go back, or start from your first page.")
	errMethod   = fault.New(fault.NotFound, "This address cannot be used in that way. Go back and use the buttons of the page.")
	errTooLarge = fault.New(fault.Invalid, "That was too much text for this form. Shorten it and send it again.")
	errForm     = fault.New(fault.Invalid, "The form did not arrive whole. Go back and send it again.")
	errPanic    = fault.New(fault.Internal, "Something went wrong inside Coffer. What was saved before is safe; please tell IT the reference.")
)

// asFault turns echo's own errors into faults; everything else stays.
func asFault(err error) error {
	var e *echo.HTTPError
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case http.StatusNotFound:
		return errNoPage
	case http.StatusMethodNotAllowed:
		return errMethod
	}
	return fault.Wrap(err, fault.Invalid, "The form did not arrive whole. Go back and send it again.")
}

// asForm returns what to say of a form that cannot be read.
func asForm(err error) error {
	var too *http.MaxBytesError
	if errors.As(err, &too) {
		return errTooLarge
	}
	return errForm
}

// reference returns eight characters that name one failure.
func reference() string { return rand.Text()[:8] }

// fail answers a request that could not be served, and writes the one line of
// log about it: kind, route and reference, no address and no form value.
func (s *server) fail(c *call, err error) {
	err = asFault(err)
	kind, ref := fault.KindOf(err), reference()
	s.logFailure(c, err, kind, ref)
	if c.Response().Committed {
		return
	}
	if kind == fault.Unauthenticated {
		s.toSignIn(c)
		return
	}
	view := problemView{Title: problemTitles[kind], Message: fault.Message(err), Reference: ref, Home: "/"}
	answer := problemPage
	if isHX(c.Request()) {
		answer = problemPanel
		into(c.Response().Header(), "#panel")
	}
	if err := render(c, answer, kind.HTTPStatus(), view); err != nil {
		http.Error(c.Response(), fault.Message(err), http.StatusInternalServerError)
	}
}

func (s *server) logFailure(c *call, err error, kind fault.Kind, ref string) {
	level := slog.LevelInfo
	switch kind {
	case fault.Internal, fault.Corrupt:
		level = slog.LevelError
	case fault.Denied, fault.Exhausted, fault.Sealed:
		level = slog.LevelWarn
	}
	attrs := []any{"kind", kind.String(), "route", c.Path(), "reference", ref}
	var e *fault.Error
	if errors.As(err, &e) {
		attrs = append(attrs, "fault", e.Error())
	}
	s.log.Log(c.Request().Context(), level, "request failed", attrs...)
}
