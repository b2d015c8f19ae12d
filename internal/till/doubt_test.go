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

// The cable comes out at each step of a payment, and goes in again.
func TestUnplugAtEachPhase(t *testing.T) {
	for name, c := range map[string]struct {
		options func(*sim.Options)
		when    func(*sim.Sim) bool
		want    []till.Stage
	}{
		"present card": {
			func(o *sim.Options) { o.CardDelay = time.Second },
			func(s *sim.Sim) bool { return s.Status().Screen == sim.Present },
			[]till.Stage{till.StageApproved, till.StageNotCharged},
		},
		"processing": {
			func(o *sim.Options) { o.HostDelay = 200 * time.Millisecond },
			func(s *sim.Sim) bool { return s.Status().Screen == sim.Processing },
			[]till.Stage{till.StageApproved},
		},
		"charged": {
			nil,
			func(s *sim.Sim) bool { return len(s.Ledger()) == 1 },
			[]till.Stage{till.StageApproved},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, c.options)
			d.ready()
			p := d.begin(d.client(9000))
			eventually(t, func() bool { return c.when(d.sim) })
			if err := d.sim.Unplug(); err != nil {
				t.Fatal(err)
			}
			d.awaitStatus(func(s till.TerminalStatus) bool { return !s.Attached })
			if err := d.sim.Plug(); err != nil {
				t.Fatal(err)
			}
			got, err := d.Await(within(t), p.ID, tilltest.Settled)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if got.Stage == want {
					return
				}
			}
			t.Errorf("got %s, want one of %v", got.Stage, c.want)
		})
	}
}

// The answer is lost in many ways after the card was charged; each time
// recovery finds the approval, and never charges again.
func TestLostAnswers(t *testing.T) {
	for _, kind := range []sim.Kind{
		sim.EOTForReply, sim.LateReply, sim.HangUp, sim.PowerAfter, sim.NoAck, sim.WrongRef, sim.Oversize,
		sim.WrongCommand, sim.MissingEOT, sim.Duplicate, sim.NoAckBusy, sim.EOTForAck,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, nil)
			d.hurry()
			d.ready()
			d.inject(sim.Fault{Kind: kind, Message: "T00"})
			p := d.await(d.begin(d.client(9000)), till.StageApproved)
			if p.Approved != 9000 || p.Due != 0 || len(d.sim.Ledger()) != 1 {
				t.Errorf("got %+v, %d charges", p, len(d.sim.Ledger()))
			}
			d.ready()
		})
	}
}

func TestPowerCutBeforeTheBank(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.await(d.begin(d.client(1000)), till.StageApproved)
	d.inject(sim.Fault{Kind: sim.PowerBefore})
	s := d.client(9000)
	p := d.await(d.begin(s), till.StageNotCharged)
	if p.Due != 9000 || !p.Final {
		t.Errorf("got %+v", p)
	}
	d.ready()
	d.await(d.begin(s), till.StageApproved)
}

// A card number on the wire blocks the terminal. It is still asked what became
// of the payment, and takes no other until IT has looked at it, not even after
// a restart.
func TestLeakBlocksTheTerminal(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.inject(sim.Fault{Kind: sim.PANLeak})
	d.await(d.begin(d.client(9000)), till.StageApproved)
	blocked := func() {
		t.Helper()
		s := d.client(500)
		s.Command = tilltest.Command()
		if _, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrQuarantined) {
			t.Errorf("a payment at the blocked terminal: %v", err)
		}
	}
	blocked()
	d.reopen()
	status := d.awaitStatus(func(s till.TerminalStatus) bool { return s.Attached })
	if !status.Quarantined || status.Ready || status.Words == "" || status.Next == "" {
		t.Errorf("after a restart: %+v", status)
	}
	blocked()
	id := tilltest.TerminalID(0)
	if err := d.Till.ReleaseTerminal(t.Context(), d.Cashier, id); err == nil {
		t.Error("the desk put the terminal back to work")
	}
	blocked()
	if err := d.Till.ReleaseTerminal(t.Context(), accesstest.Agent(access.IT), tilltest.TerminalID(7)); !errors.Is(err, till.ErrNoTerminal) {
		t.Errorf("another terminal: %v", err)
	}
	if err := d.Till.ReleaseTerminal(t.Context(), accesstest.Agent(access.IT), id); err != nil {
		t.Fatal(err)
	}
	d.ready()
	d.await(d.begin(d.client(100)), till.StageApproved)
	d.reopen()
	d.ready()
}

