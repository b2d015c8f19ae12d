package books

import (
	"context"
	"iter"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// PageMax is the most rows on a page.
const PageMax = 100

// Page says which rows of a list to show, the newest first.
type Page struct {
	Before uint64 // show rows below this number; 0 begins with the newest
	Size   int    // rows; 0 or more than PageMax gives PageMax
}

func (p Page) size() int {
	if p.Size <= 0 || p.Size > PageMax {
		return PageMax
	}
	return p.Size
}

// EntryView is an entry as people see it.
type EntryView struct {
	ledger.Entry
	Number uint64 // place in the journal, from 1 without gaps
	Lines  []LineView
}

// Label returns the entry's event in words.
func (e EntryView) Label() string { return e.Event.Label() }

// Total returns the sum of the debits.
func (e EntryView) Total() money.Amount {
	var sum money.Amount
	for _, l := range e.Lines {
		sum += l.Debit
	}
	return sum
}

// LineView is a posting with the name of its account, its amount on one side.
type LineView struct {
	Account       ledger.Code
	Name          string
	Sub           ledger.Sub
	Debit, Credit money.Amount
}

// JournalPage is a page of entries, the newest first.
type JournalPage struct {
	Entries []EntryView
	Next    uint64 // Page.Before of the next page; 0 when this is the last
}

// Filter chooses entries of the journal. The zero Filter chooses all.
type Filter struct {
	Event       ledger.Event // empty: every event
	First, Last civil.Date   // business dates, both included; zero Last: up to today
}

// scanMax bounds how many entries a page of a filtered journal looks at. A
// page may then be short and still have a next one.
const scanMax = 5000

func (b *Books) view(ctx context.Context, agent access.Agent, e access.Entity, fn func(*vault.Tx) error) error {
	return b.v.View(ctx, access.Request{Agent: agent, Action: access.BooksRead, Entity: e, Purpose: access.Operations}, fn)
}

// TrialBalance returns the balance of every account at the end of a day of
// business; the zero Date means today.
func (b *Books) TrialBalance(ctx context.Context, agent access.Agent, asOf civil.Date) (ledger.TrialBalance, error) {
	var t ledger.TrialBalance
	err := b.view(ctx, agent, access.None, func(tx *vault.Tx) error {
		day := asOf
		if day == 0 {
			day = tx.Today()
		}
		balances, err := balancesOn(tx, day)
		if err != nil {
			return err
		}
		c := &chart{tx: tx}
		if t, err = ledger.NewTrialBalance(balances, c); c.err != nil {
			return c.err
		}
		return err
	})
	return t, err
}

// Journal returns a page of entries.
func (b *Books) Journal(ctx context.Context, agent access.Agent, f Filter, p Page) (JournalPage, error) {
	var page JournalPage
	err := b.view(ctx, agent, access.None, func(tx *vault.Tx) error {
		page = JournalPage{}
		names := &chart{tx: tx}
		seen := 0
		last := uint64(0)
		for row, err := range f.rows(tx, p.Before) {
			if err != nil {
				return err
			}
			if len(page.Entries) == p.size() || seen == scanMax {
				page.Next = last
				return names.err
			}
			seen, last = seen+1, row.Shared.Number
			if f.chooses(row.Shared) {
				page.Entries = append(page.Entries, names.entryView(row.Shared))
			}
		}
		return names.err
	})
	return page, err
}

func (f Filter) chooses(e entryRecord) bool {
	return e.Effective >= f.First && (f.Last == 0 || e.Effective <= f.Last)
}

// rows returns the entries among which the filter chooses, the newest first.
// With dates and no event, newest means the latest business date.
func (f Filter) rows(tx *vault.Tx, before uint64) iter.Seq2[entryRow, error] {
	if count := entries.Count(tx); before == 0 || before > count {
		before = count + 1
	}
	switch {
	case f.Event != "":
		prefix := string(f.Event) + "|"
		return entries.Between(tx, "event-down", prefix+down(before-1), after(prefix))
	case f.First != 0 || f.Last != 0:
		return f.dated(tx, before)
	}
	return func(yield func(entryRow, error) bool) {
		for n := before - 1; n > 0; n-- {
			if row, err := entries.At(tx, n); !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func (f Filter) dated(tx *vault.Tx, before uint64) iter.Seq2[entryRow, error] {
	last := f.Last
	if last == 0 {
		last = tx.Today()
	}
	from := dayDown(last)
	if before <= entries.Count(tx) {
		row, err := entries.At(tx, before)
		if err != nil {
			return func(yield func(entryRow, error) bool) { yield(entryRow{}, err) }
		}
		from = dateDown(row.Shared) + "\x00"
	}
	return entries.Between(tx, "date-down", from, dayDown(f.First-1))
}

func (c *chart) entryView(r entryRecord) EntryView {
	v := EntryView{Entry: r.entry(), Number: r.Number}
	for _, l := range r.Lines {
		account, _ := c.Account(l.Account) // a failure stays in c.err
		line := LineView{Account: l.Account, Name: account.Name, Sub: l.Sub, Debit: l.Amount}
		if l.Amount < 0 {
			line.Debit, line.Credit = 0, -l.Amount
		}
		v.Lines = append(v.Lines, line)
	}
	return v
}

// AccountLine is a posting in the list of its account.
type AccountLine struct {
	Number    uint64 // place in the list, from 1 without gaps
	Entry     ident.ID[ident.Entry]
	Effective civil.Date
	Event     ledger.Event
	Sub       ledger.Sub
	Debit     money.Amount
	Credit    money.Amount
	Balance   money.Amount // with this line, debit positive
}

// Label returns the line's event in words.
func (l AccountLine) Label() string { return l.Event.Label() }

// AccountPage is a page of an account's postings, the last recorded first.
type AccountPage struct {
	Account ledger.Account
	Sub     ledger.Sub   // empty for the whole account
	Balance money.Amount // now, debit positive
	Count   uint64       // postings in all
	Lines   []AccountLine
	Next    uint64 // Page.Before of the next page; 0 when this is the last
}

// Account returns a page of the postings of an account, or of one of its
// sub-ledgers when sub is not empty.
func (b *Books) Account(ctx context.Context, agent access.Agent, code ledger.Code, sub ledger.Sub, p Page) (AccountPage, error) {
	var page AccountPage
	err := b.view(ctx, agent, access.Entity{Kind: access.KindAccount}, func(tx *vault.Tx) error {
		c := &chart{tx: tx}
		account, ok := c.Account(code)
		if c.err != nil || !ok {
			return firstOf(c.err, ErrNoAccount)
		}
		last, err := lastOf(tx, code, sub)
		if err != nil {
			return err
		}
		page = AccountPage{Account: account, Sub: sub, Balance: last.balance, Count: last.n}
		return page.fill(tx, p)
	})
	return page, err
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (page *AccountPage) fill(tx *vault.Tx, p Page) error {
	high := page.Count
	if p.Before > 0 {
		high = min(high, p.Before-1)
	}
	low := uint64(1) // the last line of the page
	if size := uint64(p.size()); high > size {
		low = high - size + 1
		page.Next = low
	}
	index, from, to := "line-down", lineKey(page.Account.Code, high), lineKey(page.Account.Code, low-1)
	if page.Sub != "" {
		index, from, to = "sub-down", subKey(page.Account.Code, page.Sub, high), subKey(page.Account.Code, page.Sub, low-1)
	}
	want := high
	for row, err := range entries.Between(tx, index, from, to) {
		if err != nil {
			return err
		}
		page.add(row.Shared, want)
		want--
	}
	return nil
}

// add takes line n of the list, which stands in entry r, onto the page.
func (page *AccountPage) add(r entryRecord, n uint64) {
	for _, l := range r.Lines {
		number, balance := l.InAccount, l.Balance
		if page.Sub != "" {
			number, balance = l.InSub, l.SubBalance
		}
		if l.Account != page.Account.Code || number != n || page.Sub != "" && l.Sub != page.Sub {
			continue
		}
		line := AccountLine{
			Number: n, Entry: r.ID, Effective: r.Effective, Event: r.Event, Sub: l.Sub,
			Debit: l.Amount, Balance: balance,
		}
		if l.Amount < 0 {
			line.Debit, line.Credit = 0, -l.Amount
		}
		page.Lines = append(page.Lines, line)
		return
	}
}

// EntryDetail is an entry with all that is linked with it.
type EntryDetail struct {
	EntryView
	Links       []EntryView // what it resolves or reverses, and what resolved or reversed it
	Allocations []Allocation
}

// Entry returns an entry with its links, or ErrNoEntry.
func (b *Books) Entry(ctx context.Context, agent access.Agent, id ident.ID[ident.Entry]) (EntryDetail, error) {
	var d EntryDetail
	err := b.view(ctx, agent, access.Of(access.KindEntry, id), func(tx *vault.Tx) error {
		r, err := record(tx, id)
		if err != nil {
			return err
		}
		names := &chart{tx: tx}
		d = EntryDetail{EntryView: names.entryView(r), Allocations: r.Allocations}
		if !r.Ref.IsZero() {
			origin, err := record(tx, r.Ref)
			if err != nil {
				return err
			}
			d.Links = append(d.Links, names.entryView(origin))
		}
		for row, err := range entries.Find(tx, "ref", key(id)) {
			if err != nil {
				return err
			}
			d.Links = append(d.Links, names.entryView(row.Shared))
		}
		return names.err
	})
	return d, err
}
