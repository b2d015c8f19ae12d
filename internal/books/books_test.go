package books

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// clinic is a store with books, whose clock the test turns.
type clinic struct {
	testing.TB
	v          *vault.Vault
	b          *Books
	system     access.Agent
	accountant access.Agent
	now        time.Time
}

func open(t testing.TB) *clinic {
	t.Helper()
	c := &clinic{
		TB: t, system: accesstest.System("till"), accountant: accesstest.Agent(access.Accountant),
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	c.v = vaulttest.OpenWith(t, vault.Options{Tables: Tables(), NoSync: true, Now: func() time.Time { return c.now }})
	c.b = New(c.v)
	if err := c.b.Setup(t.Context(), c.system); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !c.v.Closed() { // a reopened store is checked by its test
			c.checks()
		}
	})
	return c
}

// checks demands that the books have no finding.
func (c *clinic) checks() {
	c.Helper()
	report, err := c.b.Check(context.Background(), accesstest.Agent(access.IT))
	if err != nil {
		c.Fatal(err)
	}
	for _, f := range report.Findings {
		c.Errorf("the books have a finding: %+v", f)
	}
}

func (c *clinic) do(fn func(*vault.Tx) error) error {
	req := access.Request{Agent: c.system, Action: access.BooksSetup, Entity: access.None, Purpose: access.Operations}
	return c.v.Update(context.Background(), req, fn)
}

// must runs fn in a transaction that has to commit.
func (c *clinic) must(fn func(*vault.Tx) error) {
	c.Helper()
	if err := c.do(fn); err != nil {
		c.Fatal(err)
	}
}

// entry runs fn in a transaction that has to commit and returns its entry.
func (c *clinic) entry(fn func(*vault.Tx) (ledger.Entry, error)) ledger.Entry {
	c.Helper()
	var e ledger.Entry
	c.must(func(tx *vault.Tx) (err error) { e, err = fn(tx); return err })
	return e
}

// refuses runs fn in a transaction that has to fail with want.
func (c *clinic) refuses(want error, fn func(*vault.Tx) error) {
	c.Helper()
	if err := c.do(fn); !errors.Is(err, want) {
		c.Fatalf("got %v, want %v", err, want)
	}
}

func charge(sub ledger.Sub, amount money.Amount) ledger.Draft {
	return ledger.Draft{Event: ledger.EventChargeSession, Postings: []ledger.Posting{
		{Account: Receivables, Sub: sub, Amount: amount}, {Account: Individual, Amount: -amount},
	}}
}

func waiver(sub ledger.Sub, amount money.Amount) ledger.Draft {
	return ledger.Draft{Event: ledger.EventWaiver, Postings: []ledger.Posting{
		{Account: "4920", Amount: amount}, {Account: Receivables, Sub: sub, Amount: -amount},
	}}
}

func cash(tx *vault.Tx, sub ledger.Sub, amount money.Amount) (ledger.Draft, error) {
	rest, err := Receipt(tx, sub, amount)
	return ledger.Draft{Event: ledger.EventPaymentCash, Postings: append([]ledger.Posting{
		{Account: Drawers, Sub: "desk", Amount: amount}}, rest...)}, err
}

func card(tx *vault.Tx, sub ledger.Sub, amount money.Amount) (ledger.Draft, error) {
	d, err := cash(tx, sub, amount)
	d.Event = ledger.EventPaymentCard
	d.Postings[0].Account, d.Postings[0].Sub = CardClearing, "T1"
	return d, err
}

func (c *clinic) charge(sub ledger.Sub, amount money.Amount) ledger.Entry {
	c.Helper()
	return c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, charge(sub, amount)) })
}

func (c *clinic) cash(sub ledger.Sub, amount money.Amount) ledger.Entry {
	c.Helper()
	return c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
		d, err := cash(tx, sub, amount)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Post(tx, d)
	})
}

func (c *clinic) pend(sub ledger.Sub, amount money.Amount) ledger.Entry {
	c.Helper()
	return c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
		d, err := card(tx, sub, amount)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Pend(tx, d)
	})
}

