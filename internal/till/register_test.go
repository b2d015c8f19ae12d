package till_test

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/custody"
	"coffer/internal/custody/custodytest"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// plugged opens a fresh desk over a simulated terminal of a serial number on a
// real port (a pty), whose connection has the device of the register that the
// desk was made with: tilltest.Serial. days are what the clock is ahead.
func plugged(t *testing.T, serial string) (d *desk, days *atomic.Int64) {
	t.Helper()
	so := tilltest.Terminal(1)
	so.Serial = serial
	s, err := sim.New(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	link := t.TempDir() + "/term"
	if err := s.ServePTY(link); err != nil {
		t.Fatal(err)
	}
	days = &atomic.Int64{}
	d = &desk{t: t, sim: s, o: tilltest.Options{
		Now: func() time.Time { return time.Now().AddDate(0, 0, int(days.Load())) },
		Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Fresh: true, Log: slog.New(slog.DiscardHandler),
		Lines: []terminal.Config{{Address: "serial:" + link, Profile: tilltest.Unhurried(sim.PAX)}},
	}}
	d.open()
	t.Cleanup(func() { d.agree(); d.close() })
	return d, days
}

// barred waits until the terminal answers and is blocked for a reason, and
// demands that no payment begins at it.
func (d *desk) barred(why protocol.Reason, want error) {
	d.t.Helper()
	d.until(func(s till.TerminalStatus) bool { return s.Attached && s.Quarantined })
	if s := d.Terminals[0].Status(); why != protocol.ReasonInspection && s.Reason != why {
		d.t.Errorf("blocked for %q, want %q", s.Reason, why)
	}
	list, err := d.Till.Terminals(d.t.Context(), d.Cashier)
	if err != nil || list[0].Ready || list[0].Words != protocol.Words(why).What || list[0].Next == "" {
		d.t.Errorf("the desk reads %+v, %v", list, err)
	}
	sale := d.client(9000)
	sale.Command = tilltest.Command()
	if _, err := d.Till.Begin(d.t.Context(), d.Cashier, sale); !errors.Is(err, want) {
		d.t.Errorf("a payment begins at a terminal that is barred for %s: %v", why, err)
	}
	if took := d.sim.Ledger(); len(took) != 0 {
		d.t.Errorf("the issuer took %v", took)
	}
}

// until waits until the terminal's status is as it should be.
func (d *desk) until(ok func(till.TerminalStatus) bool) {
	d.t.Helper()
	if err := d.AwaitTerminals(within(d.t), ok); err != nil {
		d.t.Fatal(err)
	}
}

// TestAnotherDeviceTakesNoSale: a terminal whose serial number is not the
// registered one cannot take a sale, until it is swapped in by the one who has
// its label in hand.
func TestAnotherDeviceTakesNoSale(t *testing.T) {
	d, _ := plugged(t, "99999999")
	d.barred(protocol.ReasonSubstitute, till.ErrQuarantined)
	if err := d.Till.ReleaseTerminal(t.Context(), d.IT, tilltest.TerminalID(0)); err != nil {
		t.Fatal(err)
	}
	d.barred(protocol.ReasonSubstitute, till.ErrQuarantined)
	_, err := d.Register.Swap(t.Context(), d.IT, custody.Pairing{
		Terminal: tilltest.TerminalID(0), Name: "Desk 1", Profile: "sim-pax", Wire: d.Terminals[0].Status().Device,
		Label: "99999999", Location: "front desk", Why: "the old one broke",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.ready()
	d.await(d.begin(d.client(9000)), till.StageApproved)
}

// TestDevicesComeAndGo: what the register says of a device takes effect at once,
// while the device stays plugged in.
func TestDevicesComeAndGo(t *testing.T) {
	d, _ := plugged(t, tilltest.Serial)
	d.ready()
	h, err := d.Register.List(t.Context(), d.IT)
	if err != nil {
		t.Fatal(err)
	}
	id := h.Devices[0].ID
	if err := d.Register.Send(t.Context(), d.IT, id, custody.Repair, "", "a key sticks"); err != nil {
		t.Fatal(err)
	}
	d.barred(protocol.ReasonUnregistered, till.ErrQuarantined)
	err = d.Register.Return(t.Context(), d.IT, id, "safe", custody.Shipment{Tracking: "1Z", Bag: "T-1", Intact: true})
	if err == nil {
		err = custodytest.Pair(t.Context(), d.Register, tilltest.TerminalID(0), tilltest.Serial)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.ready()
	failed := []custody.Answer{{Step: "label-serial", Text: tilltest.Serial}, {Step: "screen-serial", Text: "99999999"}, {Step: "overlay", OK: true}}
	if passed, err := d.Register.Inspect(t.Context(), d.IT, id, failed, nil); err != nil || passed {
		t.Fatal(passed, err)
	}
	d.barred(protocol.ReasonTampered, till.ErrQuarantined)
}

// TestOverdueInspection: where the clinic's policy says so, an inspection that
// fell due while the terminal was ready bars it from the next payment on.
func TestOverdueInspection(t *testing.T) {
	d, days := plugged(t, tilltest.Serial)
	d.ready()
	err := d.Register.SetPolicy(t.Context(), accesstest.Agent(access.Owner), custody.Policy{
		Days: 7, Reason: "two desks", Overdue: custody.OverdueRefuses, Firmware: custody.FirmwareWarns,
	})
	if err != nil {
		t.Fatal(err)
	}
	days.Store(8)
	d.barred(protocol.ReasonInspection, till.ErrInspection)
}
