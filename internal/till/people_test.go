package till_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// contradicted brings a payment to the point where the terminal's record
// contradicts it: somebody voided it at the terminal itself.
func contradicted(t *testing.T) (*desk, till.Payment) {
	t.Helper()
	d := newDesk(t, nil)
	d.ready()
	d.inject(sim.Fault{Kind: sim.EOTForReply, Message: "T00"})
	for nth := 1; nth <= 4; nth++ {
		d.inject(sim.Fault{Kind: sim.WrongRef, Message: "R02", Count: 20})
	}
	p := d.await(d.begin(d.client(9000)), till.StageManual)
	if p.Final || !p.Unknown {
		t.Errorf("got %+v", p)
	}
	return d, p
}

func TestTwoPeopleDecide(t *testing.T) {
	d, p := contradicted(t)
	yes := till.Resolution{Attempt: p.ID, Charged: true, Approved: 9000, Evidence: till.EvidenceSlip}
	no := till.Resolution{Attempt: p.ID, Evidence: till.EvidenceSlip}
	for name, bad := range map[string]till.Resolution{
		"no evidence":           {Attempt: p.ID, Charged: true, Approved: 9000},
		"free text":             {Attempt: p.ID, Charged: true, Approved: 9000, Evidence: "I think so"},
		"charged nothing":       {Attempt: p.ID, Charged: true, Evidence: till.EvidenceSlip},
		"more than asked":       {Attempt: p.ID, Charged: true, Approved: 9001, Evidence: till.EvidenceSlip},
		"not charged, but 1 ct": {Attempt: p.ID, Approved: 1, Evidence: till.EvidenceSlip},
	} {
		if _, err := d.Till.Resolve(t.Context(), d.Cashier, bad); !errors.Is(err, till.ErrResolution) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // one person twice is one person
		if done, err := d.Till.Resolve(t.Context(), d.Cashier, yes); done || err != nil {
			t.Errorf("the first person: %v, %v", done, err)
		}
	}
	if _, err := d.Till.Resolve(t.Context(), d.Second, no); !errors.Is(err, till.ErrSecondPerson) {
		t.Errorf("two people disagree: %v", err)
	}
	if _, err := d.Till.Resolve(t.Context(), accesstest.Agent(access.Therapist), yes); err == nil {
		t.Error("a therapist resolved a payment")
	}
	if done, err := d.Till.Resolve(t.Context(), d.Second, yes); !done || err != nil {
		t.Errorf("the second person: %v, %v", done, err)
	}
	got := d.await(p, till.StageApproved)
	if got.Approved != 9000 || got.Due != 0 || got.Receipt == 0 {
		t.Errorf("got %+v", got)
	}
	if _, err := d.Till.Resolve(t.Context(), d.Second, yes); !errors.Is(err, till.ErrNotManual) {
		t.Errorf("resolved again: %v", err)
	}
}

// A payment that waits for people does not hold up its terminal.
func TestManualFreesTheTerminalAndLocksTheClient(t *testing.T) {
	d, p := contradicted(t)
	again := till.Sale{Command: tilltest.Command(), Client: p.Client, Amount: 100, Terminal: p.Terminal}
	if held, err := d.Till.Begin(t.Context(), d.Cashier, again); !errors.Is(err, till.ErrLocked) || held != p.ID {
		t.Errorf("the same client: %v, %v", held, err)
	}
	d.ready()
	d.await(d.begin(d.client(1000)), till.StageApproved)
	list, err := d.Till.Unresolved(t.Context(), d.Cashier)
	if err != nil || len(list) != 1 || list[0].ID != p.ID {
		t.Errorf("the work list: %v, %v", list, err)
	}
	yes := till.Resolution{Attempt: p.ID, Charged: true, Approved: 9000, Evidence: till.EvidenceBatch}
	for _, who := range []access.Agent{d.Cashier, d.Second} {
		if _, err := d.Till.Resolve(t.Context(), who, yes); err != nil {
			t.Error(err)
		}
	}
}

// A running sale ends by itself while Coffer stops.
func TestCloseWaitsForTheRunningSale(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.HostDelay = 200 * time.Millisecond })
	d.ready()
	p := d.begin(d.client(9000))
	eventually(t, func() bool { return d.sim.Status().Screen == sim.Processing })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.Till.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := d.Till.Payment(t.Context(), d.Cashier, p.ID)
	if err != nil || got.Stage != till.StageApproved {
		t.Errorf("got %s, %v", got.Stage, err)
	}
	s := d.client(100)
	s.Command = tilltest.Command()
	if _, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrClosed) {
		t.Errorf("a payment after Close: %v", err)
	}
}

// A sale that does not end in time is left to the recovery of the next start.
func TestCloseHandsOverToRecovery(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	d.ready()
	p := d.await(d.begin(d.client(9000)), till.StagePresent)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := d.Till.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
	if err := d.sim.Tap("visa"); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	d.await(p, till.StageApproved)
}

// Signing out ends no payment: it belongs to the desk and not to the session.
func TestSaleOutlivesItsRequest(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	d.ready()
	s := d.client(9000)
	s.Command = tilltest.Command()
	ctx, cancel := context.WithCancel(t.Context())
	id, err := d.Till.Begin(ctx, d.Cashier, s)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	p := d.await(till.Payment{ID: id}, till.StagePresent)
	if err := d.sim.Tap("visa"); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageApproved)
}

// Who may not take payments sees and does nothing at the till.
func TestOthersAreDenied(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9000)
	p := d.await(d.begin(s), till.StageApproved)
	for _, role := range []access.Role{access.Therapist, access.IT} {
		agent := accesstest.Agent(role)
		s.Command = tilltest.Command()
		if _, err := d.Till.Begin(t.Context(), agent, s); err == nil {
			t.Errorf("%s took a payment", role)
		}
		if _, err := d.Till.Payment(t.Context(), agent, p.ID); err == nil {
			t.Errorf("%s saw a payment", role)
		}
		if _, err := d.Till.Receipt(t.Context(), agent, p.ID); err == nil {
			t.Errorf("%s saw a receipt", role)
		}
		if err := d.Till.Cancel(t.Context(), agent, p.ID); err == nil {
			t.Errorf("%s cancelled", role)
		}
	}
}
