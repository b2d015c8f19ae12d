package day

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/duty"
	"coffer/internal/fault"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// before returns the last sheet, nil when there is none.
func before(tx *vault.Tx) (*Sheet, error) {
	n := sheets.Count(tx)
	if n == 0 {
		return nil, nil
	}
	row, err := sheets.At(tx, n)
	return &row.Shared, err
}

// after returns how far the last sheet reaches in the journal.
func after(b *Sheet) uint64 {
	if b == nil {
		return 0
	}
	return b.Last
}

// next returns the day that is to be sealed next: the first on which something
// was recorded after the last sheet's, or today.
func next(tx *vault.Tx, b *Sheet) (civil.Date, error) {
	zone := tx.Now().Location()
	for e, err := range books.Entries(tx, after(b), books.Count(tx)) {
		if err != nil {
			return 0, err
		}
		if day := recorded(e.Entry, zone); b == nil || day > b.Day {
			return day, nil
		}
	}
	if b == nil || tx.Today() > b.Day {
		return tx.Today(), nil
	}
	return 0, ErrNoDay
}

// compose folds the journals into the sheet of a day. With upTo it reaches as
// far as that sheet says; without, up to what was recorded last on the day.
func compose(tx *vault.Tx, b *Sheet, day civil.Date, upTo *Sheet) (*Sheet, error) {
	s := &Sheet{Number: sheets.Count(tx) + 1, Day: day, After: after(b), Last: after(b)}
	if b != nil {
		s.Counts, s.Batches, s.Waivers, s.Previous = b.Counts, b.Batches, b.Waivers, b.Hash
	}
	f := newFold(tx.Now().Location(), b)
	reach := sheetEnd{books.Count(tx), counts.Count(tx), batches.Count(tx), duty.Count(tx)}
	if upTo != nil {
		reach = sheetEnd{upTo.Last, upTo.Counts, upTo.Batches, upTo.Waivers}
	}
	for e, err := range books.Entries(tx, s.Last, reach.entries) {
		if err != nil {
			return nil, err
		}
		if upTo == nil && recorded(e.Entry, f.zone) > day {
			break
		}
		if err := f.add(tx, e); err != nil {
			return nil, err
		}
		s.Last = e.Number
	}
	if err := s.addRows(tx, f, reach, upTo == nil); err != nil {
		return nil, err
	}
	f.into(s)
	return s, nil
}

// sheetEnd is how far a sheet reaches in each journal.
type sheetEnd struct{ entries, counts, batches, waivers uint64 }

// addRows takes counts and batches in, up to the sheet's day if byDay, else all
// that reach names; and waivers, of which the last may be the seal's own.
func (s *Sheet) addRows(tx *vault.Tx, f *fold, reach sheetEnd, byDay bool) error {
	beyond := func(at int64) bool { return byDay && f.dayOf(at) > s.Day }
	for n := s.Counts + 1; n <= reach.counts; n++ {
		row, err := counts.At(tx, n)
		if err != nil {
			return err
		}
		if beyond(row.Shared.At) {
			break
		}
		f.addCount(row.Shared)
		s.Counts = n
	}
	for n := s.Batches + 1; n <= reach.batches; n++ {
		row, err := batches.At(tx, n)
		if err != nil {
			return err
		}
		if beyond(row.Shared.At) {
			break
		}
		s.Terminals = append(s.Terminals, row.Shared.shown(f.late(f.dayOf(row.Shared.At))))
		s.Batches = n
	}
	for n := s.Waivers + 1; n <= reach.waivers; n++ {
		w, err := duty.At(tx, n)
		if err != nil {
			return err
		}
		s.Waived = append(s.Waived, Waiver{uint32(w.Rule), w.By, w.At, f.late(f.dayOf(w.At))})
		s.Waivers = n
	}
	return nil
}

// hash returns the hash over all that a sheet says.
func (s Sheet) hash() (string, error) {
	s.Hash = ""
	text, err := json.Marshal(s)
	sum := sha256.Sum256(append([]byte("coffer/daysheet/1\n"), text...))
	return hex.EncodeToString(sum[:]), err
}

// Seal closes a day: the one that Next names. It takes all that was recorded up
// to its end, gives the sheet its number and hash, and has the trail signed.
// The agent must not have taken money on it, unless nobody else could seal.
// When it fails as Unavailable or later, the day may be sealed nevertheless:
// look at the sheets.
func (d *Day) Seal(ctx context.Context, agent access.Agent, day civil.Date) (uint64, error) {
	var number uint64
	head := d.vault.Status()
	err := d.vault.Update(ctx, of(agent, access.DaySeal), func(tx *vault.Tx) error {
		b, err := before(tx)
		if err != nil {
			return err
		}
		if due, err := next(tx, b); err != nil {
			return err
		} else if due != day {
			return ErrNotNext
		}
		if err := apart(tx, b, day); err != nil {
			return err
		}
		s, err := compose(tx, b, day, nil)
		if err != nil {
			return err
		}
		if day == tx.Today() && slices.ContainsFunc(s.Drawers, Drawer.due) {
			return ErrUncounted
		}
		s.Location, s.Sealed, s.By = d.location, tx.Now().UnixMicro(), tx.Agent().Name()
		s.AuditSize, s.AuditRoot = head.Events, head.Root.SafeString()
		number = s.Number
		return keep(tx, s)
	})
	if err != nil {
		return 0, err
	}
	if err := d.sign(ctx); err != nil { // it is sealed; the next start signs
		d.log.Error("a day sheet could not be signed", "sheet", number, "error", err.Error())
	}
	return number, nil
}

// due reports whether a drawer moved and was not counted since.
func (d Drawer) due() bool { return d.Moved > 0 && !d.Counted }

// keep gives a sheet its hash and its place.
func keep(tx *vault.Tx, s *Sheet) error {
	var err error
	if s.Hash, err = s.hash(); err != nil {
		return err
	}
	tx.Detail("sheet", fault.Int(s.Number))
	tx.Detail("sheet.hash", fault.Code(s.Hash))
	at, err := sheets.Insert(tx, sheetRow{Shared: *s})
	if err == nil && at != s.Number {
		err = errPlace
	}
	if err != nil {
		return err
	}
	r := lastRecord{s.Number, s.Hash}
	for row, err := range last.All(tx) {
		if err != nil {
			return err
		}
		row.Shared = r
		return last.Replace(tx, row)
	}
	_, err = last.Insert(tx, lastRow{Shared: r})
	return err
}

// apart keeps rule 3: who took money on the day does not seal it. Where no
// member of staff who took none could, it is allowed and written down.
func apart(tx *vault.Tx, b *Sheet, day civil.Date) error {
	takers, err := takersOf(tx, b, day)
	if err != nil {
		return err
	}
	return duty.Apart(tx, duty.Sealer, access.DaySeal, takers, ErrOwnDay)
}

// takersOf returns the sign-in names of those who took money between the last
// seal and the end of a day, or whose drawer moved.
func takersOf(tx *vault.Tx, b *Sheet, day civil.Date) ([]string, error) {
	var from time.Time
	if b != nil {
		from = time.UnixMicro(b.Sealed)
	}
	takers, err := till.Takers(tx, from, day.AddDays(1).In(tx.Now().Location()))
	if err != nil {
		return nil, err
	}
	for e, err := range books.Entries(tx, after(b), books.Count(tx)) {
		if err != nil {
			return nil, err
		}
		for _, p := range e.Postings {
			if p.Account == books.Drawers && recorded(e.Entry, tx.Now().Location()) <= day {
				takers = append(takers, string(p.Sub))
			}
		}
	}
	return takers, nil
}
