package books

import (
	"math"
	"time"

	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// accountRecord is a ledger.Account as it is stored.
type accountRecord struct {
	Code   ledger.Code    `cbor:"1,keyasint"`
	Name   string         `cbor:"2,keyasint"`
	Class  ledger.Class   `cbor:"3,keyasint"`
	Contra bool           `cbor:"4,keyasint,omitempty"`
	Sub    ledger.SubKind `cbor:"5,keyasint"`
}

// entryRecord is an entry of the journal as it is stored.
type entryRecord struct {
	ID          ident.ID[ident.Entry] `cbor:"1,keyasint"`
	Number      uint64                `cbor:"2,keyasint"` // 1 for the first entry, without gaps; also the row's key
	Kind        ledger.Kind           `cbor:"3,keyasint"`
	Ref         ident.ID[ident.Entry] `cbor:"4,keyasint"`
	Effective   civil.Date            `cbor:"5,keyasint"`
	Recorded    int64                 `cbor:"6,keyasint"` // microseconds since 1970
	Event       ledger.Event          `cbor:"7,keyasint"`
	Source      string                `cbor:"8,keyasint,omitempty"`
	Reason      ledger.Reason         `cbor:"9,keyasint,omitempty"`
	Lines       []line                `cbor:"10,keyasint"`
	Allocations []Allocation          `cbor:"11,keyasint,omitempty"`
}

// line is a posting with its place in its account and in its sub-ledger. The
// places and balances are zero in entries that change no posted balance, and
// the sub-ledger's are zero without a sub-ledger.
type line struct {
	ledger.Posting
	InAccount  uint64       `cbor:"4,keyasint,omitempty"` // 1 for the account's first line, without gaps
	Balance    money.Amount `cbor:"5,keyasint,omitempty"` // of the account, with this line
	InSub      uint64       `cbor:"6,keyasint,omitempty"` // 1 for the sub-ledger's first line, without gaps
	SubBalance money.Amount `cbor:"7,keyasint,omitempty"` // of the sub-ledger, with this line
}

// Allocation says that an entry changed what is open of an item.
type Allocation struct {
	Account ledger.Code           `cbor:"1,keyasint"` // Receivables or Credits
	Sub     ledger.Sub            `cbor:"2,keyasint"`
	Item    ident.ID[ident.Entry] `cbor:"3,keyasint"` // the entry that opened the item
	Amount  money.Amount          `cbor:"4,keyasint"` // debit positive, as in the posting
	// Money is the entry that first brought the money which settles the item:
	// zero for an adjustment, and for the opening of an item of Receivables.
	Money ident.ID[ident.Entry] `cbor:"5,keyasint"`
}

// itemRecord is an Item as it is stored.
type itemRecord struct {
	Entry     ident.ID[ident.Entry] `cbor:"1,keyasint"`
	Account   ledger.Code           `cbor:"2,keyasint"`
	Sub       ledger.Sub            `cbor:"3,keyasint"`
	Number    uint64                `cbor:"4,keyasint"` // of the entry
	Effective civil.Date            `cbor:"5,keyasint"`
	Event     ledger.Event          `cbor:"6,keyasint"`
	Amount    money.Amount          `cbor:"7,keyasint"`
	Open      money.Amount          `cbor:"8,keyasint"`
}

// totalRecord is what was debited and credited in one period, by account, in
// the order of the codes.
type totalRecord struct {
	Period string  `cbor:"1,keyasint"` // "d2026-11-25" or "m2026-11"
	Totals []total `cbor:"2,keyasint"`
}

type total struct {
	Account ledger.Code  `cbor:"1,keyasint"`
	Debit   money.Amount `cbor:"2,keyasint"`
	Credit  money.Amount `cbor:"3,keyasint"` // as a positive amount
}

type (
	entryRow = vault.Row[entryRecord, vault.None]
	itemRow  = vault.Row[itemRecord, vault.None]
	totalRow = vault.Row[totalRecord, vault.None]
)

// What the books keep. Indexes whose name ends in "down" yield the newest
// first.
var (
	accounts = vault.NewTable(vault.BucketAccounts,
		vault.NewIndex("code", func(r vault.Row[accountRecord, vault.None]) []string {
			return []string{string(r.Shared.Code)}
		}))
	entries = vault.NewJournal(vault.BucketEntries,
		vault.NewIndex("id", func(r entryRow) []string { return []string{key(r.Shared.ID)} }),
		vault.NewIndex("ref", entryRefKeys),
		vault.NewIndex("source", entrySourceKeys),
		vault.NewIndex("event-down", func(r entryRow) []string {
			return []string{string(r.Shared.Event) + "|" + down(r.Shared.Number)}
		}),
		vault.NewIndex("date-down", func(r entryRow) []string { return []string{dateDown(r.Shared)} }),
		vault.NewIndex("line-down", entryLineKeys),
		vault.NewIndex("sub-down", entrySubKeys),
		vault.NewIndex("allocated", entryItemKeys),
		vault.NewIndex("money", entryMoneyKeys))
	items = vault.NewTable(vault.BucketItems,
		vault.NewIndex("item", func(r itemRow) []string {
			return []string{itemKey(r.Shared.Account, r.Shared.Sub, r.Shared.Entry)}
		}),
		vault.NewIndex("open", itemOpenKeys))
	totals = vault.NewTable(vault.BucketTotals,
		vault.NewIndex("period", func(r totalRow) []string { return []string{r.Shared.Period} }))
)

func key(id ident.ID[ident.Entry]) string { return string(id[:]) }

// down returns a key that sorts larger numbers first.
func down(n uint64) string { return vault.Uint64Key(math.MaxUint64 - n) }

// dateDown returns a key that sorts later business dates first and, within a
// date, later entries.
func dateDown(e entryRecord) string { return dayDown(e.Effective) + down(e.Number) }

func dayDown(d civil.Date) string { return vault.DateKey(^d) }

func lineKey(code ledger.Code, n uint64) string { return string(code) + "|" + down(n) }

func subKey(code ledger.Code, sub ledger.Sub, n uint64) string {
	return string(code) + "/" + string(sub) + "|" + down(n)
}

func itemKey(code ledger.Code, sub ledger.Sub, entry ident.ID[ident.Entry]) string {
	return string(code) + "/" + string(sub) + "|" + key(entry)
}

func entryRefKeys(r entryRow) []string {
	if r.Shared.Ref.IsZero() {
		return nil
	}
	return []string{key(r.Shared.Ref)}
}

func entrySourceKeys(r entryRow) []string {
	if r.Shared.Source == "" {
		return nil
	}
	return []string{r.Shared.Source}
}

func entryLineKeys(r entryRow) []string {
	var keys []string
	for _, l := range r.Shared.Lines {
		if l.InAccount > 0 {
			keys = append(keys, lineKey(l.Account, l.InAccount))
		}
	}
	return keys
}

func entrySubKeys(r entryRow) []string {
	var keys []string
	for _, l := range r.Shared.Lines {
		if l.InSub > 0 {
			keys = append(keys, subKey(l.Account, l.Sub, l.InSub))
		}
	}
	return keys
}

func entryItemKeys(r entryRow) []string {
	var keys []string
	seen := map[string]bool{}
	for _, a := range r.Shared.Allocations {
		if k := itemKey(a.Account, a.Sub, a.Item); a.Item != r.Shared.ID && !seen[k] {
			seen[k], keys = true, append(keys, k)
		}
	}
	return keys
}

func entryMoneyKeys(r entryRow) []string {
	var keys []string
	seen := map[string]bool{}
	for _, a := range r.Shared.Allocations {
		if k := key(a.Money); !a.Money.IsZero() && !seen[k] {
			seen[k], keys = true, append(keys, k)
		}
	}
	return keys
}

// itemOpenKeys keeps open items only, the oldest first.
func itemOpenKeys(r itemRow) []string {
	if r.Shared.Open == 0 {
		return nil
	}
	return []string{openPrefix(r.Shared.Account, r.Shared.Sub) + vault.DateKey(r.Shared.Effective) + vault.Uint64Key(r.Shared.Number)}
}

func openPrefix(code ledger.Code, sub ledger.Sub) string {
	return string(code) + "/" + string(sub) + "|"
}

// after returns the first key beyond every key that begins with prefix. The
// prefix must not end in 0xff.
func after(prefix string) string {
	b := []byte(prefix)
	b[len(b)-1]++
	return string(b)
}

// entry returns the record as the ledger knows it.
func (r entryRecord) entry() ledger.Entry {
	postings := make([]ledger.Posting, len(r.Lines))
	for i, l := range r.Lines {
		postings[i] = l.Posting
	}
	return ledger.Entry{
		ID: r.ID, Kind: r.Kind, Ref: r.Ref, Effective: r.Effective, Recorded: time.UnixMicro(r.Recorded).UTC(),
		Event: r.Event, Source: r.Source, Reason: r.Reason, Postings: postings,
	}
}