func (c *clinic) settle(id ident.ID[ident.Entry], amount money.Amount) ledger.Entry {
	c.Helper()
	return c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Settle(tx, id, amount) })
}

func (c *clinic) reverse(id ident.ID[ident.Entry]) ledger.Entry {
	c.Helper()
	return c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Reverse(tx, id, "mistake") })
}

// stands demands what a client owes and has to their credit.
func (c *clinic) stands(sub ledger.Sub, due, credit money.Amount) {
	c.Helper()
	c.must(func(tx *vault.Tx) error {
		got, err := Client(tx, sub)
		if want := (ClientBalance{due, credit}); got != want {
			c.Errorf("%s stands at %+v, want %+v", sub, got, want)
		}
		return err
	})
}

func TestChartIsTheTemplate(t *testing.T) {
	want := "1000 1010 1020 1050 1060 1065 1100 1110 1190 1200 1500 1590 " +
		"2000 2050 2100 2110 2150 2160 2200 2300 2400 3000 3100 3900 " +
		"4000 4010 4020 4030 4040 4050 4100 4110 4120 4190 4900 4910 4920 4930 4940 " +
		"5000 5100 6000 6100 6110 6120 6200 6300 6310 6320 6330 6340 6350 6900 9990 "
	got := ""
	for _, a := range Template() {
		got += string(a.Code) + " "
		contra := a.Code == "1190" || a.Code == "1590" || a.Code == "3100" || a.Code >= "4900" && a.Code < "5000"
		if a.Contra != contra {
			t.Errorf("%s: contra is %v", a.Code, a.Contra)
		}
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSetupTwice(t *testing.T) {
	c := open(t)
	if err := c.b.Setup(t.Context(), c.system); err != nil {
		t.Fatal(err)
	}
	c.must(func(tx *vault.Tx) error {
		if n := accounts.Count(tx); n != uint64(len(Template())) {
			t.Errorf("%d accounts, want %d", n, len(Template()))
		}
		return nil
	})
}

func TestReceiptSettlesOldestFirst(t *testing.T) {
	c := open(t)
	first, second := c.charge("P-000001", 9000), c.charge("P-000001", 5000)
	e := c.cash("P-000001", 10000)
	c.stands("P-000001", 4000, 0)
	c.must(func(tx *vault.Tx) error {
		one, _, err1 := Charge(tx, first.ID, "P-000001")
		two, _, err2 := Charge(tx, second.ID, "P-000001")
		if one.Open != 0 || two.Open != 4000 {
			t.Errorf("open %v and %v, want 0.00 and 40.00", one.Open, two.Open)
		}
		made, err3 := Allocations(tx, e.ID)
		if len(made) != 2 || made[0].Item != first.ID || made[0].Amount != -9000 || made[1].Item != second.ID || made[1].Amount != -1000 {
			t.Errorf("allocations: %+v", made)
		}
		return errors.Join(err1, err2, err3)
	})
	c.cash("P-000001", 7000)
	c.stands("P-000001", 0, 3000)
}

func TestBackdatedChargeIsSettledFirst(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	d := charge("P-000001", 5000)
	d.Effective = civil.New(2026, 2, 1)
	old := c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, d) })
	c.cash("P-000001", 5000)
	c.must(func(tx *vault.Tx) error {
		item, _, err := Charge(tx, old.ID, "P-000001")
		if item.Open != 0 {
			t.Errorf("the older charge still has %v open", item.Open)
		}
		return err
	})
}

func TestChosenChargeIsSettled(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	second := c.charge("P-000001", 5000)
	d := waiver("P-000001", 5000)
	d.Against = second.ID
	c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, d) })
	c.must(func(tx *vault.Tx) error {
		open, err := OpenItems(tx, "P-000001")
		if len(open) != 1 || open[0].Entry == second.ID {
			t.Errorf("open: %+v", open)
		}
		return err
	})
	c.refuses(ErrNotOpen, func(tx *vault.Tx) error { _, err := Post(tx, d); return err })
}

func TestMoreThanOpenIsRefused(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	c.refuses(ErrNotOpen, func(tx *vault.Tx) error { _, err := Post(tx, waiver("P-000001", 9001)); return err })
	c.refuses(ErrNotOpen, func(tx *vault.Tx) error {
		_, err := Post(tx, ledger.Draft{Event: ledger.EventRefund, Postings: []ledger.Posting{
			{Account: Credits, Sub: "P-000001", Amount: 1}, {Account: CardClearing, Sub: "T1", Amount: -1}}})
		return err
	})
	c.stands("P-000001", 9000, 0)
}

func TestPendingShowsNowhereUntilSettled(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	p := c.pend("P-000001", 9000)
	c.stands("P-000001", 9000, 0)
	e := c.settle(p.ID, 9000)
	c.stands("P-000001", 0, 0)
	if e.Kind != ledger.PostPending || e.Ref != p.ID || e.Event != ledger.EventPaymentCard {
		t.Errorf("settled as %+v", e)
	}
	c.refuses(ErrResolved, func(tx *vault.Tx) error { _, err := Settle(tx, p.ID, 9000); return err })
	c.refuses(ErrResolved, func(tx *vault.Tx) error { _, err := Release(tx, p.ID, "declined"); return err })
}

func TestReleasedPendingIsGone(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	p := c.pend("P-000001", 9000)
	c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Release(tx, p.ID, "declined") })
	c.stands("P-000001", 9000, 0)
	c.refuses(ErrResolved, func(tx *vault.Tx) error { _, err := Settle(tx, p.ID, 9000); return err })
}

// A partial approval is split for what was approved, against what is open
// when it is settled.
func TestSettleSplitsAnew(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	p := c.pend("P-000001", 12000) // 90.00 due, 30.00 credit
	c.cash("P-000001", 6000)       // now 30.00 due
	e := c.settle(p.ID, 5000)
	c.stands("P-000001", 0, 2000)
	want := []ledger.Posting{{Account: CardClearing, Sub: "T1", Amount: 5000}, {Account: Receivables, Sub: "P-000001", Amount: -3000}, {Account: Credits, Sub: "P-000001", Amount: -2000}}
	if fmt.Sprint(e.Postings) != fmt.Sprint(want) {
		t.Errorf("postings %v, want %v", e.Postings, want)
	}
	c.refuses(ErrResolved, func(tx *vault.Tx) error { _, err := Settle(tx, p.ID, 1); return err })
}

func TestSettleRefuses(t *testing.T) {
	c := open(t)
	p := c.pend("P-000001", 9000)
	posted := c.cash("P-000001", 100)
	c.refuses(ledger.ErrTooMuch, func(tx *vault.Tx) error { _, err := Settle(tx, p.ID, 9001); return err })
	c.refuses(ledger.ErrZero, func(tx *vault.Tx) error { _, err := Settle(tx, p.ID, 0); return err })
	c.refuses(ledger.ErrNotPending, func(tx *vault.Tx) error { _, err := Settle(tx, posted.ID, 1); return err })
	c.refuses(ErrNoEntry, func(tx *vault.Tx) error { _, err := Settle(tx, ident.ID[ident.Entry]{1}, 1); return err })
	c.refuses(ledger.ErrReason, func(tx *vault.Tx) error { _, err := Release(tx, p.ID, "Jane said no"); return err })
	c.refuses(ErrReceipt, func(tx *vault.Tx) error {
		_, err := Pend(tx, ledger.Draft{Event: ledger.EventPaymentCard, Postings: []ledger.Posting{
			{Account: CardClearing, Sub: "T1", Amount: 30}, {Account: Credits, Sub: "P-000001", Amount: -10}, {Account: Credits, Sub: "P-000002", Amount: -20}}})
		return err
	})
}

