package day

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"time"

	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Class is what a sheet calls a kind of entry.
type Class string

// The classes, in the order of a sheet. An entry may have a part in several: a
// session on a sliding scale is a charge and an adjustment.
const (
	PaidCard   Class = "payment.card"
	PaidCash   Class = "payment.cash"
	PaidCheck  Class = "payment.check"
	Voided     Class = "void"   // payments taken back
	Returned   Class = "return" // checks that the bank returned
	Refunded   Class = "refund"
	Charged    Class = "charge"
	Uncharged  Class = "charge.reversal"
	Adjusted   Class = "adjustment" // contra revenue: 4900, 4910, 4920, 4940
	WrittenOff Class = "write-off"  // 4930, 6200
	Deposited  Class = "deposit"    // checks to the bank; less what it took back
	Floated    Class = "float"
	Dropped    Class = "drop"
	Undropped  Class = "drop.reversal" // drops taken back
	OverShort  Class = "over-short"
	Moved      Class = "other" // credit applied and the like: no money came or went
)

// classes are all classes, in the order of a sheet.
var classes = []Class{
	PaidCard, PaidCash, PaidCheck, Voided, Returned, Refunded, Charged, Uncharged, Adjusted, WrittenOff, Deposited, Floated, Dropped, Undropped, OverShort, Moved,
}

// reasonReturned is the reason of the reversal of a check that the bank
// returned.
const reasonReturned books.Reason = "returned"

// byEvent are the classes of entries that are no reversal.
var byEvent = map[books.Event]Class{
	ledger.EventPaymentCard: PaidCard, ledger.EventPaymentCash: PaidCash, ledger.EventPaymentCheck: PaidCheck,
	ledger.EventRefund: Refunded, ledger.EventChargeSession: Charged, ledger.EventChargeNoShow: Charged, ledger.EventChargeReturn: Charged,
	ledger.EventCheckDeposit: Deposited, ledger.EventCheckReturn: Deposited,
	ledger.EventWaiver: Adjusted, ledger.EventWriteOff: WrittenOff,
	ledger.EventDrawerFloat: Floated, ledger.EventDrawerDrop: Dropped, ledger.EventDrawerCount: OverShort,
}

// byAccount are the classes of what is posted to single accounts.
var byAccount = map[books.Code]Class{
	"4900": Adjusted, "4910": Adjusted, "4920": Adjusted, "4940": Adjusted, "4930": WrittenOff, "6200": WrittenOff,
}

// moneyAccounts are where money of clients comes in and goes out.
var moneyAccounts = []books.Code{books.Drawers, books.Checks, books.CardClearing}

// classOf returns the class of a posted entry. A reversal has that of what it
// reverses, taken back.
func classOf(e, origin ledger.Entry) Class {
	if e.Event == ledger.EventCheckReturn && subOf(e).IsClient() {
		return Returned
	}
	if e.Kind != ledger.Reversal {
		return cmp.Or(byEvent[e.Event], Moved)
	}
	switch class := byEvent[origin.Event]; {
	case origin.Event.IsReceipt() && e.Reason == reasonReturned:
		return Returned
	case origin.Event.IsReceipt():
		return Voided
	case class == Charged:
		return Uncharged
	case class == Dropped:
		return Undropped
	case class == Adjusted || class == WrittenOff || class == OverShort:
		return class
	}
	return Moved
}

// amountOf returns what an entry of a class comes to, positive as a rule.
func amountOf(class Class, e ledger.Entry) money.Amount {
	var in, credited money.Amount
	for _, p := range e.Postings {
		if slices.Contains(moneyAccounts, p.Account) || class == Refunded && p.Account == books.Bank {
			in += p.Amount
		}
		if byAccount[p.Account] == "" && p.Account != books.Receivables && p.Account != books.Credits {
			credited -= p.Amount
		}
	}
	switch class {
	case PaidCard, PaidCash, PaidCheck, Floated, Undropped, OverShort:
		return in
	case Voided, Returned, Refunded, Deposited, Dropped:
		return -in
	case Charged:
		return credited
	case Uncharged:
		return -credited
	}
	total, _ := ledger.Total(e.Postings) // validated when it was posted
	return total
}

// fold is the journal of a sheet, folded so far.
type fold struct {
	zone     *time.Location
	sealed   civil.Date // day of the sheet before
	first    bool       // there is none
	digest   hash.Hash
	totals   map[Total]Total // by class and late
	accounts map[books.Code]Movement
	drawers  map[string]*Drawer
}

