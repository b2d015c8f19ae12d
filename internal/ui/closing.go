package ui

import (
	"net/http"
	"strconv"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/schedule"
)

// closeView asks which service was held and for how long.
type closeView struct {
	ID, Name, When string
	Command        string
	Services       []choice
	Minutes        string
	Problem        string
	Back           string
}

var errMinutes = fault.New(fault.Invalid, "Enter the length in whole minutes, from 5 to 240, such as 45.")

// GET /appointments/:id/close
func (s *server) closeForm(c *call) error {
	line, err := s.closingLine(c)
	if err != nil {
		return err
	}
	v, err := s.closeView(c, line, line.Service, strconv.Itoa(line.Minutes))
	if err != nil {
		return err
	}
	return render(c, closePage, http.StatusOK, v)
}

// closingLine finds the appointment among those that the agent may see today.
func (s *server) closingLine(c *call) (schedule.Line, error) {
	id, err := ident.Parse[ident.Appointment](c.Param("id"))
	if err != nil {
		return schedule.Line{}, err
	}
	day := s.Schedule.MyDay
	if home(c.agent) == "/today" {
		day = s.Schedule.Day
	}
	lines, err := day(c.Request().Context(), c.agent, s.date())
	if err != nil {
		return schedule.Line{}, err
	}
	for _, line := range lines {
		if line.ID == id {
			return line, nil
		}
	}
	return schedule.Line{}, schedule.ErrNoAppointment
}

func (s *server) closeView(c *call, line schedule.Line, service, minutes string) (closeView, error) {
	services, err := s.Billing.Services(c.Request().Context(), c.agent)
	if err != nil {
		return closeView{}, err
	}
	v := closeView{
		ID: line.ID.String(), Name: line.ClientName.Reveal(), When: s.moment(line.Start), Minutes: minutes,
		Command: ident.New[ident.Command](s.Now()).String(), Back: home(c.agent),
	}
	for _, one := range services {
		if !one.Holds() {
			continue
		}
		v.Services = append(v.Services, choice{ID: one.Code, Name: one.Label, Chosen: one.Code == service})
	}
	return v, nil
}

// POST /appointments/:id/close records the session and charges its fee, in one
// commit; the same form sent twice does it once.
func (s *server) closeSession(c *call) error {
	id, err := ident.Parse[ident.Appointment](c.Param("id"))
	if err != nil {
		return err
	}
	command, err := ident.Parse[ident.Command](c.FormValue("command"))
	if err != nil {
		return errForm
	}
	minutes, err := strconv.Atoi(c.FormValue("minutes"))
	if err != nil || minutes < 5 || minutes > schedule.MinutesMax {
		return s.closeAgain(c, errMinutes)
	}
	_, err = s.Billing.Close(c.Request().Context(), c.agent, id, c.FormValue("service"), minutes, command)
	if kind := fault.KindOf(err); err != nil && (kind == fault.Invalid || kind == fault.Conflict) {
		return s.closeAgain(c, err)
	}
	if err != nil {
		return err
	}
	s.bell.Ring(topicDay)
	return c.Redirect(http.StatusSeeOther, home(c.agent))
}

// closeAgain shows the form with what was typed and what is wrong with it.
func (s *server) closeAgain(c *call, problem error) error {
	line, err := s.closingLine(c)
	if err != nil {
		return err
	}
	v, err := s.closeView(c, line, c.FormValue("service"), c.FormValue("minutes"))
	if err != nil {
		return err
	}
	v.Problem = fault.Message(problem)
	return render(c, closePage, fault.KindOf(problem).HTTPStatus(), v)
}
