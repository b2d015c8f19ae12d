package ops

import (
	"context"
	"errors"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
)

var (
	errCannotOpen = fault.New(fault.Conflict, "The books are not shut, or are being opened. Nothing was changed.")
	errKeepPIN    = fault.New(fault.Invalid, "The box has a PIN. Give the new seal one too (--new-pin), or say that it is to have none (--no-pin).")
	errWhy        = fault.New(fault.Invalid, "Say why the recovery sheet is used, in 10 to 500 characters. It goes on record.")
)

// AsksPIN reports whether a PIN is all that a shut store lacks, now or once the
// TPM takes one again.
func AsksPIN(err error) bool {
	return errors.Is(err, seal.ErrPIN) || errors.Is(err, seal.ErrPINNeeded) ||
		errors.Is(err, seal.ErrPINShape) || errors.Is(err, seal.ErrLockout)
}

// shutFor returns nil while the store is shut.
func (o *Ops) shutFor() error {
	if _, _, sealed := o.look(); sealed == nil || o.machine.Reopen == nil {
		return errCannotOpen
	}
	return nil
}

// Unlock tries to open a sealed store with the PIN. A store that opens is
// served at once, without a restart. A wrong PIN is on record at the next
// opening.
func (o *Ops) Unlock(ctx context.Context, origin access.Origin, pin string) error {
	if err := o.shutFor(); err != nil {
		return err
	}
	err := o.machine.Reopen(ctx, pin, "")
	if err != nil {
		o.remember(refusal{At: o.machine.Now(), What: "pin", Code: Code(err), Via: origin.Via + ":" + origin.Address})
	}
	return err
}

// BySheet opens a shut store.
type BySheet struct {
	Papers []string // the recovery sheet, or two shares
	PIN    string   // of the new seal; empty: none
	NoPIN  bool     // the new seal is to have no PIN, though the present one has
	Reason string   // goes on record
}

// OpenBySheet opens a sealed store with the recovery sheet and seals it to
// this TPM anew.
func (o *Ops) OpenBySheet(ctx context.Context, origin access.Origin, by BySheet) error {
	if err := o.shutFor(); err != nil {
		return err
	}
	if !validReason(by.Reason) {
		return errWhy
	}
	if claimed, _ := o.inspect(ctx); claimed.PIN && by.PIN == "" && !by.NoPIN { // why it is shut is known
		return errKeepPIN
	}
	if !o.changing.TryLock() {
		return errChanging
	}
	err := o.recoverSeal(ctx, by.Papers, by.PIN)
	o.changing.Unlock()
	via := origin.Via + ":" + origin.Address
	if err != nil {
		o.remember(refusal{At: o.machine.Now(), What: "sheet", Code: Code(err), Via: via})
		return err
	}
	o.mu.Lock()
	o.reason = by.Reason
	o.mu.Unlock()
	o.remember(refusal{At: o.machine.Now(), What: recovered, Via: via})
	return o.machine.Reopen(ctx, by.PIN, by.Reason)
}

// recoverSeal seals the root key that the sheet opens to this box's TPM.
func (o *Ops) recoverSeal(ctx context.Context, papers []string, pin string) error {
	seed, err := recovery.Read(papers...)
	if err != nil {
		return err
	}
	defer seed.Wipe()
	setup, err := o.machine.Setup()
	if err != nil {
		return err
	}
	setup.Now, setup.PIN = o.machine.Now(), pin
	key, err := seal.Recover(ctx, o.machine.TPM, o.machine.Header, seed, setup)
	if err != nil {
		return err
	}
	key.Wipe()
	return nil
}
