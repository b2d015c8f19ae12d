package books

import (
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Problem is what a check may find.
type Problem string

// SafeString returns the problem's name.
func (p Problem) SafeString() string { return string(p) }

// The problems.
const (
	ProblemForm       Problem = "form"       // an entry that Validate refuses: it does not balance, say
	ProblemNumber     Problem = "number"     // entries are missing or out of order
	ProblemSource     Problem = "source"     // a source was posted twice
	ProblemLink       Problem = "link"       // a pending entry resolved twice, a reversal of nothing…
	ProblemRunning    Problem = "running"    // a running balance is not the sum of what came before
	ProblemAllocation Problem = "allocation" // allocations do not come to the postings, or exceed an item
	ProblemItem       Problem = "item"       // an open item is not what the journal says
	ProblemControl    Problem = "control"    // a control account is not the sum of its sub-ledger or items
	ProblemTotal      Problem = "total"      // totals of a period are not what the journal says
	ProblemTrial      Problem = "trial"      // debits and credits differ over the whole journal
	ProblemChart      Problem = "chart"      // an account twice in the chart, or malformed
	ProblemCash       Problem = "cash"       // more was taken out of a drawer than was in it
)

// Finding is one problem of the books, with where it is.
type Finding struct {
	Problem Problem               `json:"problem"`
	Entry   ident.ID[ident.Entry] `json:"entry"`
	Number  uint64                `json:"number,omitempty"` // of the entry
	Account ledger.Code           `json:"account,omitempty"`
	Sub     ledger.Sub            `json:"sub,omitempty"`
	Period  string                `json:"period,omitempty"`
}

// Report is what a check looked at and found.
type Report struct {
	Entries  uint64    `json:"entries"`
	Postings uint64    `json:"postings"`
	Items    uint64    `json:"items"`
	Pending  int       `json:"pending"` // pending entries that nothing resolved yet
	Findings []Finding `json:"findings"`
}

// findingsMax bounds a report.
const findingsMax = 100

// Check opens a view of its own and checks the whole of the books.
func (b *Books) Check(ctx context.Context, agent access.Agent) (Report, error) {
	var report Report
	req := access.Request{Agent: agent, Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	err := b.v.View(ctx, req, func(tx *vault.Tx) error {
		var err error
		report, err = Check(tx)
		return err
	})
	return report, err
}

// Check folds the whole journal anew and compares everything that the books
// keep beside it: numbers, links, running balances, allocations, open items,
// totals, control accounts. It returns all problems, up to a hundred; an
// error means that it could not look.
func Check(tx *vault.Tx) (Report, error) {
	c, err := check(tx)
	return c.report, err
}

// check is Check with all that it folded.
func check(tx *vault.Tx) (*checker, error) {
	c := &checker{
		tx: tx, chart: ledger.ChartMap{}, fold: &ledger.Balances{},
		last: map[ledger.Key]place{}, items: map[string]itemRecord{}, totals: map[string]*totalRecord{},
		entries: map[ident.ID[ident.Entry]]entryRecord{}, resolved: map[ident.ID[ident.Entry]]bool{}, sources: map[string]bool{},
	}
	if err := c.readChart(); err != nil {
		return c, err
	}
	for row, err := range entries.All(tx) {
		if err != nil {
			return c, err
		}
		if row.Key != row.Shared.Number {
			c.blame(ProblemNumber, row.Shared)
		}
		c.entry(row.Shared)
	}
	for _, step := range []func() error{c.compareItems, c.compareTotals, c.compareControls} {
		if err := step(); err != nil {
			return c, err
		}
	}
	c.report.Pending = len(c.fold.Unresolved())
	return c, nil
}

// checker is the journal folded so far.
type checker struct {
	tx       *vault.Tx
	report   Report
	chart    ledger.ChartMap
	fold     *ledger.Balances
	last     map[ledger.Key]place // by account, and by account and sub
	items    map[string]itemRecord
	totals   map[string]*totalRecord
	entries  map[ident.ID[ident.Entry]]entryRecord
	resolved map[ident.ID[ident.Entry]]bool
	sources  map[string]bool
}

func (c *checker) find(f Finding) {
	if len(c.report.Findings) < findingsMax {
		c.report.Findings = append(c.report.Findings, f)
	}
}

func (c *checker) blame(p Problem, r entryRecord) {
	c.find(Finding{Problem: p, Entry: r.ID, Number: r.Number})
}

func (c *checker) readChart() error {
	for row, err := range accounts.All(c.tx) {
		if err != nil {
			return err
		}
		a := ledger.Account(row.Shared)
		if _, twice := c.chart[a.Code]; twice || a.Validate() != nil {
			c.find(Finding{Problem: ProblemChart, Account: a.Code})
		}
		c.chart[a.Code] = a
	}
	return nil
}

// entry takes the next entry of the journal in.
func (c *checker) entry(r entryRecord) {
	c.report.Entries++
	c.report.Postings += uint64(len(r.Lines))
	e := r.entry()
	if e.Validate(c.chart) != nil {
		c.blame(ProblemForm, r)
	}
	if r.Number != c.report.Entries {
		c.blame(ProblemNumber, r)
	}
	if r.Source != "" && c.sources[r.Source] {
		c.blame(ProblemSource, r)
	}
	c.sources[r.Source] = true
	c.link(r)
	if c.fold.Add(e) != nil {
		c.blame(ProblemForm, r)
	}
	c.entries[r.ID] = r
	if !r.Kind.IsPosted() {
		if len(r.Allocations) > 0 {
			c.blame(ProblemAllocation, r)
		}
		return
	}
	c.run(r)
	c.allocate(r)
	c.total(r)
}

// link checks what an entry says that it resolves or reverses.
func (c *checker) link(r entryRecord) {
	if _, twice := c.entries[r.ID]; twice {
		c.blame(ProblemLink, r)
	}
	if r.Ref.IsZero() {
		return
	}
	origin, ok := c.entries[r.Ref]
	if !ok || c.resolved[r.Ref] || !fits(r, origin) {
		c.blame(ProblemLink, r)
	}
	c.resolved[r.Ref] = true
}

// fits reports whether r may resolve or reverse origin.
func fits(r, origin entryRecord) bool {
	ours, err1 := ledger.Total(r.entry().Postings)
	theirs, err2 := ledger.Total(origin.entry().Postings)
	if err1 != nil || err2 != nil {
		return false
	}
	switch r.Kind {
	case ledger.PostPending:
		return origin.Kind == ledger.Pending && ours <= theirs
	case ledger.VoidPending:
		return origin.Kind == ledger.Pending && slices.Equal(r.entry().Postings, origin.entry().Postings)
	}
	return origin.Kind.IsPosted() && origin.Kind != ledger.Reversal && mirrors(r, origin)
}

// mirrors reports whether a reversal takes its origin back to the cent, with
// a client's two accounts taken as one.
func mirrors(r, origin entryRecord) bool {
	mirror, err := ledger.Negate(origin.entry().Postings)
	return err == nil && sameMoney(r.entry().Postings, mirror)
}

// run checks the running balances of an entry's lines.
func (c *checker) run(r entryRecord) {
	for _, l := range r.Lines {
		if !c.step(ledger.Key{Account: l.Account}, l.Amount, place{l.InAccount, l.Balance}) {
			c.blame(ProblemRunning, r)
		}
		if l.Sub != "" && !c.step(ledger.Key{Account: l.Account, Sub: l.Sub}, l.Amount, place{l.InSub, l.SubBalance}) {
			c.blame(ProblemRunning, r)
		}
		if l.Account == Drawers && (c.last[ledger.Key{Account: l.Account}].balance < 0 || c.last[ledger.Key{Account: l.Account, Sub: l.Sub}].balance < 0) {
			c.blame(ProblemCash, r)
		}
	}
}

func (c *checker) step(k ledger.Key, amount money.Amount, stored place) bool {
	p := c.last[k]
	balance, err := p.balance.Add(amount)
	c.last[k] = place{p.n + 1, balance}
	return err == nil && stored == c.last[k]
}

// allocate carries an entry's allocations to the items.
func (c *checker) allocate(r entryRecord) {
	if !covered(&r) {
		c.blame(ProblemAllocation, r)
	}
	for _, a := range r.Allocations {
		k := itemKey(a.Account, a.Sub, a.Item)
		item, ok := c.items[k]
		if !ok {
			origin := c.entries[a.Item]
			item = itemRecord{
				Entry: a.Item, Account: a.Account, Sub: a.Sub, Number: origin.Number,
				Effective: origin.Effective, Event: origin.Event,
			}
		}
		if item.change(r.ID, a) != nil || item.Number == 0 {
			c.blame(ProblemAllocation, r)
		}
		c.items[k] = item
	}
}

func (c *checker) total(r entryRecord) {
	for _, period := range []string{dayPeriod(r.Effective), monthPeriod(r.Effective)} {
		if c.totals[period] == nil {
			c.totals[period] = &totalRecord{Period: period}
		}
		if c.totals[period].add(r.Lines) != nil {
			c.blame(ProblemTotal, r)
		}
	}
}

func (c *checker) compareItems() error {
	sums := map[ledger.Key]money.Amount{}
	for row, err := range items.All(c.tx) {
		if err != nil {
			return err
		}
		c.report.Items++
		r := row.Shared
		k := itemKey(r.Account, r.Sub, r.Entry)
		if c.items[k] != r {
			c.find(Finding{Problem: ProblemItem, Entry: r.Entry, Number: r.Number, Account: r.Account, Sub: r.Sub})
		}
		delete(c.items, k)
		sums[ledger.Key{Account: r.Account, Sub: r.Sub}] += r.Open
	}
	for _, r := range c.items {
		c.find(Finding{Problem: ProblemItem, Entry: r.Entry, Number: r.Number, Account: r.Account, Sub: r.Sub})
	}
	for k, p := range c.last {
		if byItem(k.Account) && k.Sub != "" && sums[k] != p.balance {
			c.find(Finding{Problem: ProblemControl, Account: k.Account, Sub: k.Sub})
		}
		delete(sums, k)
	}
	for k := range sums {
		c.find(Finding{Problem: ProblemControl, Account: k.Account, Sub: k.Sub})
	}
	return nil
}

func (c *checker) compareTotals() error {
	for row, err := range totals.All(c.tx) {
		if err != nil {
			return err
		}
		want := c.totals[row.Shared.Period]
		if want == nil || !slices.Equal(want.Totals, row.Shared.Totals) {
			c.find(Finding{Problem: ProblemTotal, Period: row.Shared.Period})
		}
		delete(c.totals, row.Shared.Period)
	}
	for period := range c.totals {
		c.find(Finding{Problem: ProblemTotal, Period: period})
	}
	return nil
}

// compareControls compares each account with the sum of its sub-ledger, the
// balance that readers are given with the fold, and debits with credits.
func (c *checker) compareControls() error {
	for code, a := range c.chart {
		folded, err := c.fold.Account(code)
		if err != nil {
			return err
		}
		given, err := Balance(c.tx, code, "")
		if err != nil {
			return err
		}
		var subs money.Amount
		for k, p := range c.last {
			if k.Account == code && k.Sub != "" {
				subs += p.balance
			}
		}
		if given != folded || a.Sub != ledger.SubNone && subs != folded {
			c.find(Finding{Problem: ProblemControl, Account: code})
		}
	}
	if _, err := c.fold.TrialBalance(c.chart); err != nil {
		c.find(Finding{Problem: ProblemTrial})
	}
	return nil
}
