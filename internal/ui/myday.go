package ui

import (
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/schedule"
)

// myDayView is a therapist's own day.
type myDayView struct {
	Date string
	Rows []myDayRow
}

// myDayRow is one own appointment, with what one tap would charge.
type myDayRow struct {
	ID, Client   string
	Time         string
	Name, Room   string
	State        pill
	MayClose     bool
	Command      string
	Service      string
	ServiceLabel string
	Minutes      int
	Done         string
}

// myClientView is what a therapist sees of an assigned client.
type myClientView struct {
	Name, Account string
	Contact       []fact
}

// GET /my/day
func (s *server) myDay(c *call) error {
	ctx := c.Request().Context()
	lines, err := s.Schedule.MyDay(ctx, c.agent, s.date())
	if err != nil {
		return err
	}
	labels, err := s.serviceLabels(c)
	if err != nil {
		return err
	}
	v := myDayView{Date: longDate(s.date())}
	for _, line := range lines {
		v.Rows = append(v.Rows, s.myDayRow(line, labels))
	}
	return render(c, myDayPage, http.StatusOK, v)
}

func (s *server) myDayRow(line schedule.Line, labels map[string]string) myDayRow {
	row := myDayRow{
		ID: line.ID.String(), Client: line.Client.String(), Time: s.clock(line.Start), Name: line.ClientName.Reveal(),
		Room: line.RoomLabel, State: appointmentPills[line.State], Minutes: line.Minutes,
		Service: line.Service, ServiceLabel: labels[line.Service],
		MayClose: mayClose(line.State) && labels[line.Service] != "",
		Command:  ident.New[ident.Command](s.Now()).String(),
	}
	if line.State == schedule.Held {
		row.Done = labels[line.Service] + " charged"
	}
	return row
}

// mayClose reports whether a session can be closed from this state.
func mayClose(state schedule.State) bool {
	return state == schedule.Booked || state == schedule.Arrived
}

// serviceLabels returns the fee list's words by code.
func (s *server) serviceLabels(c *call) (map[string]string, error) {
	services, err := s.Billing.Services(c.Request().Context(), c.agent)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	for _, service := range services {
		labels[service.Code] = service.Label
	}
	return labels, nil
}

// GET /my/clients/:id: a client who is not assigned does not exist here.
func (s *server) myClient(c *call) error {
	id, err := ident.Parse[ident.Client](c.Param("id"))
	if err != nil {
		return err
	}
	client, err := s.Roster.Client(c.Request().Context(), c.agent, id)
	if kind := fault.KindOf(err); err != nil && kind == fault.Denied {
		return errNoPage
	}
	if err != nil {
		return err
	}
	return render(c, myClientPage, http.StatusOK, myClientView{
		Name: client.Name.Reveal(), Account: string(client.Account), Contact: contactOf(client),
	})
}
