package day

import (
	"context"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Values are the notes and coins of a drawer, in cents, the largest first
// (United States currency in production: federalreserve.gov, usmint.gov).
var Values = []money.Amount{100_00, 50_00, 20_00, 10_00, 5_00, 2_00, 1_00, 50, 25, 10, 5, 1}

// roundsMax is a count and one recount.
const roundsMax = 2

// Counted is what a cashier is told of an own count. It says nothing of what
// should be in the drawer while a recount is still allowed.
type Counted struct {
	At         time.Time
	Round      uint32 // 1, or 2 for the recount
	Pieces     []Pieces
	Counted    money.Amount
	Agrees     bool
	MayRecount bool
	Difference money.Amount // over is positive; zero while MayRecount
}

// Mine is what a cashier is told of the own drawer.
type Mine struct {
	MayOpen  bool          // it has no float yet
	MayCount bool          // it has moved, or may be counted a second time
	Counts   []Counted     // since it last moved, oldest first
	Drops    []DroppedCash // of today, on no sheet yet, the newest first
}

// Open puts a float into the cashier's own drawer, out of the bank. The same
// command again does nothing.
func (d *Day) Open(ctx context.Context, agent access.Agent, command ident.ID[ident.Command], float money.Amount) error {
	if err := check(command, float); err != nil {
		return err
	}
	return d.vault.Update(ctx, own(agent, access.DrawerOpen), func(tx *vault.Tx) error {
		source := "float/" + command.String()
		if _, ok, err := books.BySource(tx, source); err != nil {
			return err
		} else if !ok {
			if err := custody.DayMayOpen(tx); err != nil {
				return err
			}
			switch floated, err := hasFloat(tx, agent.Name()); {
			case err != nil:
				return err
			case floated:
				return ErrOpen
			}
		}
		return move(tx, ledger.EventDrawerFloat, source, agent.Name(), float, books.Bank)
	})
}

// Drop takes cash out of the cashier's own drawer for the safe and the bank.
// If it is more than the drawer should have held, the drawer was over by the
// rest, and that is posted first: a refusal would tell what it should hold.
func (d *Day) Drop(ctx context.Context, agent access.Agent, command ident.ID[ident.Command], amount money.Amount) error {
	if err := check(command, amount); err != nil {
		return err
	}
	return d.vault.Update(ctx, own(agent, access.DrawerDrop), func(tx *vault.Tx) error {
		source := "drop/" + command.String()
		if _, ok, err := books.BySource(tx, source); err != nil {
			return err
		} else if !ok {
			held, err := books.Balance(tx, books.Drawers, books.Sub(agent.Name()))
			if err != nil {
				return err
			}
			if over := amount - held; over > 0 {
				if err := move(tx, ledger.EventDrawerCount, "over/"+command.String(), agent.Name(), over, books.OverShort); err != nil {
					return err
				}
			}
		}
		return move(tx, ledger.EventDrawerDrop, source, agent.Name(), -amount, books.Bank)
	})
}

func check(command ident.ID[ident.Command], amount money.Amount) error {
	switch {
	case command.IsZero():
		return ErrCommand
	case amount <= 0:
		return ErrAmount
	case amount > moveMax:
		return ErrMove
	}
	return nil
}

// moveMax is how much cash one float or drop may be. What is dropped beyond what
// the drawer should hold is booked as over, so a slip of the finger must not
// book just anything.
const moveMax money.Amount = 5_000_00

// move posts amount into a drawer (out of it when negative) against another
// account.
func move(tx *vault.Tx, event books.Event, source, cashier string, amount money.Amount, against books.Code) error {
	tx.Detail("amount", amount)
	_, err := books.Post(tx, ledger.Draft{Event: event, Source: source, Postings: []ledger.Posting{
		{Account: books.Drawers, Sub: books.Sub(cashier), Amount: amount},
		{Account: against, Amount: -amount},
	}})
	return err
}

// Count takes a blind count of the cashier's own drawer and posts at once what
// it is over or short. After a first count that does not agree, one recount is
// allowed. The same command again returns the same count.
func (d *Day) Count(ctx context.Context, agent access.Agent, command ident.ID[ident.Command], pieces []Pieces) (Counted, error) {
	if command.IsZero() {
		return Counted{}, ErrCommand
	}
	total, err := sum(pieces)
	if err != nil {
		return Counted{}, err
	}
	var told Counted
	err = d.vault.Update(ctx, own(agent, access.DrawerCount), func(tx *vault.Tx) error {
		row, ok, err := counts.First(tx, "command", command.String())
		if err != nil {
			return err
		}
		if ok && (row.Shared.Cashier != agent.Name() || row.Shared.Counted != total) {
			return ErrCommand
		}
		if !ok {
			if row.Shared, err = count(tx, command, pieces, total); err != nil {
				return err
			}
		}
		told = row.Shared.told(tx.Now().Location())
		return nil
	})
	return told, err
}

// sum returns what the pieces come to. Values may be left out.
func sum(pieces []Pieces) (money.Amount, error) {
	var total money.Amount
	seen := map[money.Amount]bool{}
	for _, p := range pieces {
		if !slices.Contains(Values, p.Value) || seen[p.Value] {
			return 0, ErrPieces
		}
		seen[p.Value] = true
		part, err := p.Value.Mul(int64(p.Count))
		if err != nil {
			return 0, err
		}
		if total, err = total.Add(part); err != nil {
			return 0, err
		}
	}
	if total > money.Max {
		return 0, ErrPieces
	}
	return total, nil
}

func count(tx *vault.Tx, command ident.ID[ident.Command], pieces []Pieces, total money.Amount) (countRecord, error) {
	cashier := tx.Agent().Name()
	moved, err := lastMove(tx, cashier)
	if err != nil {
		return countRecord{}, err
	}
	done, err := countsSince(tx, cashier, moved)
	if err != nil {
		return countRecord{}, err
	}
	switch n := len(done); {
	case moved == 0:
		return countRecord{}, ErrNothing
	case n == roundsMax:
		return countRecord{}, ErrCounted
	case n == 1 && done[0].Difference == 0:
		return countRecord{}, ErrNothing
	}
	expected, err := books.Balance(tx, books.Drawers, books.Sub(cashier))
	if err != nil {
		return countRecord{}, err
	}
	r := countRecord{
		Command: command, Cashier: cashier, At: tx.Now().UnixMicro(), Position: books.Count(tx), Round: uint32(len(done)) + 1,
		Pieces: pieces, Counted: total, Expected: expected, Difference: total - expected,
	}
	tx.Detail("counted", r.Counted)
	tx.Detail("difference", r.Difference)
	if r.Difference != 0 {
		source := "count/" + command.String()
		if err := move(tx, ledger.EventDrawerCount, source, cashier, r.Difference, books.OverShort); err != nil {
			return countRecord{}, err
		}
		e, _, err := books.BySource(tx, source)
		if err != nil {
			return countRecord{}, err
		}
		r.Entry = e.ID
	}
	at, err := counts.Insert(tx, countRow{Shared: r})
	if err == nil && at != counts.Count(tx) {
		err = errPlace
	}
	return r, err
}

// errPlace is a row that would not stand at the end of its journal.
var errPlace = fault.New(fault.Corrupt, "A row of the day's journals would stand in the wrong place. Stop, and call IT.")

func (r countRecord) told(zone *time.Location) Counted {
	c := Counted{
		At: time.UnixMicro(r.At).In(zone), Round: r.Round, Pieces: r.Pieces, Counted: r.Counted,
		Agrees: r.Difference == 0, MayRecount: r.Difference != 0 && r.Round < roundsMax,
	}
	if !c.MayRecount {
		c.Difference = r.Difference
	}
	return c
}

// quiet reports whether an event leaves a count of its drawer valid.
func quiet(e books.Event) bool { return e == ledger.EventDrawerDrop || e == ledger.EventDrawerCount }

// lastMove returns the number of the entry that moved a drawer last, drops and
// differences apart; 0 when none has.
func lastMove(tx *vault.Tx, cashier string) (uint64, error) {
	for e, err := range books.Latest(tx, books.Drawers, books.Sub(cashier)) {
		if err != nil || !quiet(e.Event) {
			return e.Number, err
		}
	}
	return 0, nil
}

// countsSince returns the counts of a drawer since the entry that moved it
// last, oldest first.
func countsSince(tx *vault.Tx, cashier string, moved uint64) ([]countRecord, error) {
	var done []countRecord
	for row, err := range counts.Find(tx, "cashier", cashier) {
		if err != nil {
			return nil, err
		}
		if row.Shared.Position >= moved {
			done = append(done, row.Shared)
		}
	}
	return done, nil
}

// hasFloat reports whether a float was put in since the drawer was last counted.
func hasFloat(tx *vault.Tx, cashier string) (bool, error) {
	var counted uint64
	for row, err := range counts.Find(tx, "cashier", cashier) {
		if err != nil {
			return false, err
		}
		counted = max(counted, row.Shared.Position)
	}
	for e, err := range books.Latest(tx, books.Drawers, books.Sub(cashier)) {
		switch {
		case err != nil || e.Number <= counted:
			return false, err
		case e.Event == ledger.EventDrawerFloat:
			return true, nil
		}
	}
	return false, nil
}

// Mine returns what a cashier may know of the own drawer.
func (d *Day) Mine(ctx context.Context, agent access.Agent) (Mine, error) {
	var m Mine
	err := d.vault.View(ctx, own(agent, access.DrawerRead), func(tx *vault.Tx) error {
		moved, err := lastMove(tx, agent.Name())
		if err != nil {
			return err
		}
		done, err := countsSince(tx, agent.Name(), moved)
		if err != nil {
			return err
		}
		m = Mine{MayCount: moved > 0 && len(done) == 0}
		for _, r := range done {
			m.Counts = append(m.Counts, r.told(tx.Now().Location()))
			m.MayCount = m.Counts[len(m.Counts)-1].MayRecount
		}
		floated, err := hasFloat(tx, agent.Name())
		m.MayOpen = !floated
		if err != nil {
			return err
		}
		list, err := drops(tx)
		for _, one := range list {
			m.Drops = append(m.Drops, one.DroppedCash)
		}
		return err
	})
	return m, err
}
