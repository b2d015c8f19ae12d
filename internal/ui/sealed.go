package ui

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/web"
)

// SealedOptions are what the pages of a box need whose books are shut.
type SealedOptions struct {
	Clinic string   // empty: Coffer
	Names  []string // as in Options
	Why    error    // why the books are shut
	// Unlock tries to open the books with a PIN, for a box whose seal has one
	// and lacks nothing else; nil: there is no PIN to enter. It returns nil when
	// the PIN was right, and the daemon then goes on to serve the clinic; else a
	// fault that says how many attempts are left or how long to wait.
	Unlock func(ctx context.Context, origin access.Origin, pin string) error
	Log    *slog.Logger // nil: slog.Default
}

// sealedView is the page of a box whose books are shut.
type sealedView struct {
	Reason, Code string
	Problem      string // of the PIN that was entered
	PIN          bool   // the page asks for one
	Opening      bool   // the PIN was right
	Cause        cause
}

// sealedServer answers for a box whose books are shut.
type sealedServer struct {
	*server
	SealedOptions
}

// Sealed returns the handler of a box whose books are shut: for every address
// one page that says what happened and what each person does next, with a form
// for the PIN where one is missing. It shows nothing of the clinic's data,
// since there is none to show.
func Sealed(o SealedOptions) (http.Handler, error) {
	lib, err := parseTemplates(web.Templates())
	if err != nil {
		return nil, err
	}
	if o.Clinic == "" {
		o.Clinic = "Coffer"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &sealedServer{&server{clinic: o.Clinic, library: lib, log: o.Log, Options: Options{Now: time.Now}, throttle: newThrottle(signInRate)}, o}
	return guard(o.Names, s.echo()), nil
}

func (s *sealedServer) echo() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(s.callOf(c), err) }
	e.GET("/static/:name", func(c echo.Context) error { return s.staticFile(s.callOf(c)) })
	e.POST("/unlock", s.judged(s.unlock))
	e.Any("/*", s.judged(func(c *call) error { return s.shut(c, sealedView{}) }))
	return e
}

// judged answers unless the request holds a card number.
func (s *sealedServer) judged(answer func(*call) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.callOf(c)
		if err := k.judge(); err != nil {
			return err
		}
		return answer(k)
	}
}

// shut answers with the page that says why the books are shut.
func (s *sealedServer) shut(c *call, v sealedView) error {
	c.Response().Header().Set("Retry-After", "60")
	v.Reason, v.Code, v.PIN = fault.Message(s.Why), ops.Code(s.Why), s.Unlock != nil
	v.Cause = causeOf(v.Code, v.PIN)
	return render(c, sealedPage, http.StatusServiceUnavailable, v)
}

// POST /unlock tries a PIN. The PIN goes to the TPM and nowhere else.
func (s *sealedServer) unlock(c *call) error {
	if s.Unlock == nil {
		return s.shut(c, sealedView{})
	}
	err := error(errTooOften)
	if s.throttle.allow(c.RealIP(), s.Now()) {
		err = s.Unlock(c.Request().Context(), origin(c), c.FormValue("pin"))
	}
	if err != nil {
		s.logFailure(c, err, fault.KindOf(err), reference())
		return s.shut(c, sealedView{Problem: fault.Message(err)})
	}
	c.Response().Header().Set("Refresh", "4;url=/")
	return s.shut(c, sealedView{Opening: true})
}
