package billing

import (
	"context"
	"errors"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"

	"pgregory.net/rapid"
)

// clinic is a store with a desk, a therapist and one client of hers.
type clinic struct {
	testing.TB
	v                            *vault.Vault
	b                            *Billing
	books                        *books.Books
	system, desk, therapist, acc access.Agent
	client                       roster.Client
	now                          time.Time
	booked                       int
}

func open(t testing.TB) *clinic {
	t.Helper()
	c := &clinic{
		TB: t, system: accesstest.System("demo"), desk: accesstest.Agent(access.FrontDesk),
		therapist: accesstest.Agent(access.Therapist), acc: accesstest.Agent(access.Accountant),
		now: time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC),
	}
	tables := Tables()
	tables = append(tables, books.Tables()...)
	tables = append(tables, roster.Tables()...)
	tables = append(tables, schedule.Tables()...)
	c.v = vaulttest.OpenWith(t, vault.Options{
		Tables: tables, Relation: schedule.Related, NoSync: true, Now: func() time.Time { return c.now },
	})
	c.b, c.books = New(Options{Vault: c.v}), books.New(c.v)
	if err := errors.Join(c.books.Setup(t.Context(), c.system), c.b.Setup(t.Context(), c.system)); err != nil {
		t.Fatal(err)
	}
	c.must(access.ClientWrite, func(tx *vault.Tx) (err error) {
		if c.client, err = roster.Create(tx, roster.Details{Name: phi.NewText("Nora Vale")}); err != nil {
			return err
		}
		return roster.Assign(tx, roster.Assignment{
			Therapist: c.therapist.StaffID(), Client: c.client.ID, From: civil.New(2026, 1, 1), Until: civil.New(2026, 12, 31),
		})
	})
	t.Cleanup(c.checks)
	return c
}

func (c *clinic) checks() {
	c.Helper()
	report, err := c.books.Check(context.Background(), accesstest.Agent(access.IT))
	if err != nil {
		c.Fatal(err)
	}
	for _, f := range report.Findings {
		c.Errorf("the books have a finding: %+v", f)
	}
}

func (c *clinic) must(action access.Action, fn func(*vault.Tx) error) {
	c.Helper()
	if err := c.v.Update(context.Background(), request(c.desk, action, access.None), fn); err != nil {
		c.Fatal(err)
	}
}

// book makes an appointment of its own hour, some hours ago.
func (c *clinic) book() schedule.Appointment {
	c.Helper()
	var a schedule.Appointment
	c.booked++
	c.must(access.ScheduleWrite, func(tx *vault.Tx) (err error) {
		a, err = schedule.Book(tx, schedule.Booking{
			Client: c.client.ID, Therapist: c.therapist.StaffID(), Minutes: 50, Service: "90834",
			Start: c.now.Add(-time.Duration(c.booked) * time.Hour),
		})
		return err
	})
	return a
}

func (c *clinic) pay(amount money.Amount) ledger.Entry {
	c.Helper()
	var e ledger.Entry
	c.must(access.PaymentTake, func(tx *vault.Tx) error {
		rest, err := books.Receipt(tx, ledger.Sub(c.client.Account), amount)
		if err != nil {
			return err
		}
		e, err = books.Post(tx, ledger.Draft{Event: ledger.EventPaymentCash, Postings: append([]ledger.Posting{
			{Account: books.Drawers, Sub: "desk", Amount: amount}}, rest...)})
		return err
	})
	return e
}

func (c *clinic) close(a schedule.Appointment, service string, minutes int) Charge {
	c.Helper()
	charge, err := c.b.Close(context.Background(), c.therapist, a.ID, service, minutes, command())
	if err != nil {
		c.Fatal(err)
	}
	return charge
}

func command() ident.ID[ident.Command] { return ident.New[ident.Command](time.Unix(0, 0)) }

func (c *clinic) due() (b books.ClientBalance) {
	c.Helper()
	c.must(access.ChargeRead, func(tx *vault.Tx) (err error) { b, err = Due(tx, c.client.ID); return err })
	return b
}

func (c *clinic) balance(account books.Code) (a money.Amount) {
	c.Helper()
	c.must(access.ChargeRead, func(tx *vault.Tx) (err error) { a, err = books.Balance(tx, account, ""); return err })
	return a
}

