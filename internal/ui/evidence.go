package ui

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"coffer/internal/civil"
	"coffer/internal/custody"
)

// evidenceView is the evidence for PCI DSS 9.5.1, as it is printed.
type evidenceView struct {
	Problem     string
	First, Last string
	Made, By    string
	Policies    []fact
	Devices     []evidenceRow
	Log         []evidenceLog
	Inspections []evidenceInspection
}

type evidenceRow struct{ Serial, Model, Location, Status, Solution, Keys, Software, Inspected, Due string }

type evidenceLog struct {
	Serial string
	logRow
}

type evidenceInspection struct {
	Serial string
	inspectionRow
	Hash string
}

// evidenceDays is the period that is shown when none was chosen.
const evidenceDays = 365

// period returns the period that a request asks for.
func (s *server) period(c *call) (civil.Range, error) {
	today := civil.Of(s.Now().In(s.Zone))
	first, err := civil.Parse(cmp.Or(c.QueryParam("first"), today.AddDays(-evidenceDays).String()))
	if err != nil {
		return civil.Range{}, err
	}
	last, err := civil.Parse(cmp.Or(c.QueryParam("last"), today.String()))
	return civil.Range{First: first, Last: last}, err
}

// GET /terminals/evidence
func (s *server) evidence(c *call) error {
	e, err := s.evidenceOf(c)
	if err != nil {
		return err
	}
	v := evidenceView{First: e.Range.First.String(), Last: e.Range.Last.String(), Made: s.moment(e.Made), By: c.agent.Name()}
	for _, p := range append([]custody.Policy{}, e.Policies...) {
		v.Policies = append(v.Policies, fact{Name: s.moment(p.At) + ", " + p.By, Value: policyWords(p)})
	}
	if len(e.Policies) == 0 {
		v.Policies = []fact{{Name: "Now", Value: policyWords(e.Holding.Policy)}}
	}
	serials := map[string]string{}
	for _, d := range e.Holding.Devices {
		serials[d.ID.String()] = d.Serial
		row := evidenceRow{Serial: d.Serial, Model: d.Vendor + " " + d.Model, Location: d.Location, Status: string(d.Status), Solution: d.Solution, Keys: d.Keys, Due: d.Due}
		if n := len(d.Seen); n > 0 {
			row.Software = d.Seen[n-1].App + ", " + d.Seen[n-1].OS
		}
		if !d.Inspected.IsZero() {
			row.Inspected = s.moment(d.Inspected)
		}
		v.Devices = append(v.Devices, row)
	}
	for _, one := range e.Log {
		v.Log = append(v.Log, evidenceLog{serials[one.Device.String()], s.logRow(one)})
	}
	for _, one := range e.Inspections {
		v.Inspections = append(v.Inspections, evidenceInspection{serials[one.Device.String()], s.inspectionRow(one), one.Hash})
	}
	return render(c, evidencePage, http.StatusOK, v)
}

func policyWords(p custody.Policy) string {
	return "Every " + strconv.Itoa(p.Days) + " days; overdue: " + string(p.Overdue) + "; unknown software: " + string(p.Firmware) + ". " + p.Reason
}

func (s *server) evidenceOf(c *call) (custody.Evidence, error) {
	period, err := s.period(c)
	if err != nil {
		return custody.Evidence{}, err
	}
	return s.Register.Evidence(c.Request().Context(), c.agent, period)
}

// GET /terminals/evidence.csv has the evidence as one table (RFC 4180): each
// line says in its first field what it is of.
func (s *server) evidenceCSV(c *call) error {
	e, err := s.evidenceOf(c)
	if err != nil {
		return err
	}
	rows := [][]string{{"record", "time", "serial", "model", "status", "what", "location", "terminal", "by", "result", "details"}}
	serials := map[string]string{}
	for _, d := range e.Holding.Devices {
		serials[d.ID.String()] = d.Serial
		rows = append(rows, []string{"device", stamp(e.Made), d.Serial, d.Vendor + " " + d.Model, string(d.Status), "", d.Location, d.Name, "", "", "P2PE solution: " + d.Solution + "; keys injected: " + d.Keys + "; inspection due: " + d.Due})
	}
	for _, p := range e.Policies {
		rows = append(rows, []string{"policy", stamp(p.At), "", "", "", "", "", "", p.By, "", policyWords(p)})
	}
	for _, one := range e.Log {
		rows = append(rows, []string{"custody", stamp(one.At), serials[one.Device.String()], "", string(one.Status), string(one.What), one.Location, one.Terminal, one.By, "", s.logRow(one).Details})
	}
	for _, one := range e.Inspections {
		row := s.inspectionRow(one)
		details := ""
		for _, a := range row.Answers {
			details += a.Name + ": " + a.Value + "; "
		}
		rows = append(rows, []string{"inspection", stamp(one.At), serials[one.Device.String()], "", "", "", "", "", one.By, row.Result.Word, details + "photo SHA-256: " + one.Hash})
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, field := range row {
			row[i] = inert(field)
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="terminals-`+e.Range.First.String()+`-`+e.Range.Last.String()+`.csv"`)
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(field string) string {
	if field != "" && (field[0] == '=' || field[0] == '+' || field[0] == '-' || field[0] == '@') {
		return "'" + field
	}
	return field
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }
