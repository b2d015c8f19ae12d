package till_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// desk is a tilltest.Desk with one simulated terminal, and the test's helpers.
type desk struct {
	*tilltest.Desk
	t   *testing.T
	sim *sim.Sim
	o   tilltest.Options
}

// newDesk opens a fresh desk over a terminal with the options, changed by f.
func newDesk(t *testing.T, f func(*sim.Options)) *desk {
	t.Helper()
	so := tilltest.Terminal(1)
	if f != nil {
		f(&so)
	}
	s, err := sim.New(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := &desk{t: t, sim: s, o: tilltest.Options{
		Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Fresh: true,
		Lines: []terminal.Config{{Dial: s.Dial, Profile: tilltest.Unhurried(so.Protocol)}},
		Log:   slog.New(slog.DiscardHandler),
	}}
	d.open()
	t.Cleanup(func() {
		d.agree()
		d.close()
	})
	return d
}

func (d *desk) open() {
	d.t.Helper()
	opened, err := tilltest.Open(d.t.Context(), d.o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Desk, d.o.Fresh = opened, false
}

func (d *desk) close() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := d.Desk.Close(ctx); err != nil {
		d.t.Error(err)
	}
}

// reopen is a restart.
func (d *desk) reopen() {
	d.t.Helper()
	d.close()
	d.open()
}

// hurry gives the terminal so little time that its losses are noticed soon.
func (d *desk) hurry() {
	d.t.Helper()
	d.close()
	d.o.Lines[0].Profile = tilltest.Profile()
	d.open()
}

func (d *desk) ready() {
	d.t.Helper()
	if err := d.AwaitReady(within(d.t)); err != nil {
		d.t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (d *desk) client(owes money.Amount) (c till.Sale) {
	d.t.Helper()
	id, err := d.Client(d.t.Context(), owes)
	if err != nil {
		d.t.Fatal(err)
	}
	return till.Sale{Client: id, Amount: owes, Terminal: tilltest.TerminalID(0)}
}

// begin begins the sale under a fresh command.
func (d *desk) begin(s till.Sale) (p till.Payment) {
	d.t.Helper()
	s.Command = tilltest.Command()
	id, err := d.Till.Begin(d.t.Context(), d.Cashier, s)
	if err != nil {
		d.t.Fatal(err)
	}
	return till.Payment{ID: id}
}

// await waits for a payment of the stage.
func (d *desk) await(p till.Payment, want till.Stage) till.Payment {
	d.t.Helper()
	got, err := d.Await(within(d.t), p.ID, func(p till.Payment) bool { return p.Stage == want })
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

// agree fails the test unless journal and ledger agree with each other and
// with what the terminal's issuer did.
func (d *desk) agree() {
	d.t.Helper()
	found, net, err := d.Check(context.Background())
	if err != nil {
		d.t.Error(err)
	}
	for _, f := range found {
		d.t.Errorf("attempt %v: %s", f.Attempt, f.What)
	}
	if truth := sim.Net(d.sim.Ledger()); truth != net {
		d.t.Errorf("the journal has %v, the issuer took %v", net, truth)
	}
	for _, v := range tilltest.Complaints(d.sim) {
		d.t.Errorf("the terminal complains: %+v", v)
	}
}

func TestSale(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	p := d.await(d.begin(d.client(9000)), till.StageApproved)
	if p.Approved != 9000 || p.Due != 0 || p.Receipt != 1 || p.LastFour == "" || p.Brand == "" || !p.Final || !p.MayVoid {
		t.Errorf("got %+v", p)
	}
	r, err := d.Till.Receipt(t.Context(), d.Cashier, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 1 || r.Amount != 9000 || r.Card.AID == "" || r.Card.LastFour != p.LastFour || r.Account != "P-000001" || r.Clinic == "" || r.Cashier != "rosa" || r.Copy {
		t.Errorf("got %+v", r)
	}
}
