package ui

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"coffer/internal/fault"
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

// setUpView is the first page of a box that is being set up, and its last.
type setUpView struct {
	Problem string
	Done    bool
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
		clinic:  o.Clinic, library: lib, log: o.Log, throttle: newThrottle(signInRate), strangers: newThrottle(strangerRate),
	}}
	return guard(o.Names, s.echo()), nil
}

func (s firstRun) echo() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.lost(s.callOf(c), err) }
	e.GET("/static/:name", func(c echo.Context) error { return s.staticFile(s.callOf(c)) })
	e.POST("/set-up/sheet", s.serve("sheet", s.sheet))
	e.POST("/set-up/type-back", s.serve("type-back", s.typeBack))
	e.POST("/set-up/confirm", s.serve("confirm", s.confirm))
	e.Any("/*", s.serve("page", func(c *call) error { return render(c, setUpPage, http.StatusOK, setUpView{}) }))
	return e
}

// serve wraps one route: no request ends without an event (see server.respond).
func (s firstRun) serve(asked string, answer func(*call) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.callOf(c)
		recorded := k.watched()
		err := s.safely(k, func() error {
			if err := k.judge(); err != nil {
				return err
			}
			return answer(k)
		})
		if !recorded() {
			err = cmp.Or(s.asked(k, asked, cmp.Or(k.refused, err)), err)
		}
		if err != nil {
			s.fail(k, err)
		}
		return nil
	}
}

// lost answers what is no route.
func (s firstRun) lost(k *call, err error) {
	err = cmp.Or(judgeAddress(k.Request()), err)
	s.fail(k, cmp.Or(s.asked(k, "unknown", asFault(err)), err))
}

// asked records a request that left no event of its own, within the limit of
// strangers.
func (s firstRun) asked(k *call, asked string, why error) error {
	if !s.strangers.allow(k.RealIP(), s.Now()) {
		return nil
	}
	return s.Ops.SetUpAsked(k.Request().Context(), origin(k), asked, why)
}

// POST /set-up/sheet makes the first sheet for who knows the set-up code.
func (s firstRun) sheet(c *call) error {
	err := error(errTooOften)
	var made ops.Sheet
	if s.throttle.allow(c.RealIP(), s.Now()) {
		made, err = s.Ops.SetUpSheet(c.Request().Context(), origin(c), c.FormValue("code"), ops.Form(c.FormValue("form")))
	}
	if err != nil {
		return s.refuse(c, err)
	}
	v, err := s.sheetOf(made, "whoever knew the set-up code")
	if err != nil {
		return err
	}
	v.Base, v.Code = "/set-up", c.FormValue("code")
	return render(c, sheetPage, http.StatusOK, v)
}

// refuse shows the first page again with what was wrong.
func (s firstRun) refuse(c *call, err error) error {
	kind := fault.KindOf(err)
	c.refused = err
	s.logFailure(c, err, kind, reference())
	return render(c, setUpPage, kind.HTTPStatus(), setUpView{Problem: fault.Message(err)})
}

// POST /set-up/type-back
func (s firstRun) typeBack(c *call) error {
	v, err := typeBackOf(c, "/set-up")
	if err != nil {
		return s.refuse(c, err)
	}
	return render(c, typeBackPage, http.StatusOK, v)
}

// POST /set-up/confirm puts the first sheet in force.
func (s firstRun) confirm(c *call) error {
	v, err := typeBackOf(c, "/set-up")
	if err != nil {
		return s.refuse(c, err)
	}
	err = errTooOften
	if s.throttle.allow(c.RealIP(), s.Now()) {
		err = s.Ops.SetUpConfirm(c.Request().Context(), origin(c), v.Code, v.ID, c.Request().PostForm["answer"], c.FormValue("pin"))
	}
	if fault.KindOf(err) == fault.Invalid && err != nil {
		return s.askGroups(c, v, err)
	}
	if err != nil {
		return s.refuse(c, err)
	}
	c.Response().Header().Set("Refresh", "4;url=/")
	return render(c, setUpPage, http.StatusOK, setUpView{Done: true})
}
