package books

import (
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Item is a charge that a client owes (account 1100, amounts positive), or a
// sum of money to their credit (account 2100, amounts negative).
type Item struct {
	Entry     ident.ID[ident.Entry] // the entry that opened it
	Account   ledger.Code
	Sub       ledger.Sub
	Effective civil.Date
	Event     ledger.Event
	Amount    money.Amount // when it was opened
	Open      money.Amount // what is left of it
}

func (r itemRecord) item() Item {
	return Item{r.Entry, r.Account, r.Sub, r.Effective, r.Event, r.Amount, r.Open}
}

// OpenItems returns the charges that a client still owes, the oldest first.
func OpenItems(tx *vault.Tx, sub ledger.Sub) ([]Item, error) {
	return openOf(tx, Receivables, sub)
}

// OpenCredits returns a client's unused money, the oldest first. The amounts
// are negative.
func OpenCredits(tx *vault.Tx, sub ledger.Sub) ([]Item, error) {
	return openOf(tx, Credits, sub)
}

func openOf(tx *vault.Tx, account ledger.Code, sub ledger.Sub) ([]Item, error) {
	var open []Item
	prefix := openPrefix(account, sub)
	for row, err := range items.Between(tx, "open", prefix, after(prefix)) {
		if err != nil {
			return nil, err
		}
		open = append(open, row.Shared.item())
	}
	return open, nil
}

// Charge returns the charge that an entry made to a client's account, with
// what is open of it, and whether there is one.
func Charge(tx *vault.Tx, entry ident.ID[ident.Entry], sub ledger.Sub) (Item, bool, error) {
	row, ok, err := items.First(tx, "item", itemKey(Receivables, sub, entry))
	return row.Shared.item(), ok, err
}

// Allocations returns what an entry changed of which items.
func Allocations(tx *vault.Tx, entry ident.ID[ident.Entry]) ([]Allocation, error) {
	r, err := record(tx, entry)
	return r.Allocations, err
}

// byItem reports whether an account is kept by open item.
func byItem(account ledger.Code) bool { return account == Receivables || account == Credits }

// opens reports whether a posting opens an item: a debit to receivables, a
// credit to client credits.
func opens(p ledger.Posting) bool { return (p.Account == Receivables) == (p.Amount > 0) }

// allocate returns the allocations of a new posted entry: items that it opens,
// and open items that it settles, those of against or else the oldest first.
func allocate(tx *vault.Tx, e ledger.Entry, against ident.ID[ident.Entry]) ([]Allocation, error) {
	a := allocator{tx: tx, left: map[ledger.Key][]Item{}}
	for _, p := range e.Postings {
		if !byItem(p.Account) {
			continue
		}
		if opens(p) {
			a.open(e, p)
			continue
		}
		if err := a.settle(e, p, against); err != nil {
			return nil, err
		}
	}
	if !against.IsZero() && !a.named {
		return nil, ErrAgainst
	}
	return a.made, nil
}

// allocator hands out open items to the postings of one entry.
type allocator struct {
	tx    *vault.Tx
	left  map[ledger.Key][]Item // open items not yet handed out
	made  []Allocation
	named bool // a posting settled the item that was asked for
}

func (a *allocator) open(e ledger.Entry, p ledger.Posting) {
	made := Allocation{Account: p.Account, Sub: p.Sub, Item: e.ID, Amount: p.Amount}
	if p.Account == Credits {
		made.Money = e.ID
	}
	a.made = append(a.made, made)
}

func (a *allocator) settle(e ledger.Entry, p ledger.Posting, against ident.ID[ident.Entry]) error {
	var source ident.ID[ident.Entry]
	if p.Account == Receivables && e.Event.IsReceipt() {
		source = e.ID
	}
	taken, err := a.take(p.Account, p.Sub, -p.Amount, against)
	if err != nil {
		return err
	}
	a.named = a.named || p.Account == Receivables
	for _, t := range taken {
		t.Money = source
		if p.Account == Credits {
			t.Money = t.Item
		}
		a.made = append(a.made, t)
	}
	return nil
}

// take hands out open items up to amount, which has the sign of what is open,
// and gives ErrNotOpen when there is less.
func (a *allocator) take(account ledger.Code, sub ledger.Sub, amount money.Amount, against ident.ID[ident.Entry]) ([]Allocation, error) {
	k := ledger.Key{Account: account, Sub: sub}
	if _, ok := a.left[k]; !ok {
		open, err := openOf(a.tx, account, sub)
		if err != nil {
			return nil, err
		}
		a.left[k] = open
	}
	var taken []Allocation
	for i := range a.left[k] {
		item := &a.left[k][i]
		if account == Receivables && !against.IsZero() && item.Entry != against {
			continue
		}
		if item.Open == 0 || amount == 0 {
			continue
		}
		part := smaller(item.Open, amount)
		item.Open -= part
		amount -= part
		taken = append(taken, Allocation{Account: account, Sub: sub, Item: item.Entry, Amount: -part})
	}
	if amount != 0 {
		return nil, ErrNotOpen
	}
	return taken, nil
}

// smaller returns the amount nearer to zero of two of the same sign.
func smaller(a, b money.Amount) money.Amount {
	if a < 0 {
		return max(a, b)
	}
	return min(a, b)
}

// covered reports whether an entry's allocations come to its postings, for
// each account that is kept by open item.
func covered(r *entryRecord) bool {
	sums := map[ledger.Key]money.Amount{}
	for _, l := range r.Lines {
		if byItem(l.Account) {
			sums[ledger.Key{Account: l.Account, Sub: l.Sub}] += l.Amount
		}
	}
	for _, a := range r.Allocations {
		sums[ledger.Key{Account: a.Account, Sub: a.Sub}] -= a.Amount
	}
	for _, sum := range sums {
		if sum != 0 {
			return false
		}
	}
	return true
}

// errItem is given when an item would be settled beyond what it holds. Check
// finds the same in a stored journal.
var errItem = fault.New(fault.Internal, "An item would be settled for more than it holds. Nothing was posted; report this to IT.")

// move carries one allocation of an entry to the item it changes.
func move(tx *vault.Tx, r *entryRecord, a Allocation) error {
	row, ok, err := items.First(tx, "item", itemKey(a.Account, a.Sub, a.Item))
	if err != nil {
		return err
	}
	if !ok {
		if row.Shared, err = newItem(tx, r, a); err != nil {
			return err
		}
	}
	if err := row.Shared.change(r.ID, a); err != nil {
		return err
	}
	if !ok {
		_, err = items.Insert(tx, row)
		return err
	}
	return items.Replace(tx, row)
}

// newItem returns the item that an allocation opens, with nothing in it yet.
// Money that is released from a charge may become credit of a receipt that
// had left none.
func newItem(tx *vault.Tx, r *entryRecord, a Allocation) (itemRecord, error) {
	origin := *r
	if a.Item != r.ID {
		if a.Account != Credits {
			return itemRecord{}, errItem
		}
		var err error
		if origin, err = record(tx, a.Item); err != nil {
			return itemRecord{}, err
		}
	}
	return itemRecord{
		Entry: a.Item, Account: a.Account, Sub: a.Sub, Number: origin.Number,
		Effective: origin.Effective, Event: origin.Event,
	}, nil
}

// change applies an allocation of the entry to the item.
func (i *itemRecord) change(entry ident.ID[ident.Entry], a Allocation) error {
	var err error
	if a.Item == entry {
		if i.Amount, err = i.Amount.Add(a.Amount); err != nil {
			return err
		}
	}
	if i.Open, err = i.Open.Add(a.Amount); err != nil {
		return err
	}
	if i.Account == Receivables && (i.Open < 0 || i.Open > i.Amount) || i.Account == Credits && i.Open > 0 {
		return errItem
	}
	return nil
}
