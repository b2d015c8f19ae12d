package billing

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/schedule"
	"coffer/internal/vault"
)

// Billing answers and serves people, each time in a transaction of its own.
type Billing struct {
	v      *vault.Vault
	limits duty.Limits
	takers Takers
}

// Takers returns the sign-in names of those who took payments of a client since
// an instant: whom rule 2 of the separation of duties bars from adjusting.
type Takers func(tx *vault.Tx, client ident.ID[ident.Client], since time.Time) ([]string, error)

// Options are what billing needs. Vault must have been opened with the Tables of
// billing, books, roster, schedule and duty.
type Options struct {
	Vault  *vault.Vault
	Limits duty.Limits // what one person may adjust alone
	Takers Takers      // due for adjustments
}

// New returns billing over an open vault.
func New(o Options) *Billing { return &Billing{o.Vault, o.Limits, o.Takers} }

// Tables returns what billing keeps in the vault.
func Tables() []vault.AnyTable { return []vault.AnyTable{services, scales, charges} }

func request(agent access.Agent, action access.Action, e access.Entity) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: e, Purpose: access.Payment}
}

// Close closes an appointment's encounter and charges it in one commit. The
// service and the minutes are the appointment's when they are zero. The same
// command again returns the same charge.
func (b *Billing) Close(ctx context.Context, agent access.Agent, appointment ident.ID[ident.Appointment], service string, minutes int, command ident.ID[ident.Command]) (Charge, error) {
	var charge Charge
	req := request(agent, access.EncounterClose, access.Of(access.KindAppointment, appointment))
	err := b.v.Update(ctx, req, func(tx *vault.Tx) error {
		var done bool
		var err error
		if charge, done, err = repeated(tx, command, appointment); err != nil || done {
			return err
		}
		encounter, _, err := schedule.CloseEncounter(tx, schedule.Closing{Appointment: appointment, Service: service, Minutes: minutes})
		if err != nil {
			return err
		}
		charge, err = ChargeEncounter(tx, encounter, command)
		return err
	})
	return charge, err
}

// Missed records that a client did not come and charges the no-show fee in
// one commit. The same command again returns the same charge.
func (b *Billing) Missed(ctx context.Context, agent access.Agent, appointment ident.ID[ident.Appointment], command ident.ID[ident.Command]) (Charge, error) {
	var charge Charge
	req := request(agent, access.ChargePost, access.Of(access.KindAppointment, appointment))
	err := b.v.Update(ctx, req, func(tx *vault.Tx) error {
		var done bool
		var err error
		if charge, done, err = repeated(tx, command, appointment); err != nil || done {
			return err
		}
		if err := schedule.Move(tx, appointment, schedule.NoShow, schedule.Booked); err != nil {
			return err
		}
		missed, err := schedule.Read(tx, appointment)
		if err != nil {
			return err
		}
		charge, err = ChargeNoShow(tx, missed, command)
		return err
	})
	return charge, err
}

// repeated returns the charge that a command made already, and whether it
// did; or ErrCommand when that was for another appointment.
func repeated(tx *vault.Tx, command ident.ID[ident.Command], appointment ident.ID[ident.Appointment]) (Charge, bool, error) {
	if command.IsZero() {
		return Charge{}, false, nil
	}
	row, ok, err := charges.First(tx, "command", string(command[:]))
	if ok && row.Shared.Appointment != appointment {
		return Charge{}, false, ErrCommand
	}
	return row.Shared, ok, err
}

// GroupOf returns the group of the service that an entry charged, and whether
// the entry is a charge: what the accountant sees of it.
func (b *Billing) GroupOf(ctx context.Context, agent access.Agent, entry ident.ID[ident.Entry]) (Group, bool, error) {
	var group Group
	var found bool
	err := b.v.View(ctx, request(agent, access.BooksRead, access.Of(access.KindEntry, entry)), func(tx *vault.Tx) error {
		row, ok, err := charges.First(tx, "entry", string(entry[:]))
		group, found = row.Shared.Group, ok
		return err
	})
	return group, found, err
}
