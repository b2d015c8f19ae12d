package ui

import (
	"net/http"

	"coffer/web"
)

// forever is the caching of a file whose address holds its hash.
const forever = "public, max-age=31536000, immutable"

// GET /static/:name
func (s *server) staticFile(c *call) error {
	kind, content, ok := web.File(web.Prefix + c.Param("name"))
	if !ok {
		return errNoPage
	}
	c.Response().Header().Set("Cache-Control", forever)
	return c.Blob(http.StatusOK, kind, content)
}

// GET /favicon.ico, which browsers ask for by themselves.
func (s *server) favicon(c *call) error {
	return c.Redirect(http.StatusMovedPermanently, web.URL("favicon.svg"))
}

// GET /healthz says that the pages are being served, and nothing else.
func (s *server) healthy(c *call) error { return c.String(http.StatusOK, "ok\n") }

// helpView is empty: the help is the same for everybody.
type helpView struct{}

// GET /help, GET /help/keys
func (s *server) help(c *call) error { return both(c, helpPage, helpPanel, http.StatusOK, helpView{}) }