func TestMinutesFitTheCode(t *testing.T) {
	byCode := map[string]Service{}
	for _, s := range Template() {
		byCode[s.Code] = s
	}
	for _, c := range []struct {
		code    string
		minutes int
		want    Warning
	}{
		{"90832", 15, TooShort}, {"90832", 16, Fits}, {"90832", 37, Fits}, {"90832", 38, TooLong},
		{"90834", 37, TooShort}, {"90834", 38, Fits}, {"90834", 52, Fits}, {"90834", 53, TooLong},
		{"90837", 45, TooShort}, {"90837", 52, TooShort}, {"90837", 53, Fits}, {"90837", 110, Fits},
		{"90853", 1, Fits},
	} {
		got := byCode[c.code].CheckMinutes(c.minutes)
		if got != c.want || (got == Fits) != (got.Words() == "") {
			t.Errorf("%s with %d minutes: %q, want %q", c.code, c.minutes, got, c.want)
		}
	}
}

func TestServiceRefuses(t *testing.T) {
	good := Template()[0]
	for name, spoil := range map[string]func(*Service){
		"short code": func(s *Service) { s.Code = "9" }, "small letters": func(s *Service) { s.Code = "abc" },
		"no label": func(s *Service) { s.Label = "" }, "no group": func(s *Service) { s.Group = "" },
		"no fee": func(s *Service) { s.Fee = 0 }, "negative fee": func(s *Service) { s.Fee = -1 },
		"huge fee": func(s *Service) { s.Fee = money.Max + 1 }, "window": func(s *Service) { s.MinutesMin, s.MinutesMax = 20, 10 },
		"asset": func(s *Service) { s.Income = "1010" }, "contra": func(s *Service) { s.Income = "4910" },
	} {
		s := good
		if spoil(&s); fault.KindOf(s.Validate()) != fault.Invalid {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestEncounterIsChargedInOneCommit(t *testing.T) {
	c := open(t)
	a := c.book()
	charge := c.close(a, "", 0)
	if charge.Amount() != 15000 || charge.Service != "90834" || charge.Account != c.client.Account || charge.Warning != Fits {
		t.Errorf("charge: %+v", charge)
	}
	if got := c.due(); got != (books.ClientBalance{Due: 15000}) {
		t.Errorf("due %+v", got)
	}
	if got := c.balance(books.Individual); got != -15000 {
		t.Errorf("income %v", got)
	}
	lines, _, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	if err != nil || len(lines) != 1 || lines[0].Open != 15000 || lines[0].Label != "Individual, 45 min" {
		t.Errorf("lines %+v, %v", lines, err)
	}
}

func TestSlidingScaleIsAContraAccount(t *testing.T) {
	c := open(t)
	if err := c.b.SetScale(t.Context(), c.system, c.client.ID, 4000); err != nil {
		t.Fatal(err)
	}
	charge := c.close(c.book(), "", 0)
	if charge.Fee != 15000 || charge.Reduction != 6000 || c.due().Due != 9000 {
		t.Errorf("charge %+v, due %+v", charge, c.due())
	}
	if c.balance(books.SlidingScale) != 6000 || c.balance(books.Individual) != -15000 {
		t.Error("the reduction is not in the contra account")
	}
	if err := c.b.SetScale(t.Context(), c.system, c.client.ID, 10000); err != nil {
		t.Fatal(err)
	}
	if free := c.close(c.book(), "", 0); free.Amount() != 0 || c.due().Due != 9000 {
		t.Errorf("a free session: %+v, due %+v", free, c.due())
	}
	if err := c.b.SetScale(t.Context(), c.system, c.client.ID, 10001); !errors.Is(err, ErrScale) {
		t.Errorf("more than the fee: %v", err)
	}
}

// The fee is the sum of what the client owes and what is taken off, for every
// percentage.
func TestReductionLosesNoCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fee := money.Amount(rapid.Int64Range(1, int64(money.Max)).Draw(t, "fee"))
		off, err := fee.Percent(uint16(rapid.IntRange(0, 10000).Draw(t, "scale")))
		c := Charge{Account: "P-000001", Fee: fee, Reduction: off}
		var sum money.Amount
		for _, p := range c.postings(Service{Income: "4000"}) {
			if p.Amount == 0 {
				t.Fatal("a posting of zero")
			}
			sum += p.Amount
		}
		if err != nil || sum != 0 || c.Amount() < 0 || c.Amount() > fee {
			t.Fatalf("fee %v, off %v: %v, %v", fee, off, sum, err)
		}
	})
}

