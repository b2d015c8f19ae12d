package terminal_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
	"coffer/internal/terminal/simplify"
)

// pinPad starts a PIN pad in software and its owner, on a pseudo-terminal or on
// TCP.
func pinPad(t *testing.T, door string, o sim.Options) (*sim.Sim, *terminal.Terminal) {
	t.Helper()
	o.Protocol, o.Strict = sim.Simplify, true
	o.BootDelay, o.PlugDelay, o.GapTimeout, o.AckTimeout = 20*time.Millisecond, 20*time.Millisecond, 250*time.Millisecond, 800*time.Millisecond
	o.LateReply = 900 * time.Millisecond
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	address := ""
	if door == "pty" {
		link := filepath.Join(t.TempDir(), "pad")
		if err := s.ServePTY(link); err != nil {
			t.Fatal(err)
		}
		address = "serial:" + link
	} else {
		at, err := s.ServeTCP("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = "tcp:" + at.String()
	}
	p, err := firmwareconfig.Profile("sim-simplify")
	if err != nil {
		t.Fatal(err)
	}
	p.Timers.Ack, p.Timers.Byte, p.Timers.Quiet, p.Timers.Drain = 600, 100, 100, 300
	p.Timers.Cancel, p.Timers.Whole = 300, 3000
	p.Timers.RetryMin, p.Timers.RetryMax = 10, 50
	p.Timers.Answer = map[string]protocol.Millis{"02": 500, "09": 500, "11": 500, "22": 400, "73": 400, "80": 400}
	tm := terminal.Start(terminal.Config{ID: ident.New[ident.Terminal](time.Now()), Address: address, Profile: p,
		Merchant: simplify.Merchant{Terminal: "TERM1", Location: "RETL01", Chain: "TSTLAR"}})
	t.Cleanup(func() {
		if err := tm.Close(); err != nil {
			t.Error(err)
		}
	})
	tm.OnStray(func(protocol.Outcome) error { return nil })
	await(t, tm)
	return s, tm
}

// known looks a payment up until its end is known.
func known(t *testing.T, tm *terminal.Terminal, c protocol.Command, o protocol.Outcome) protocol.Outcome {
	t.Helper()
	for range 40 {
		if o.Result != protocol.InDoubt {
			return o
		}
		select {
		case <-time.After(20 * time.Millisecond): // as a till waits between two questions
		case <-t.Context().Done():
		}
		await(t, tm)
		tm.Release() // a leaking PIN pad is looked into, and put back
		var err error
		o, err = tm.Lookup(t.Context(), protocol.Question{Ref: c.Ref, Kind: c.Kind, Amount: c.Amount,
			OriginalRef: c.OriginalRef})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("payment %s is still in doubt: %s", c.Ref, o.Reason)
	return o
}

// TestSimplifyDoors takes, voids and gives back money over a pseudo-terminal
// and over TCP, cancels, and finds out what became of a payment whose line was
// pulled.
func TestSimplifyDoors(t *testing.T) {
	for _, door := range []string{"pty", "tcp"} {
		t.Run(door, func(t *testing.T) {
			s, tm := pinPad(t, door, sim.Options{})
			if got := tm.Status().Device.Serial; got != "53236566" {
				t.Errorf("the device is %q", got)
			}
			run := func(c protocol.Command, want protocol.Result) protocol.Outcome {
				t.Helper()
				kept := protocol.Outcome{}
				o, err := tm.Run(t.Context(), c, terminal.Hooks{Result: func(o protocol.Outcome) error { kept = o; return nil }})
				if err != nil || o.Result != want || o.Ref != c.Ref || kept != o {
					t.Fatalf("%s %s: %+v, kept %+v, %v", c.Kind, c.Ref, o, kept, err)
				}
				return o
			}
			first := run(saleOf("101"), protocol.Approved)
			if first.Card.LastFour != "1111" || first.Card.Brand != "Visa" || first.Serial != "53236566" || first.EMV.AID == "" {
				t.Errorf("the approval is %+v", first)
			}
			part := run(protocol.Command{Kind: protocol.Sale, Ref: "102", Amount: 5061}, protocol.Partial)
			run(protocol.Command{Kind: protocol.Sale, Ref: "103", Amount: 5041}, protocol.Declined)
			run(protocol.Command{Kind: protocol.Void, Ref: "104", Amount: first.Approved, OriginalRef: first.Ref, OriginalToken: first.Token}, protocol.Approved)
			run(protocol.Command{Kind: protocol.Refund, Ref: "105", Amount: 1000, OriginalRef: part.Ref, OriginalToken: part.Token}, protocol.Approved)
			if net := sim.Net(s.Ledger()); net != part.Approved-1000 {
				t.Errorf("the issuer took %v", net)
			}
			for _, v := range s.Violations() {
				t.Errorf("the PIN pad complains: %+v", v)
			}
		})
	}
}

// serialOnly are the faults that a socket cannot have: of damaged bytes, and of
// acknowledgements.
var serialOnly = []sim.Kind{
	sim.DropByte, sim.FlipBit, sim.NoiseBefore, sim.NoiseAfter, sim.WrongLRC, sim.CheckByte,
	sim.NoAck, sim.LateAck, sim.Nak, sim.Merge,
}

// TestSimplifyFaultsOverTCP is TestEveryFault over a real socket, where nothing
// is acknowledged.
func TestSimplifyFaultsOverTCP(t *testing.T) {
	for _, kind := range sim.Simplify.Kinds() {
		if slices.Contains(serialOnly, kind) {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, tm := pinPad(t, "tcp", sim.Options{CardTimeout: 300 * time.Millisecond, SlowHost: 300 * time.Millisecond})
			if err := s.Inject(sim.Fault{Kind: kind}); err != nil {
				t.Fatal(err)
			}
			o, err := tm.Run(t.Context(), saleOf("12"), terminal.Hooks{})
			if err != nil {
				t.Fatal(err)
			}
			o = known(t, tm, saleOf("12"), o)
			if truth := charged(s, "12"); o.Approved != truth {
				t.Errorf("%s (%s): %v is known here, and %v was charged", o.Result, o.Reason, o.Approved, truth)
			}
			for _, v := range s.Violations() {
				t.Errorf("the PIN pad complains: %+v", v)
			}
		})
	}
}

// TestSimplifyCancel: a command that waits for its card is given up, and the
// gateway agrees; one that is with the bank is not.
func TestSimplifyCancel(t *testing.T) {
	s, tm := pinPad(t, "pty", sim.Options{Manual: true, HostDelay: 300 * time.Millisecond})
	run := func(ref string, at protocol.Step, act func()) protocol.Outcome {
		t.Helper()
		shown := false
		o, err := tm.Run(context.WithoutCancel(t.Context()), saleOf(ref), terminal.Hooks{Step: func(step protocol.Step) {
			if step == at && !shown {
				shown = true
				go act()
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := run("201", protocol.StepPresent, tm.Cancel); o.Result != protocol.Cancelled || o.Reason != protocol.ReasonAborted {
		t.Errorf("cancelled while the card was asked for: %+v", o)
	}
	tap := func() {
		for s.Tap("") != nil { // until the PIN pad asks for it
			if t.Context().Err() != nil {
				return
			}
		}
	}
	go tap()
	if o := run("202", protocol.StepProcessing, tm.Cancel); o.Result != protocol.Approved {
		t.Errorf("cancelled while the bank was asked: %+v", o)
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d charges", n)
	}
	for _, v := range s.Violations() {
		t.Errorf("the PIN pad complains: %+v", v)
	}
}
