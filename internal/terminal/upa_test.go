package terminal_test

import (
	"context"
	"testing"
	"time"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// upaOverTCP starts a UPA terminal in software on a real socket, and its owner.
func upaOverTCP(t *testing.T, o sim.Options) (*sim.Sim, *terminal.Terminal) {
	t.Helper()
	o.Protocol, o.Strict = sim.UPA, true
	o.BootDelay, o.PlugDelay, o.GapTimeout, o.AckTimeout = 20*time.Millisecond, 20*time.Millisecond, 250*time.Millisecond, 800*time.Millisecond
	o.LateReply = 1500 * time.Millisecond
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	at, err := s.ServeTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := firmwareconfig.Profile("sim-upa")
	if err != nil {
		t.Fatal(err)
	}
	p.Timers.Ack, p.Timers.Byte, p.Timers.Quiet, p.Timers.Drain, p.Timers.EOT = 600, 100, 100, 300, 150
	p.Timers.Cancel, p.Timers.Whole, p.Lookup.Again = 300, 3000, 50
	p.Timers.RetryMin, p.Timers.RetryMax = 10, 50
	p.Timers.Answer = map[string]protocol.Millis{"Ping": 600, "GetAppInfo": 600, "Sale": 1000, "Void": 1000, "Refund": 1000, "GetBatchDetails": 600}
	tm := terminal.Start(terminal.Config{ID: ident.New[ident.Terminal](time.Now()), Address: "tcp:" + at.String(), Profile: p})
	t.Cleanup(func() {
		if err := tm.Close(); err != nil {
			t.Error(err)
		}
	})
	tm.OnStray(func(protocol.Outcome) error { return nil })
	await(t, tm)
	return s, tm
}

func uncomplaining(t *testing.T, s *sim.Sim) {
	t.Helper()
	for _, v := range s.Violations() {
		t.Errorf("the terminal complains: %+v", v)
	}
}

// TestUPA takes, voids and gives back money over TCP, has a part and nothing
// approved, and repeats a payment.
func TestUPA(t *testing.T) {
	s, tm := upaOverTCP(t, sim.Options{})
	if got := tm.Status().Device.Serial; got != "53236566" {
		t.Errorf("the device is %q", got)
	}
	run := func(c protocol.Command, want protocol.Result) protocol.Outcome {
		t.Helper()
		kept := protocol.Outcome{}
		o, err := tm.Run(t.Context(), c, terminal.Hooks{Result: func(o protocol.Outcome) error { kept = o; return nil }})
		if err != nil || o.Result != want || kept != o {
			t.Fatalf("%s %s: %+v, kept %+v, %v", c.Kind, c.Ref, o, kept, err)
		}
		return o
	}
	first := run(saleOf("101"), protocol.Approved)
	if first.Ref != "101" || first.Card.LastFour != "1111" || first.Card.Brand != "Visa" || first.Card.EntryMode != "contactless" ||
		first.EMV.AID == "" || first.EMV.Label != "VISA CREDIT" || first.HostRef == "" || len(first.At) != 14 {
		t.Errorf("the approval is %+v", first)
	}
	part := run(protocol.Command{Kind: protocol.Sale, Ref: "102", Amount: 5061}, protocol.Partial)
	run(protocol.Command{Kind: protocol.Sale, Ref: "103", Amount: 5041}, protocol.Declined)
	run(protocol.Command{Kind: protocol.Sale, Ref: "104", Amount: 5091}, protocol.Declined)
	void := protocol.Command{Kind: protocol.Void, Ref: "105", Amount: first.Approved, OriginalHostRef: first.HostRef}
	run(void, protocol.Approved)
	void.Ref = "106"
	if o := run(void, protocol.Declined); o.Reason != protocol.ReasonAlreadyVoided {
		t.Errorf("a second void: %+v", o)
	}
	run(protocol.Command{Kind: protocol.Refund, Ref: "107", Amount: 1000, OriginalHostRef: part.HostRef}, protocol.Approved)
	run(protocol.Command{Kind: protocol.Sale, Ref: "108", Amount: 7000}, protocol.Approved)
	if err := s.Inject(sim.Fault{Kind: sim.HostDup}); err != nil {
		t.Fatal(err)
	}
	if o := run(protocol.Command{Kind: protocol.Sale, Ref: "109", Amount: 7000}, protocol.Duplicate); o.Ref != "108" || o.Approved != 7000 {
		t.Errorf("a duplicate describes %+v", o)
	}
	run(protocol.Command{Kind: protocol.Sale, Ref: "110", Amount: 7000, AllowDuplicate: true}, protocol.Approved)
	if net := sim.Net(s.Ledger()); net != part.Approved-1000+14000 {
		t.Errorf("the issuer took %v", net)
	}
	uncomplaining(t, s)
	// Nobody has to ask for what is known; the answers are true all the same.
	for ref, want := range map[string]protocol.Result{"102": protocol.Partial, "108": protocol.Approved, "999": protocol.NotCharged} {
		amount := saleOf(ref).Amount
		switch ref {
		case "102":
			amount = 5061
		case "108":
			amount = 7000
		}
		o, err := tm.Lookup(t.Context(), protocol.Question{Ref: ref, Kind: protocol.Sale, Amount: amount})
		if err != nil || o.Result != want {
			t.Errorf("looked up, %s is %+v, %v", ref, o, err)
		}
	}
	if o, err := tm.Lookup(t.Context(), protocol.Question{Ref: "101", Kind: protocol.Sale, Amount: first.Approved}); err != nil || o.Reason != protocol.ReasonVoided {
		t.Errorf("looked up, a voided payment is %+v, %v", o, err)
	}
}

// TestUPAFaultsOverTCP is TestEveryFault over a real socket, for what goes wrong
// with one.
func TestUPAFaultsOverTCP(t *testing.T) {
	for _, kind := range []sim.Kind{
		sim.HangUp, sim.Split, sim.Merge, sim.Gap, sim.Duplicate, sim.LateReply, sim.PowerBefore, sim.PowerAfter, sim.DropCommand,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, tm := upaOverTCP(t, sim.Options{CardTimeout: 300 * time.Millisecond, SlowHost: 300 * time.Millisecond})
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
			o = known(t, tm, saleOf("12"), o)
			if truth := charged(s, "12"); o.Result != protocol.Duplicate && o.Approved != truth {
				t.Errorf("%s (%s): %v is known here, and %v was charged", o.Result, o.Reason, o.Approved, truth)
			}
			uncomplaining(t, s)
		})
	}
}

// TestUPACancel: a command that waits for its card is given up; one that is with
// the bank is not.
func TestUPACancel(t *testing.T) {
	s, tm := upaOverTCP(t, sim.Options{Manual: true, HostDelay: 300 * time.Millisecond})
	run := func(ref string, act func()) protocol.Outcome {
		t.Helper()
		o, err := tm.Run(context.WithoutCancel(t.Context()), saleOf(ref), terminal.Hooks{Acked: func() error { go act(); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := run("201", tm.Cancel); o.Result != protocol.Cancelled || o.Reason != protocol.ReasonAborted {
		t.Errorf("cancelled while the card was asked for: %+v", o)
	}
	if o := run("202", func() {
		for s.Tap("") != nil { // until the terminal asks for it
			if t.Context().Err() != nil {
				return
			}
		}
		tm.Cancel()
	}); o.Result != protocol.Approved {
		t.Errorf("cancelled while the bank was asked: %+v", o)
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d charges", n)
	}
	uncomplaining(t, s)
}
