package till_test

import (
	"errors"
	"testing"

	"coffer/internal/money"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// TestStaleFormTakesNoMoreThanIsDue pays at one desk and then sends the form
// that another desk opened before: what is due is decided at the commit.
func TestStaleFormTakesNoMoreThanIsDue(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9000)
	s.DueOnly, s.Command = true, tilltest.Command()
	cash := func(amount money.Amount, dueOnly bool) error {
		_, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: amount, DueOnly: dueOnly})
		return err
	}
	if err := cash(8900, true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Till.Begin(t.Context(), d.Cashier, s); !errors.Is(err, till.ErrOverDue) {
		t.Errorf("a card for more than is due: %v", err)
	}
	if err := cash(9000, true); !errors.Is(err, till.ErrOverDue) {
		t.Errorf("cash for more than is due: %v", err)
	}
	if err := cash(100, true); err != nil {
		t.Errorf("what is due: %v", err)
	}
	if err := cash(1, true); !errors.Is(err, till.ErrOverDue) {
		t.Errorf("a cent when nothing is due: %v", err)
	}
	if err := cash(2500, false); err != nil {
		t.Errorf("as credit: %v", err)
	}
	if n := len(d.sim.Ledger()); n != 0 {
		t.Errorf("%d charges at the terminal", n)
	}
	if err := cash(till.AmountMax+1, false); !errors.Is(err, till.ErrTooMuch) {
		t.Errorf("a slip of the finger: %v", err)
	}
}
