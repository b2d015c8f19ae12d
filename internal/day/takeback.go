package day

import (
	"context"
	"slices"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// The reasons for taking a drop back. It is a closed list: no free text enters
// the books.
const (
	BackMistyped books.Reason = "mistyped" // the amount was typed wrong
	BackTwice    books.Reason = "twice"    // it was entered a second time
	BackKept     books.Reason = "kept"     // the cash stayed in the drawer
)

// BackReasons are all reasons for taking a drop back, in the order of a list.
var BackReasons = []books.Reason{BackMistyped, BackTwice, BackKept}

// The faults of taking a drop back.
var (
	// ErrBackReason: taking a drop back needs one of the reasons.
	ErrBackReason = fault.New(fault.Invalid, "Choose why the cash that was taken out is taken back.")
	// ErrNoDrop: it is no drop of the own drawer, of another day, or sealed.
	ErrNoDrop = fault.New(fault.Conflict, "Only cash that you took out today, and that is on no day sheet yet, can be taken back. Tell the accountant about any other.")
)

// DroppedCash is cash that a cashier took out today and that is on no sheet yet.
type DroppedCash struct {
	Entry  ident.ID[ident.Entry]
	At     time.Time
	Amount money.Amount
	Back   bool // it was taken back
}

// drop is the cash of one drop, with what it was recorded under.
type drop struct {
	DroppedCash
	source string
}

// TakeBack takes a drop of the cashier's own drawer back, as if the cash had
// never left it: the entry of the drop, and what it posted as over, are
// reversed. The drawer has to be counted again. A drop that was taken back
// already stays so.
func (d *Day) TakeBack(ctx context.Context, agent access.Agent, entry ident.ID[ident.Entry], why books.Reason) error {
	if !slices.Contains(BackReasons, why) {
		return ErrBackReason
	}
	return d.vault.Update(ctx, own(agent, access.DrawerTakeBack), func(tx *vault.Tx) error {
		tx.Detail("reason", fault.Code(why))
		list, err := drops(tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(one drop) bool { return one.Entry == entry })
		if i < 0 {
			return ErrNoDrop
		}
		tx.Detail("amount", list[i].Amount)
		if list[i].Back {
			return nil
		}
		return list[i].reverse(tx, why)
	})
}

// reverse takes the drop back first, so that the drawer never holds less than
// nothing, and then what it posted as over.
func (one drop) reverse(tx *vault.Tx, why books.Reason) error {
	if _, err := books.Reverse(tx, one.Entry, why); err != nil {
		return err
	}
	over, ok, err := books.BySource(tx, "over/"+strings.TrimPrefix(one.source, "drop/"))
	if err != nil || !ok {
		return err
	}
	_, err = books.Reverse(tx, over.ID, why)
	return err
}

// drops returns the drops of the agent's own drawer of today that are on no
// sheet, the newest first.
func drops(tx *vault.Tx) ([]drop, error) {
	b, err := before(tx)
	if err != nil {
		return nil, err
	}
	own, zone := books.Sub(tx.Agent().Name()), tx.Now().Location()
	var list []drop
	for e, err := range books.Latest(tx, books.Drawers, own) {
		if err != nil {
			return nil, err
		}
		if e.Number <= after(b) || recorded(e.Entry, zone) != tx.Today() {
			break
		}
		if e.Event != ledger.EventDrawerDrop {
			continue
		}
		_, back, err := books.Resolution(tx, e.ID)
		if err != nil {
			return nil, err
		}
		shown := DroppedCash{Entry: e.ID, At: e.Recorded.In(zone), Amount: -at(e.Postings, books.Drawers, own), Back: back}
		list = append(list, drop{shown, e.Source})
	}
	return list, nil
}