// Another device on the cable, which the line does not notice, is not believed
// when it knows nothing, and not asked for a record. With the right one back
// the payment is found.
func TestSwappedTerminal(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	d.inject(sim.Fault{Kind: sim.EOTForReply, Message: "T00"})
	d.inject(sim.Fault{Kind: sim.Swap, Message: "A00"})
	p := d.begin(d.client(9000))
	got := d.await(p, till.StageQuarantined)
	if got.Final || !got.Unknown || !got.MayResolve || got.Approved != 0 {
		t.Errorf("the foreign device was believed: %+v", got)
	}
	if err := d.sim.PowerOff(); err != nil {
		t.Fatal(err)
	}
	if err := d.sim.PowerOn(); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageApproved)
	d.ready()
}

// A terminal that is unplugged for good locks no client for ever: two people
// say what became of the payment.
func TestTwoPeopleDecideWithoutTheTerminal(t *testing.T) {
	for name, gone := range map[string]func(*desk){
		"unplugged": func(d *desk) {
			if err := d.sim.Unplug(); err != nil {
				d.t.Fatal(err)
			}
		},
		"not set up any more": func(d *desk) {
			if err := d.sim.Unplug(); err != nil {
				d.t.Fatal(err)
			}
			d.close()
			d.o.Lines = nil
			d.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, func(o *sim.Options) { o.HostDelay = 200 * time.Millisecond })
			d.ready()
			s := d.client(9000)
			p := d.begin(s)
			eventually(t, func() bool { return d.sim.Status().Screen == sim.Processing })
			gone(d)
			p, err := d.Await(within(t), p.ID, func(p till.Payment) bool { return p.MayResolve })
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return len(d.sim.Ledger()) == 1 })
			s.Command = tilltest.Command()
			if _, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: s.Command, Client: s.Client, Amount: 1}); !errors.Is(err, till.ErrLocked) {
				t.Errorf("the client is not locked: %v", err)
			}
			yes := till.Resolution{Attempt: p.ID, Charged: true, Approved: 9000, Evidence: till.EvidenceProcessor}
			if done, err := d.Till.Resolve(t.Context(), d.Cashier, yes); done || err != nil {
				t.Errorf("the first person: %v, %v", done, err)
			}
			if done, err := d.Till.Resolve(t.Context(), d.Cashier, yes); done || err != nil {
				t.Errorf("the first person again: %v, %v", done, err)
			}
			list, err := d.Till.Unresolved(t.Context(), d.Second)
			if err != nil || len(list) != 1 || list[0].Proposal == nil || list[0].Proposal.By != "rosa" || list[0].Proposal.Approved != 9000 {
				t.Errorf("got %+v, %v", list, err)
			}
			if done, err := d.Till.Resolve(t.Context(), d.Second, yes); !done || err != nil {
				t.Errorf("the second person: %v, %v", done, err)
			}
			d.await(p, till.StageApproved)
			if _, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: 1}); err != nil {
				t.Errorf("the client is still locked: %v", err)
			}
		})
	}
}

// While the terminal can be asked, people do not decide in its place.
func TestPeopleDoNotDecideWhatTheTerminalKnows(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute })
	d.ready()
	p := d.await(d.begin(d.client(9000)), till.StagePresent)
	no := till.Resolution{Attempt: p.ID, Evidence: till.EvidenceSlip}
	if _, err := d.Till.Resolve(t.Context(), d.Cashier, no); !errors.Is(err, till.ErrNotManual) || p.MayResolve {
		t.Errorf("a running payment may be resolved: %v", err)
	}
	if err := d.sim.Tap("visa"); err != nil {
		t.Fatal(err)
	}
	d.await(p, till.StageApproved)
}

// A stop does not wait for what is only unknown.
func TestCloseDoesNotWaitForWhatIsInDoubt(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.HostDelay = 200 * time.Millisecond })
	d.ready()
	p := d.begin(d.client(9000))
	eventually(t, func() bool { return d.sim.Status().Screen == sim.Processing })
	closed := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() { closed <- d.Till.Close(ctx) }()
	s := d.client(100)
	eventually(t, func() bool { // Close has begun
		s.Command = tilltest.Command()
		_, err := d.Till.Begin(context.Background(), d.Cashier, s)
		return errors.Is(err, till.ErrClosed)
	})
	if err := d.sim.Unplug(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the stop waits for a payment in doubt")
		cancel()
		<-closed
	}
	if err := d.sim.Plug(); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	d.await(p, till.StageApproved)
}

// A payment whose commit is done when the stop begins is run, not dropped.
func TestCloseWaitsForASaleThatBegins(t *testing.T) {
	d := newDesk(t, nil)
	d.close()
	armed, closed := true, make(chan error, 1)
	d.o.AfterEvent = func(e string) {
		if !armed || e != "created" {
			return
		}
		armed = false
		go func() { closed <- d.Till.Close(within(t)) }()
		eventually(t, func() bool {
			_, err := d.Till.Begin(context.Background(), d.Cashier, till.Sale{Command: tilltest.Command(), Amount: 1})
			return errors.Is(err, till.ErrClosed)
		})
		select {
		case err := <-closed:
			t.Error("the stop did not wait for the sale that begins")
			closed <- err
		case <-time.After(100 * time.Millisecond):
		}
	}
	d.open()
	d.ready()
	p := d.begin(d.client(9000))
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if got, err := d.Till.Payment(t.Context(), d.Cashier, p.ID); err != nil || got.Stage != till.StageApproved {
		t.Errorf("got %s, %v", got.Stage, err)
	}
}

