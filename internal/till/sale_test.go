package till_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

func TestFiftyClicksAreOneSale(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	same := d.client(9000)
	same.Command = tilltest.Command()
	ids := clicks(d, func(int) till.Sale { return same })
	if len(ids) != 1 {
		t.Errorf("one command, clicked fifty times, made %d attempts", len(ids))
	}
	for id := range ids {
		d.await(till.Payment{ID: id}, till.StageApproved)
	}
	other := d.client(8000)
	ids = clicks(d, func(int) till.Sale {
		s := other
		s.Command = tilltest.Command()
		return s
	})
	if len(ids) != 1 {
		t.Errorf("fifty commands at once made %d attempts", len(ids))
	}
	for id := range ids {
		d.await(till.Payment{ID: id}, till.StageApproved)
	}
	if n := len(d.sim.Ledger()); n != 2 {
		t.Errorf("the issuer was asked for %d charges, want 2", n)
	}
}

// clicks begins fifty sales at once and returns the attempts that were begun or
// named as the one in the way.
func clicks(d *desk, sale func(int) till.Sale) map[ident.ID[ident.Attempt]]bool {
	var mu sync.Mutex
	ids := map[ident.ID[ident.Attempt]]bool{}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			id, err := d.Till.Begin(d.t.Context(), d.Cashier, sale(i))
			if err != nil && !errors.Is(err, till.ErrLocked) && !errors.Is(err, till.ErrDuplicate) {
				d.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[id] = true
		})
	}
	wg.Wait()
	return ids
}

func TestDoubleClickAcrossRestart(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9000)
	s.Command = tilltest.Command()
	first, err := d.Till.Begin(t.Context(), d.Cashier, s)
	if err != nil {
		t.Fatal(err)
	}
	d.await(till.Payment{ID: first}, till.StageApproved)
	d.reopen()
	again, err := d.Till.Begin(t.Context(), d.Cashier, s)
	if err != nil || again != first {
		t.Errorf("got %v, %v; want the first attempt", again, err)
	}
	s.Amount++
	if _, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrCommand) {
		t.Errorf("the same command with another amount gave %v", err)
	}
	if n := len(d.sim.Ledger()); n != 1 {
		t.Errorf("%d charges", n)
	}
}

func TestDuplicateGuard(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(by time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(by) }
	d := newDesk(t, nil)
	d.close()
	d.o.Now = clock
	d.open()
	d.ready()
	s := d.client(9000)
	first := d.await(d.begin(s), till.StageApproved)
	s.Command = tilltest.Command()
	twin, err := d.Till.Begin(t.Context(), d.Cashier, s)
	if !errors.Is(err, till.ErrDuplicate) || twin != first.ID {
		t.Errorf("got %v, %v; want the first payment and ErrDuplicate", twin, err)
	}
	if _, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: 9000}); !errors.Is(err, till.ErrDuplicate) {
		t.Errorf("the same amount in cash gave %v", err)
	}
	s.ConfirmDuplicate = true
	d.await(d.begin(s), till.StageApproved)
	s.ConfirmDuplicate = false
	pass(till.DuplicateWindow + time.Minute)
	d.await(d.begin(s), till.StageApproved)
	if n := len(d.sim.Ledger()); n != 3 {
		t.Errorf("%d charges, want 3", n)
	}
}

func TestRefusedBeforeAnythingIsRecorded(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9000)
	for name, c := range map[string]struct {
		change func(*till.Sale)
		want   error
	}{
		"no command":        {func(s *till.Sale) { s.Command = ident.ID[ident.Command]{} }, till.ErrCommand},
		"no amount":         {func(s *till.Sale) { s.Amount = 0 }, till.ErrAmount},
		"negative amount":   {func(s *till.Sale) { s.Amount = -5 }, till.ErrAmount},
		"too large":         {func(s *till.Sale) { s.Amount = money.Max + 1 }, till.ErrAmount},
		"no such terminal":  {func(s *till.Sale) { s.Terminal = tilltest.TerminalID(9) }, till.ErrNoTerminal},
		"no terminal named": {func(s *till.Sale) { s.Terminal = ident.ID[ident.Terminal]{} }, till.ErrNoTerminal},
	} {
		bad := s
		bad.Command = tilltest.Command()
		c.change(&bad)
		if _, err := d.Till.Begin(t.Context(), d.Cashier, bad); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if err := d.sim.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.awaitStatus(func(s till.TerminalStatus) bool { return !s.Attached })
	s.Command = tilltest.Command()
	if _, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrUnplugged) {
		t.Errorf("unplugged: got %v", err)
	}
	list, err := d.Till.Payments(t.Context(), d.Cashier, s.Client, 10)
	if err != nil || len(list) != 0 {
		t.Errorf("recorded %v, %v", list, err)
	}
}

// awaitStatus waits until the terminal's status is as wanted.
func (d *desk) awaitStatus(ok func(till.TerminalStatus) bool) till.TerminalStatus {
	d.t.Helper()
	var last till.TerminalStatus
	eventually(d.t, func() bool {
		list, err := d.Till.Terminals(d.t.Context(), d.Cashier)
		if err != nil || len(list) == 0 {
			return false
		}
		last = list[0]
		return ok(last)
	})
	return last
}

