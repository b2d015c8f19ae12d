package ui

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"coffer/internal/ops"
	"coffer/web"
)

// FirstRunOptions are what the pages of a box need whose store has no recovery
// sheet yet.
type FirstRunOptions struct {
	Clinic string         // empty: Coffer
	Demo   bool           // as in Options
	Names  []string       // as in Options
	Zone   *time.Location // nil: UTC
	Now    func() time.Time
	Ops    *ops.Ops
	Log    *slog.Logger // nil: slog.Default
}

// firstRun answers for a box that is being set up.
type firstRun struct{ *server }

// FirstRun returns the handler of a box whose store has no recovery sheet yet.
// Whoever knows the set-up code, which the daemon wrote to its journal, chooses
// how the sheet is made, prints it, and types two of its groups back; nothing
// else is served before. The code travels in bodies of forms alone, and with
// each of them; the sheet is shown once. Whoever is cut off begins anew with
// the same code, and the sheet that was shown before is void. When the sheet is
// in force, Ops says so (SetUp), and the daemon serves the clinic.
func FirstRun(o FirstRunOptions) (http.Handler, error) {
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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := firstRun{&server{
		Options: Options{Demo: o.Demo, Zone: o.Zone, Now: o.Now, Ops: o.Ops},
		clinic:  o.Clinic, library: lib, log: o.Log, throttle: newThrottle(),
	}}
	return guard(o.Names, s.echo()), nil
}

func (s firstRun) echo() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(s.callOf(c), err) }
	e.GET("/static/:name", func(c echo.Context) error { return s.staticFile(s.callOf(c)) })
	return e
}