// The books never hold up a refund that the terminal has paid out: what is
// not covered by credit any more is due again.
func TestRefundSettlesWhateverIsLeft(t *testing.T) {
	c := open(t)
	c.cash("P-000001", 5000)
	refund := c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
		rest, err := Refund(tx, "P-000001", 5000)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Pend(tx, ledger.Draft{Event: ledger.EventRefund, Postings: append(rest, ledger.Posting{Account: CardClearing, Sub: "T1", Amount: -5000})})
	})
	c.charge("P-000001", 3000)
	c.must(func(tx *vault.Tx) error { _, err := ApplyCredit(tx, "P-000001"); return err })
	c.stands("P-000001", 0, 2000)
	c.settle(refund.ID, 5000)
	c.stands("P-000001", 3000, 0)
}

func TestSameCommandIsOneEntry(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	var first ledger.Entry
	for i := range 100 {
		e := c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
			d, err := cash(tx, "P-000001", 10000)
			if err != nil {
				return ledger.Entry{}, err
			}
			d.Source = "command/1"
			return Post(tx, d)
		})
		if i == 0 {
			first = e
		}
		if fmt.Sprint(e) != fmt.Sprint(first) {
			t.Fatalf("time %d gives another entry:\n%v\n%v", i, e, first)
		}
	}
	c.stands("P-000001", 0, 1000)
	c.must(func(tx *vault.Tx) error {
		if n := entries.Count(tx); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
		return nil
	})
	c.refuses(ErrSource, func(tx *vault.Tx) error {
		d, err := cash(tx, "P-000001", 10001)
		d.Source = "command/1"
		if err == nil {
			_, err = Post(tx, d)
		}
		return err
	})
	c.refuses(ErrSource, func(tx *vault.Tx) error {
		d, err := card(tx, "P-000001", 10000)
		d.Source = "command/1"
		if err == nil {
			_, err = Pend(tx, d)
		}
		return err
	})
}

func TestReversalIsDatedTodayAndLinkedBothWays(t *testing.T) {
	c := open(t)
	e := c.charge("P-000001", 9000)
	c.now = c.now.AddDate(0, 0, 3)
	r := c.reverse(e.ID)
	if r.Effective != e.Effective.AddDays(3) || r.Ref != e.ID || r.Kind != ledger.Reversal || r.Reason != "mistake" {
		t.Errorf("reversal: %+v", r)
	}
	for id, other := range map[ident.ID[ident.Entry]]ident.ID[ident.Entry]{e.ID: r.ID, r.ID: e.ID} {
		d, err := c.b.Entry(t.Context(), c.accountant, id)
		if err != nil || len(d.Links) != 1 || d.Links[0].ID != other {
			t.Errorf("links of %s: %+v, %v", d.Kind, d.Links, err)
		}
	}
	c.refuses(ErrReversed, func(tx *vault.Tx) error { _, err := Reverse(tx, e.ID, "mistake"); return err })
	c.refuses(ErrReversal, func(tx *vault.Tx) error { _, err := Reverse(tx, r.ID, "mistake"); return err })
	c.stands("P-000001", 0, 0)
}

func TestReversedReceiptOpensItsCharges(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	p := c.settle(c.pend("P-000001", 10000).ID, 10000)
	c.stands("P-000001", 0, 1000)
	r := c.reverse(p.ID)
	c.stands("P-000001", 9000, 0)
	var sum money.Amount
	for _, q := range r.Postings {
		if q.Account == CardClearing {
			sum += q.Amount
		}
	}
	if sum != -10000 {
		t.Errorf("card clearing got %v back", sum)
	}
}

// Money may have moved on since it was received; its reversal finds it.
func TestReversalFindsItsMoney(t *testing.T) {
	c := open(t)
	first := c.charge("P-000001", 9000)
	receipt := c.cash("P-000001", 10000) // 90 settle, 10 credit
	c.reverse(first.ID)                  // 100 credit
	c.stands("P-000001", 0, 10000)
	c.charge("P-000001", 6000)
	c.must(func(tx *vault.Tx) error { _, err := ApplyCredit(tx, "P-000001"); return err })
	c.stands("P-000001", 0, 4000)
	c.reverse(receipt.ID)
	c.stands("P-000001", 6000, 0)
}

