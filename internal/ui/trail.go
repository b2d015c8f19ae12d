package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ops"
)

// trailView is the audit trail, the newest event first, for the privacy
// officer.
type trailView struct {
	Badge   badgeView
	Alarm   alarmView
	Filter  trailFilter
	Problem string
	Heading string // what is shown
	Rows    []trailRow
	Older   string // path of the next page; empty: there is none
	Newest  string // path back to the newest; empty: this is it
	Client  string // of the client whom the page is about; empty: everybody
	Unknown bool   // there is no such client
	Stamp   string // of a print: who, when, and that it is on record
	Export  bool
	Shred   bool
}

// trailFilter is what the form holds.
type trailFilter struct {
	Who, From, Until, Client string
	Acts, Outcomes           []choice
	Hours                    bool
}

type trailRow struct {
	Number, Short string
	When          string
	Who, Via      string
	Act, Words    string
	Object, Link  string // Link leads to all events of a client; empty: it is none
	Outcome       pill
}

// badgeView says whether the trail is known to be whole.
type badgeView struct {
	State  pill
	Events string
	Facts  []fact
	Words  string // what is wrong
	Sign   bool   // may sign a checkpoint
}

// alarmView is what a browser complains of; empty when none does.
type alarmView struct {
	Words    string
	Restored string // that an earlier state was put in place on purpose, and why
	Finding  string // typed, to end the alarm
	Problem  string // of what was typed
}

// eventView is one event with its opened private part.
type eventView struct {
	Number  string
	Facts   []fact
	Details []fact
	Back    string
}

var errDays = fault.New(fault.Invalid, "Enter days as year-month-day, such as 2026-03-31, the first one not after the last.")

// acts are the parts of the clinic whose events can be chosen.
var acts = []choice{
	{ID: "", Name: "Everything"}, {ID: "client", Name: "Clients"}, {ID: "day", Name: "Day lists"},
	{ID: "appointment", Name: "Appointments"}, {ID: "encounter", Name: "Sessions held"}, {ID: "charge", Name: "Charges"},
	{ID: "payment", Name: "Payments"}, {ID: "receipt", Name: "Receipts"}, {ID: "books", Name: "Books"},
	{ID: "signin", Name: "Sign-ins"}, {ID: "session", Name: "Ends of sessions"}, {ID: "staff", Name: "Staff"}, {ID: "page", Name: "Pages that show no data"},
	{ID: "credential", Name: "Passwords and codes"}, {ID: "audit", Name: "The trail itself"},
	{ID: "recovery", Name: "Recovery sheet"}, {ID: "seal", Name: "Seal"}, {ID: "key", Name: "Keys"},
	{ID: "store", Name: "Store"}, {ID: "backup", Name: "Backups"}, {ID: "terminal", Name: "Card terminals"},
	{ID: "box", Name: "State of the box"},
}

// outcomes are how an act can have ended.
var outcomes = []choice{
	{ID: "", Name: "Any"}, {ID: "ok", Name: "Done"}, {ID: "denied", Name: "Denied"}, {ID: "refused", Name: "Refused"},
	{ID: "failed", Name: "Failed"}, {ID: "torn", Name: "Torn"},
}

var outcomePills = map[string]pill{
	"ok": {"Done", ""}, "denied": {"Denied", "bad"}, "refused": {"Refused", "warm"}, "failed": {"Failed", "bad"}, "torn": {"Torn", "warm"},
}

// chosen returns the choices with the one of that identifier chosen.
func chosen(all []choice, id string) []choice {
	out := make([]choice, len(all))
	for i, one := range all {
		one.Chosen = one.ID == id
		out[i] = one
	}
	return out
}

// GET /audit
func (s *server) trail(c *call) error {
	q, err := s.trailQuery(c)
	status, v := http.StatusOK, trailView{Filter: filterOf(c)}
	if err != nil {
		v.Problem, status = fault.Message(err), fault.KindOf(err).HTTPStatus()
	}
	page, err := s.trailOf(c, q)
	if kind := fault.KindOf(err); err != nil && (kind == fault.NotFound || kind == fault.Invalid) && v.Filter.Client != "" {
		v.Problem, status, v.Unknown = "There is no client with this account number or identifier.", http.StatusUnprocessableEntity, true
		page, err = s.Ops.Trail(c.Request().Context(), c.agent, ops.TrailQuery{Limit: 1}) // for what is said of the chain
		page.Events, page.Next = nil, 0
	}
	if err != nil {
		return err
	}
	s.showTrail(c, &v, page)
	return render(c, trailPage, status, v)
}