// eventually polls until ok, and fails the test after a while.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	ctx := within(t)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			t.Fatal("it does not come to that")
		}
	}
}

func TestPartialApproval(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.inject(sim.Fault{Kind: sim.Partial})
	s := d.client(9000)
	p := d.await(d.begin(s), till.StagePartial)
	if p.Approved != 4500 || p.Remaining != 4500 || p.Due != 4500 || p.Receipt == 0 {
		t.Errorf("got %+v", p)
	}
	s.Amount = p.Remaining
	p = d.await(d.begin(s), till.StageApproved)
	if p.Due != 0 {
		t.Errorf("due %v", p.Due)
	}
}

func (d *desk) inject(f sim.Fault) {
	d.t.Helper()
	if err := d.sim.Inject(f); err != nil {
		d.t.Fatal(err)
	}
}

func TestDeclineSaysWhyAndReleases(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9051) // the simulated issuer has no funds for it
	p := d.await(d.begin(s), till.StageDeclined)
	if p.Approved != 0 || p.Due != 9051 || p.Receipt != 0 || p.MayVoid {
		t.Errorf("got %+v", p)
	}
	if p.Words != "Declined: not enough funds. Nothing was charged." {
		t.Errorf("words %q", p.Words)
	}
	if _, err := d.Till.Receipt(t.Context(), d.Cashier, p.ID); !errors.Is(err, till.ErrNoReceipt) {
		t.Errorf("receipt of a decline: %v", err)
	}
	d.await(d.begin(s), till.StageDeclined) // a declined card may be tried again at once
}

func TestTimeoutAndBusy(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.inject(sim.Fault{Kind: sim.Timeout})
	d.await(d.begin(d.client(1000)), till.StageTimeout)
	d.inject(sim.Fault{Kind: sim.Busy, Message: "T00"})
	d.await(d.begin(d.client(1000)), till.StageNotCharged) // by what the terminal's records show
}

func TestCancelWaitsForTheResult(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	d.ready()
	p := d.begin(d.client(9000))
	p = d.await(p, till.StagePresent)
	if !p.MayCancel || p.Unknown || p.Final {
		t.Errorf("got %+v", p)
	}
	if err := d.Till.Cancel(t.Context(), d.Cashier, p.ID); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageCancelled)
	if err := d.Till.Cancel(t.Context(), d.Cashier, p.ID); !errors.Is(err, till.ErrTooLate) {
		t.Errorf("cancel after the end: %v", err)
	}
}

// The card and the cancel button race; whichever wins, journal and issuer agree.
func TestCancelRace(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	d.ready()
	for range 8 {
		p := d.await(d.begin(d.client(9000)), till.StagePresent)
		var wg sync.WaitGroup
		wg.Go(func() { d.sim.Tap("visa") }) // may come after the cancel, and then finds no sale
		wg.Go(func() {
			if err := d.Till.Cancel(t.Context(), d.Cashier, p.ID); err != nil && !errors.Is(err, till.ErrTooLate) {
				t.Error(err)
			}
		})
		wg.Wait()
		got, err := d.Await(within(t), p.ID, tilltest.Final)
		if err != nil || got.Stage != till.StageApproved && got.Stage != till.StageCancelled {
			t.Errorf("%s, %v", got.Stage, err)
		}
	}
}

func TestTwoTerminalsOneClient(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	o := tilltest.Terminal(2)
	o.Serial = "53236567"
	second, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Close() })
	d.close()
	d.o.Lines = append(d.o.Lines, d.o.Lines[0])
	d.o.Lines[1].Dial = second.Dial
	d.o.Serials = []string{tilltest.Serial, o.Serial}
	d.open()
	d.ready()
	s := d.client(9000)
	p := d.await(d.begin(s), till.StagePresent)
	s.Terminal, s.Command, s.Amount = tilltest.TerminalID(1), tilltest.Command(), 1234
	held, err := d.Till.Begin(t.Context(), d.Cashier, s)
	if !errors.Is(err, till.ErrLocked) || held != p.ID {
		t.Errorf("at the other terminal: %v, %v", held, err)
	}
	if _, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: 1}); !errors.Is(err, till.ErrLocked) {
		t.Errorf("in cash: %v", err)
	}
	other := d.client(500)
	other.Command = tilltest.Command()
	if held, err := d.Till.Begin(t.Context(), d.Cashier, other); !errors.Is(err, till.ErrBusy) || held != p.ID {
		t.Errorf("another client at the busy terminal: %v, %v", held, err)
	}
	other.Terminal = tilltest.TerminalID(1)
	free := d.begin(other)
	d.await(free, till.StageApproved)
	if err := d.sim.Tap("visa"); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageApproved)
	v, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: free.ID})
	if err != nil {
		t.Fatal(err)
	}
	d.await(till.Payment{ID: v}, till.StageApproved) // so that the first terminal alone makes up the net
}