func newFold(zone *time.Location, before *Sheet) *fold {
	f := &fold{
		zone: zone, first: before == nil, digest: sha256.New(),
		totals: map[Total]Total{}, accounts: map[books.Code]Movement{}, drawers: map[string]*Drawer{},
	}
	if before == nil {
		return f
	}
	f.sealed = before.Day
	for _, d := range before.Drawers {
		if d.Closing != 0 {
			f.drawers[d.Cashier] = &Drawer{Cashier: d.Cashier, Opening: d.Closing, Closing: d.Closing}
		}
	}
	return f
}

// late reports whether a day was sealed before.
func (f *fold) late(day civil.Date) bool { return !f.first && day <= f.sealed }

// dayOf returns the day of a stored instant.
func (f *fold) dayOf(micros int64) civil.Date { return civil.Of(time.UnixMicro(micros).In(f.zone)) }

// recorded returns the day on which an entry was recorded.
func recorded(e ledger.Entry, zone *time.Location) civil.Date { return civil.Of(e.Recorded.In(zone)) }

// entryLine is an entry as the digest of a sheet covers it.
type entryLine struct {
	Number    uint64
	ID        ident.ID[ident.Entry]
	Kind      ledger.Kind
	Ref       ident.ID[ident.Entry]
	Effective civil.Date
	Recorded  int64
	Event     books.Event
	Source    string
	Reason    books.Reason
	Postings  []ledger.Posting
}

// add takes the next entry of the journal in.
func (f *fold) add(tx *vault.Tx, e books.Numbered) error {
	line := entryLine{e.Number, e.ID, e.Kind, e.Ref, e.Effective, e.Recorded.UnixMicro(), e.Event, e.Source, e.Reason, e.Postings}
	if err := json.NewEncoder(f.digest).Encode(line); err != nil {
		return err
	}
	if !e.Kind.IsPosted() {
		return nil
	}
	var origin ledger.Entry
	if e.Kind == ledger.Reversal {
		var err error
		if origin, err = books.Read(tx, e.Ref); err != nil {
			return err
		}
	}
	late := f.late(min(e.Effective, recorded(e.Entry, f.zone)))
	class := classOf(e.Entry, origin)
	if class != Adjusted && class != WrittenOff { // their postings are counted below
		f.count(class, late, amountOf(class, e.Entry))
	}
	for _, p := range e.Postings {
		if by := byAccount[p.Account]; by != "" {
			f.count(by, late, p.Amount)
		}
		f.book(p)
		if p.Account == books.Drawers {
			f.drawer(string(p.Sub)).add(e, class, p.Amount)
		}
	}
	return nil
}

func (f *fold) count(class Class, late bool, amount money.Amount) {
	k := Total{Class: class, Late: late}
	t := f.totals[k]
	f.totals[k] = Total{class, late, t.Count + 1, t.Amount + amount}
}

func (f *fold) book(p ledger.Posting) {
	m := f.accounts[p.Account]
	m.Account = p.Account
	if p.Amount > 0 {
		m.Debit += p.Amount
	} else {
		m.Credit -= p.Amount
	}
	f.accounts[p.Account] = m
}

func (f *fold) drawer(cashier string) *Drawer {
	if f.drawers[cashier] == nil {
		f.drawers[cashier] = &Drawer{Cashier: cashier}
	}
	return f.drawers[cashier]
}

// add takes a posting to the drawer in.
func (d *Drawer) add(e books.Numbered, class Class, amount money.Amount) {
	if !quiet(e.Event) {
		d.Moved = e.Number
	}
	part := &d.Given
	switch class {
	case Floated:
		part = &d.Float
	case PaidCash:
		part = &d.Taken
	case Dropped, Undropped:
		part = &d.Dropped
	case OverShort:
		part = &d.Difference
	}
	*part += amount
	d.Closing += amount
}

// addCount takes a count of a drawer in.
func (f *fold) addCount(r countRecord) {
	d := f.drawer(r.Cashier)
	d.Counts = append(d.Counts, Count{r.At, r.Round, r.Counted, r.Expected, r.Difference, r.Pieces, f.late(f.dayOf(r.At))})
	d.Counted = r.Position >= d.Moved
}

// into writes what was folded into a sheet, in a fixed order.
func (f *fold) into(s *Sheet) {
	s.Entries = hex.EncodeToString(f.digest.Sum(nil))
	for _, class := range classes {
		for _, late := range []bool{false, true} {
			if t, ok := f.totals[Total{Class: class, Late: late}]; ok {
				s.Totals = append(s.Totals, t)
			}
		}
	}
	for _, m := range f.accounts {
		s.Accounts = append(s.Accounts, m)
	}
	slices.SortFunc(s.Accounts, func(a, b Movement) int { return cmp.Compare(a.Account, b.Account) })
	for _, d := range f.drawers {
		s.Drawers = append(s.Drawers, *d)
	}
	slices.SortFunc(s.Drawers, func(a, b Drawer) int { return cmp.Compare(a.Cashier, b.Cashier) })
}