// trailOf reads the page that a query asks for: one client's, or everybody's.
func (s *server) trailOf(c *call, q ops.TrailQuery) (ops.Trail, error) {
	if who := strings.TrimSpace(c.QueryParam("client")); who != "" {
		return s.Ops.WhoLooked(c.Request().Context(), c.agent, who, q)
	}
	return s.Ops.Trail(c.Request().Context(), c.agent, q)
}

// trailQuery reads the filter; what cannot be read narrows nothing.
func (s *server) trailQuery(c *call) (ops.TrailQuery, error) {
	q := ops.TrailQuery{
		Actor: strings.ToLower(strings.TrimSpace(c.QueryParam("who"))), Act: c.QueryParam("what"), Outcome: c.QueryParam("outcome"),
		AfterHours: c.QueryParam("hours") == "after", Limit: rowsShown,
	}
	if n, err := strconv.ParseUint(c.QueryParam("before"), 10, 64); err == nil {
		q.Before = n
	}
	var err error
	if q.From, q.Until, err = s.days(c.QueryParam("from"), c.QueryParam("until")); err != nil {
		return ops.TrailQuery{Limit: rowsShown}, err
	}
	return q, nil
}

// days turns the first and the last day of a range into the instants around it;
// an empty one leaves that side open.
func (s *server) days(first, last string) (from, until time.Time, err error) {
	for _, day := range []struct {
		typed string
		into  *time.Time
		plus  int
	}{{first, &from, 0}, {last, &until, 1}} {
		if day.typed == "" {
			continue
		}
		d, err := civil.Parse(day.typed)
		if err != nil {
			return from, until, errDays
		}
		*day.into = d.AddDays(day.plus).In(s.Zone)
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		return from, until, errDays
	}
	return from, until, nil
}

func filterOf(c *call) trailFilter {
	return trailFilter{
		Who: c.QueryParam("who"), From: c.QueryParam("from"), Until: c.QueryParam("until"),
		Client: strings.TrimSpace(c.QueryParam("client")), Hours: c.QueryParam("hours") == "after",
		Acts: chosen(acts, c.QueryParam("what")), Outcomes: chosen(outcomes, c.QueryParam("outcome")),
	}
}

func (s *server) showTrail(c *call, v *trailView, page ops.Trail) {
	v.Badge = s.badgeOf(c, page)
	if a := page.Alarm; a != nil {
		v.Alarm.Words, v.Alarm.Restored = s.alarmWords(*a)
	}
	v.Export, v.Shred = c.agent.May(access.AuditExport), c.agent.May(access.ClientShred)
	v.Heading = "All events"
	if trailPath(c.QueryParams(), "") != "/audit" {
		v.Heading = "The events that you chose"
	}
	if v.Filter.Client != "" && !v.Unknown {
		v.Heading, v.Client = "Who looked at "+v.Filter.Client, v.Filter.Client
	}
	for _, e := range page.Events {
		v.Rows = append(v.Rows, s.trailRow(e))
	}
	query := c.QueryParams()
	if page.Next != 0 && v.Problem == "" {
		v.Older = trailPath(query, strconv.FormatUint(page.Next, 10))
	}
	if query.Get("before") != "" {
		v.Newest = trailPath(query, "")
	}
	v.Stamp = "As shown to " + c.session.Staff + " on " + s.Now().In(s.Zone).Format("2006-01-02 15:04 MST") +
		", of " + group(page.Size) + " events. That it was shown is on record in the audit trail."
}

// trailPath returns the path of a page of the same filter.
func trailPath(query url.Values, before string) string {
	out := url.Values{}
	for _, name := range []string{"who", "what", "outcome", "from", "until", "client", "hours"} {
		if value := query.Get(name); value != "" {
			out.Set(name, value)
		}
	}
	if before != "" {
		out.Set("before", before)
	}
	if len(out) == 0 {
		return "/audit"
	}
	return "/audit?" + out.Encode()
}

func (s *server) trailRow(e ops.TrailEvent) trailRow {
	row := trailRow{
		Number: strconv.FormatUint(e.Number, 10), Short: group(e.Number),
		When: e.Time.In(s.Zone).Format("2006-01-02 15:04:05"), Who: e.Actor, Via: e.Via,
		Act: e.Act, Words: actWords(e.Act), Object: object(e.Object), Outcome: outcomePills[e.Outcome],
	}
	if row.Outcome.Word == "" {
		row.Outcome.Word = e.Outcome
	}
	if id, ok := strings.CutPrefix(e.Object, string(access.KindClient)+":"); ok {
		row.Link = "/audit?client=" + url.QueryEscape(id)
	}
	return row
}