func TestReversalRefuses(t *testing.T) {
	c := open(t)
	charged := c.charge("P-000001", 9000)
	adjusted := c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, waiver("P-000001", 1000)) })
	c.refuses(ErrAdjusted, func(tx *vault.Tx) error { _, err := Reverse(tx, charged.ID, "mistake"); return err })
	c.reverse(adjusted.ID)
	receipt := c.cash("P-000001", 10000)
	c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
		return Post(tx, ledger.Draft{Event: ledger.EventRefund, Postings: []ledger.Posting{
			{Account: Credits, Sub: "P-000001", Amount: 400}, {Account: Drawers, Sub: "desk", Amount: -400}}})
	})
	c.refuses(ErrRefunded, func(tx *vault.Tx) error { _, err := Reverse(tx, receipt.ID, "mistake"); return err })
	c.reverse(charged.ID)
	var release ledger.Entry
	c.must(func(tx *vault.Tx) error {
		for row, err := range entries.All(tx) {
			if err != nil {
				return err
			}
			if row.Shared.Event == ledger.EventCreditRelease {
				release = row.Shared.entry()
			}
		}
		return nil
	})
	c.refuses(ErrDerived, func(tx *vault.Tx) error { _, err := Reverse(tx, release.ID, "mistake"); return err })
	p := c.pend("P-000001", 100)
	c.refuses(ledger.ErrNotPosted, func(tx *vault.Tx) error { _, err := Reverse(tx, p.ID, "mistake"); return err })
	c.refuses(ledger.ErrReason, func(tx *vault.Tx) error { _, err := Reverse(tx, receipt.ID, ""); return err })
}

// One entry may charge a whole group; it is taken back as a whole, or not at
// all when one of the charges was adjusted.
func TestGroupIsReversedAsAWhole(t *testing.T) {
	c := open(t)
	d := ledger.Draft{Event: ledger.EventChargeSession, Postings: []ledger.Posting{{Account: Group, Amount: -32000}}}
	for i := range 8 {
		d.Postings = append(d.Postings, ledger.Posting{Account: Receivables, Sub: ledger.Sub(fmt.Sprintf("P-%06d", i)), Amount: 4000})
	}
	e := c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, d) })
	c.cash("P-000000", 4000)
	adjusted := c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, waiver("P-000007", 100)) })
	c.must(func(tx *vault.Tx) error {
		before := entries.Count(tx)
		if _, err := Reverse(tx, e.ID, "mistake"); !errors.Is(err, ErrAdjusted) {
			t.Errorf("got %v", err)
		}
		if entries.Count(tx) != before {
			t.Error("a refused reversal has written an entry")
		}
		return nil
	})
	c.reverse(adjusted.ID)
	c.reverse(e.ID)
	c.stands("P-000000", 0, 4000)
	for i := 1; i < 8; i++ {
		c.stands(ledger.Sub(fmt.Sprintf("P-%06d", i)), 0, 0)
	}
}

func TestCreditOfTwoReceiptsSettlesTwoCharges(t *testing.T) {
	c := open(t)
	c.cash("P-000001", 100)
	c.cash("P-000001", 100)
	c.charge("P-000001", 50)
	c.charge("P-000001", 120)
	c.must(func(tx *vault.Tx) error { _, err := ApplyCredit(tx, "P-000001"); return err })
	c.stands("P-000001", 0, 30)
}

func TestFutureIsRefused(t *testing.T) {
	c := open(t)
	d := charge("P-000001", 100)
	d.Effective = civil.Of(c.now).AddDays(1)
	c.refuses(ErrFuture, func(tx *vault.Tx) error { _, err := Post(tx, d); return err })
}

func TestBalancesSurviveReopening(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	p := c.pend("P-000001", 5000)
	before, err := c.b.TrialBalance(t.Context(), c.accountant, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.v = vaulttest.Reopen(t, c.v)
	c.b = New(c.v)
	after, err := c.b.TrialBalance(t.Context(), c.accountant, 0)
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Fatalf("%v, want %v (%v)", after, before, err)
	}
	c.settle(p.ID, 5000)
	c.stands("P-000001", 4000, 0)
	c.checks()
}
