package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"coffer/internal/access"
	"coffer/internal/billing"
	"coffer/internal/civil"
	"coffer/internal/custody"
	"coffer/internal/day"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/terminal/protocol"
	"coffer/internal/till"
)

// HistoryDays is how far back the sample clinic's history reaches.
const HistoryDays = 90

const (
	noon = 12 * time.Hour
	// owingDays is for how long the clients of this morning have not paid: so
	// that the desk of the demo has something to do, whatever the hour.
	owingDays = 9
)

// Clock is the vault's clock while the past is being posted.
type Clock struct{ now atomic.Pointer[time.Time] }

// NewClock returns a clock that stands at t.
func NewClock(t time.Time) *Clock {
	c := &Clock{}
	c.set(t)
	return c
}

// Now returns the instant at which the clock stands.
func (c *Clock) Now() time.Time { return *c.now.Load() }

func (c *Clock) set(t time.Time) { c.now.Store(&t) }

// Clinic is what is furnished: an open, empty, set-up store and its floors.
type Clinic struct {
	Issuer   access.Issuer
	Identity *identity.Identity
	Roster   *roster.Roster
	Schedule *schedule.Schedule
	Billing  *billing.Billing
	Till     *till.Till
	Day      *day.Day
	Register *custody.Register
	Terminal ident.ID[ident.Terminal]
	// Wire returns what the terminal says of itself.
	Wire  func() protocol.Device
	Clock *Clock
	Seed  uint64
	// Changed receives a value after each change of a payment.
	Changed <-chan struct{}
}

// SignIn is one sample sign-in, as sign-ins.json keeps it for guests.
type SignIn struct {
	Name     string `json:"name"`
	Display  string `json:"display"`
	Role     string `json:"role"`
	Password string `json:"password"`
	Secret   string `json:"totp_secret"`
}

// furnisher is Furnish at work.
type furnisher struct {
	Clinic
	people   map[string]identity.Staff
	clients  []sampleClient
	rostered []roster.Client
	sessions map[int]int  // sessions held, by client
	owing    map[int]bool // clients of this morning, who have not paid for a while
	cash     money.Amount // in the drawer of the desk
	device   ident.ID[ident.Device]
}

// Furnish posts the sample clinic into an empty store: staff, clients, and
// HistoryDays days that end with the day of present, of which the sessions that
// ended before present are held. The sign-ins are written into dir. Seed decides everything but identifiers and keys.
func Furnish(ctx context.Context, c Clinic, present time.Time, dir string) error {
	today := civil.Of(present)
	f := &furnisher{Clinic: c, people: map[string]identity.Staff{}, clients: sampleClients(c.Seed), sessions: map[int]int{}, owing: map[int]bool{}}
	for _, slot := range slotsOn(c.Seed, f.clients, today, true) {
		f.owing[slot.client] = slot.start < noon
	}
	first := today.AddDays(-HistoryDays)
	f.Clock.set(first.In(present.Location()).Add(7 * time.Hour))
	if err := f.hire(ctx, dir); err != nil {
		return fmt.Errorf("cannot take in the sample staff: %w", err)
	}
	if err := f.enrol(ctx, first); err != nil {
		return fmt.Errorf("cannot enrol the sample clients: %w", err)
	}
	if err := f.pair(ctx); err != nil {
		return fmt.Errorf("cannot register the sample terminal: %w", err)
	}
	for date := first; date <= today; date++ {
		if date > first && (date-first)%inspectionDays == 0 {
			if err := f.inspect(ctx); err != nil {
				return fmt.Errorf("cannot inspect the sample terminal: %w", err)
			}
		}
		if err := f.live(ctx, date, date == today, present); err != nil {
			return fmt.Errorf("cannot post %s: %w", date, err)
		}
		if date == today {
			break
		}
		f.Clock.set(date.In(present.Location()).Add(18 * time.Hour))
		if err := f.evening(ctx); err != nil {
			return fmt.Errorf("cannot close %s: %w", date, err)
		}
	}
	f.Clock.set(present)
	return nil
}

// hire takes in the staff and writes the sign-ins down.
func (f *furnisher) hire(ctx context.Context, dir string) error {
	agent := f.Identity.System("setup")
	var signIns []SignIn
	for _, p := range staff {
		member, enrolment, err := f.Identity.CreateStaff(ctx, agent, identity.NewStaff{
			Name: p.signIn, DisplayName: p.name, Roles: []access.Role{p.role}, Password: samplePassword,
		})
		if err != nil {
			return err
		}
		f.people[p.signIn] = member
		signIns = append(signIns, SignIn{p.signIn, p.name, string(p.role), samplePassword, enrolment.Secret})
	}
	text, err := json.MarshalIndent(signIns, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, signInsFile), text, 0o600)
}

// as returns a member of the sample staff as an agent at the front desk.
func (f *furnisher) as(signIn string) access.Agent {
	p := f.people[signIn]
	return f.Issuer.Person(p.ID, ident.ID[ident.Session]{}, p.Name, access.Origin{Via: "lan", Address: "sample"}, p.Roles...)
}

