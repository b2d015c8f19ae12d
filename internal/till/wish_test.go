package till_test

import (
	"testing"
	"time"

	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// TestCancelAtOnce cancels sales in the moment they begin, before the terminal
// has taken them: the wish is kept and the card is not charged.
func TestCancelAtOnce(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.CardDelay = 2 * time.Second })
	d.ready()
	for range 5 {
		s := d.client(9000)
		s.Command = tilltest.Command()
		id, err := d.Till.Begin(t.Context(), d.Cashier, s)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second wish changes nothing
			if err := d.Till.Cancel(t.Context(), d.Cashier, id); err != nil {
				t.Fatal(err)
			}
		}
		d.await(till.Payment{ID: id}, till.StageCancelled)
	}
	if n := len(d.sim.Ledger()); n != 0 {
		t.Errorf("%d charges", n)
	}
}

// TestVoidedEverywhere voids a payment in cash and looks at what is left of it.
func TestVoidedEverywhere(t *testing.T) {
	d := newDesk(t, nil)
	s := d.client(9000)
	id, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: 9000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: id}); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Till.Payment(t.Context(), d.Cashier, id); err != nil || !p.Voided || p.Title != "Voided" {
		t.Errorf("the payment says %q, %v", p.Title, err)
	}
	if r, err := d.Till.Receipt(t.Context(), d.Cashier, id); err != nil || !r.Voided {
		t.Errorf("the receipt is not voided: %v", err)
	}
}
