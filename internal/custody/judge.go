package custody

import (
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Verdict is what the register says of a terminal that answers.
type Verdict struct {
	// Reason is why the terminal may not be used; none when it may.
	Reason protocol.Reason
	// Overdue and Unknown are what the clinic's policy only warns of: an
	// inspection, and software that nobody has accepted.
	Overdue, Unknown bool
}

// Judge compares what a terminal says of itself with the device that is
// deployed at its connection.
func (r *Register) Judge(tx *vault.Tx, at ident.ID[ident.Terminal], wire protocol.Device) (Verdict, error) {
	row, ok, err := devices.First(tx, indexAt, at.String())
	if err != nil || !ok {
		return Verdict{Reason: protocol.ReasonUnregistered}, err
	}
	p, err := policy(tx)
	if err != nil {
		return Verdict{}, err
	}
	return r.judge(&row.Shared, p, wire, tx), nil
}

func (r *Register) judge(d *device, p Policy, wire protocol.Device, tx *vault.Tx) Verdict {
	v := Verdict{Overdue: d.overdue(p, tx.Now()), Unknown: !r.accepted(d, wire)}
	switch {
	case d.Serial != wire.Serial, d.Stated != "" && wire.Model != "" && d.Stated != wire.Model:
		v.Reason = protocol.ReasonSubstitute
	case d.Failed:
		v.Reason = protocol.ReasonTampered
	case v.Unknown && p.Firmware == FirmwareBlocks:
		v.Reason = protocol.ReasonFirmware
	case v.Overdue && p.Overdue != OverdueAlerts:
		v.Reason = protocol.ReasonInspection
	}
	return v
}

// accepted reports whether the software that a device states stands on its
// profile's allow list, or was accepted by IT.
func (r *Register) accepted(d *device, wire protocol.Device) bool {
	allow, err := r.catalogue.Allow(d.Profile)
	return err == nil && allow.Accepts(wire) || d.accepts(wire)
}

// seenMax is how many states of its software are kept of a device.
const seenMax = 50

// Attach is Judge for a terminal that has just answered. It also keeps what
// software the registered device states, and puts both on record.
func (r *Register) Attach(tx *vault.Tx, at ident.ID[ident.Terminal], wire protocol.Device) (Verdict, error) {
	v, err := r.Judge(tx, at, wire)
	if err != nil {
		return v, err
	}
	if v.Reason != protocol.ReasonNone {
		tx.Detail("verdict", fault.Code(v.Reason))
	}
	if v.Reason == protocol.ReasonUnregistered || v.Reason == protocol.ReasonSubstitute {
		return v, nil
	}
	row, _, err := devices.First(tx, indexAt, at.String())
	if err != nil {
		return v, err
	}
	d := &row.Shared
	if runs := d.runs(); len(d.Seen) > 0 && runs.App == wire.App && runs.OS == wire.OS {
		return v, nil
	}
	tx.Detail("app", fault.Code(wire.App))
	tx.Detail("os", fault.Code(wire.OS))
	d.see(wire, tx.Now().UnixMicro())
	return v, devices.Replace(tx, row)
}

func (d *device) see(wire protocol.Device, at int64) {
	d.Seen = append(d.Seen, Version{App: wire.App, OS: wire.OS, First: at})
	d.Seen = d.Seen[max(0, len(d.Seen)-seenMax):]
}

// ErrShut says that the day cannot be opened.
var ErrShut = fault.New(fault.Conflict, "A card terminal should have been inspected before today, and the clinic's policy opens no day until it was. Ask IT to inspect it (page Terminals), then open your drawer.")

// DayMayOpen returns ErrShut while the clinic's policy does not allow a day to be
// opened: the inspection of a deployed device is overdue.
func DayMayOpen(tx *vault.Tx) error {
	p, err := policy(tx)
	if err != nil || p.Overdue != OverdueShuts {
		return err
	}
	for row, err := range devices.All(tx) {
		if err != nil {
			return err
		}
		if row.Shared.overdue(p, tx.Now()) {
			return ErrShut
		}
	}
	return nil
}
