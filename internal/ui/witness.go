package ui

import (
	"net/http"
	"strconv"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ops"
)

// witnessed is what a browser gets that witnesses the audit trail: the newest
// checkpoint, and the proof that it begins with the one that the browser kept
// (app.js). All of it may be known to anybody.
type witnessed struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   string    `json:"root"`   // base64
	Note   string    `json:"note"`   // signed
	Signed time.Time `json:"signed"` // when, by the clock of the box
	Proof  []string  `json:"proof"`

	Restored time.Time `json:"restored,omitzero"` // when the box says that an earlier state was put in place on purpose
}

// GET /witness?size=N answers a browser that keeps the checkpoint of N events.
func (s *server) witness(c *call) error {
	ctx := c.Request().Context()
	latest, err := s.Ops.LatestCheckpoint(ctx, c.agent)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return c.NoContent(http.StatusNoContent) // nothing was signed yet
	}
	if err != nil {
		return err
	}
	w := witnessed{Origin: latest.Origin, Size: latest.Size, Root: latest.Root, Note: latest.Note, Signed: latest.At, Proof: []string{}, Restored: latest.Restored}
	if kept, err := strconv.ParseUint(c.QueryParam("size"), 10, 53); err == nil && kept > 0 && kept < latest.Size {
		proof, err := s.Ops.Consistency(ctx, c.agent, kept, latest.Size)
		if err != nil {
			return err
		}
		w.Proof = proof.Proof
	}
	return c.JSON(http.StatusOK, w)
}

// POST /witness/alarm puts on record that a browser found the trail changed,
// POST /witness/judged that the privacy officer has looked into it.
func testimony(judged bool) func(*server, *call) error {
	return func(s *server, c *call) error {
		t := ops.Testimony{Why: c.FormValue("why"), Judged: judged}
		var err error
		if t.Kept, err = strconv.ParseUint(c.FormValue("kept"), 10, 63); err != nil {
			return errForm
		}
		if t.Shown, err = strconv.ParseUint(c.FormValue("shown"), 10, 63); err != nil {
			return errForm
		}
		if err := s.Ops.Testify(c.Request().Context(), c.agent, t); err != nil {
			return err
		}
		s.log.ErrorContext(c.Request().Context(), "a browser's witness of the audit trail was heard", "judged", judged)
		return c.NoContent(http.StatusNoContent)
	}
}
