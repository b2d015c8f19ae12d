package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/schedule"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

func TestDayShowsWhatTheDeskNeeds(t *testing.T) {
	w := newWorld(t)
	late := w.book(w.booking(w.ana, w.maya, w.at(15, 0)))
	b := w.booking(w.ben, w.abel, w.at(9, 30))
	b.Room = ""
	early := w.book(b)
	w.book(w.booking(w.ana, w.maya, w.at(24, 0))) // tomorrow, as it begins
	lines := w.today()
	if len(lines) != 2 || lines[0].Appointment != early || lines[1].Appointment != late {
		t.Fatalf("the day is %+v", lines)
	}
	one, two := lines[0], lines[1]
	if two.ClientName != w.ana.Name || two.Account != w.ana.Account || two.TherapistName != "Dr. Maya Okafor" || two.RoomLabel != "Garden room" {
		t.Errorf("line %+v", two)
	}
	if two.Client != w.ana.ID || two.Therapist != w.maya.StaffID() || two.Service != "90834" || two.State != schedule.Booked {
		t.Errorf("line %+v", two)
	}
	if one.RoomLabel != "" || one.TherapistName != "Abel Stone, LCSW" || !one.End().Equal(w.at(10, 20)) {
		t.Errorf("line %+v", one)
	}
	if got := one.Start.Format("15:04 MST"); got != "09:30 EDT" {
		t.Errorf("it begins at %s", got)
	}
}

func TestMyDayIsMine(t *testing.T) {
	w := newWorld(t)
	mine := w.book(w.booking(w.ana, w.maya, w.at(15, 0)))
	b := w.booking(w.ben, w.abel, w.at(15, 0))
	b.Room = "R2"
	w.book(b)
	lines, err := w.MyDay(t.Context(), w.maya, civil.Of(*w.now))
	if err != nil || len(lines) != 1 || lines[0].Appointment != mine || lines[0].ClientName != w.ana.Name {
		t.Errorf("Maya's day: %+v, %v", lines, err)
	}
	for name, agent := range map[string]access.Agent{"desk": w.desk, "IT": accesstest.Agent(access.IT), "nobody": {}} {
		if _, err := w.MyDay(t.Context(), agent, civil.Of(*w.now)); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s has a day: %v", name, err)
		}
	}
}