// object shortens "client:06h…" to "client …7k2m": the event's page has it
// whole.
func object(text string) string {
	kind, id, ok := strings.Cut(text, ":")
	switch {
	case kind == string(access.KindNone):
		return ""
	case !ok || len(id) < 8:
		return text
	}
	return kind + " …" + id[len(id)-5:]
}

// badgeOf says what is known of the chain.
func (s *server) badgeOf(c *call, page ops.Trail) badgeView {
	b := page.Badge
	v := badgeView{State: pill{"Whole", "good"}, Events: group(page.Size), Sign: c.agent.May(access.AuditCheckpoint)}
	if !b.OK {
		v.State = pill{"Not whole", "bad"}
		if b.Reason != nil {
			v.Words = b.Reason.Words
		}
	}
	by := "the box's key"
	if b.ByTPM {
		by += " and the security chip"
	}
	signed := "never"
	if b.Signed > 0 {
		signed = group(b.Signed) + " events, by " + by
		if !b.SignedAt.IsZero() {
			signed += ", " + s.ago(b.SignedAt)
		}
	}
	v.Facts = []fact{
		{Name: "Events", Value: v.Events}, {Name: "Recomputed", Value: s.ago(b.Checked)}, {Name: "Last signed", Value: signed},
	}
	if !b.Anchored.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "Anchored in the chip", Value: s.ago(b.Anchored)})
	}
	return v
}

// GET /audit/events/:number
func (s *server) event(c *call) error {
	number, err := strconv.ParseUint(c.Param("number"), 10, 63)
	if err != nil {
		return ident.ErrFormat
	}
	page, err := s.Ops.Trail(c.Request().Context(), c.agent, ops.TrailQuery{Before: number + 1, Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Events) == 0 || page.Events[0].Number != number {
		return errNoPage
	}
	e := page.Events[0]
	v := eventView{Number: group(number), Back: "/audit", Facts: []fact{
		{Name: "When", Value: e.Time.In(s.Zone).Format("2006-01-02 15:04:05.000 MST")},
		{Name: "Who", Value: e.Actor, Link: "/audit?who=" + url.QueryEscape(e.Actor)},
		{Name: "From", Value: e.Via}, {Name: "Did", Value: actWords(e.Act) + " (" + e.Act + ")"},
		{Name: "To", Value: e.Object}, {Name: "Outcome", Value: outcomeWord(e.Outcome)},
	}}
	if id, ok := strings.CutPrefix(e.Object, string(access.KindClient)+":"); ok {
		v.Facts[4].Link = "/audit?client=" + url.QueryEscape(id)
	}
	for _, d := range e.Details {
		v.Details = append(v.Details, fact{Name: d.Key, Value: d.Value})
	}
	return render(c, eventPage, http.StatusOK, v)
}

func outcomeWord(outcome string) string {
	if p, ok := outcomePills[outcome]; ok {
		return p.Word
	}
	return outcome
}

// alarmWords say what a browser complains of, and what may explain it.
func (s *server) alarmWords(a ops.Alarm) (words, restored string) {
	day := func(at time.Time) string { return at.In(s.Zone).Format("2006-01-02 15:04") }
	words = "On " + day(a.At) + " a browser of this clinic found that " + a.Words + ", against what this box had shown it before. It says so on every page until somebody has looked into it there."
	if a.Restored == nil {
		return words, "This box knows of no restore and of no older state that was put in place on purpose. If nobody can explain it, treat it as an attack."
	}
	return words, "On " + day(a.Restored.At) + " an earlier state was put in place on purpose, by somebody with the recovery sheet. The reason given was: “" + a.Restored.Reason + "”. If that is true, it explains the alarm: what was done since that state is missing from the trail."
}

// POST /audit/alarm ends the alarm that a browser raised, with what was found.
func (s *server) judgeAlarm(c *call) error {
	err := s.Ops.JudgeAlarm(c.Request().Context(), c.agent, c.FormValue("finding"))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/audit")
	}
	if fault.KindOf(err) != fault.Invalid {
		return err
	}
	page, unknown := s.Ops.Trail(c.Request().Context(), c.agent, ops.TrailQuery{Limit: rowsShown})
	if unknown != nil {
		return unknown
	}
	v := trailView{Filter: filterOf(c), Alarm: alarmView{Finding: c.FormValue("finding"), Problem: fault.Message(err)}}
	s.showTrail(c, &v, page)
	return render(c, trailPage, fault.KindOf(err).HTTPStatus(), v)
}

// POST /audit/checkpoint signs the trail as it is now.
func (s *server) signTrail(c *call) error {
	if _, err := s.Ops.SignCheckpoint(c.Request().Context(), c.agent); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/audit")
}
