package custody

import (
	"context"
	"strings"
	"sync"
	"unicode"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Register is the register of devices. Its methods may be called from any
// goroutine.
type Register struct {
	vault     *vault.Vault
	catalogue firmwareconfig.Catalogue

	mu      sync.Mutex
	changed func()
}

// New returns the register over an open vault, which was opened with Tables.
func New(v *vault.Vault, c firmwareconfig.Catalogue) *Register {
	return &Register{vault: v, catalogue: c, changed: func() {}}
}

// OnChange sets who is told, after the commit, that a verdict may have changed.
func (r *Register) OnChange(tell func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = tell
}

// done tells of a change that was committed.
func (r *Register) done(err error) error {
	if err != nil {
		return err
	}
	r.mu.Lock()
	tell := r.changed
	r.mu.Unlock()
	tell()
	return nil
}

// The faults of this package.
var (
	ErrDevice     = fault.New(fault.NotFound, "There is no such device on the register. Reload the page.")
	ErrSerial     = fault.New(fault.Invalid, "Type the serial number as the label shows it: up to 32 letters, digits and dashes.")
	ErrLabel      = fault.New(fault.Conflict, "The serial number on the label is not the one that the terminal states. It may have been substituted: do not use it, put it aside, and tell the processor.")
	ErrSilent     = fault.New(fault.Unavailable, "The terminal does not answer, so it cannot be compared with its label. Check its cable and power, then pair it again.")
	ErrKnown      = fault.New(fault.Conflict, "A device with this serial number is on the register, and not where this needs it. Look at its page; a device that was sent away is returned first.")
	ErrTaken      = fault.New(fault.Conflict, "Another device is deployed at this connection. Swap it for this one, or send it away first.")
	ErrVacant     = fault.New(fault.Conflict, "No device is deployed at this connection, so there is nothing to swap. Pair the terminal.")
	ErrRetired    = fault.New(fault.Conflict, "The device with this serial number was retired for ever and does not come back. Look at its page for the reason, and use another device.")
	ErrStatus     = fault.New(fault.Conflict, "The device is not where this act needs it: reload its page to see where it is.")
	ErrProfile    = fault.New(fault.Invalid, "Choose the model of the device from the list.")
	ErrShipment   = fault.New(fault.Invalid, "Enter the tracking number of the shipment and the number of the tamper-evident bag, and confirm that the bag is whole and its number is the one that the sender stated. A device whose bag is not must not be used: tell the processor.")
	ErrText       = fault.New(fault.Invalid, "Enter at most 200 characters in each field, on one line.")
	ErrReason     = fault.New(fault.Invalid, "State the reason: it stays in the custody log.")
	ErrLocation   = fault.New(fault.Invalid, "State where the device is, such as “front desk, left”.")
	ErrDate       = fault.New(fault.Invalid, "Enter the date of the key injection as year-month-day, such as 2026-03-31, or leave it empty.")
	ErrAnswers    = fault.New(fault.Invalid, "Answer each step of the inspection; where a note or a serial number is asked for, write it down.")
	ErrPhotoNone  = fault.New(fault.NotFound, "There is no such photo.")
	ErrNoVersions = fault.New(fault.Conflict, "The device has not stated its software yet, or it is accepted already.")
)

// textMax is the longest text of a field, in characters.
const textMax = 200

// text returns what was typed without spaces around it, and whether it fits:
// at most textMax characters that print.
func text(s string) (string, bool) {
	s = strings.TrimSpace(s)
	fits := len([]rune(s)) <= textMax && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	return s, fits
}

// texts cleans fields in place.
func texts(fields ...*string) error {
	for _, f := range fields {
		s, fits := text(*f)
		if !fits {
			return ErrText
		}
		*f = s
	}
	return nil
}

// serialOf returns the serial number that somebody has typed off a label.
func serialOf(s string) (string, error) {
	s = strings.TrimSpace(s)
	if protocol.Word(s, 32) == "" {
		return "", ErrSerial
	}
	return s, nil
}

func dated(s string) error {
	if s == "" {
		return nil
	}
	if _, err := civil.Parse(s); err != nil {
		return ErrDate
	}
	return nil
}

// request is that of an act on a device.
func request(agent access.Agent, action access.Action, id ident.ID[ident.Device]) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Of(access.KindDevice, id), Purpose: access.Operations}
}

// change carries out an act on a device and logs it.
func (r *Register) change(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], act func(*vault.Tx, *device) (Entry, error)) error {
	err := r.vault.Update(ctx, request(agent, access.CustodyWrite, id), func(tx *vault.Tx) error {
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		e, err := act(tx, &row.Shared)
		if err != nil {
			return err
		}
		if err := devices.Replace(tx, row); err != nil {
			return err
		}
		return note(tx, &row.Shared, e)
	})
	return r.done(err)
}

func rowOf(tx *vault.Tx, id ident.ID[ident.Device]) (deviceRow, error) {
	row, ok, err := devices.First(tx, indexID, id.String())
	if err == nil && !ok {
		err = ErrDevice
	}
	return row, err
}

// note adds a line to the custody log.
func note(tx *vault.Tx, d *device, e Entry) error {
	e.Device, e.At, e.By, e.Status = d.ID, tx.Now(), tx.Agent().Name(), d.Status
	if e.Location == "" {
		e.Location = d.Location
	}
	if e.Terminal == "" && d.Status == Deployed {
		e.Terminal = d.Name
	}
	tx.Detail("custody", fault.Code(e.What))
	tx.Detail("serial", fault.Code(d.Serial))
	_, err := entries.Insert(tx, vault.Row[Entry, vault.None]{Shared: e})
	return err
}

// put gives a device another status.
func (d *device) put(tx *vault.Tx, s Status) {
	d.Status, d.Since = s, tx.Now().UnixMicro()
	if s != Deployed {
		d.Terminal, d.Name = ident.ID[ident.Terminal]{}, ""
	}
}