// An answer is for the client and the amount of its question.
func TestAnswerSecondUnderAnothersCommand(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	other := d.client(9000)
	other.Command = tilltest.Command()
	id, err := d.Till.Begin(t.Context(), d.Cashier, other)
	if err != nil {
		t.Fatal(err)
	}
	d.await(till.Payment{ID: id}, till.StageApproved)
	d.inject(sim.Fault{Kind: sim.HostDup})
	p := d.await(d.begin(d.client(9000)), till.StageDuplicate)
	if _, err := d.Till.AnswerSecond(t.Context(), d.Cashier, p.ID, other.Command); !errors.Is(err, till.ErrCommand) {
		t.Errorf("a command of another client's payment: %v", err)
	}
	d.await(p, till.StageDuplicate)
	if err := d.Till.AnswerSame(t.Context(), d.Cashier, p.ID); err != nil {
		t.Fatal(err)
	}
}

func TestDuplicateOfAnotherClientAsksAPerson(t *testing.T) {
	for name, answer := range map[string]func(*desk, till.Payment) till.Stage{
		"the same payment": func(d *desk, p till.Payment) till.Stage {
			if err := d.Till.AnswerSame(context.Background(), d.Cashier, p.ID); err != nil {
				d.t.Error(err)
			}
			if err := d.Till.AnswerSame(context.Background(), d.Cashier, p.ID); err != nil {
				d.t.Errorf("answered twice: %v", err)
			}
			return till.StageSame
		},
		"really a second one": func(d *desk, p till.Payment) till.Stage {
			command := tilltest.Command()
			id, err := d.Till.AnswerSecond(context.Background(), d.Cashier, p.ID, command)
			if err != nil {
				d.t.Fatal(err)
			}
			if again, err := d.Till.AnswerSecond(context.Background(), d.Cashier, p.ID, command); err != nil || again != id {
				d.t.Errorf("answered twice: %v, %v", again, err)
			}
			d.await(till.Payment{ID: id}, till.StageApproved)
			return till.StageSecond
		},
	} {
		for _, kind := range []sim.Kind{sim.LocalDup, sim.HostDup} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, nil)
				d.ready()
				d.await(d.begin(d.client(9000)), till.StageApproved)
				d.inject(sim.Fault{Kind: kind})
				s := d.client(9000)
				p := d.await(d.begin(s), till.StageDuplicate)
				if !p.Choice || p.Final || p.Due != 9000 {
					t.Errorf("got %+v", p)
				}
				s.Command = tilltest.Command()
				if held, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrLocked) || held != p.ID {
					t.Errorf("another payment before the answer: %v, %v", held, err)
				}
				want := answer(d, p)
				d.await(p, want)
				if err := d.Till.AnswerSame(t.Context(), d.Cashier, p.ID); want == till.StageSecond && !errors.Is(err, till.ErrNoChoice) {
					t.Errorf("an answer after the answer: %v", err)
				}
			})
		}
	}
}

// A restored backup has lost a payment; the terminal's duplicate check finds
// it, and the answer brings it into the books, once.
func TestDuplicateOfALostPayment(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	backup := d.t.TempDir() + "/store"
	s := d.client(9000)
	d.close()
	copyStore(t, d.o.Dir, backup)
	d.open()
	d.ready()
	d.await(d.begin(s), till.StageApproved)
	d.close()
	d.o.Dir = backup
	d.open()
	d.ready()
	if err := d.Till.BeginEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.inject(sim.Fault{Kind: sim.HostDup})
	p := d.await(d.begin(s), till.StageDuplicate)
	if err := d.Till.AnswerSame(t.Context(), d.Cashier, p.ID); err != nil {
		t.Fatal(err)
	}
	p = d.await(p, till.StageApproved)
	if p.Due != 0 || p.Receipt == 0 || len(d.sim.Ledger()) != 1 {
		t.Errorf("got %+v, %d charges", p, len(d.sim.Ledger()))
	}
}

// The store fails in mid-sale (a full disk, say): the terminal gets no
// acknowledgement for what could not be kept, and the next start finds it.
func TestStoreFailsDuringASale(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Manual = true; o.CardTimeout = time.Minute; o.Strict = false })
	d.ready()
	p := d.await(d.begin(d.client(9000)), till.StagePresent)
	if err := d.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.sim.Tap("visa"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(d.sim.Ledger()) == 1 && d.sim.Status().Screen == sim.Idle })
	d.reopen()
	d.await(p, till.StageApproved)
}
