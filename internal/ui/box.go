package ui

import (
	"cmp"
	"net/http"
	"slices"

	"coffer/internal/ident"
	"coffer/internal/ops"
	"coffer/internal/till"
)

// boxView is the page of the box, for IT.
type boxView struct {
	Overall   pill
	Checks    []checkRow
	Terminals []terminalRow
	Locked    []terminalRow // those that IT must look at
	Facts     []fact
}

type checkRow struct {
	Name        string
	State       pill
	Value, Next string
}

type terminalRow struct {
	ID            string
	Name          string
	State         pill
	Model, Serial string
	Words, Next   string
}

var verdictPills = map[ops.Verdict]pill{
	ops.OK: {"Fine", "good"}, ops.Warn: {"Look at it", "warm"}, ops.Fail: {"Failed", "bad"},
}

// GET /box
func (s *server) box(c *call) error {
	ctx := c.Request().Context()
	terminals, err := s.Till.Terminals(ctx, c.agent)
	if err != nil {
		return err
	}
	diagnosis, err := s.Ops.Doctor(ctx, c.agent)
	if err != nil {
		return err
	}
	status, err := s.Ops.Status(ctx, c.agent)
	if err != nil {
		return err
	}
	v := boxView{Overall: verdictPills[diagnosis.Verdict], Checks: checkRows(diagnosis.Lines), Facts: s.boxFacts(status)}
	for _, t := range terminals {
		row := terminalRow{
			ID: t.ID.String(), Name: t.Name, State: terminalPill(t), Model: t.Model, Serial: t.Serial, Words: t.Words, Next: t.Next,
		}
		if t.Quarantined {
			row.Next = "Inspect it as said below."
			v.Locked = append(v.Locked, row)
		}
		v.Terminals = append(v.Terminals, row)
	}
	return render(c, boxPage, http.StatusOK, v)
}

// POST /terminals/:id/release puts a locked terminal back to work.
func (s *server) release(c *call) error {
	id, err := ident.Parse[ident.Terminal](c.Param("id"))
	if err != nil {
		return err
	}
	if err := s.Till.ReleaseTerminal(c.Request().Context(), c.agent, id); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/box")
}

// boxFacts are the numbers of the box that need no judgement.
func (s *server) boxFacts(status ops.Status) []fact {
	facts := []fact{
		{Name: "Version", Value: status.Version},
		{Name: "State", Value: string(status.State)},
		{Name: "Running since", Value: s.moment(status.Started)},
	}
	if status.Demo {
		facts = append(facts, fact{Name: "Kind", Value: "a sample clinic"})
	}
	return facts
}

// checkRows puts what needs somebody first.
func checkRows(lines []ops.Line) []checkRow {
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, func(a, b ops.Line) int { return cmp.Compare(urgency[b.Verdict], urgency[a.Verdict]) })
	var rows []checkRow
	for _, line := range sorted {
		rows = append(rows, checkRow{Name: line.Name, State: verdictPills[line.Verdict], Value: line.Value, Next: line.Next})
	}
	return rows
}

// urgency orders verdicts: the greater, the sooner somebody must look.
var urgency = map[ops.Verdict]int{ops.OK: 0, ops.Warn: 1, ops.Fail: 2}

func terminalPill(t till.TerminalStatus) pill {
	switch {
	case t.Quarantined:
		return pill{"Blocked", "bad"}
	case !t.Attached:
		return pill{"Unplugged", "bad"}
	case t.Busy, t.Recovering:
		return pill{"Busy", "warm"}
	}
	return pill{"Ready", "good"}
}
