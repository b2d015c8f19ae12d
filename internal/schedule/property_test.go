package schedule_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/schedule"
	"coffer/internal/vault"
)

// TestRandomDays books, moves and closes at random and compares the schedule
// with what it promises: nobody and no room is ever in two places, the day
// list is the day's appointments in order of time, and an appointment has an
// encounter if and only if it was held.
func TestRandomDays(t *testing.T) {
	w := newWorld(t)
	w.assign(w.ana, w.abel)
	w.assign(w.ben, w.maya)
	day := civil.New(2025, 1, 1)
	rapid.Check(t, func(rt *rapid.T) {
		day = day.AddDays(1)
		var booked []schedule.Appointment
		for range rapid.IntRange(1, 12).Draw(rt, "acts") {
			if len(booked) == 0 || rapid.Bool().Draw(rt, "book") {
				b := drawBooking(rt, w, day)
				clash := clashes(w.day(day), b)
				a, err := w.Book(t.Context(), w.desk, b)
				if (err == nil) == clash {
					rt.Fatalf("booking %+v: %v, clash %v", b, err, clash)
				}
				if err == nil {
					booked = append(booked, a)
				}
				continue
			}
			a := rapid.SampledFrom(booked).Draw(rt, "appointment")
			takeStep(rt, w, a)
		}
		checkDay(rt, w, w.day(day), booked)
	})
}

func drawBooking(rt *rapid.T, w *world, day civil.Date) schedule.Booking {
	therapist := rapid.SampledFrom([]access.Agent{w.maya, w.abel}).Draw(rt, "therapist")
	client := rapid.SampledFrom([]ident.ID[ident.Client]{w.ana.ID, w.ben.ID}).Draw(rt, "client")
	quarter := rapid.IntRange(32, 60).Draw(rt, "quarter of an hour")
	return schedule.Booking{
		Client: client, Therapist: therapist.StaffID(), Service: "90834",
		Start:   day.In(w.now.Location()).Add(time.Duration(quarter) * 15 * time.Minute),
		Minutes: rapid.SampledFrom([]int{15, 45, 50, 90, 240}).Draw(rt, "minutes"),
		Room:    rapid.SampledFrom([]string{"", "R1", "R2"}).Draw(rt, "room"),
	}
}

// takeStep takes any step; one that the state does not allow may be refused.
func takeStep(rt *rapid.T, w *world, a schedule.Appointment) {
	ctx := w.t.Context()
	switch rapid.IntRange(0, 3).Draw(rt, "step") {
	case 0:
		_ = w.CheckIn(ctx, w.desk, a.ID) // a refusal is one of the outcomes that checkDay judges
	case 1:
		_ = w.Cancel(ctx, w.desk, a.ID)
	case 2:
		_ = w.MarkNoShow(ctx, w.desk, a.ID)
	case 3:
		_, _, _ = w.close(w.desk, schedule.Closing{Appointment: a.ID})
	}
}

func takesTime(s schedule.State) bool { return s != schedule.Cancelled && s != schedule.NoShow }

func overlap(aStart, aEnd, bStart, bEnd time.Time) bool {
	return aStart.Before(bEnd) && bStart.Before(aEnd)
}

// clashes reports whether a booking asks for time that a line takes.
func clashes(lines []schedule.Line, b schedule.Booking) bool {
	return slices.ContainsFunc(lines, func(l schedule.Line) bool {
		same := l.Therapist == b.Therapist || (b.Room != "" && l.Room == b.Room)
		return same && takesTime(l.State) && overlap(l.Start, l.End(), b.Start, b.Start.Add(time.Duration(b.Minutes)*time.Minute))
	})
}

func checkDay(rt *rapid.T, w *world, lines []schedule.Line, booked []schedule.Appointment) {
	if len(lines) != len(booked) {
		rt.Fatalf("%d appointments were booked, the day has %d", len(booked), len(lines))
	}
	for i, a := range lines {
		if i > 0 && a.Start.Before(lines[i-1].Start) {
			rt.Fatalf("the day is out of order at %d", i)
		}
		for _, b := range lines[:i] {
			if !takesTime(a.State) || !takesTime(b.State) || !overlap(a.Start, a.End(), b.Start, b.End()) {
				continue
			}
			if a.Therapist == b.Therapist || (a.Room != "" && a.Room == b.Room) {
				rt.Fatalf("%v and %v are at one time in one place", a.Appointment, b.Appointment)
			}
		}
	}
	checkEncounters(rt, w, lines)
}

func checkEncounters(rt *rapid.T, w *world, lines []schedule.Line) {
	r := access.Request{Agent: w.desk, Action: access.ChargePost, Entity: access.None, Purpose: access.Operations}
	err := w.vault.View(w.t.Context(), r, func(tx *vault.Tx) error {
		for _, l := range lines {
			_, ok, err := schedule.EncounterOf(tx, l.ID)
			if err != nil {
				return err
			}
			if ok != (l.State == schedule.Held) {
				rt.Errorf("an appointment is %s and has an encounter: %v", l.State, ok)
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
}