func TestDoubleBookingIsRefused(t *testing.T) {
	w := newWorld(t)
	w.book(w.booking(w.ana, w.maya, w.at(10, 0)))
	w.assign(w.ben, w.maya)
	table := []struct {
		name    string
		hour    int
		minute  int
		minutes int
		room    string
		other   bool // therapist
		want    error
	}{
		{"same therapist, same time", 10, 0, 50, "R2", false, schedule.ErrTherapistTaken},
		{"same therapist, no room", 10, 0, 50, "", false, schedule.ErrTherapistTaken},
		{"same room", 10, 0, 50, "R1", true, schedule.ErrRoomTaken},
		{"ends a minute in", 9, 11, 50, "R2", false, schedule.ErrTherapistTaken},
		{"begins in its last minute", 10, 49, 50, "R1", true, schedule.ErrRoomTaken},
		{"around it", 9, 0, 240, "R2", false, schedule.ErrTherapistTaken},
		{"inside it", 10, 20, 5, "R2", false, schedule.ErrTherapistTaken},
		{"another therapist and room", 10, 0, 50, "R2", true, nil},
		{"ends as it begins", 9, 10, 50, "R1", false, nil},
		{"begins as it ends", 10, 50, 50, "R1", false, nil},
	}
	for _, row := range table {
		therapist := w.maya
		if row.other {
			therapist = w.abel
		}
		b := schedule.Booking{Client: w.ben.ID, Therapist: therapist.StaffID(), Start: w.at(row.hour, row.minute), Minutes: row.minutes, Room: row.room}
		if _, err := w.Book(t.Context(), w.desk, b); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestFreedTimeCanBeBooked(t *testing.T) {
	w := newWorld(t)
	steps := map[string]func(context.Context, access.Agent, ident.ID[ident.Appointment]) error{
		"cancelled": w.Cancel, "no-show": w.MarkNoShow,
	}
	for name, free := range steps {
		a := w.book(w.booking(w.ana, w.maya, w.at(10, 0)))
		w.must(free(t.Context(), w.desk, a.ID))
		again, err := w.Book(t.Context(), w.desk, w.booking(w.ana, w.maya, w.at(10, 0)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.must(w.Cancel(t.Context(), w.desk, again.ID))
	}
}

func TestBookRefuses(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*schedule.Booking){
		"too short":        func(b *schedule.Booking) { b.Minutes = 4 },
		"too long":         func(b *schedule.Booking) { b.Minutes = schedule.MinutesMax + 1 },
		"negative":         func(b *schedule.Booking) { b.Minutes = -50 },
		"no time":          func(b *schedule.Booking) { b.Start = time.Time{} },
		"unknown room":     func(b *schedule.Booking) { b.Room = "R9" },
		"long service":     func(b *schedule.Booking) { b.Service = "a service with a very long name" },
		"not assigned":     func(b *schedule.Booking) { b.Therapist = w.abel.StaffID() },
		"unknown client":   func(b *schedule.Booking) { b.Client = ident.ID[ident.Client]{9} },
		"nobody to see":    func(b *schedule.Booking) { b.Client = ident.ID[ident.Client]{} },
		"nobody to see to": func(b *schedule.Booking) { b.Therapist = ident.ID[ident.Staff]{} },
	} {
		b := w.booking(w.ana, w.maya, w.at(10, 0))
		change(&b)
		if _, err := w.Book(t.Context(), w.desk, b); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.today()) != 0 {
		t.Error("a refused booking is in the day")
	}
}

// TestSteps: every step from every state.
func TestSteps(t *testing.T) {
	w := newWorld(t)
	steps := []struct {
		name string
		take func(ident.ID[ident.Appointment]) error
		to   schedule.State
		from []schedule.State
	}{
		{"check in", func(id ident.ID[ident.Appointment]) error { return w.CheckIn(t.Context(), w.desk, id) }, schedule.Arrived, []schedule.State{schedule.Booked}},
		{"no-show", func(id ident.ID[ident.Appointment]) error { return w.MarkNoShow(t.Context(), w.desk, id) }, schedule.NoShow, []schedule.State{schedule.Booked}},
		{"cancel", func(id ident.ID[ident.Appointment]) error { return w.Cancel(t.Context(), w.desk, id) }, schedule.Cancelled, []schedule.State{schedule.Booked, schedule.Arrived}},
		{"close", func(id ident.ID[ident.Appointment]) error {
			_, _, err := w.close(w.desk, schedule.Closing{Appointment: id})
			return err
		}, schedule.Held, []schedule.State{schedule.Booked, schedule.Arrived}},
	}
	reach := map[schedule.State][]int{schedule.Booked: {}, schedule.Arrived: {0}, schedule.NoShow: {1}, schedule.Cancelled: {2}, schedule.Held: {0, 3}}
	start := w.at(0, 0).AddDate(0, 0, -30)
	for from, path := range reach {
		for _, step := range steps {
			start = start.Add(time.Hour)
			a := w.book(w.booking(w.ana, w.maya, start))
			for _, n := range path {
				w.must(steps[n].take(a.ID))
			}
			err := step.take(a.ID)
			allowed := slices.Contains(step.from, from) || step.to == from
			if allowed != (err == nil) || (err != nil && !errors.Is(err, schedule.ErrMovedOn)) {
				t.Errorf("%s when %s: %v", step.name, from, err)
			}
			want := from
			if allowed {
				want = step.to
			}
			for _, l := range w.day(civil.Of(start)) {
				if l.ID == a.ID && l.State != want {
					t.Errorf("%s when %s: now %s, want %s", step.name, from, l.State, want)
				}
			}
		}
	}
	if err := w.CheckIn(t.Context(), w.desk, ident.ID[ident.Appointment]{9}); !errors.Is(err, schedule.ErrNoAppointment) {
		t.Errorf("an appointment that does not exist: %v", err)
	}
}

// TestDayAcrossDST: on the day that has 23 hours and on the one that has 25,
// an appointment is on its wall-clock day, and at its wall-clock time.
func TestDayAcrossDST(t *testing.T) {
	w := newWorld(t)
	zone := w.now.Location()
	for _, day := range []civil.Date{civil.New(2026, 3, 8), civil.New(2026, 11, 1)} {
		for _, d := range []civil.Date{day.AddDays(-1), day, day.AddDays(1)} {
			b := w.booking(w.ana, w.maya, time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, zone))
			w.book(b)
			b.Start = time.Date(d.Year(), d.Month(), d.Day(), 23, 10, 0, 0, zone)
			w.book(b)
		}
		lines := w.day(day)
		if len(lines) != 2 || lines[0].Start.Format("15:04") != "00:00" || lines[1].Start.Format("15:04") != "23:10" {
			t.Errorf("%v: %+v", day, lines)
		}
	}
}

func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(8, 0)))
	acts := map[string]func(access.Agent) error{
		"see the day": func(g access.Agent) error { _, err := w.Day(t.Context(), g, civil.Of(*w.now)); return err },
		"book": func(g access.Agent) error {
			_, err := w.Book(t.Context(), g, w.booking(w.ana, w.maya, w.at(12, 0)))
			return err
		},
		"check in":   func(g access.Agent) error { return w.CheckIn(t.Context(), g, a.ID) },
		"cancel":     func(g access.Agent) error { return w.Cancel(t.Context(), g, a.ID) },
		"no-show":    func(g access.Agent) error { return w.MarkNoShow(t.Context(), g, a.ID) },
		"add a room": func(g access.Agent) error { return w.AddRoom(t.Context(), g, schedule.Room{Code: "R3", Label: "x"}) },
	}
	for name, act := range acts {
		for who, agent := range map[string]access.Agent{
			"nobody": {}, "therapist": w.maya, "accountant": accesstest.Agent(access.Accountant), "IT": accesstest.Agent(access.IT),
		} {
			if err := act(agent); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("%s may %s: %v", who, name, err)
			}
		}
	}
}

