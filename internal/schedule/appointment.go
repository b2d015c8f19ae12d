package schedule

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// State is how far an appointment has come.
type State string

// The states. Held, NoShow and Cancelled are final.
const (
	Booked    State = "booked"
	Arrived   State = "arrived"
	Held      State = "held"
	NoShow    State = "no_show"
	Cancelled State = "cancelled"
)

// SafeString returns the state's word.
func (s State) SafeString() string { return string(s) }

// takesTime reports whether an appointment in this state occupies its
// therapist and its room.
func (s State) takesTime() bool { return s != Cancelled && s != NoShow }

// MinutesMax is the greatest length of an appointment or encounter.
const MinutesMax = 240

// Appointment is a plan that a client and a therapist meet.
type Appointment struct {
	ID        ident.ID[ident.Appointment]
	Client    ident.ID[ident.Client]
	Therapist ident.ID[ident.Staff]
	Start     time.Time // in the clinic's zone
	Minutes   int
	Room      string // code of a Room, or empty when they meet without one
	Service   string // code of the fee list, such as "90834"
	State     State
}

// End returns the instant at which the appointment is over.
func (a Appointment) End() time.Time { return a.Start.Add(time.Duration(a.Minutes) * time.Minute) }

// ErrNoAppointment is returned for an appointment that does not exist, or that
// the agent may not know of.
var ErrNoAppointment = fault.New(fault.NotFound, "There is no such appointment.")

// plan is an appointment as it is stored.
type plan struct {
	ID        ident.ID[ident.Appointment] `cbor:"1,keyasint"`
	Client    ident.ID[ident.Client]      `cbor:"2,keyasint"`
	Therapist ident.ID[ident.Staff]       `cbor:"3,keyasint"`
	Start     int64                       `cbor:"4,keyasint"` // Unix seconds
	Minutes   int                         `cbor:"5,keyasint"`
	Room      string                      `cbor:"6,keyasint"`
	Service   string                      `cbor:"7,keyasint"`
	State     State                       `cbor:"8,keyasint"`
}

type planRow = vault.Row[plan, vault.None]

var appointments = vault.NewTable(vault.BucketAppointments,
	vault.NewIndex("id", func(r planRow) []string { return []string{string(r.Shared.ID[:])} }),
	vault.NewIndex("start", func(r planRow) []string { return []string{instant(r.Shared.Start)} }),
	vault.NewIndex("therapist", func(r planRow) []string {
		return []string{therapistKey(r.Shared.Therapist, r.Shared.Start)}
	}),
	vault.NewIndex("room", func(r planRow) []string {
		if r.Shared.Room == "" {
			return nil
		}
		return []string{roomKey(r.Shared.Room, r.Shared.Start)}
	}),
	vault.NewIndex("client", func(r planRow) []string {
		return []string{string(r.Shared.Client[:]) + instant(r.Shared.Start)}
	}))

// instant returns Unix seconds as an index key; times before 1970 sort first.
func instant(unix int64) string { return vault.Uint64Key(uint64(max(unix, 0))) }

func therapistKey(id ident.ID[ident.Staff], unix int64) string { return string(id[:]) + instant(unix) }

func roomKey(code string, unix int64) string { return code + "\x00" + instant(unix) }

func appointmentOf(row planRow, zone *time.Location) Appointment {
	p := row.Shared
	return Appointment{
		ID: p.ID, Client: p.Client, Therapist: p.Therapist,
		Start: time.Unix(p.Start, 0).In(zone), Minutes: p.Minutes,
		Room: p.Room, Service: p.Service, State: p.State,
	}
}

// Read returns an appointment within another part's transaction, or
// ErrNoAppointment.
func Read(tx *vault.Tx, id ident.ID[ident.Appointment]) (Appointment, error) {
	row, err := rowOf(tx, id)
	if err != nil {
		return Appointment{}, err
	}
	return appointmentOf(row, tx.Now().Location()), nil
}

