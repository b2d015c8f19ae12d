package ui

import (
	"net/http"
	"strconv"
	"strings"

	"coffer/internal/ident"
	"coffer/internal/ops"
	"coffer/internal/till"
)

// applianceView is the page of the box, for IT.
type applianceView struct {
	Overall   pill
	Wanting   []checkRow // what somebody must look at, the worst first
	Fine      []checkRow
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

// GET /appliance
func (s *server) appliance(c *call) error {
	ctx := c.Request().Context()
	terminals, err := s.Till.Terminals(ctx, c.agent)
	if err != nil {
		return err
	}
	a, err := s.Ops.Appliance(ctx, c.agent)
	if err != nil {
		return err
	}
	v := applianceView{Overall: verdictPills[a.Verdict], Facts: s.applianceFacts(a.Status)}
	for _, line := range a.Lines {
		row := checkRow{Name: title(line.Name), State: verdictPills[line.Verdict], Value: line.Value, Next: line.Next}
		if line.Verdict == ops.OK {
			v.Fine = append(v.Fine, row)
		} else {
			v.Wanting = append(v.Wanting, row)
		}
	}
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
	return render(c, appliancePage, http.StatusOK, v)
}

// title writes the name of a check as a heading: "Store check".
func title(name string) string {
	words := strings.ReplaceAll(name, "-", " ")
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
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
	return c.Redirect(http.StatusSeeOther, "/appliance")
}

// applianceFacts are the numbers of the box that need no judgement.
func (s *server) applianceFacts(status ops.Status) []fact {
	facts := []fact{
		{Name: "Version", Value: status.Version},
		{Name: "State", Value: string(status.State)},
		{Name: "Running since", Value: s.moment(status.Started)},
	}
	add := func(name, value string) { facts = append(facts, fact{Name: name, Value: value}) }
	if status.Demo {
		add("Kind", "a sample clinic")
	}
	if seal := status.Seal; seal != nil {
		add("Seal", string(seal.Level))
		add("Key generation", strconv.FormatUint(uint64(seal.Generation), 10))
	}
	if store := status.Store; store != nil {
		add("Store", store.ID.String())
		add("Commits", group(store.Sequence))
		add("Records", group(store.Records))
		add("Events of the audit trail", group(store.Events))
		add("Store file", size(store.FileBytes))
		add("Free on its disk", size(store.FreeBytes))
	}
	return facts
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
