package ui

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"coffer/internal/fault"
	"coffer/web"
)

// sealedView is the only page while the box is sealed.
type sealedView struct{ Reason, Code string }

// Sealed returns the handler of a box that could not be unsealed: one page
// that says what happened and what to do, for every address. Clinic may be
// empty, because the name lies in the vault.
func Sealed(clinic string, names []string, reason error) (http.Handler, error) {
	lib, err := parseTemplates(web.Templates())
	if err != nil {
		return nil, err
	}
	if clinic == "" {
		clinic = "Coffer"
	}
	s := &server{clinic: clinic, library: lib}
	e := echo.New()
	e.Logger.SetOutput(discard{})
	e.GET("/static/:name", func(c echo.Context) error { return s.staticFile(s.callOf(c)) })
	e.Any("/*", func(c echo.Context) error {
		c.Response().Header().Set("Retry-After", "60")
		return render(s.callOf(c), sealedPage, http.StatusServiceUnavailable, sealedView{Reason: fault.Message(reason)})
	})
	return guard(names, e), nil
}
