package ui

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"coffer/internal/access"
	"coffer/internal/till"
)

// Health is what the page of the box shows beside its terminals: no client and
// no amount.
type Health struct {
	Checks []Check
	Facts  []Fact
}

// Check is one check of the box. State is "ok", "warn" or "fail"; Next is what
// to do about it, empty when it is fine.
type Check struct{ Name, State, Value, Next string }

// Fact is one named value, such as the program's version.
type Fact struct{ Name, Value string }

// HealthFunc asks for the box's health on behalf of an agent.
type HealthFunc func(ctx context.Context, agent access.Agent) (Health, error)

// boxView is the page of the box, for IT.
type boxView struct {
	Overall   pill
	Checks    []checkRow
	Terminals []terminalRow
	Facts     []fact
}

type checkRow struct {
	Name        string
	State       pill
	Value, Next string
}

type terminalRow struct {
	Name          string
	State         pill
	Model, Serial string
	Words, Next   string
}

var checkPills = map[string]pill{"ok": {"Fine", "good"}, "warn": {"Look at it", "warm"}, "fail": {"Failed", "bad"}}

// GET /box
func (s *server) box(c *call) error {
	ctx := c.Request().Context()
	terminals, err := s.Till.Terminals(ctx, c.agent)
	if err != nil {
		return err
	}
	var health Health
	if s.Health != nil {
		if health, err = s.Health(ctx, c.agent); err != nil {
			return err
		}
	}
	v := boxView{Overall: overall(health.Checks), Checks: checkRows(health.Checks)}
	for _, t := range terminals {
		v.Terminals = append(v.Terminals, terminalRow{
			Name: t.Name, State: terminalPill(t), Model: t.Model, Serial: t.Serial, Words: t.Words, Next: t.Next,
		})
	}
	for _, f := range health.Facts {
		v.Facts = append(v.Facts, fact{Name: f.Name, Value: f.Value})
	}
	return render(c, boxPage, http.StatusOK, v)
}

// checkRows puts what needs somebody first.
func checkRows(checks []Check) []checkRow {
	weight := map[string]int{"fail": 0, "warn": 1}
	sorted := slices.Clone(checks)
	slices.SortStableFunc(sorted, func(a, b Check) int {
		return cmp.Compare(weightOf(weight, a.State), weightOf(weight, b.State))
	})
	var rows []checkRow
	for _, check := range sorted {
		rows = append(rows, checkRow{Name: check.Name, State: checkPills[check.State], Value: check.Value, Next: check.Next})
	}
	return rows
}

func weightOf(weight map[string]int, state string) int {
	if w, ok := weight[state]; ok {
		return w
	}
	return 2
}

// overall is the worst state of all checks.
func overall(checks []Check) pill {
	worst := "ok"
	for _, check := range checks {
		if check.State == "fail" || check.State == "warn" && worst == "ok" {
			worst = check.State
		}
	}
	return checkPills[worst]
}

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
