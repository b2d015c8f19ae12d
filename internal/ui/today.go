package ui

import (
	"context"
	"net/http"
	"net/url"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/schedule"
	"coffer/internal/till"
)

// todayView is the list of the day, for the desk.
type todayView struct {
	Heading, Date string
	Self          string // the path that reads the list again
	Find          findView
	Terminals     []till.TerminalStatus
	Open          int // payments that wait for somebody
	Approvals     int // acts that wait for this person's decision
	Therapists    []choice
	DueOnly       bool
	Rows          []todayRow
	Empty         string
}

// todayRow is one appointment, with no more than the desk needs.
type todayRow struct {
	ID, Client        string
	Time              string
	Name, Account     string
	Therapist         string
	State             pill
	Due               string
	Owes              bool
	MayPay, MayArrive bool
	Focus             bool // where the keys begin
}

// GET /today
func (s *server) today(c *call) error {
	v, err := s.todayOf(c)
	if err != nil {
		return err
	}
	if v.Terminals, err = s.Till.Terminals(c.Request().Context(), c.agent); err != nil {
		return err
	}
	if v.Open, err = s.waiting(c); err != nil {
		return err
	}
	if v.Approvals, err = s.toApprove(c); err != nil {
		return err
	}
	focusRow(v.Rows) // not when the list is read again: the focus stays where it is
	return render(c, todayPage, http.StatusOK, v)
}

// waiting returns how many payments wait for somebody, for those who may look
// at them.
func (s *server) waiting(c *call) (int, error) {
	if !c.agent.May(access.PaymentReview) {
		return 0, nil
	}
	list, err := s.Till.Unresolved(c.Request().Context(), c.agent)
	n := 0
	for _, p := range list {
		if waits(p) {
			n++
		}
	}
	return n, err
}

// GET /today/rows is what an open page reads again when the bell rings.
func (s *server) todayAgain(c *call) error {
	v, err := s.todayOf(c)
	if err != nil {
		return err
	}
	return render(c, todayRows, http.StatusOK, v)
}

func (s *server) todayOf(c *call) (todayView, error) {
	ctx := c.Request().Context()
	v := todayView{
		Heading: "Today", Date: longDate(s.date()), DueOnly: c.QueryParam("due") == "yes",
		Find: findView{CSRF: csrfToken(c.cookie)},
	}
	lines, err := s.Schedule.Day(ctx, c.agent, s.date())
	if err != nil {
		return v, err
	}
	due, err := s.dueOf(ctx, c, lines)
	if err != nil {
		return v, err
	}
	chosen := c.QueryParam("therapist")
	v.Therapists = therapistChoices(lines, chosen)
	for _, line := range lines {
		if chosen != "" && line.Therapist.String() != chosen || v.DueOnly && due[line.Client] <= 0 {
			continue
		}
		v.Rows = append(v.Rows, s.todayRow(c.agent, line, due[line.Client]))
	}
	v.Self, v.Empty = selfPath(chosen, v.DueOnly), emptyDay(len(lines))
	return v, nil
}

func (s *server) todayRow(agent access.Agent, line schedule.Line, due money.Amount) todayRow {
	return todayRow{
		ID: line.ID.String(), Client: line.Client.String(), Time: s.clock(line.Start),
		Name: line.ClientName.Reveal(), Account: string(line.Account), Therapist: line.TherapistName,
		State: appointmentPills[line.State], Due: balance(due), Owes: due > 0, MayPay: agent.May(access.PaymentTake),
		MayArrive: line.State == schedule.Booked && agent.May(access.AppointmentCheckIn),
	}
}

// therapistChoices lists who has appointments on the day, in their order.
func therapistChoices(lines []schedule.Line, chosen string) []choice {
	var all []choice
	seen := map[ident.ID[ident.Staff]]bool{}
	for _, line := range lines {
		if !seen[line.Therapist] {
			seen[line.Therapist] = true
			id := line.Therapist.String()
			all = append(all, choice{ID: id, Name: line.TherapistName, Chosen: id == chosen})
		}
	}
	return all
}

// selfPath returns the path that reads the same list again.
func selfPath(therapist string, dueOnly bool) string {
	query := url.Values{}
	if therapist != "" {
		query.Set("therapist", therapist)
	}
	if dueOnly {
		query.Set("due", "yes")
	}
	if len(query) == 0 {
		return "/today/rows"
	}
	return "/today/rows?" + query.Encode()
}

func emptyDay(lines int) string {
	if lines > 0 {
		return "No appointment fits the choice above. Choose all therapists to see the whole day."
	}
	return "There are no appointments today. They appear here as soon as they are booked."
}

// focusRow marks the row where the keys begin: the first with something due,
// or else the first that is not over.
func focusRow(rows []todayRow) {
	start := 0
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].MayArrive {
			start = i
		}
	}
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].Owes {
			start = i
		}
	}
	if len(rows) > 0 {
		rows[start].Focus = true
	}
}

// POST /appointments/:id/arrive
func (s *server) arrive(c *call) error {
	id, err := ident.Parse[ident.Appointment](c.Param("id"))
	if err != nil {
		return err
	}
	if err := s.Schedule.CheckIn(c.Request().Context(), c.agent, id); err != nil {
		return err
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, "/today")
}

// dueOf returns what each client of the lines owes.
func (s *server) dueOf(ctx context.Context, c *call, lines []schedule.Line) (map[ident.ID[ident.Client]]money.Amount, error) {
	ids := make([]ident.ID[ident.Client], len(lines))
	for i, line := range lines {
		ids[i] = line.Client
	}
	return s.Billing.Dues(ctx, c.agent, ids)
}
