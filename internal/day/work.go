package day

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Reason is why a terminal's total differed. It is a closed list: no free text
// enters the books.
type Reason string

// The reasons.
const (
	ReasonTyped    Reason = "typed"    // the totals were read or typed wrong
	ReasonEarlier  Reason = "earlier"  // the terminal had closed a batch in between
	ReasonElsewise Reason = "outside"  // a payment was made at the terminal without Coffer
	ReasonOpen     Reason = "open"     // a payment was not settled yet when the batch closed
	ReasonUnknown  Reason = "unproven" // it could not be found out
)

// Reasons are all reasons, in the order of a list.
var Reasons = []Reason{ReasonTyped, ReasonEarlier, ReasonElsewise, ReasonOpen, ReasonUnknown}

func (r Reason) known() bool {
	for _, one := range Reasons {
		if r == one {
			return true
		}
	}
	return false
}

// Work is a difference that people have to explain, as pages show it.
type Work struct {
	Number     uint64
	Terminal   string
	Difference money.Amount // stated less posted
	Opened     time.Time
	Owner      string // sign-in name of who has to find out
	Reason     Reason // empty until somebody explained it
	Mine       bool   // the one who asks explained it
}

// open opens the work item of a batch and returns its number.
func open(tx *vault.Tx, r batchRecord, batch uint64) (uint64, error) {
	return works.Insert(tx, workRow{Shared: workRecord{
		Batch: batch, Terminal: r.Terminal, Difference: r.Difference, Opened: r.At, Owner: r.By,
	}})
}

// Explain states the reason of an open difference. The first person who does so
// owns it from then on; it is resolved when a second person states the same.
// The owner may correct the reason until then.
func (d *Day) Explain(ctx context.Context, agent access.Agent, number uint64, why Reason) (resolved bool, err error) {
	if !why.known() {
		return false, ErrReason
	}
	err = d.vault.Update(ctx, of(agent, access.WorkResolve), func(tx *vault.Tx) error {
		row, ok, err := works.First(tx, "open", vault.Uint64Key(number))
		if err != nil {
			return err
		}
		if !ok {
			return ErrNoWork
		}
		w := &row.Shared
		tx.Detail("work", fault.Int(number))
		tx.Detail("reason", fault.Code(why))
		switch {
		case w.Reason == "" || w.Staff == agent.StaffID():
			w.Owner, w.Staff, w.Reason, w.Explained = agent.Name(), agent.StaffID(), why, tx.Now().UnixMicro()
		case w.Reason != why:
			return ErrSecondPerson
		default:
			w.Confirmed, w.Resolved, resolved = agent.Name(), tx.Now().UnixMicro(), true
		}
		return works.Replace(tx, row)
	})
	return resolved, err
}

// works returns the differences that are open, the oldest first.
func openWork(tx *vault.Tx) ([]Work, error) {
	var list []Work
	for row, err := range works.Between(tx, "open", "", "\xff") {
		if err != nil {
			return nil, err
		}
		w := row.Shared
		list = append(list, Work{
			Number: row.Key, Terminal: string(w.Terminal), Difference: w.Difference,
			Opened: time.UnixMicro(w.Opened).In(tx.Now().Location()), Owner: w.Owner, Reason: w.Reason,
			Mine: w.Reason != "" && w.Staff == tx.Agent().StaffID(),
		})
	}
	return list, nil
}
