package terminal_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// TestEveryFault takes a payment from the terminal in software once for each
// fault that it can have, under each profile, and looks up what ends in
// doubt: in the end what is known here is what the terminal's ledger says, and
// the terminal has nothing to complain of.
func TestEveryFault(t *testing.T) {
	for _, id := range firmwareconfig.IDs() {
		p, err := firmwareconfig.Profile(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range sim.Protocol(p.Protocol).Kinds() {
			t.Run(id+"/"+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { oneFault(t, p, kind) })
			})
		}
	}
}

func oneFault(t *testing.T, p protocol.Profile, kind sim.Kind) {
	s, err := sim.New(sim.Options{Protocol: sim.Protocol(p.Protocol), CardDelay: 2 * time.Second, HostDelay: time.Second, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tm := terminal.Start(terminal.Config{ID: ident.New[ident.Terminal](time.Now()), Dial: s.Dial, Profile: p})
	defer tm.Close()
	tm.OnStray(func(protocol.Outcome) error { return nil })
	await(t, tm)
	// A payment before it: without any record a look-up could prove nothing.
	if o, err := tm.Run(t.Context(), saleOf("11"), terminal.Hooks{}); err != nil || o.Result != protocol.Approved {
		t.Fatalf("the first payment: %+v %v", o, err)
	}
	if err := s.Inject(sim.Fault{Kind: kind}); err != nil {
		t.Fatal(err)
	}
	o, err := tm.Run(t.Context(), saleOf("12"), terminal.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; o.Result == protocol.InDoubt; n++ {
		if o.Reason == protocol.ReasonUnproven && !p.Lookup.Proof {
			break // of such a model people decide
		}
		if n == 20 {
			t.Fatalf("still in doubt after 20 look-ups: %s", o.Reason)
		}
		time.Sleep(5 * time.Second) // in the bubble; a till waits longer each time
		await(t, tm)
		tm.Release() // a leaking terminal is looked into, and put back
		if o, err = tm.Lookup(t.Context(), protocol.Question{Ref: "12", Kind: protocol.Sale, Amount: 5000}); err != nil {
			t.Fatal(err)
		}
	}
	known := money.Amount(0)
	if o.Result == protocol.Approved || o.Result == protocol.Partial {
		known = o.Approved
	}
	if truth := charged(s, "12"); known != truth && o.Result != protocol.InDoubt {
		t.Errorf("%s (%s): %v is known here, and %v was charged", o.Result, o.Reason, known, truth)
	}
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("the terminal complains: %v", v)
	}
}

func saleOf(ref string) protocol.Command {
	return protocol.Command{Kind: protocol.Sale, Ref: ref, Amount: 5000}
}

// charged returns what the terminal has taken under a reference.
func charged(s *sim.Sim, ref string) money.Amount {
	var sum money.Amount
	for _, l := range s.Ledger() {
		if l.Ref == ref && l.Act == sim.Charge {
			sum += l.Amount
		}
	}
	return sum
}

// await waits until the terminal is attached.
func await(t *testing.T, tm *terminal.Terminal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for !tm.Status().Attached {
		select {
		case <-tm.Changed():
		case <-ctx.Done():
			t.Fatal("not attached for ten minutes")
		}
	}
}
