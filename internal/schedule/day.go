package schedule

import (
	"context"
	"iter"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// Line is one appointment as a day list shows it. The balance due beside it
// is asked of billing, by Client or Account.
type Line struct {
	Appointment
	Account       roster.Account
	ClientName    phi.Text
	TherapistName string
	RoomLabel     string // empty when they meet without a room
}

// Day returns the appointments that begin on a day, by time, for the desk.
func (s *Schedule) Day(ctx context.Context, agent access.Agent, day civil.Date) ([]Line, error) {
	var lines []Line
	entity := access.Entity{Kind: access.KindDay}
	err := s.vault.View(ctx, request(agent, access.DayRead, entity), func(tx *vault.Tx) error {
		from, to := bounds(tx, day)
		var err error
		tx.Detail("day", day)
		lines, err = linesOf(tx, appointments.Between(tx, "start", instant(from), instant(to)))
		return err
	})
	return lines, err
}

// MyDay returns the agent's own appointments that begin on a day, by time.
func (s *Schedule) MyDay(ctx context.Context, agent access.Agent, day civil.Date) ([]Line, error) {
	var lines []Line
	me := agent.StaffID()
	err := s.vault.View(ctx, request(agent, access.DayOwn, access.Staff(me)), func(tx *vault.Tx) error {
		from, to := bounds(tx, day)
		var err error
		tx.Detail("day", day)
		lines, err = linesOf(tx, appointments.Between(tx, "therapist", therapistKey(me, from), therapistKey(me, to)))
		return err
	})
	return lines, err
}

// bounds returns the Unix seconds at which a day of the clinic's zone begins
// and at which the next one does.
func bounds(tx *vault.Tx, day civil.Date) (from, to int64) {
	zone := tx.Now().Location()
	return day.In(zone).Unix(), day.AddDays(1).In(zone).Unix()
}

// linesOf joins appointments with the names that a day list shows.
func linesOf(tx *vault.Tx, rows iter.Seq2[planRow, error]) ([]Line, error) {
	zone := tx.Now().Location()
	labels, err := roomLabels(tx)
	if err != nil {
		return nil, err
	}
	therapists := map[ident.ID[ident.Staff]]string{}
	var lines []Line
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		l := Line{Appointment: appointmentOf(row, zone), RoomLabel: labels[row.Shared.Room]}
		client, err := roster.Read(tx, l.Client)
		if err != nil {
			return nil, err
		}
		l.Account, l.ClientName = client.Account, client.Name
		name, known := therapists[l.Therapist]
		if !known {
			if name, err = identity.DisplayName(tx, l.Therapist); err != nil {
				return nil, err
			}
			therapists[l.Therapist] = name
		}
		l.TherapistName = name
		lines = append(lines, l)
	}
	return lines, nil
}

func roomLabels(tx *vault.Tx) (map[string]string, error) {
	all, err := Rooms(tx)
	labels := make(map[string]string, len(all))
	for _, r := range all {
		labels[r.Code] = r.Label
	}
	return labels, err
}
