package schedule_test

import (
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// world is a clinic with two rooms, two therapists and their clients, on
// 31 March 2026, 9:00 in New York.
type world struct {
	*schedule.Schedule
	t      testing.TB
	vault  *vault.Vault
	roster *roster.Roster
	now    *time.Time
	system access.Agent
	desk   access.Agent
	maya   access.Agent
	abel   access.Agent
	ana    roster.Client // Maya's
	ben    roster.Client // Abel's
}

func tables() []vault.AnyTable {
	all := append(schedule.Tables(), roster.Tables()...)
	return append(all, identity.Tables()...)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 9, 0, 0, 0, zone)
	w := &world{t: t, now: &now, system: accesstest.System("test"), desk: accesstest.Agent(access.FrontDesk)}
	w.vault = vaulttest.OpenWith(t, vault.Options{
		Tables: tables(), Relation: schedule.Related, Now: func() time.Time { return now },
	})
	w.use(w.vault)
	for _, r := range []schedule.Room{{Code: "R1", Label: "Garden room"}, {Code: "R2", Label: "Attic"}} {
		w.must(w.AddRoom(t.Context(), w.system, r))
	}
	w.maya, w.abel = w.therapist("maya.okafor", "Dr. Maya Okafor"), w.therapist("abel.stone", "Abel Stone, LCSW")
	w.ana, w.ben = w.client("Ana Duarte", w.maya), w.client("Ben Ito", w.abel)
	return w
}

func (w *world) use(v *vault.Vault) {
	w.vault, w.Schedule, w.roster = v, schedule.New(v), roster.New(v)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// therapist takes a therapist in and returns the person's agent.
func (w *world) therapist(name, shown string) access.Agent {
	w.t.Helper()
	issuer := access.NewIssuer()
	people := identity.New(w.vault, issuer, identity.WithHash(identity.Params{Time: 1, MemoryKiB: 64, Threads: 1}))
	made, _, err := people.CreateStaff(w.t.Context(), w.system, identity.NewStaff{
		Name: name, DisplayName: shown, Roles: []access.Role{access.Therapist}, Password: "three herons at low tide",
	})
	w.must(err)
	return issuer.Person(made.ID, ident.ID[ident.Session]{1}, name, access.Origin{Via: "lan"}, access.Therapist)
}

// client takes a client in and assigns the therapist for ever.
func (w *world) client(name string, therapist access.Agent) roster.Client {
	w.t.Helper()
	c, err := w.roster.Create(w.t.Context(), w.desk, roster.Details{Name: phi.NewText(name)})
	w.must(err)
	w.assign(c, therapist)
	return c
}

func (w *world) assign(c roster.Client, therapist access.Agent) {
	w.t.Helper()
	w.must(w.roster.Assign(w.t.Context(), w.desk, roster.Assignment{Therapist: therapist.StaffID(), Client: c.ID, Until: roster.Forever}))
}

// at returns an instant of today in the clinic's zone.
func (w *world) at(hour, minute int) time.Time {
	return civil.Of(*w.now).In(w.now.Location()).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

func (w *world) booking(c roster.Client, therapist access.Agent, start time.Time) schedule.Booking {
	return schedule.Booking{Client: c.ID, Therapist: therapist.StaffID(), Start: start, Minutes: 50, Room: "R1", Service: "90834"}
}

func (w *world) book(b schedule.Booking) schedule.Appointment {
	w.t.Helper()
	a, err := w.Book(w.t.Context(), w.desk, b)
	w.must(err)
	return a
}

func (w *world) day(day civil.Date) []schedule.Line {
	w.t.Helper()
	lines, err := w.Day(w.t.Context(), w.desk, day)
	w.must(err)
	return lines
}

func (w *world) today() []schedule.Line {
	w.t.Helper()
	return w.day(civil.Of(*w.now))
}

// close closes an encounter as billing does, by the agent given.
func (w *world) close(agent access.Agent, c schedule.Closing) (e schedule.Encounter, fresh bool, err error) {
	r := access.Request{
		Agent: agent, Action: access.EncounterClose,
		Entity: access.Of(access.KindAppointment, c.Appointment), Purpose: access.Treatment,
	}
	err = w.vault.Update(w.t.Context(), r, func(tx *vault.Tx) error {
		e, fresh, err = schedule.CloseEncounter(tx, c)
		return err
	})
	return e, fresh, err
}
