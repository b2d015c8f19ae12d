package books

import (
	"errors"
	"sync"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

func TestOnlyReadersOfTheBooksSeeThem(t *testing.T) {
	c := open(t)
	e := c.charge("P-000001", 9000)
	for _, role := range []access.Role{access.FrontDesk, access.Therapist, access.IT} {
		agent := accesstest.Agent(role)
		_, err1 := c.b.TrialBalance(t.Context(), agent, 0)
		_, err2 := c.b.Journal(t.Context(), agent, Filter{}, Page{})
		_, err3 := c.b.Account(t.Context(), agent, Receivables, "", Page{})
		_, err4 := c.b.Entry(t.Context(), agent, e.ID)
		for i, err := range []error{err1, err2, err3, err4} {
			if fault.KindOf(err) != fault.Denied {
				t.Errorf("%s, view %d: %v", role, i+1, err)
			}
		}
	}
	if err := c.b.Setup(t.Context(), c.accountant); fault.KindOf(err) != fault.Denied {
		t.Errorf("the accountant lays down a chart: %v", err)
	}
	if _, err := c.b.Entry(t.Context(), c.accountant, ident.ID[ident.Entry]{1}); !errors.Is(err, ErrNoEntry) {
		t.Error(err)
	}
	if _, err := c.b.Account(t.Context(), c.accountant, "1234", "", Page{}); !errors.Is(err, ErrNoAccount) {
		t.Error(err)
	}
}

// fill posts charges of 1.00, 2.00 … on days that jump about.
func (c *clinic) fill(n int) {
	c.must(func(tx *vault.Tx) error {
		for i := range n {
			d := charge([]ledger.Sub{"P-000001", "P-000002"}[i%2], money.Amount(100*(i+1)))
			d.Effective = tx.Today().AddDays(-(i * 37 % 200))
			if i%5 == 0 {
				d.Event = ledger.EventChargeNoShow
			}
			if _, err := Post(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAccountPagesGoThroughEveryLine(t *testing.T) {
	c := open(t)
	c.fill(250)
	for _, sub := range []ledger.Sub{"", "P-000002"} {
		var lines []AccountLine
		page := Page{Size: 60}
		for {
			got, err := c.b.Account(t.Context(), c.accountant, Receivables, sub, page)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, got.Lines...)
			if got.Next == 0 {
				break
			}
			page.Before = got.Next
		}
		want := 250
		if sub != "" {
			want = 125
		}
		if len(lines) != want {
			t.Fatalf("%q: %d lines, want %d", sub, len(lines), want)
		}
		var balance money.Amount
		for i := len(lines) - 1; i >= 0; i-- {
			l := lines[i]
			balance += l.Debit - l.Credit
			if l.Balance != balance || l.Number != uint64(want-i) || sub != "" && l.Sub != sub {
				t.Fatalf("%q: line %+v, want balance %v and number %d", sub, l, balance, want-i)
			}
		}
	}
	if got, err := c.b.Account(t.Context(), c.accountant, Receivables, "", Page{Size: 1000}); err != nil || len(got.Lines) != PageMax {
		t.Errorf("a page has %d lines (%v)", len(got.Lines), err)
	}
}

func TestSeveralLinesOfOneEntryKeepTheirPlaces(t *testing.T) {
	c := open(t)
	d := ledger.Draft{Event: ledger.EventChargeSession, Postings: []ledger.Posting{
		{Account: Receivables, Sub: "P-000001", Amount: 100}, {Account: Receivables, Sub: "P-000002", Amount: 200},
		{Account: Receivables, Sub: "P-000001", Amount: 300}, {Account: Group, Amount: -600}}}
	c.entry(func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, d) })
	got, err := c.b.Account(t.Context(), c.accountant, Receivables, "", Page{})
	if err != nil || len(got.Lines) != 3 || got.Lines[0].Balance != 600 || got.Lines[2].Balance != 100 {
		t.Errorf("%+v, %v", got, err)
	}
	c.stands("P-000001", 400, 0)
}

func TestJournalFilters(t *testing.T) {
	c := open(t)
	c.fill(250)
	today := civil.Of(c.now)
	for name, f := range map[string]Filter{
		"all":           {},
		"event":         {Event: ledger.EventChargeNoShow},
		"days":          {First: today.AddDays(-90), Last: today.AddDays(-30)},
		"since":         {First: today.AddDays(-50)},
		"until":         {Last: today.AddDays(-50)},
		"event in days": {Event: ledger.EventChargeNoShow, First: today.AddDays(-90), Last: today.AddDays(-30)},
	} {
		want := map[ident.ID[ident.Entry]]bool{}
		c.must(func(tx *vault.Tx) error {
			for row, err := range entries.All(tx) {
				if err != nil {
					return err
				}
				if (f.Event == "" || f.Event == row.Shared.Event) && f.chooses(row.Shared) {
					want[row.Shared.ID] = true
				}
			}
			return nil
		})
		page, pages := Page{Size: 30}, 0
		for {
			got, err := c.b.Journal(t.Context(), c.accountant, f, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range got.Entries {
				if !want[e.ID] {
					t.Fatalf("%s: entry %d is not wanted, or comes twice", name, e.Number)
				}
				delete(want, e.ID)
			}
			if pages++; got.Next == 0 || pages > 20 {
				break
			}
			page.Before = got.Next
		}
		if len(want) != 0 {
			t.Errorf("%s: %d entries are missing", name, len(want))
		}
	}
}

// The trial balance of any day is the fold of what is dated up to it.
func TestTrialBalanceOfAnyDay(t *testing.T) {
	c := open(t)
	c.fill(120)
	c.cash("P-000001", 5000)
	var journal []ledger.Entry
	c.must(func(tx *vault.Tx) error {
		for row, err := range entries.All(tx) {
			if err != nil {
				return err
			}
			journal = append(journal, row.Shared.entry())
		}
		return nil
	})
	chart := ledger.ChartMap{}
	for _, a := range Template() {
		chart[a.Code] = a
	}
	for back := -1; back < 210; back += 7 {
		day := civil.Of(c.now).AddDays(-back)
		b := &ledger.Balances{}
		for _, e := range journal {
			if e.Effective <= day {
				if err := b.Add(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		want, err := b.TrialBalance(chart)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.b.TrialBalance(t.Context(), c.accountant, day)
		if err != nil {
			t.Fatal(err)
		}
		if got.Debit != want.Debit || got.Credit != want.Credit || len(got.Lines) != len(want.Lines) {
			t.Fatalf("%s: %+v, want %+v", day, got, want)
		}
		for i := range got.Lines {
			if got.Lines[i] != want.Lines[i] {
				t.Fatalf("%s: %+v, want %+v", day, got.Lines[i], want.Lines[i])
			}
		}
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	c := open(t)
	var wg sync.WaitGroup
	failed := make([]error, 32)
	for i := range failed {
		wg.Go(func() {
			for range 8 {
				failed[i] = errors.Join(failed[i], c.do(func(tx *vault.Tx) error { _, err := Post(tx, charge("P-000001", 100)); return err }))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	c.stands("P-000001", 32*8*100, 0)
}
