package day

import (
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/billing"
	"coffer/internal/books"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/identity"
	"coffer/internal/money"
	"coffer/internal/till"
)

// A small adjustment is one person's, more is two people's; each stands on the
// day's sheet in its class, and the books take it off what is owed.
func TestAdjustments(t *testing.T) {
	both := []access.Role{access.FrontDesk, access.Accountant}
	w := newWorld(t, false, identity.NewStaff{Name: "rosa", Roles: both}, identity.NewStaff{Name: "vera", Roles: []access.Role{access.Accountant}},
		identity.NewStaff{Name: "olga", Roles: []access.Role{access.Owner}})
	ctx, acts := t.Context(), duty.New(w.v)
	b := billing.New(billing.Options{Vault: w.v, Limits: duty.UsualLimits, Takers: till.TakersOf})
	w.charge(150_00, 0)
	ask := func(amount money.Amount, r billing.Reason) billing.Adjustment {
		return billing.Adjustment{Command: command(), Account: w.client.Account, Amount: amount, Reason: r}
	}
	small := ask(20_00, billing.ReasonSmall)
	for range 2 {
		w.must(b.Adjust(ctx, w.people["vera"], small))
	}
	w.refused(b.Adjust(ctx, w.people["vera"], ask(5_01, billing.ReasonSmall)), duty.ErrSecond) // together more than 25.00
	w.refused(b.Adjust(ctx, w.people["vera"], ask(130_01, billing.ReasonBadDebt)), billing.ErrAmount)
	w.refused(b.Adjust(ctx, w.people["vera"], ask(1, "because")), billing.ErrReason)
	large := ask(100_00, billing.ReasonCourtesy)
	w.refused(b.Adjust(ctx, w.people["vera"], large), duty.ErrSecond)
	w.must(b.Propose(ctx, w.people["vera"], large))
	open, err := acts.Open(ctx, w.people["olga"])
	if err != nil || len(open) != 1 || open[0].To != "4920" {
		t.Fatalf("open %+v, %v", open, err)
	}
	w.refused(acts.Approve(ctx, w.people["olga"], open[0].ID), duty.ErrNoAct) // it would not be posted
	w.refused(b.Approve(ctx, w.people["vera"], open[0].ID), duty.ErrOwnAct)
	w.must(b.Approve(ctx, w.people["olga"], open[0].ID))
	w.refused(b.Approve(ctx, w.people["olga"], open[0].ID), duty.ErrNoAct)
	if due := w.balance(books.Receivables); due != 30_00 {
		t.Errorf("the client owes %v", due)
	}
	w.cash("rosa", 10_00)
	w.refused(b.Adjust(ctx, w.people["rosa"], ask(1_00, billing.ReasonWaived)), billing.ErrTookToday)
	debt := ask(20_00, billing.ReasonBadDebt)
	debt.Amount = 20_00
	w.must(b.Propose(ctx, w.people["vera"], debt))
	open, err = acts.Open(ctx, w.people["olga"])
	w.must(err)
	w.refused(b.Approve(ctx, w.people["rosa"], open[0].ID), billing.ErrTookToday)
	w.must(b.Approve(ctx, w.people["olga"], open[0].ID))
	for _, role := range []access.Role{access.FrontDesk, access.Therapist, access.IT, access.Officer} {
		if err := b.Adjust(ctx, w.person(role), ask(1, billing.ReasonSmall)); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s adjusts: %v", role, err)
		}
	}
	w.now = w.now.Add(time.Minute)
	w.count("rosa", 10_00)
	s := w.seal("vera").Sheet
	for class, want := range map[Class]money.Amount{Adjusted: 100_00, WrittenOff: 40_00, Moved: 0} {
		if got := s.total(class, false); got.Amount != want {
			t.Errorf("%s comes to %v, want %v", class, got.Amount, want)
		}
	}
	w.sound()
}
