package till_test

import (
	"errors"
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

func TestVoid(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	s := d.client(9000)
	sale := d.await(d.begin(s), till.StageApproved)
	id, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID})
	if err != nil {
		t.Fatal(err)
	}
	v := d.await(till.Payment{ID: id}, till.StageApproved)
	if v.Kind != till.KindVoid || v.Approved != 9000 || v.Due != 9000 || v.Title != "Voided" || v.Receipt != 2 {
		t.Errorf("got %+v", v)
	}
	r, err := d.Till.Receipt(t.Context(), d.Cashier, id)
	if err != nil || r.Original != 1 || r.Kind != till.KindVoid || r.Balance != 9000 {
		t.Errorf("got %+v, %v", r, err)
	}
	if p := d.await(sale, till.StageApproved); p.MayVoid || p.MayRefund || p.Title != "Voided" {
		t.Errorf("the voided payment: %+v", p)
	}
	if _, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID}); !errors.Is(err, till.ErrNotPayment) {
		t.Errorf("voided twice: %v", err)
	}
	d.await(d.begin(s), till.StageApproved) // a voided payment does not count as paid already
}

func TestRefund(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	sale := d.await(d.begin(d.client(9000)), till.StageApproved)
	refund := func(amount int64) (till.Payment, error) {
		id, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID, Amount: money.Amount(amount)})
		if err != nil {
			return till.Payment{ID: id}, err
		}
		return d.await(till.Payment{ID: id}, till.StageApproved), nil
	}
	p, err := refund(4000)
	if err != nil || p.Approved != 4000 || p.Due != 4000 || p.Title != "Refunded" {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := refund(5001); !errors.Is(err, till.ErrRefundTooMuch) {
		t.Errorf("more than what is left: %v", err)
	}
	if _, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID}); !errors.Is(err, till.ErrNotPayment) {
		t.Errorf("void after a refund: %v", err)
	}
	if _, err := refund(5000); err != nil {
		t.Error(err)
	}
	if _, err := refund(1); !errors.Is(err, till.ErrNotPayment) {
		t.Errorf("nothing is left: %v", err)
	}
	if _, err := d.Till.GiveBack(t.Context(), d.IT, till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID, Amount: 1}); err == nil {
		t.Error("IT refunded")
	}
}

func TestCash(t *testing.T) {
	d := newDesk(t, nil)
	s := d.client(2500)
	take := func(c till.CashSale) (till.Payment, error) {
		c.Client = s.Client
		id, err := d.Till.Cash(t.Context(), d.Cashier, c)
		if err != nil {
			return till.Payment{ID: id}, err
		}
		p, err := d.Till.Payment(t.Context(), d.Cashier, id)
		return p, err
	}
	if _, err := take(till.CashSale{Command: tilltest.Command(), Amount: 2500, Tendered: 2000}); !errors.Is(err, till.ErrTendered) {
		t.Errorf("too little: %v", err)
	}
	command := tilltest.Command()
	p, err := take(till.CashSale{Command: command, Amount: 2500, Tendered: 4000})
	if err != nil || p.Stage != till.StageApproved || !p.Final || p.Change != 1500 || p.Due != 0 || p.Receipt != 1 || p.Title != "Paid in cash" {
		t.Errorf("got %+v, %v", p, err)
	}
	again, err := take(till.CashSale{Command: command, Amount: 2500, Tendered: 4000})
	if err != nil || again.ID != p.ID {
		t.Errorf("the same command again: %v, %v", again.ID, err)
	}
	r, err := d.Till.Receipt(t.Context(), d.Cashier, p.ID)
	if err != nil || r.Tendered != 4000 || r.Change != 1500 || r.Amount != 2500 || r.Card != (till.Card{}) {
		t.Errorf("got %+v, %v", r, err)
	}
	id, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: p.ID})
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.Till.Payment(t.Context(), d.Cashier, id)
	if err != nil || v.Title != "Cash given back" || v.Due != 2500 {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestReprintIsACopy(t *testing.T) {
	d := newDesk(t, nil)
	s := d.client(2500)
	id, err := d.Till.Cash(t.Context(), d.Cashier, till.CashSale{Command: tilltest.Command(), Client: s.Client, Amount: 2500})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true} {
		r, err := d.Till.Print(t.Context(), d.Cashier, id)
		if err != nil || r.Copy != want || r.Copies != uint64(i+1) {
			t.Errorf("print %d: copy %v, copies %d, %v", i+1, r.Copy, r.Copies, err)
		}
	}
	if r, err := d.Till.Receipt(t.Context(), d.Cashier, id); err != nil || r.Copy || r.Copies != 3 {
		t.Errorf("on the screen: %+v, %v", r, err)
	}
}

func TestReceiptNumbersHaveNoGaps(t *testing.T) {
	d := newDesk(t, nil)
	d.ready()
	for i := range 3 {
		s := d.client(1000)
		p := d.await(d.begin(s), till.StageApproved)
		declined := d.client(1041)
		d.await(d.begin(declined), till.StageDeclined)
		if p.Receipt != uint64(i+1) {
			t.Errorf("receipt %d, want %d", p.Receipt, i+1)
		}
	}
}

// TestVoidByToken: a PIN pad that names a card by a token hears it again when the
// payment is voided, also when it is asked after a restart what became of that.
func TestVoidByToken(t *testing.T) {
	d := newDesk(t, func(o *sim.Options) { o.Protocol = sim.Simplify })
	d.ready()
	sale := d.await(d.begin(d.client(9000)), till.StageApproved)
	if err := d.sim.Inject(sim.Fault{Kind: sim.PowerAfter, Message: "11", Delay: sim.Duration(300 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	id, err := d.Till.GiveBack(t.Context(), d.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: tilltest.Command(), Original: sale.ID})
	if err != nil {
		t.Fatal(err)
	}
	d.await(till.Payment{ID: id}, till.StageUnplugged)
	d.reopen()
	if v := d.await(till.Payment{ID: id}, till.StageApproved); v.Approved != 9000 || v.Title != "Voided" {
		t.Errorf("the void is %+v", v)
	}
	for _, v := range d.sim.Violations() {
		t.Errorf("the PIN pad complains: %+v", v)
	}
}
