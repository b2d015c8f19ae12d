package day

import (
	"context"
	"strconv"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
	"coffer/internal/custody/custodytest"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// closeBatch closes the simulated terminal's batch by its own protocol and
// returns what it states.
func closeBatch(t *testing.T, s *sim.Sim) Totals {
	t.Helper()
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent, err := frame.Append(nil, pax.Request{Command: pax.CloseBatch, Version: pax.VersionSent, Groups: [][]string{{"20261125180000"}}}.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	var d frame.Decoder
	for b := make([]byte, 1); ; {
		if _, err := conn.Read(b); err != nil {
			t.Fatal(err)
		}
		e, ok := d.Push(b[0])
		if !ok || e.Kind != frame.Frame {
			continue
		}
		r, err := pax.ParseResponse(e.Payload)
		if err != nil || r.Command != "B01" || len(r.Groups) < 3 {
			t.Fatalf("the terminal states %+v, %v", r, err)
		}
		if _, err := conn.Write([]byte{0x06}); err != nil {
			t.Fatal(err)
		}
		count, err1 := strconv.ParseUint(r.Groups[1][0], 10, 32)
		cents, err2 := strconv.ParseInt(r.Groups[2][0], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("the terminal states %+v", r.Groups)
		}
		return Totals{Command: command(), Terminal: tilltest.Serial, Batch: r.Groups[0][5], Count: uint32(count), Amount: money.Amount(cents)}
	}
}

// What a terminal states of its batch by its own protocol is, to the cent, what
// the till has posted: a sale, one that was voided, and one that was declined.
// A cent less opens a work item.
func TestBatchOfTheSimulatedTerminal(t *testing.T) {
	w := newWorld(t, false)
	s, err := sim.New(tilltest.Terminal(1))
	w.must(err)
	t.Cleanup(func() { s.Close() })
	bell := make(chan struct{}, 1)
	ring := func(string) {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
	desk, register := tilltest.TerminalID(0), custodytest.Register(w.v)
	w.must(custodytest.Pair(t.Context(), register, desk, tilltest.Serial))
	w.till = till.New(till.Options{Limits: duty.UsualLimits,
		Vault: w.v, Agent: accesstest.System("till"), Clinic: "Harbor Lane", Bell: ring, Register: register,
		Terminals: []*terminal.Terminal{terminal.Start(terminal.Config{ID: desk, Name: "Desk", Dial: s.Dial, Profile: tilltest.Unhurried(sim.PAX)})},
	})
	w.must(w.till.Recover(t.Context()))
	await := func(ready func() bool) {
		t.Helper()
		for late := time.After(20 * time.Second); !ready(); {
			select {
			case <-bell:
			case <-time.After(50 * time.Millisecond):
			case <-late:
				t.Fatal("the terminal does not get there")
			}
		}
	}
	run := func(begin func() (ident.ID[ident.Attempt], error)) ident.ID[ident.Attempt] {
		t.Helper()
		await(func() bool {
			list, err := w.till.Terminals(t.Context(), w.people["rosa"])
			return err == nil && list[0].Ready
		})
		id, err := begin()
		w.must(err)
		await(func() bool {
			p, err := w.till.Payment(t.Context(), w.people["rosa"], id)
			return err == nil && p.Final
		})
		return id
	}
	sale := func(amount money.Amount) ident.ID[ident.Attempt] {
		t.Helper()
		return run(func() (ident.ID[ident.Attempt], error) {
			return w.till.Begin(t.Context(), w.people["rosa"], till.Sale{Command: command(), Client: w.client.ID, Amount: amount, Terminal: desk})
		})
	}
	sale(90_00)
	second := sale(25_00)
	sale(100_41) // its cents decline it
	run(func() (ident.ID[ident.Attempt], error) {
		return w.till.GiveBack(t.Context(), w.people["rosa"], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: second})
	})
	sale(12_34)
	w.must(w.till.Close(context.Background()))
	stated := closeBatch(t, s)
	if stated.Amount != 102_34 {
		t.Errorf("the terminal states %v", stated.Amount)
	}
	if work, err := w.d.Batch(t.Context(), accesstest.System("till"), stated); err != nil || work != 0 {
		t.Errorf("equal totals: work item %d, %v", work, err)
	}
	w.furnish()
	if got := w.seal("vera").Terminals; len(got) != 1 || got[0].Clearing != 102_34 || got[0].Difference != 0 || got[0].Batch != stated.Batch {
		t.Errorf("the sheet has %+v", got)
	}
	if work, err := w.d.Batch(t.Context(), accesstest.System("till"), Totals{Command: command(), Terminal: tilltest.Serial, Amount: -1}); err != nil || work == 0 {
		t.Errorf("a cent less: work item %d, %v", work, err)
	}
}