// enrol adds rooms and clients and assigns each client to a therapist.
func (f *furnisher) enrol(ctx context.Context, from civil.Date) error {
	for i := range therapists() {
		room := schedule.Room{Code: roomOf(i), Label: fmt.Sprintf("Room %d", i+1)}
		if err := f.Schedule.AddRoom(ctx, f.Identity.System("setup"), room); err != nil {
			return err
		}
	}
	desk := f.as("desk")
	for _, s := range f.clients {
		client, err := f.Roster.Create(ctx, desk, roster.Details{
			Name: phi.NewText(s.name), Born: phi.NewText(s.born), Phone: phi.NewText(s.phone), Email: phi.NewText(s.email),
		})
		if err != nil {
			return err
		}
		f.rostered = append(f.rostered, client)
		err = f.Roster.Assign(ctx, desk, roster.Assignment{
			Therapist: f.people[s.therapist].ID, Client: client.ID, From: from, Until: roster.Forever,
		})
		if err != nil {
			return err
		}
		if s.slidingBasisPoints == 0 {
			continue
		}
		if err := f.Billing.SetScale(ctx, f.Identity.System("setup"), client.ID, s.slidingBasisPoints); err != nil {
			return err
		}
	}
	return nil
}

func roomOf(therapist int) string { return fmt.Sprintf("R%d", therapist+1) }

// live posts one day of the clinic.
func (f *furnisher) live(ctx context.Context, day civil.Date, today bool, present time.Time) error {
	midnight := day.In(present.Location())
	if today {
		midnight = midnight.Add(-early(present.Sub(midnight)))
	}
	f.Clock.set(midnight.Add(7 * time.Hour))
	slots := slotsOn(f.Seed, f.clients, day, today)
	booked := make([]ident.ID[ident.Appointment], len(slots))
	for i, s := range slots {
		client := f.clients[s.client]
		a, err := f.Schedule.Book(ctx, f.as("desk"), schedule.Booking{
			Client: f.rostered[s.client].ID, Therapist: f.people[client.therapist].ID,
			Start: midnight.Add(s.start), Minutes: s.minutes, Room: roomOf(s.client % len(therapists())),
			Service: services[client.service],
		})
		if err != nil {
			return err
		}
		booked[i] = a.ID
	}
	r := rand.New(rand.NewPCG(f.Seed^0x5eed, uint64(int64(day))))
	for _, i := range byEnd(slots) {
		end := midnight.Add(slots[i].start + time.Duration(slots[i].minutes)*time.Minute)
		missed, unpaid := r.IntN(25) == 0, r.IntN(12) == 0
		if end.After(present) {
			continue
		}
		f.Clock.set(end)
		owes := f.owing[slots[i].client] && day > civil.Of(present).AddDays(-owingDays)
		if err := f.hold(ctx, slots[i].client, booked[i], missed, unpaid || today || owes); err != nil {
			return err
		}
	}
	return nil
}

// early is by how much the sample clinic's today begins before its usual hour,
// so that a visitor before eleven finds sessions that were held. Never so much
// that one would begin before midnight.
func early(sinceMidnight time.Duration) time.Duration {
	return min(max(11*time.Hour-sinceMidnight, 0), startTimes[0]).Truncate(30 * time.Minute)
}

// evening counts the drawer, takes the cash to the bank and has the accountant
// close the day, if there is something to close.
func (f *furnisher) evening(ctx context.Context) error {
	desk, accountant := f.as("desk"), f.as("books")
	due, err := f.Day.Next(ctx, accountant)
	if err != nil || due.Sheet.Last == due.Sheet.After {
		return err
	}
	if f.cash > 0 {
		if _, err := f.Day.Count(ctx, desk, ident.New[ident.Command](f.Clock.Now()), pieces(f.cash)); err != nil {
			return err
		}
		if err := f.Day.Drop(ctx, desk, ident.New[ident.Command](f.Clock.Now()), f.cash); err != nil {
			return err
		}
		f.cash = 0
	}
	_, err = f.Day.Seal(ctx, accountant, due.Day)
	return err
}

// pieces returns notes and coins that come to an amount.
func pieces(amount money.Amount) []day.Pieces {
	var all []day.Pieces
	for _, value := range day.Values {
		all = append(all, day.Pieces{Value: value, Count: uint32(amount / value)})
		amount %= value
	}
	return all
}

// hold ends one appointment: the client came or did not, is charged, and pays
// as is the client's habit.
func (f *furnisher) hold(ctx context.Context, client int, appointment ident.ID[ident.Appointment], missed, unpaid bool) error {
	desk := f.as("desk")
	command := ident.New[ident.Command](f.Clock.Now())
	if missed {
		_, err := f.Billing.Missed(ctx, desk, appointment, command)
		return err
	}
	if err := f.Schedule.CheckIn(ctx, desk, appointment); err != nil {
		return err
	}
	if _, err := f.Billing.Close(ctx, f.as(f.clients[client].therapist), appointment, "", 0, command); err != nil {
		return err
	}
	f.sessions[client]++
	switch f.clients[client].habit {
	case paysEveryThird:
		unpaid = unpaid || f.sessions[client]%3 != 0
	case paysLate:
		unpaid = unpaid || f.sessions[client]%5 != 0
	}
	if unpaid {
		return nil
	}
	return f.pay(ctx, client)
}

// pay settles what a client owes.
func (f *furnisher) pay(ctx context.Context, client int) error {
	desk, id := f.as("desk"), f.rostered[client].ID
	dues, err := f.Billing.Dues(ctx, desk, []ident.ID[ident.Client]{id})
	if err != nil || dues[id] <= 0 {
		return err
	}
	command := ident.New[ident.Command](f.Clock.Now())
	if f.clients[client].habit == paysCash {
		_, err := f.Till.Cash(ctx, desk, till.CashSale{Command: command, Client: id, Amount: dues[id]})
		f.cash += dues[id]
		return err
	}
	attempt, err := f.Till.Begin(ctx, desk, till.Sale{Command: command, Client: id, Amount: dues[id], Terminal: f.Terminal})
	if err != nil {
		return err
	}
	for {
		p, err := f.Till.Payment(ctx, desk, attempt)
		if err != nil || p.Final {
			return err
		}
		select {
		case <-f.Changed:
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
