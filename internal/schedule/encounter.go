package schedule

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Encounter is a session that was held.
type Encounter struct {
	ID          ident.ID[ident.Encounter]
	Appointment ident.ID[ident.Appointment]
	Client      ident.ID[ident.Client]
	Therapist   ident.ID[ident.Staff]
	Start, Stop time.Time // in the clinic's zone
	Minutes     int
	Service     string // code of the fee list
}

// Day returns the day on which the encounter began.
func (e Encounter) Day() civil.Date { return civil.Of(e.Start) }

// Closing says that an appointment took place.
type Closing struct {
	Appointment ident.ID[ident.Appointment]
	Service     string // code of the fee list; empty takes the appointment's
	Minutes     int    // how long it lasted; 0 takes the appointment's length
}

// held is an encounter as it is stored.
type held struct {
	ID          ident.ID[ident.Encounter]   `cbor:"1,keyasint"`
	Appointment ident.ID[ident.Appointment] `cbor:"2,keyasint"`
	Client      ident.ID[ident.Client]      `cbor:"3,keyasint"`
	Therapist   ident.ID[ident.Staff]       `cbor:"4,keyasint"`
	Start       int64                       `cbor:"5,keyasint"` // Unix seconds
	Minutes     int                         `cbor:"6,keyasint"`
	Service     string                      `cbor:"7,keyasint"`
}

type heldRow = vault.Row[held, vault.None]

// Encounters are a journal: a session that was held stays held.
var encounters = vault.NewJournal(vault.BucketEncounters,
	vault.NewIndex("id", func(r heldRow) []string { return []string{string(r.Shared.ID[:])} }),
	vault.NewIndex("appointment", func(r heldRow) []string { return []string{string(r.Shared.Appointment[:])} }),
	vault.NewIndex("client", func(r heldRow) []string { return []string{string(r.Shared.Client[:])} }))

func encounterOf(h held, zone *time.Location) Encounter {
	start := time.Unix(h.Start, 0).In(zone)
	return Encounter{
		ID: h.ID, Appointment: h.Appointment, Client: h.Client, Therapist: h.Therapist,
		Start: start, Stop: start.Add(time.Duration(h.Minutes) * time.Minute),
		Minutes: h.Minutes, Service: h.Service,
	}
}

// ErrNoEncounter is returned for an encounter that does not exist.
var ErrNoEncounter = fault.New(fault.NotFound, "There is no such encounter.")

// ErrClosedOtherwise refuses to close an appointment again with another
// service or length: what was charged stays, and is corrected in the books.
var ErrClosedOtherwise = fault.New(fault.Conflict, "This appointment is already closed with another service or length. Look at its charge; a correction is made in the books.")

// CloseEncounter makes the encounter of an appointment, exactly once, within a
// transaction that is allowed encounter.close for the appointment. Asked again
// in the same words it returns the encounter that is there, with fresh false;
// in other words it gives ErrClosedOtherwise.
func CloseEncounter(tx *vault.Tx, c Closing) (e Encounter, fresh bool, err error) {
	row, err := rowOf(tx, c.Appointment)
	if err != nil {
		return Encounter{}, false, err
	}
	want, err := c.encounter(tx, row.Shared)
	if err != nil {
		return Encounter{}, false, err
	}
	zone := tx.Now().Location()
	if old, ok, err := encounters.First(tx, "appointment", string(c.Appointment[:])); err != nil {
		return Encounter{}, false, err
	} else if ok {
		if old.Shared.Minutes != want.Minutes || old.Shared.Service != want.Service {
			err = ErrClosedOtherwise
		}
		return encounterOf(old.Shared, zone), false, err
	}
	if err := Move(tx, c.Appointment, Held, Booked, Arrived); err != nil {
		return Encounter{}, false, err
	}
	tx.Detail("encounter", want.ID)
	_, err = encounters.Insert(tx, heldRow{Shared: want})
	return encounterOf(want, zone), true, err
}

func (c Closing) encounter(tx *vault.Tx, p plan) (held, error) {
	h := held{
		ID: ident.New[ident.Encounter](tx.Now()), Appointment: p.ID, Client: p.Client, Therapist: p.Therapist,
		Start: p.Start, Minutes: c.Minutes, Service: c.Service,
	}
	if h.Minutes == 0 {
		h.Minutes = p.Minutes
	}
	if h.Service == "" {
		h.Service = p.Service
	}
	switch {
	case h.Service == "" || len(h.Service) > serviceMax:
		return held{}, fault.New(fault.Invalid, "Choose the service that was given.")
	case h.Minutes < 1 || h.Minutes > MinutesMax:
		return held{}, fault.New(fault.Invalid, "A session lasts between 1 and 240 minutes. Correct its length.")
	case p.Start > tx.Now().Unix():
		return held{}, fault.New(fault.Invalid, "This appointment has not begun yet. Close it when the session is over.")
	}
	return h, nil
}

// ReadEncounter returns an encounter within another part's transaction, or
// ErrNoEncounter.
func ReadEncounter(tx *vault.Tx, id ident.ID[ident.Encounter]) (Encounter, error) {
	row, ok, err := encounters.First(tx, "id", string(id[:]))
	if err == nil && !ok {
		err = ErrNoEncounter
	}
	return encounterOf(row.Shared, tx.Now().Location()), err
}

// EncounterOf returns the encounter that an appointment became, and whether
// there is one.
func EncounterOf(tx *vault.Tx, id ident.ID[ident.Appointment]) (Encounter, bool, error) {
	row, ok, err := encounters.First(tx, "appointment", string(id[:]))
	return encounterOf(row.Shared, tx.Now().Location()), ok, err
}
