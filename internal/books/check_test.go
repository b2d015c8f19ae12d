package books

import (
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// Each way in which the books could be wrong is written past the checks of
// this package, and found.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	journal := func(spoil func(*entryRecord)) func(*testing.T, *vault.Tx, entryRecord) {
		return func(t *testing.T, tx *vault.Tx, r entryRecord) {
			spoil(&r)
			if _, err := entries.Insert(tx, entryRow{Shared: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		want  Problem
		spoil func(*testing.T, *vault.Tx, entryRecord)
	}{
		"unbalanced entry":    {ProblemForm, journal(func(r *entryRecord) { r.Lines[0].Amount++ })},
		"unknown account":     {ProblemForm, journal(func(r *entryRecord) { r.Lines[1].Account = "4999" })},
		"gap in the numbers":  {ProblemNumber, journal(func(r *entryRecord) { r.Number++ })},
		"source twice":        {ProblemSource, journal(func(r *entryRecord) { r.Source = "command/1" })},
		"reversal of nothing": {ProblemLink, journal(func(r *entryRecord) { r.Kind, r.Ref, r.Reason = ledger.Reversal, ident.ID[ident.Entry]{9}, "x" })},
		"running balance":     {ProblemRunning, journal(func(r *entryRecord) { r.Lines[0].Balance++ })},
		"place in account":    {ProblemRunning, journal(func(r *entryRecord) { r.Lines[0].InAccount++ })},
		"sub-ledger balance":  {ProblemRunning, journal(func(r *entryRecord) { r.Lines[0].SubBalance-- })},
		"missing allocation":  {ProblemAllocation, journal(func(r *entryRecord) { r.Allocations = nil })},
		"allocation elsewhere": {ProblemAllocation, journal(func(r *entryRecord) {
			r.Allocations[0].Item = ident.ID[ident.Entry]{9}
		})},
		"entry beside the items and totals": {ProblemItem, journal(func(*entryRecord) {})},
		"entry beside the totals":           {ProblemTotal, journal(func(*entryRecord) {})},
		"allocations of a pending entry":    {ProblemAllocation, journal(func(r *entryRecord) { r.Kind = ledger.Pending })},
		"changed item": {ProblemItem, func(t *testing.T, tx *vault.Tx, r entryRecord) {
			changeItem(t, tx, func(i *itemRecord) { i.Amount++ })
		}},
		"item against control": {ProblemControl, func(t *testing.T, tx *vault.Tx, r entryRecord) {
			changeItem(t, tx, func(i *itemRecord) { i.Open-- })
		}},
		"missing item": {ProblemItem, func(t *testing.T, tx *vault.Tx, r entryRecord) {
			changeItem(t, tx, nil)
		}},
		"more cash out than in": {ProblemCash, func(t *testing.T, tx *vault.Tx, _ entryRecord) {
			// 40.00 came into the drawer; 41.00 go to the bank.
			d := ledger.Draft{Event: ledger.EventPaymentCash, Postings: []ledger.Posting{
				{Account: "1010", Amount: 4100}, {Account: Drawers, Sub: "desk", Amount: -4100},
			}}
			if _, err := Post(tx, d); err != nil {
				t.Fatal(err)
			}
		}},
		"changed total": {ProblemTotal, func(t *testing.T, tx *vault.Tx, r entryRecord) {
			for row, err := range totals.All(tx) {
				if err != nil {
					t.Fatal(err)
				}
				row.Shared.Totals[0].Debit++
				if err := totals.Replace(tx, row); err != nil {
					t.Fatal(err)
				}
				return
			}
		}},
		"account twice": {ProblemChart, func(t *testing.T, tx *vault.Tx, r entryRecord) {
			if _, err := accounts.Insert(tx, vault.Row[accountRecord, vault.None]{Shared: accountRecord(Template()[0])}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			found := spoiled(t, c.spoil)
			if len(found) == 0 {
				t.Fatal("nothing is found")
			}
			for _, f := range found {
				if f.Problem == c.want {
					if f.Entry.IsZero() && f.Account == "" && f.Period == "" {
						t.Error("the finding names neither entry, nor account, nor period")
					}
					return
				}
			}
			t.Errorf("found %+v, want %s", found, c.want)
		})
	}
}

// spoiled returns what a check finds in good books after spoil. The record it
// is given would be the next good one of the journal, were the items and
// totals written with it.
func spoiled(t *testing.T, spoil func(*testing.T, *vault.Tx, entryRecord)) []Finding {
	c := &clinic{TB: t, v: vaulttest.OpenWith(t, vault.Options{Tables: Tables(), NoSync: true})}
	c.system = accesstest.System("till")
	c.b = New(c.v)
	if err := c.b.Setup(t.Context(), c.system); err != nil {
		t.Fatal(err)
	}
	c.entry(func(tx *vault.Tx) (ledger.Entry, error) {
		d := charge("P-000001", 9000)
		d.Source = "command/1"
		return Post(tx, d)
	})
	c.cash("P-000001", 4000)
	c.checks()
	c.must(func(tx *vault.Tx) error {
		spoil(t, tx, next(tx, t))
		return nil
	})
	report, err := c.b.Check(t.Context(), accesstest.Agent(access.IT))
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

func next(tx *vault.Tx, t *testing.T) entryRecord {
	e := entryOf(tx, ledger.Posted, charge("P-000002", 700))
	r := entryRecord{
		ID: e.ID, Number: entries.Count(tx) + 1, Kind: e.Kind, Effective: e.Effective,
		Recorded: e.Recorded.UnixMicro(), Event: e.Event,
		Lines: []line{{Posting: e.Postings[0]}, {Posting: e.Postings[1]}},
		Allocations: []Allocation{
			{Account: Receivables, Sub: "P-000002", Item: e.ID, Amount: 700},
		},
	}
	if err := follow(tx, r.Lines); err != nil {
		t.Fatal(err)
	}
	return r
}

// changeItem changes an open item, or takes it away when change is nil.
func changeItem(t *testing.T, tx *vault.Tx, change func(*itemRecord)) {
	for row, err := range items.All(tx) {
		if err != nil {
			t.Fatal(err)
		}
		if change == nil {
			err = items.Delete(tx, row.Key)
		} else {
			change(&row.Shared)
			err = items.Replace(tx, row)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

func TestReportCounts(t *testing.T) {
	c := open(t)
	c.charge("P-000001", 9000)
	c.pend("P-000001", 4000)
	report, err := c.b.Check(t.Context(), accesstest.Agent(access.IT))
	if err != nil || report.Entries != 2 || report.Postings != 4 || report.Items != 1 || report.Pending != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestSmallerIsNearerToZero(t *testing.T) {
	for _, c := range [][3]money.Amount{{3, 5, 3}, {5, 3, 3}, {-3, -5, -3}, {-5, -3, -3}, {4, 4, 4}} {
		if got := smaller(c[0], c[1]); got != c[2] {
			t.Errorf("smaller(%v, %v) is %v", c[0], c[1], got)
		}
	}
}
