package day

import (
	"context"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/money"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// giveBack gives money back as somebody, with vera's approval where that is
// due.
func (w *world) giveBack(who string, g till.GiveBack) error {
	w.Helper()
	ctx := context.Background()
	g.Command = command()
	_, err := w.till.GiveBack(ctx, w.people[who], g)
	if err != error(duty.ErrSecond) {
		return err
	}
	act, err := w.till.Propose(ctx, w.people[who], g)
	w.must(err)
	acts := duty.New(w.v)
	w.must(acts.Approve(ctx, w.people["vera"], act))
	_, err = w.till.CarryOut(ctx, w.people[who], act, command(), ident.ID[ident.Terminal]{})
	if err != nil {
		w.must(acts.Withdraw(ctx, w.people[who], act))
	}
	return err
}

// What one person may not decide alone waits for another, who is never the same.
func TestRefundNeedsASecondPerson(t *testing.T) {
	both := []access.Role{access.FrontDesk, access.Accountant}
	w := newWorld(t, false, identity.NewStaff{Name: "rosa", Roles: both}, identity.NewStaff{Name: "omar", Roles: []access.Role{access.FrontDesk}}, identity.NewStaff{Name: "vera", Roles: []access.Role{access.Accountant}})
	ctx, acts := t.Context(), duty.New(w.v)
	id := w.cash("omar", 90_00)
	w.cash("rosa", 100_00)
	g := till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonNotHeld, Command: command(), Original: id, Amount: 40_00}
	_, err := w.till.GiveBack(ctx, w.people["rosa"], g)
	w.refused(err, duty.ErrSecond)
	act, err := w.till.Propose(ctx, w.people["rosa"], g)
	w.must(err)
	if again, err := w.till.Propose(ctx, w.people["rosa"], g); again != act || err != nil {
		t.Errorf("the same command again: %v, %v", again, err)
	}
	g.Command = command()
	_, err = w.till.Propose(ctx, w.people["omar"], g)
	w.refused(err, duty.ErrOpenAct)
	_, err = w.till.CarryOut(ctx, w.people["rosa"], act, command(), ident.ID[ident.Terminal]{})
	w.refused(err, duty.ErrNotApproved)
	w.refused(acts.Approve(ctx, w.people["rosa"], act), duty.ErrOwnAct)
	if err := acts.Approve(ctx, w.people["omar"], act); fault.KindOf(err) != fault.Denied {
		t.Errorf("the front desk approves: %v", err)
	}
	w.refused(acts.Withdraw(ctx, w.people["omar"], act), duty.ErrNotOwnAct)
	open, err := acts.Open(ctx, w.people["vera"])
	if err != nil || len(open) != 1 || open[0].By != "rosa" || open[0].Amount != 40_00 || open[0].Paid != 90_00 || open[0].Taker != "omar" {
		t.Fatalf("open %+v, %v", open, err)
	}
	w.must(acts.Approve(ctx, w.people["vera"], act))
	w.refused(acts.Approve(ctx, w.people["vera"], act), duty.ErrNoAct)
	once := command()
	for range 2 { // out of rosa's drawer, once
		if _, err := w.till.CarryOut(ctx, w.people["rosa"], act, once, ident.ID[ident.Terminal]{}); err != nil {
			t.Fatal(err)
		}
	}
	if rosa, omar := w.drawer("rosa"), w.drawer("omar"); rosa != 60_00 || omar != 90_00 {
		t.Errorf("rosa's drawer holds %v, omar's %v", rosa, omar)
	}
	_, err = w.till.CarryOut(ctx, w.people["rosa"], act, command(), ident.ID[ident.Terminal]{})
	w.refused(err, duty.ErrNoAct)
	if open, err := acts.Open(ctx, w.people["vera"]); err != nil || len(open) != 0 {
		t.Errorf("still open: %+v, %v", open, err)
	}
	w.soundTill()
	w.sound()
}

