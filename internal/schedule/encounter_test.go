package schedule_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/schedule"
	"coffer/internal/vault"
)

func TestCloseEncounter(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(8, 0)))
	e, fresh, err := w.close(w.maya, schedule.Closing{Appointment: a.ID, Minutes: 45, Service: "90837"})
	if err != nil || !fresh {
		t.Fatalf("close: fresh %v, %v", fresh, err)
	}
	want := schedule.Encounter{
		ID: e.ID, Appointment: a.ID, Client: w.ana.ID, Therapist: w.maya.StaffID(),
		Start: a.Start, Stop: a.Start.Add(45 * time.Minute), Minutes: 45, Service: "90837",
	}
	if e != want || e.ID.IsZero() || e.Day() != civil.Of(*w.now) {
		t.Errorf("encounter %+v, want %+v", e, want)
	}
	if got := w.today()[0].State; got != schedule.Held {
		t.Errorf("the appointment is %s", got)
	}
	again, fresh, err := w.close(w.desk, schedule.Closing{Appointment: a.ID, Minutes: 45, Service: "90837"})
	if err != nil || fresh || again != e {
		t.Errorf("closed again: %+v, fresh %v, %v", again, fresh, err)
	}
	for _, other := range []schedule.Closing{
		{Appointment: a.ID, Minutes: 45, Service: "90834"}, {Appointment: a.ID, Minutes: 50, Service: "90837"}, {Appointment: a.ID},
	} {
		if _, _, err := w.close(w.maya, other); !errors.Is(err, schedule.ErrClosedOtherwise) {
			t.Errorf("closed otherwise: %v", err)
		}
	}
	r := access.Request{Agent: w.desk, Action: access.ChargePost, Entity: access.None, Purpose: access.Operations}
	w.must(w.vault.View(t.Context(), r, func(tx *vault.Tx) error {
		if got, err := schedule.ReadEncounter(tx, e.ID); err != nil || got != e {
			t.Errorf("read back %+v, %v", got, err)
		}
		if got, ok, err := schedule.EncounterOf(tx, a.ID); err != nil || !ok || got != e {
			t.Errorf("of the appointment: %+v, %v, %v", got, ok, err)
		}
		if _, err := schedule.ReadEncounter(tx, [16]byte{9}); !errors.Is(err, schedule.ErrNoEncounter) {
			t.Errorf("an encounter that does not exist: %v", err)
		}
		return nil
	}))
}

func TestCloseTakesThePlan(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(8, 0)))
	e, _, err := w.close(w.maya, schedule.Closing{Appointment: a.ID})
	if err != nil || e.Minutes != a.Minutes || e.Service != a.Service {
		t.Errorf("encounter %+v, %v", e, err)
	}
}

func TestCloseRefuses(t *testing.T) {
	w := newWorld(t)
	b := w.booking(w.ana, w.maya, w.at(8, 0))
	b.Service = ""
	past := w.book(b)
	future := w.book(w.booking(w.ana, w.maya, w.at(9, 1)))
	for name, c := range map[string]schedule.Closing{
		"no service":    {Appointment: past.ID, Minutes: 45},
		"long service":  {Appointment: past.ID, Service: "a service with a very long name"},
		"too long":      {Appointment: past.ID, Service: "90834", Minutes: schedule.MinutesMax + 1},
		"negative":      {Appointment: past.ID, Service: "90834", Minutes: -1},
		"not begun yet": {Appointment: future.ID},
	} {
		if _, _, err := w.close(w.maya, c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := schedule.Closing{Appointment: past.ID, Service: "90834"}
	for who, agent := range map[string]access.Agent{"another therapist": w.abel, "IT": accesstest.Agent(access.IT), "nobody": {}} {
		want := fault.Denied
		if who == "another therapist" {
			want = fault.NotFound
		}
		if _, _, err := w.close(agent, c); err == nil || fault.KindOf(err) != want {
			t.Errorf("%s closes: %v", who, err)
		}
	}
	if _, _, err := w.close(w.desk, schedule.Closing{Appointment: [16]byte{9}}); !errors.Is(err, schedule.ErrNoAppointment) {
		t.Errorf("an appointment that does not exist: %v", err)
	}
}

// TestCloseOnceAtOnce: of many who close one appointment at one time, one
// makes the encounter and the others get it.
func TestCloseOnceAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.book(w.booking(w.ana, w.maya, w.at(8, 0)))
	var made atomic.Int32
	var ids sync.Map
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			e, fresh, err := w.close(w.maya, schedule.Closing{Appointment: a.ID})
			if err != nil {
				t.Errorf("close: %v", err)
			}
			if fresh {
				made.Add(1)
			}
			ids.Store(e.ID, true)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if made.Load() != 1 || n != 1 {
		t.Errorf("%d encounters were made, %d seen", made.Load(), n)
	}
}
