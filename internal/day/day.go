package day

import (
	"context"
	"log/slog"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Day keeps drawers and closes days. Its methods may be called from any
// goroutine.
type Day struct {
	vault    *vault.Vault
	agent    access.Agent
	location string
	log      *slog.Logger
}

// Options are what closing a day needs. Vault and Agent are due.
type Options struct {
	// Vault must have been opened with the Tables of this package, of books,
	// custody, till and identity.
	Vault *vault.Vault
	// Agent is the system's own: it signs sheets.
	Agent access.Agent
	// Location is the name of the place, as its sheets print it.
	Location string
	Log      *slog.Logger // nil logs nothing
}

// New returns what closes days over an open vault.
func New(o Options) *Day {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Day{o.Vault, o.Agent, o.Location, o.Log}
}

// The faults of this package.
var (
	// ErrCommand: the request carries no command identifier, or one that was
	// used for something else.
	ErrCommand = fault.New(fault.Invalid, "This form is incomplete, or was used before for something else. Reload the page and send it again.")
	// ErrAmount: the amount is zero or negative; of a batch, above money.Max.
	ErrAmount = fault.New(fault.Invalid, "Enter an amount in dollars and cents, more than 0.00.")
	// ErrMove: a float or drop of more than moveMax.
	ErrMove = fault.New(fault.Invalid, "That is more cash than goes in or out at once, %v. Check the amount, or enter it in parts.", moveMax)
	// ErrOpen: the drawer has its float already.
	ErrOpen = fault.New(fault.Conflict, "Your drawer has its float already. Count it before you put in another.")
	// ErrPieces: a count names no known note or coin, or one twice.
	ErrPieces = fault.New(fault.Invalid, "Enter how many notes and coins there are of each value, in whole numbers.")
	// ErrCounted: count and recount are done.
	ErrCounted = fault.New(fault.Conflict, "Your drawer was counted and counted again. Both counts stand; another is possible after the next payment.")
	// ErrNothing: the drawer has not moved, so there is nothing to count.
	ErrNothing = fault.New(fault.Conflict, "Nothing has moved in your drawer since it was counted. There is nothing to count.")
	// ErrUncounted: a drawer that moved today was not counted since.
	ErrUncounted = fault.New(fault.Conflict, "A drawer was not counted since it was last used. Ask its cashier to count it, then close the day.")
	// ErrOwnDay: rule 3 of the separation of duties.
	ErrOwnDay = fault.New(fault.Denied, "You took money on this day, so another person must close it. Ask a colleague who may close days.")
	// ErrNotNext: another day is to be closed first, or this one is closed.
	ErrNotNext = fault.New(fault.Conflict, "This is not the day that is to be closed next. Reload the page.")
	// ErrNoDay: today is sealed already.
	ErrNoDay = fault.New(fault.Conflict, "Today is closed already. What is posted now stands on the next sheet.")
	// ErrNoSheet: there is no sheet of that number.
	ErrNoSheet = fault.New(fault.NotFound, "There is no such day sheet.")
	// ErrTerminal: a batch needs the serial number of its terminal.
	ErrTerminal = fault.New(fault.Invalid, "Choose the terminal whose batch report you have.")
	// ErrNoWork: no such work item is open.
	ErrNoWork = fault.New(fault.NotFound, "There is no such open difference. Reload the page.")
	// ErrReason: a difference needs one of the reasons.
	ErrReason = fault.New(fault.Invalid, "Choose the reason of the difference.")
	// ErrSecondPerson: the one who explained it cannot confirm it.
	ErrSecondPerson = fault.New(fault.Conflict, "A second person must confirm the same reason.")
)

// own is a request of a cashier about the own drawer.
func own(agent access.Agent, action access.Action) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Staff(agent.StaffID()), Purpose: access.Operations}
}

// of is a request about the day.
func of(agent access.Agent, action access.Action) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Operations}
}

// Recover signs what a stop has left unsigned. Call it once after the start.
func (d *Day) Recover(ctx context.Context) error {
	var due []uint64
	err := d.vault.View(ctx, of(d.agent, access.DaySign), func(tx *vault.Tx) (err error) {
		due, err = unsigned(tx)
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return d.sign(ctx)
}

// unsigned returns the numbers of the sheets that no signature covers yet.
func unsigned(tx *vault.Tx) ([]uint64, error) {
	var due []uint64
	for n := sheets.Count(tx); n > 0; n-- {
		_, ok, err := seals.First(tx, "sheet", vault.Uint64Key(n))
		if err != nil || ok {
			return due, err
		}
		due = append(due, n)
	}
	return due, nil
}

// sign signs the audit trail, TPM and all, and keeps the signature beside
// every sheet that has none: the events of their seals are durable by now.
func (d *Day) sign(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	request := access.Request{Agent: d.agent, Action: access.AuditCheckpoint, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	var signed audit.Signed
	var due []uint64
	err := d.vault.View(ctx, of(d.agent, access.DaySign), func(tx *vault.Tx) (err error) {
		due, err = unsigned(tx)
		return err
	})
	if err != nil {
		return err
	}
	if signed, err = d.vault.Checkpoint(ctx, request); err != nil {
		return err
	}
	return d.vault.Update(ctx, of(d.agent, access.DaySign), func(tx *vault.Tx) error {
		for _, n := range due {
			if _, ok, err := seals.First(tx, "sheet", vault.Uint64Key(n)); err != nil {
				return err
			} else if ok {
				continue
			}
			r := sealRecord{Sheet: n, Size: signed.Size, Note: signed.Note, At: tx.Now().UnixMicro()}
			if _, err := seals.Insert(tx, sealRow{Shared: r}); err != nil {
				return err
			}
		}
		return nil
	})
}
