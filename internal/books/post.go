package books

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// The words of the ledger, for packages that must not import it.
type (
	Code   = ledger.Code
	Sub    = ledger.Sub
	Event  = ledger.Event
	Reason = ledger.Reason
)

// Post records an entry. The same draft with the same Source again records
// nothing and returns the entry that is there.
func Post(tx *vault.Tx, d ledger.Draft) (ledger.Entry, error) {
	e := entryOf(tx, ledger.Posted, d)
	if old, ok, err := posted(tx, e); err != nil || ok {
		return old, err
	}
	if err := validate(tx, e); err != nil {
		return ledger.Entry{}, err
	}
	allocations, err := allocate(tx, e, d.Against)
	if err != nil {
		return ledger.Entry{}, err
	}
	return write(tx, e, allocations)
}

// Pend records an entry that waits for its outcome: it changes no posted
// balance until Settle, and nothing at all after Release. The same draft with
// the same Source again returns the entry that is there.
func Pend(tx *vault.Tx, d ledger.Draft) (ledger.Entry, error) {
	if !d.Against.IsZero() {
		return ledger.Entry{}, ErrAgainst
	}
	e := entryOf(tx, ledger.Pending, d)
	if old, ok, err := posted(tx, e); err != nil || ok {
		return old, err
	}
	if err := validate(tx, e); err != nil {
		return ledger.Entry{}, err
	}
	if err := settleable(e); err != nil {
		return ledger.Entry{}, err
	}
	return write(tx, e, nil)
}

// Settle posts a pending entry for amount, which is at most what was pended;
// the rest is released. What a receipt settles is worked out now, for the
// amount that was in fact approved and against what is open by now.
func Settle(tx *vault.Tx, pending ident.ID[ident.Entry], amount money.Amount) (ledger.Entry, error) {
	p, err := unresolved(tx, pending)
	if err != nil {
		return ledger.Entry{}, err
	}
	total, err := ledger.Total(p.Postings)
	if err != nil {
		return ledger.Entry{}, err
	}
	if amount > total {
		return ledger.Entry{}, ledger.ErrTooMuch
	}
	if amount <= 0 {
		return ledger.Entry{}, ledger.ErrZero
	}
	if p.Postings, err = resplit(tx, p, amount); err != nil {
		return ledger.Entry{}, err
	}
	e, err := ledger.Post(p, amount)
	if err != nil {
		return ledger.Entry{}, err
	}
	stamp(tx, &e, tx.Today())
	allocations, err := allocate(tx, e, ident.ID[ident.Entry]{})
	if err != nil {
		return ledger.Entry{}, err
	}
	return insert(tx, e, allocations)
}

// Release voids a pending entry: nothing becomes posted.
func Release(tx *vault.Tx, pending ident.ID[ident.Entry], reason ledger.Reason) (ledger.Entry, error) {
	p, err := unresolved(tx, pending)
	if err != nil {
		return ledger.Entry{}, err
	}
	e, err := ledger.Void(p)
	if err != nil {
		return ledger.Entry{}, err
	}
	e.Reason = reason
	stamp(tx, &e, tx.Today())
	return insert(tx, e, nil)
}

// Read returns an entry of the journal, or ErrNoEntry.
func Read(tx *vault.Tx, id ident.ID[ident.Entry]) (ledger.Entry, error) {
	r, err := record(tx, id)
	if err != nil {
		return ledger.Entry{}, err
	}
	return r.entry(), nil
}

// Resolution returns the entry that posted or voided a pending entry, or that
// reversed a posted one, and whether there is one.
func Resolution(tx *vault.Tx, id ident.ID[ident.Entry]) (ledger.Entry, bool, error) {
	row, ok, err := entries.First(tx, "ref", key(id))
	if err != nil || !ok {
		return ledger.Entry{}, false, err
	}
	return row.Shared.entry(), true, nil
}

// BySource returns the entry that was posted for a source reference, and
// whether there is one.
func BySource(tx *vault.Tx, source string) (ledger.Entry, bool, error) {
	row, ok, err := entries.First(tx, "source", source)
	if err != nil || !ok {
		return ledger.Entry{}, false, err
	}
	return row.Shared.entry(), true, nil
}

func record(tx *vault.Tx, id ident.ID[ident.Entry]) (entryRecord, error) {
	row, ok, err := entries.First(tx, "id", key(id))
	if err == nil && !ok {
		err = ErrNoEntry
	}
	return row.Shared, err
}

