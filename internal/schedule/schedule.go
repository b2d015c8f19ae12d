package schedule

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// Schedule answers people; the functions of the package that take a
// transaction answer other parts of Coffer within theirs.
type Schedule struct{ vault *vault.Vault }

// New returns the schedule kept in v, which must have been opened with the
// Tables of this package, of roster and of identity.
func New(v *vault.Vault) *Schedule { return &Schedule{vault: v} }

// Tables returns what the schedule keeps, for opening the vault.
func Tables() []vault.AnyTable { return []vault.AnyTable{rooms, appointments, encounters} }

// Related reports whether a member of staff stands in a treatment relation to
// the entity: a client by an assignment in force, an appointment or encounter
// by being its therapist. It is the vault's Relation.
func Related(tx *vault.Tx, staff ident.ID[ident.Staff], e access.Entity) (bool, error) {
	if staff.IsZero() {
		return false, nil
	}
	switch e.Kind {
	case access.KindClient:
		return roster.Assigned(tx, staff, ident.ID[ident.Client](e.ID))
	case access.KindAppointment:
		row, ok, err := appointments.First(tx, "id", string(e.ID[:]))
		return ok && row.Shared.Therapist == staff, err
	case access.KindEncounter:
		row, ok, err := encounters.First(tx, "id", string(e.ID[:]))
		return ok && row.Shared.Therapist == staff, err
	}
	return false, nil
}

// Book makes an appointment.
func (s *Schedule) Book(ctx context.Context, agent access.Agent, b Booking) (Appointment, error) {
	var made Appointment
	err := s.vault.Update(ctx, request(agent, access.ScheduleWrite, access.Client(b.Client)), func(tx *vault.Tx) error {
		var err error
		made, err = Book(tx, b)
		return err
	})
	return made, err
}

// CheckIn says that the client is here. Asking again changes nothing.
func (s *Schedule) CheckIn(ctx context.Context, agent access.Agent, id ident.ID[ident.Appointment]) error {
	return s.move(ctx, agent, access.AppointmentCheckIn, id, Arrived, Booked)
}

// MarkNoShow says that the client did not come.
func (s *Schedule) MarkNoShow(ctx context.Context, agent access.Agent, id ident.ID[ident.Appointment]) error {
	return s.move(ctx, agent, access.ScheduleWrite, id, NoShow, Booked)
}

// Cancel frees the time of an appointment that will not take place.
func (s *Schedule) Cancel(ctx context.Context, agent access.Agent, id ident.ID[ident.Appointment]) error {
	return s.move(ctx, agent, access.ScheduleWrite, id, Cancelled, Booked, Arrived)
}

// ErrMovedOn refuses a step that the appointment's state does not allow.
var ErrMovedOn = fault.New(fault.Conflict, "The appointment has moved on in the meantime. Look at it again, then decide.")

// move brings an appointment from one of the states given to another. An
// appointment that is already there stays as it is.
func (s *Schedule) move(ctx context.Context, agent access.Agent, action access.Action, id ident.ID[ident.Appointment], to State, from ...State) error {
	entity := access.Of(access.KindAppointment, id)
	return s.vault.Update(ctx, request(agent, action, entity), func(tx *vault.Tx) error {
		return Move(tx, id, to, from...)
	})
}

// Move brings an appointment to the state to, if it is in one of the states
// from, within a transaction that is allowed to. An appointment that is
// already there stays as it is; any other gives ErrMovedOn.
func Move(tx *vault.Tx, id ident.ID[ident.Appointment], to State, from ...State) error {
	row, err := rowOf(tx, id)
	if err != nil || row.Shared.State == to {
		return err
	}
	tx.Detail("state", to)
	for _, s := range from {
		if row.Shared.State == s {
			row.Shared.State = to
			return appointments.Replace(tx, row)
		}
	}
	return ErrMovedOn
}

func request(agent access.Agent, action access.Action, e access.Entity) access.Request {
	purpose := access.Operations
	if agent.Has(access.Therapist) {
		purpose = access.Treatment
	}
	return access.Request{Agent: agent, Action: action, Entity: e, Purpose: purpose}
}