func TestRelated(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(8, 0)))
	e, _, err := w.close(w.maya, schedule.Closing{Appointment: a.ID})
	w.must(err)
	table := []struct {
		entity     access.Entity
		maya, abel bool
	}{
		{access.Client(w.ana.ID), true, false},
		{access.Client(w.ben.ID), false, true},
		{access.Of(access.KindAppointment, a.ID), true, false},
		{access.Of(access.KindEncounter, e.ID), true, false},
		{access.Of(access.KindAppointment, ident.ID[ident.Appointment]{9}), false, false},
		{access.Of(access.KindEncounter, a.ID), false, false},
		{access.Of(access.KindEntry, a.ID), false, false},
		{access.Staff(w.maya.StaffID()), false, false},
		{access.None, false, false},
		{access.Entity{}, false, false},
	}
	r := access.Request{Agent: w.desk, Action: access.DayRead, Entity: access.None, Purpose: access.Operations}
	w.must(w.vault.View(t.Context(), r, func(tx *vault.Tx) error {
		for _, row := range table {
			for staff, want := range map[ident.ID[ident.Staff]]bool{w.maya.StaffID(): row.maya, w.abel.StaffID(): row.abel, {}: false} {
				if got, err := schedule.Related(tx, staff, row.entity); err != nil || got != want {
					t.Errorf("%s %x related to %v: %v, %v", row.entity.Kind, row.entity.ID, staff, got, err)
				}
			}
		}
		return nil
	}))
}

func TestRooms(t *testing.T) {
	w := newWorld(t)
	for name, r := range map[string]schedule.Room{
		"taken": {Code: "R1", Label: "Again"}, "no code": {Label: "x"}, "long code": {Code: "ROOM-0001", Label: "x"},
		"odd code": {Code: "R 1", Label: "x"}, "no label": {Code: "R3"},
	} {
		if err := w.AddRoom(t.Context(), w.system, r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r := access.Request{Agent: w.desk, Action: access.DayRead, Entity: access.None, Purpose: access.Operations}
	w.must(w.vault.View(t.Context(), r, func(tx *vault.Tx) error {
		got, err := schedule.Rooms(tx)
		if want := []schedule.Room{{Code: "R1", Label: "Garden room"}, {Code: "R2", Label: "Attic"}}; !slices.Equal(got, want) {
			t.Errorf("rooms %v", got)
		}
		return err
	}))
}

func TestReopen(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(10, 0)))
	w.use(vaulttest.Reopen(t, w.vault))
	if lines := w.today(); len(lines) != 1 || lines[0].Appointment != a {
		t.Errorf("after a restart the day is %+v", lines)
	}
	if _, err := w.Book(t.Context(), w.desk, w.booking(w.ana, w.maya, w.at(10, 30))); !errors.Is(err, schedule.ErrTherapistTaken) {
		t.Errorf("after a restart a double booking: %v", err)
	}
}

// TestTablesAreDistinct: the three packages keep different buckets.
func TestTablesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range tables() {
		key := fmt.Sprintf("%p", table)
		if seen[key] {
			t.Errorf("a table is listed twice")
		}
		seen[key] = true
	}
	if len(seen) != len(schedule.Tables())+2+len(identity.Tables()) {
		t.Errorf("%d tables", len(seen))
	}
}