// unresolved returns a pending entry that nothing resolved yet.
func unresolved(tx *vault.Tx, id ident.ID[ident.Entry]) (ledger.Entry, error) {
	p, err := Read(tx, id)
	if err != nil {
		return ledger.Entry{}, err
	}
	if p.Kind != ledger.Pending {
		return ledger.Entry{}, ledger.ErrNotPending
	}
	if _, ok, err := Resolution(tx, id); err != nil {
		return ledger.Entry{}, err
	} else if ok {
		return ledger.Entry{}, ErrResolved
	}
	return p, nil
}

func entryOf(tx *vault.Tx, kind ledger.Kind, d ledger.Draft) ledger.Entry {
	e := ledger.Entry{
		Kind: kind, Event: d.Event, Source: d.Source,
		Postings: append([]ledger.Posting(nil), d.Postings...),
	}
	day := d.Effective
	if day == 0 {
		day = tx.Today()
	}
	stamp(tx, &e, day)
	return e
}

// stamp gives an entry its identifier and dates.
func stamp(tx *vault.Tx, e *ledger.Entry, day civil.Date) {
	now := tx.Now()
	e.ID = ident.New[ident.Entry](now)
	e.Recorded = now.UTC().Truncate(time.Microsecond)
	e.Effective = day
}

// posted returns the entry that was recorded for e's source, and whether
// there is one. It gives ErrSource when that is not the same command. Which
// items a receipt settles may have changed since, so the split between a
// client's two accounts is not compared.
func posted(tx *vault.Tx, e ledger.Entry) (ledger.Entry, bool, error) {
	if e.Source == "" {
		return ledger.Entry{}, false, nil
	}
	old, ok, err := BySource(tx, e.Source)
	if err != nil || !ok {
		return ledger.Entry{}, false, err
	}
	if old.Kind != e.Kind || old.Event != e.Event || !sameMoney(old.Postings, e.Postings) {
		return ledger.Entry{}, false, ErrSource
	}
	return old, true, nil
}

// sameMoney reports whether two sets of postings agree by account and
// sub-ledger, with a client's two accounts taken as one.
func sameMoney(a, b []ledger.Posting) bool {
	sums := map[ledger.Key]money.Amount{}
	for i, side := range [][]ledger.Posting{a, b} {
		for _, p := range side {
			k := ledger.Key{Account: p.Account, Sub: p.Sub}
			if k.Account == Credits {
				k.Account = Receivables
			}
			amount := p.Amount
			if i == 1 {
				amount = -amount
			}
			sums[k] += amount
		}
	}
	for _, sum := range sums {
		if sum != 0 {
			return false
		}
	}
	return true
}

// insert validates and records an entry with its allocations.
func insert(tx *vault.Tx, e ledger.Entry, allocations []Allocation) (ledger.Entry, error) {
	if err := validate(tx, e); err != nil {
		return ledger.Entry{}, err
	}
	return write(tx, e, allocations)
}

// write records a valid entry with its allocations: the one place where the
// journal grows. Everything that follows from the entry (running balances,
// open items, totals) is written in the same commit.
func write(tx *vault.Tx, e ledger.Entry, allocations []Allocation) (ledger.Entry, error) {
	if e.Effective > tx.Today() {
		return ledger.Entry{}, ErrFuture
	}
	r := entryRecord{
		ID: e.ID, Number: entries.Count(tx) + 1, Kind: e.Kind, Ref: e.Ref, Effective: e.Effective,
		Recorded: e.Recorded.UnixMicro(), Event: e.Event, Source: e.Source, Reason: e.Reason,
		Allocations: allocations, Lines: make([]line, len(e.Postings)),
	}
	for i, p := range e.Postings {
		r.Lines[i].Posting = p
	}
	if e.Kind.IsPosted() {
		if err := book(tx, &r); err != nil {
			return ledger.Entry{}, err
		}
	}
	tx.Detail("entry", e.ID)
	at, err := entries.Insert(tx, entryRow{Shared: r})
	if err == nil && at != r.Number {
		err = fault.New(fault.Corrupt, "Entry %v of the journal would stand in place %v. Stop, and call IT.", fault.Int(r.Number), fault.Int(at))
	}
	return e, err
}

// book carries a posted entry through to running balances, items and totals.
func book(tx *vault.Tx, r *entryRecord) error {
	if !covered(r) {
		return fault.New(fault.Internal, "The allocations of an entry do not add up to its postings. Nothing was posted; report this to IT.")
	}
	if err := follow(tx, r.Lines); err != nil {
		return err
	}
	for _, a := range r.Allocations {
		if err := move(tx, r, a); err != nil {
			return err
		}
	}
	return addTotals(tx, r)
}