// A proposal ends by itself, by its proposer or by a refusal.
func TestProposalEnds(t *testing.T) {
	w := newWorld(t, false)
	ctx, acts := t.Context(), duty.New(w.v)
	id := w.cash("rosa", 90_00)
	propose := func() ident.ID[ident.Act] {
		t.Helper()
		act, err := w.till.Propose(ctx, w.people["rosa"], till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonDouble, Command: command(), Original: id, Amount: 1_00})
		w.must(err)
		return act
	}
	w.must(acts.Refuse(ctx, w.people["vera"], propose()))
	approved := propose()
	w.must(acts.Approve(ctx, w.people["vera"], approved))
	w.must(acts.Withdraw(ctx, w.people["rosa"], approved))
	_, err := w.till.CarryOut(ctx, w.people["rosa"], approved, command(), ident.ID[ident.Terminal]{})
	w.refused(err, duty.ErrNoAct)
	late := propose()
	w.now = w.now.Add(duty.OpenFor + time.Second)
	w.refused(acts.Approve(ctx, w.people["vera"], late), duty.ErrNoAct)
	propose() // what has expired stands in nobody's way
}

// A void within the limit is one person's of an own payment of the day; where
// nobody else could approve, more is waived and stands on the sheet.
func TestVoidAlone(t *testing.T) {
	w := newWorld(t, false)
	own, large, other := w.cash("rosa", 200_00), w.cash("rosa", 200_01), w.cash("omar", 5_00)
	void := func(who string, id ident.ID[ident.Attempt]) error {
		_, err := w.till.GiveBack(t.Context(), w.people[who], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: id})
		return err
	}
	w.must(void("rosa", own))
	w.refused(void("rosa", large), duty.ErrSecond)
	w.refused(void("rosa", other), till.ErrOtherDrawer)
	w.now = w.now.Add(24 * time.Hour)
	w.refused(void("omar", other), duty.ErrSecond)
	tiny := newWorld(t, false, identity.NewStaff{Name: "solo", Roles: []access.Role{access.FrontDesk, access.Accountant}})
	id := tiny.cash("solo", 300_00)
	_, err := tiny.till.GiveBack(t.Context(), tiny.people["solo"], till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: command(), Original: id})
	tiny.must(err)
	tiny.count("solo", 0)
	if s := tiny.seal("solo"); len(s.Waived) != 2 || s.Waived[0].Rule != 1 {
		t.Errorf("waived %+v", s.Waived)
	}
}

// A deposited check is refunded by one of the clinic's own, out of the bank; if
// the bank returns it afterwards, the client owes what was given.
func TestRefundOfADepositedCheck(t *testing.T) {
	w := newWorld(t, false)
	id := w.check("rosa", "1001", 80_00)
	g := till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonCredit, Original: id, Amount: 80_00, Check: "7"}
	w.refused(w.giveBack("rosa", g), till.ErrCheckHere)
	_, err := w.till.Deposit(t.Context(), w.people["rosa"], command(), []ident.ID[ident.Attempt]{id})
	w.must(err)
	g.Check = "seven"
	w.refused(w.giveBack("rosa", g), till.ErrCheck)
	g.Check = "7"
	w.must(w.giveBack("rosa", g))
	if bank := w.balance(books.Bank); bank != 0 {
		t.Errorf("the bank has %v", bank)
	}
	w.must(w.till.ReturnCheck(t.Context(), w.people["vera"], till.CheckReturn{Command: command(), Attempt: id}))
	if due := w.balance(books.Receivables); due != 80_00 {
		t.Errorf("the client owes %v", due)
	}
	if s := w.seal("vera"); s.total(Refunded, false).Amount != 80_00 {
		t.Errorf("totals %+v", s.Totals)
	}
	w.soundTill()
	w.sound()
}

// person is somebody of a role who is on no roster.
func (w *world) person(role access.Role) access.Agent { return accesstest.Agent(role) }

// drawer returns what should be in somebody's drawer.
func (w *world) drawer(who string) (amount money.Amount) {
	w.Helper()
	w.do(func(tx *vault.Tx) (err error) {
		amount, err = books.Balance(tx, books.Drawers, books.Sub(who))
		return err
	})
	return amount
}
