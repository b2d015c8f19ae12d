package ui

import (
	"net/http"
	"net/url"
	"time"

	"coffer/internal/ops"

	"coffer/internal/fault"
)

// exportView prepares an export of the trail, and hands it over once.
type exportView struct {
	Filter     trailFilter
	Reason     string
	Plain      bool
	Openings   bool
	Problem    string
	Ready      string // identifier of the prepared export; empty: none is
	Name       string
	Passphrase string // shown this once; empty for a plain one
}

// GET /audit/export
func (s *server) exportForm(c *call) error {
	return render(c, exportPage, http.StatusOK, exportView{Filter: filterOf(c), Openings: true})
}

// POST /audit/export prepares an export and shows its passphrase, once.
func (s *server) prepareExport(c *call) error {
	form := c.Request().PostForm
	v := exportView{
		Reason: form.Get("reason"), Plain: form.Get("plain") == "yes", Openings: form.Get("openings") == "yes",
		Filter: trailFilter{From: form.Get("from"), Until: form.Get("until"), Who: form.Get("who")},
	}
	q, err := s.exportQuery(form)
	var ready ops.ExportReady
	if err == nil {
		ready, err = s.Ops.PrepareExport(c.Request().Context(), c.agent, ops.Export{Query: q, Openings: v.Openings, Plain: v.Plain, Reason: v.Reason})
	}
	if kind := fault.KindOf(err); err != nil && kind == fault.Invalid {
		v.Problem = fault.Message(err)
		return render(c, exportPage, kind.HTTPStatus(), v)
	}
	if err != nil {
		return err
	}
	v.Ready, v.Name, v.Passphrase = ready.ID, ready.Name, ready.Passphrase
	return render(c, exportPage, http.StatusOK, v)
}

// exportQuery reads the days of an export.
func (s *server) exportQuery(form url.Values) (ops.TrailQuery, error) {
	var q ops.TrailQuery
	var err error
	q.From, q.Until, err = s.days(form.Get("from"), form.Get("until"))
	q.Actor = form.Get("who")
	return q, err
}

// POST /audit/exports/:id hands a prepared export over. It may take longer than
// other answers, and is cut off when it fails, so that nobody takes half of it
// for whole.
func (s *server) fetchExport(c *call) error {
	name, err := s.Ops.ExportName(c.agent, c.Param("id"))
	if err != nil {
		return err
	}
	if err := http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(exportPatience)); err != nil {
		s.log.WarnContext(c.Request().Context(), "an export keeps the limit of ordinary answers")
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	err = s.Ops.WriteExport(c.Request().Context(), c.agent, c.Param("id"), c.Response())
	if err != nil && c.Response().Committed {
		s.logFailure(c, err, fault.KindOf(err), reference())
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		h.Del("Content-Disposition")
		h.Del("Content-Type")
	}
	return err
}

// exportPatience is how long handing over an export may take.
const exportPatience = 30 * time.Minute