func rowOf(tx *vault.Tx, id ident.ID[ident.Appointment]) (planRow, error) {
	row, ok, err := appointments.First(tx, "id", string(id[:]))
	if err == nil && !ok {
		err = ErrNoAppointment
	}
	return row, err
}

// Booking is what the desk writes down to make an appointment.
type Booking struct {
	Client    ident.ID[ident.Client]
	Therapist ident.ID[ident.Staff]
	Start     time.Time
	Minutes   int    // 5 to MinutesMax
	Room      string // code of a Room, or empty
	Service   string // code of the fee list; may be empty until the encounter is closed
}

// Book makes an appointment within a transaction that is allowed
// schedule.write. The therapist must be assigned to the client on that day,
// and neither therapist nor room may be taken.
func Book(tx *vault.Tx, b Booking) (Appointment, error) {
	p := plan{
		ID: ident.New[ident.Appointment](tx.Now()), Client: b.Client, Therapist: b.Therapist,
		Start: b.Start.Unix(), Minutes: b.Minutes, Room: b.Room, Service: b.Service, State: Booked,
	}
	if err := p.check(tx); err != nil {
		return Appointment{}, err
	}
	tx.Detail("appointment", p.ID)
	row := planRow{Shared: p}
	if _, err := appointments.Insert(tx, row); err != nil {
		return Appointment{}, err
	}
	return appointmentOf(row, tx.Now().Location()), nil
}

func (p plan) check(tx *vault.Tx) error {
	switch {
	case p.Minutes < 5 || p.Minutes > MinutesMax:
		return fault.New(fault.Invalid, "An appointment lasts between 5 and 240 minutes. Correct its length.")
	case p.Start <= 0:
		return fault.New(fault.Invalid, "Choose the day and time of the appointment.")
	case len(p.Service) > serviceMax:
		return fault.New(fault.Invalid, "Choose a service of the fee list.")
	}
	day := civil.Of(time.Unix(p.Start, 0).In(tx.Now().Location()))
	if assigned, err := roster.AssignedOn(tx, p.Therapist, p.Client, day); err != nil {
		return err
	} else if !assigned {
		return fault.New(fault.Invalid, "This therapist is not assigned to the client on that day. Assign the therapist first.")
	}
	if err := checkRoom(tx, p.Room); err != nil {
		return err
	}
	return p.checkFree(tx)
}

const serviceMax = 16

// ErrTherapistTaken and ErrRoomTaken refuse a double booking.
var (
	ErrTherapistTaken = fault.New(fault.Conflict, "The therapist already has an appointment at that time. Choose another time.")
	ErrRoomTaken      = fault.New(fault.Conflict, "The room is already taken at that time. Choose another room or time.")
)

func (p plan) checkFree(tx *vault.Tx) error {
	from, to := p.Start-MinutesMax*60, p.end()
	taken, err := p.collides(tx, "therapist", therapistKey(p.Therapist, from), therapistKey(p.Therapist, to))
	if err == nil && taken {
		err = ErrTherapistTaken
	}
	if err != nil || p.Room == "" {
		return err
	}
	taken, err = p.collides(tx, "room", roomKey(p.Room, from), roomKey(p.Room, to))
	if err == nil && taken {
		err = ErrRoomTaken
	}
	return err
}

func (p plan) end() int64 { return p.Start + int64(p.Minutes)*60 }

// collides reports whether an appointment of the index range, other than p
// itself, takes time that p wants.
func (p plan) collides(tx *vault.Tx, index, from, to string) (bool, error) {
	for row, err := range appointments.Between(tx, index, from, to) {
		if err != nil {
			return false, err
		}
		other := row.Shared
		if other.ID != p.ID && other.State.takesTime() && other.Start < p.end() && p.Start < other.end() {
			return true, nil
		}
	}
	return false, nil
}
