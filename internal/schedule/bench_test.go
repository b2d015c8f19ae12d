package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/vault"
)

// BenchmarkDay is one day list of 40 appointments, with its audit event made
// durable, in a store of 10,000 clients and 250 days.
func BenchmarkDay(b *testing.B) {
	w := newWorld(b)
	clients := make([]roster.Client, 0, 10_000)
	w.write(access.ClientWrite, 20, func(tx *vault.Tx, _ int) error {
		for range 500 {
			c, err := roster.Create(tx, roster.Details{Name: phi.NewText(fmt.Sprintf("Client Number%d", len(clients)))})
			if err != nil {
				return err
			}
			clients = append(clients, c)
			for _, therapist := range []access.Agent{w.maya, w.abel} {
				a := roster.Assignment{Therapist: therapist.StaffID(), Client: c.ID, Until: roster.Forever}
				if err := roster.Assign(tx, a); err != nil {
					return err
				}
			}
		}
		return nil
	})
	first := civil.New(2025, 7, 1)
	w.write(access.ScheduleWrite, 250, func(tx *vault.Tx, day int) error {
		for slot := range 40 {
			therapist := []access.Agent{w.maya, w.abel}[slot%2]
			_, err := schedule.Book(tx, schedule.Booking{
				Client: clients[(day*40+slot)%len(clients)].ID, Therapist: therapist.StaffID(), Minutes: 30, Service: "90832",
				Start: first.AddDays(day).In(w.now.Location()).Add(time.Duration(8*60+slot/2*30) * time.Minute),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		if lines := w.day(first.AddDays(200)); len(lines) != 40 {
			b.Fatalf("%d lines", len(lines))
		}
	}
}

// write runs fn n times, each in a commit of the desk's.
func (w *world) write(action access.Action, n int, fn func(tx *vault.Tx, k int) error) {
	w.t.Helper()
	r := access.Request{Agent: w.desk, Action: action, Entity: access.None, Purpose: access.Operations}
	for k := range n {
		w.must(w.vault.Update(w.t.Context(), r, func(tx *vault.Tx) error { return fn(tx, k) }))
	}
}
