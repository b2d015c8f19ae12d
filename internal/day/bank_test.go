package day

import (
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/money"
	"coffer/internal/till"
	"coffer/internal/vault"
)

func (w *world) check(who, number string, amount money.Amount) ident.ID[ident.Attempt] {
	w.Helper()
	id, err := w.till.TakeCheck(w.Context(), w.people[who], till.CheckSale{
		Command: command(), Client: w.client.ID, Amount: amount, Number: number, ConfirmDuplicate: true,
	})
	w.must(err)
	return id
}

// balance returns what an account holds, or what the client owes.
func (w *world) balance(code books.Code) (amount money.Amount) {
	w.Helper()
	w.do(func(tx *vault.Tx) (err error) {
		amount, err = books.Balance(tx, code, "")
		return err
	})
	return amount
}

// Two checks go to the bank on one slip; one comes back. In one act the charge
// that it had settled is open again, and the fee is added.
func TestCheckComesBack(t *testing.T) {
	w := newWorld(t, true)
	w.charge(150_00, 0)
	one, two := w.check("rosa", "1001", 150_00), w.check("omar", "77", 30_00)
	slip := command()
	for range 2 {
		if n, err := w.till.Deposit(t.Context(), w.people["rosa"], slip, []ident.ID[ident.Attempt]{one, two}); n != 1 || err != nil {
			t.Fatalf("slip %d, %v", n, err)
		}
	}
	if w.balance(books.Checks) != 0 || w.balance(books.Bank) != 180_00 {
		t.Errorf("to deposit %v, at the bank %v", w.balance(books.Checks), w.balance(books.Bank))
	}
	_, err := w.till.GiveBack(t.Context(), w.people["rosa"], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: one})
	w.refused(err, till.ErrDeposited)
	waiting, slips, err := w.till.Checks(t.Context(), w.people["vera"], 10)
	if err != nil || len(waiting) != 0 || len(slips) != 1 || slips[0].Amount != 180_00 || len(slips[0].Checks) != 2 || slips[0].Checks[0].Number != "1001" {
		t.Errorf("waiting %+v, slips %+v, %v", waiting, slips, err)
	}
	back := till.CheckReturn{Command: command(), Attempt: one, Fee: 25_00}
	for range 2 {
		w.must(w.till.ReturnCheck(t.Context(), w.people["vera"], back))
	}
	w.refused(w.till.ReturnCheck(t.Context(), w.people["vera"], till.CheckReturn{Command: command(), Attempt: one}), till.ErrNotDeposited)
	if w.balance(books.Receivables) != 175_00 || w.balance(books.Bank) != 30_00 || w.balance(books.Checks) != 0 || w.balance(books.OtherIncome) != -25_00 {
		t.Errorf("due %v, bank %v, checks %v", w.balance(books.Receivables), w.balance(books.Bank), w.balance(books.Checks))
	}
	s := w.seal("vera")
	for _, c := range []Total{{PaidCheck, false, 2, 180_00}, {Returned, false, 1, 150_00}, {Charged, false, 2, 175_00}, {Deposited, false, 2, 30_00}} {
		if got := s.total(c.Class, false); got != c {
			t.Errorf("total is %+v, want %+v", got, c)
		}
	}
	w.reopen()
	w.sound()
	w.soundTill()
}

// A check whose money was spent on later charges comes back as well.
func TestCheckOfSpentCreditComesBack(t *testing.T) {
	w := newWorld(t, false)
	id := w.check("rosa", "1", 100_00)
	w.charge(60_00, 0)
	w.do(func(tx *vault.Tx) error { _, err := books.ApplyCredit(tx, books.Sub(w.client.Account)); return err })
	_, err := w.till.Deposit(t.Context(), w.people["rosa"], command(), []ident.ID[ident.Attempt]{id})
	w.must(err)
	w.must(w.till.ReturnCheck(t.Context(), w.people["vera"], till.CheckReturn{Command: command(), Attempt: id}))
	if w.balance(books.Receivables) != 60_00 || w.balance(books.Credits) != 0 || w.balance(books.Bank) != 0 {
		t.Errorf("due %v, credit %v", w.balance(books.Receivables), w.balance(books.Credits))
	}
	w.soundTill()
}

// Rule 2: who took a payment of the account today does not adjust it today.
func TestReturnByAnotherThanTheTaker(t *testing.T) {
	both := []access.Role{access.FrontDesk, access.Accountant}
	w := newWorld(t, false, identity.NewStaff{Name: "solo", Roles: both}, identity.NewStaff{Name: "vera", Roles: []access.Role{access.Accountant}})
	deposited := func(w *world) till.CheckReturn {
		id := w.check("solo", "5", 10_00)
		_, err := w.till.Deposit(t.Context(), w.people["solo"], command(), []ident.ID[ident.Attempt]{id})
		w.must(err)
		return till.CheckReturn{Command: command(), Attempt: id}
	}
	r := deposited(w)
	w.refused(w.till.ReturnCheck(t.Context(), w.people["solo"], r), till.ErrTookToday)
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.till.ReturnCheck(t.Context(), w.people["solo"], r))
	tiny := newWorld(t, false, identity.NewStaff{Name: "solo", Roles: both})
	tiny.must(tiny.till.ReturnCheck(t.Context(), tiny.people["solo"], deposited(tiny)))
	if s := tiny.seal("solo"); len(s.Waived) != 2 || s.Waived[0].Rule != 2 || s.Waived[1].Rule != 3 {
		t.Errorf("waived %+v", s.Waived)
	}
}

func TestCheckRefusals(t *testing.T) {
	w := newWorld(t, false)
	for _, number := range []string{"", "12a", "1234567890123"} {
		_, err := w.till.TakeCheck(t.Context(), w.people["rosa"], till.CheckSale{Command: command(), Client: w.client.ID, Amount: 1, Number: number})
		w.refused(err, till.ErrCheck)
	}
	id := w.check("rosa", "1", 5_00)
	w.refused(w.till.ReturnCheck(t.Context(), w.people["vera"], till.CheckReturn{Command: command(), Attempt: id}), till.ErrNotDeposited)
	w.refused(w.till.ReturnCheck(t.Context(), w.people["vera"], till.CheckReturn{Command: command(), Attempt: id, Fee: till.FeeMax + 1}), till.ErrFee)
	_, err := w.till.Deposit(t.Context(), w.people["rosa"], command(), []ident.ID[ident.Attempt]{id, id})
	w.refused(err, till.ErrNoChecks)
	_, err = w.till.GiveBack(t.Context(), w.people["rosa"], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: id})
	w.must(err)
	_, err = w.till.Deposit(t.Context(), w.people["rosa"], command(), []ident.ID[ident.Attempt]{id})
	w.refused(err, till.ErrNoChecks)
	w.soundTill()
}

// soundTill demands that payments and ledger agree.
func (w *world) soundTill() {
	w.Helper()
	w.do(func(tx *vault.Tx) error {
		found, _, err := till.Check(tx)
		for _, f := range found {
			w.Errorf("payment %v: %s", f.Attempt, f.What)
		}
		return err
	})
}