func TestSameCommandChargesOnce(t *testing.T) {
	c := open(t)
	a, other, id := c.book(), c.book(), command()
	first, err := c.b.Close(t.Context(), c.desk, a.ID, "", 0, id)
	if err != nil {
		t.Fatal(err)
	}
	for range 99 {
		again, err := c.b.Close(t.Context(), c.desk, a.ID, "", 0, id)
		if err != nil || again != first {
			t.Fatalf("%+v, %v", again, err)
		}
	}
	// Another person closes it in the same words.
	if again, err := c.b.Close(t.Context(), c.therapist, a.ID, "", 0, command()); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	if c.due().Due != 15000 {
		t.Errorf("due %+v", c.due())
	}
	if _, err := c.b.Close(t.Context(), c.desk, other.ID, "", 0, id); !errors.Is(err, ErrCommand) {
		t.Errorf("the command for another appointment: %v", err)
	}
	if _, err := c.b.Close(t.Context(), c.desk, a.ID, "90837", 0, command()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another service: %v", err)
	}
}

func TestWrongCodeWarnsAndCharges(t *testing.T) {
	c := open(t)
	charge := c.close(c.book(), "90837", 45)
	if charge.Warning != TooShort || charge.Amount() != 18000 {
		t.Errorf("%+v", charge)
	}
	lines, _, err := c.b.Charges(t.Context(), c.therapist, c.client.ID)
	if err != nil || lines[0].Warning != TooShort {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestUnknownServiceLeavesNothing(t *testing.T) {
	c := open(t)
	a := c.book()
	if _, err := c.b.Close(t.Context(), c.desk, a.ID, "99999", 0, command()); !errors.Is(err, ErrNoService) {
		t.Fatal(err)
	}
	c.must(access.ChargeRead, func(tx *vault.Tx) error {
		now, err := schedule.Read(tx, a.ID)
		if now.State != schedule.Booked {
			t.Errorf("the appointment is %s", now.State)
		}
		return err
	})
}

func TestNoShowFee(t *testing.T) {
	c := open(t)
	if err := c.b.SetScale(t.Context(), c.system, c.client.ID, 4000); err != nil {
		t.Fatal(err)
	}
	a, id := c.book(), command()
	charge, err := c.b.Missed(t.Context(), c.desk, a.ID, id)
	if err != nil || charge.Amount() != 7500 || charge.Group != Fee || !charge.Encounter.IsZero() {
		t.Fatalf("%+v, %v", charge, err)
	}
	if again, err := c.b.Missed(t.Context(), c.desk, a.ID, id); err != nil || again != charge {
		t.Errorf("%+v, %v", again, err)
	}
	if c.balance("4100") != -7500 || c.due().Due != 7500 {
		t.Error("the fee is not in the books")
	}
	if _, err := c.b.Close(t.Context(), c.desk, a.ID, "", 0, command()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a missed session is closed: %v", err)
	}
	held := c.book()
	c.close(held, "", 0)
	if _, err := c.b.Missed(t.Context(), c.desk, held.ID, command()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a held session is missed: %v", err)
	}
}

func TestCreditIsAppliedToTheCharge(t *testing.T) {
	c := open(t)
	c.pay(20000)
	if got := c.due(); got.Net() != -20000 {
		t.Fatalf("%+v", got)
	}
	c.close(c.book(), "", 0)
	if got := c.due(); got != (books.ClientBalance{Credit: 5000}) {
		t.Errorf("%+v", got)
	}
	lines, _, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	if err != nil || lines[0].Open != 0 {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestReversedChargeShows(t *testing.T) {
	c := open(t)
	charge := c.close(c.book(), "", 0)
	c.must(access.ChargePost, func(tx *vault.Tx) error { _, err := books.Reverse(tx, charge.Entry, "mistake"); return err })
	lines, balance, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	if err != nil || !lines[0].Reversed || lines[0].Open != 0 || balance.Due != 0 {
		t.Errorf("%+v, %+v, %v", lines, balance, err)
	}
}

func TestChargesComeLatestFirst(t *testing.T) {
	c := open(t)
	for range 3 {
		c.close(c.book(), "", 0)
		c.now = c.now.AddDate(0, 0, 1)
	}
	lines, _, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	if err != nil || len(lines) != 3 || lines[0].Day <= lines[1].Day || lines[1].Day <= lines[2].Day {
		t.Errorf("%+v, %v", lines, err)
	}
}

// A refund beyond the credit makes its amount due again: the list shows it,
// so that the open lines come to the balance.
func TestRefundIsListedAsDue(t *testing.T) {
	c := open(t)
	c.close(c.book(), "", 0)
	c.pay(15000)
	c.must(access.PaymentTake, func(tx *vault.Tx) error {
		rest, err := books.Refund(tx, ledger.Sub(c.client.Account), 4000)
		if err != nil {
			return err
		}
		_, err = books.Post(tx, ledger.Draft{Event: ledger.EventRefund, Postings: append(rest,
			ledger.Posting{Account: books.Drawers, Sub: "desk", Amount: -4000})})
		return err
	})
	lines, balance, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	var open money.Amount
	for _, l := range lines {
		open += l.Open
	}
	if err != nil || len(lines) != 2 || open != 4000 || balance.Due != 4000 {
		t.Errorf("%+v, %+v, %v", lines, balance, err)
	}
}

// An open charge is listed however many came after it.
func TestOldOpenChargeIsListed(t *testing.T) {
	c := open(t)
	first := c.close(c.book(), "", 0)
	for range ChargesMax {
		c.now = c.now.AddDate(0, 0, 1)
		c.booked = 0
		c.close(c.book(), "", 0)
	}
	lines, balance, err := c.b.Charges(t.Context(), c.desk, c.client.ID)
	if err != nil || len(lines) != ChargesMax+1 || lines[ChargesMax].ID != first.ID || balance.Due != 15000*(ChargesMax+1) {
		t.Errorf("%d lines, %+v, %v", len(lines), balance, err)
	}
}

func TestDues(t *testing.T) {
	c := open(t)
	c.pay(1000)
	dues, err := c.b.Dues(t.Context(), c.desk, []ident.ID[ident.Client]{c.client.ID, c.client.ID})
	if err != nil || len(dues) != 1 || dues[c.client.ID] != -1000 {
		t.Errorf("%v, %v", dues, err)
	}
	if dues, err := c.b.Dues(t.Context(), c.desk, nil); err != nil || dues == nil {
		t.Errorf("%v, %v", dues, err)
	}
	for _, agent := range []access.Agent{c.acc, c.therapist, accesstest.Agent(access.IT)} {
		if dues, err := c.b.Dues(t.Context(), agent, []ident.ID[ident.Client]{c.client.ID}); err == nil || dues != nil {
			t.Errorf("%v, %v", dues, err)
		}
	}
	if _, err := c.b.Dues(t.Context(), c.desk, make([]ident.ID[ident.Client], DuesMax+1)); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	c := open(t)
	a := c.book()
	stranger := accesstest.Agent(access.Therapist)
	it := accesstest.Agent(access.IT)
	if _, err := c.b.Close(t.Context(), stranger, a.ID, "", 0, command()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another therapist closes: %v", err)
	}
	for _, agent := range []access.Agent{c.acc, it} {
		_, err1 := c.b.Close(t.Context(), agent, a.ID, "", 0, command())
		_, err2 := c.b.Missed(t.Context(), agent, a.ID, command())
		_, _, err3 := c.b.Charges(t.Context(), agent, c.client.ID)
		for i, err := range []error{err1, err2, err3} {
			if fault.KindOf(err) != fault.Denied {
				t.Errorf("act %d: %v", i+1, err)
			}
		}
	}
	if _, _, err := c.b.Charges(t.Context(), stranger, c.client.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another therapist reads: %v", err)
	}
	if err := c.b.Put(t.Context(), c.desk, Template()[0]); fault.KindOf(err) != fault.Denied {
		t.Errorf("the desk sets fees: %v", err)
	}
	charge := c.close(a, "", 0)
	if group, ok, err := c.b.GroupOf(t.Context(), c.acc, charge.Entry); err != nil || !ok || group != Individual {
		t.Errorf("the accountant sees %q (%v)", group, err)
	}
	if _, _, err := c.b.GroupOf(t.Context(), it, charge.Entry); fault.KindOf(err) != fault.Denied {
		t.Errorf("IT sees a group: %v", err)
	}
}

func TestFeeListChanges(t *testing.T) {
	c := open(t)
	before := c.close(c.book(), "", 0)
	s := Template()[2]
	s.Fee = 16000
	if err := c.b.Put(t.Context(), c.system, s); err != nil {
		t.Fatal(err)
	}
	if after := c.close(c.book(), "", 0); before.Fee != 15000 || after.Fee != 16000 {
		t.Errorf("before %v, after %v", before.Fee, after.Fee)
	}
	s.Retired = true
	if err := errors.Join(c.b.Put(t.Context(), c.system, s), c.b.Setup(t.Context(), c.system)); err != nil {
		t.Fatal(err)
	}
	list, err := c.b.Services(t.Context(), c.desk)
	if err != nil || len(list) != len(Template())-1 {
		t.Errorf("%d services, %v", len(list), err)
	}
	for i, s := range list {
		if s.Code == "90834" || i > 0 && list[i-1].Code >= s.Code {
			t.Errorf("the list has %s in place %d", s.Code, i)
		}
	}
}
