package day

import (
	"context"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Head is a line of the register of sheets.
type Head struct {
	Number uint64
	Day    civil.Date
	Sealed time.Time
	By     string
	Waived int  // acts that one person did although two should have
	Signed bool // a signature of the trail covers it
}

// Due is what is to be sealed next, as it stands now.
type Due struct {
	Day     civil.Date
	Nothing bool     // today is sealed, and no day waits
	Sheet   Sheet    // without the sums of drawers that must be counted first
	Missing []string // cashiers whose drawer must be counted first
	Own     bool     // the one who asks has taken money on the day
	Work    []Work   // differences that are open, of any day
}

// Shown is a sealed sheet with what leads to it.
type Shown struct {
	Sheet
	SealedAt time.Time
	Items    []Item
	Signed   bool
	Size     uint64    // events that the signature covers
	SignedAt time.Time // when it was made
	Note     string    // the signed note, as an auditor verifies it
}

// Item is an entry that a sheet lists.
type Item struct {
	Entry  ident.ID[ident.Entry]
	Number uint64
	Class  Class
	Label  string
	At     time.Time
	Sub    books.Sub // account number, cashier or terminal; empty when there is none
	Amount money.Amount
	Late   bool
}

// Sheets returns the register, the newest first, at most limit.
func (d *Day) Sheets(ctx context.Context, agent access.Agent, limit int) ([]Head, error) {
	var list []Head
	err := d.vault.View(ctx, of(agent, access.SheetRead), func(tx *vault.Tx) error {
		for row, err := range sheets.Newest(tx) {
			if err != nil || len(list) == limit {
				return err
			}
			s := row.Shared
			_, signed, err := seals.First(tx, "sheet", vault.Uint64Key(s.Number))
			if err != nil {
				return err
			}
			list = append(list, Head{s.Number, s.Day, time.UnixMicro(s.Sealed).In(tx.Now().Location()), s.By, len(s.Waived), signed})
		}
		return nil
	})
	return list, err
}

// Next returns the day that is to be sealed next. Drawers that are still to be
// counted stand in it by name alone.
func (d *Day) Next(ctx context.Context, agent access.Agent) (Due, error) {
	var due Due
	err := d.vault.View(ctx, of(agent, access.SheetRead), func(tx *vault.Tx) error {
		b, err := before(tx)
		if err != nil {
			return err
		}
		if due.Work, err = openWork(tx); err != nil {
			return err
		}
		if due.Day, err = next(tx, b); err == ErrNoDay {
			due.Nothing = true
			return nil
		} else if err != nil {
			return err
		}
		takers, err := takersOf(tx, b, due.Day)
		if err != nil {
			return err
		}
		due.Own = slices.Contains(takers, agent.Name())
		s, err := compose(tx, b, due.Day, nil)
		if err != nil {
			return err
		}
		due.hold(s, due.Day == tx.Today())
		return nil
	})
	return due, err
}

// hold takes a sheet that is not sealed in, blind where a count is to come.
func (due *Due) hold(s *Sheet, today bool) {
	due.Sheet = *s
	due.Sheet.Drawers = nil
	for _, one := range s.Drawers {
		if one.due() && today {
			due.Missing = append(due.Missing, one.Cashier)
			continue
		}
		due.Sheet.Drawers = append(due.Sheet.Drawers, one)
	}
	if len(due.Missing) > 0 {
		blind := func(t Total) bool {
			return slices.Contains([]Class{PaidCash, Voided, Floated, Dropped, Undropped, OverShort}, t.Class)
		}
		due.Sheet.Totals = slices.DeleteFunc(due.Sheet.Totals, blind)
		due.Sheet.Accounts = nil
	}
}

// Read returns a sealed sheet, or ErrNoSheet.
func (d *Day) Read(ctx context.Context, agent access.Agent, number uint64) (Shown, error) {
	var shown Shown
	err := d.vault.View(ctx, of(agent, access.SheetRead), func(tx *vault.Tx) error {
		if number == 0 || number > sheets.Count(tx) {
			return ErrNoSheet
		}
		tx.Detail("sheet", fault.Int(number))
		row, err := sheets.At(tx, number)
		if err != nil {
			return err
		}
		zone := tx.Now().Location()
		shown = Shown{Sheet: row.Shared, SealedAt: time.UnixMicro(row.Shared.Sealed).In(zone)}
		seal, ok, err := seals.First(tx, "sheet", vault.Uint64Key(number))
		if err != nil {
			return err
		}
		if r := seal.Shared; ok {
			shown.Signed, shown.Size, shown.SignedAt, shown.Note = true, r.Size, time.UnixMicro(r.At).In(zone), string(r.Note)
		}
		shown.Items, err = itemsOf(tx, &row.Shared)
		return err
	})
	return shown, err
}

// itemsOf lists the entries of a sheet at which somebody may want to look:
// money that came or went, what was corrected, and all that is late.
func itemsOf(tx *vault.Tx, s *Sheet) ([]Item, error) {
	var b *Sheet
	if s.Number > 1 {
		row, err := sheets.At(tx, s.Number-1)
		if err != nil {
			return nil, err
		}
		b = &row.Shared
	}
	f := newFold(tx.Now().Location(), b)
	var items []Item
	for e, err := range books.Entries(tx, s.After, s.Last) {
		if err != nil {
			return nil, err
		}
		if !e.Kind.IsPosted() {
			continue
		}
		var origin ledger.Entry
		if e.Kind == ledger.Reversal {
			if origin, err = books.Read(tx, e.Ref); err != nil {
				return nil, err
			}
		}
		class, late := classOf(e.Entry, origin), f.late(min(e.Effective, recorded(e.Entry, f.zone)))
		if !late && (class == Charged && !adjusts(e.Entry) || class == Moved && !adjusts(e.Entry)) {
			continue
		}
		items = append(items, Item{
			Entry: e.ID, Number: e.Number, Class: class, Label: e.Event.Label(), At: e.Recorded.In(f.zone),
			Sub: subOf(e.Entry), Amount: amountOf(class, e.Entry), Late: late,
		})
	}
	return items, nil
}

// adjusts reports whether an entry posts to an account of adjustments or
// write-offs.
func adjusts(e ledger.Entry) bool {
	return slices.ContainsFunc(e.Postings, func(p ledger.Posting) bool { return byAccount[p.Account] != "" })
}

// subOf returns whose entry it is: the client's account number where there is
// one, else the first key.
func subOf(e ledger.Entry) books.Sub {
	var sub books.Sub
	for _, p := range e.Postings {
		if p.Sub.IsClient() {
			return p.Sub
		}
		if sub == "" {
			sub = p.Sub
		}
	}
	return sub
}
