package custody

import (
	"cmp"
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Shipment is how a device came or went (PCI FAQ 1347: trackable, in a
// tamper-evident bag whose number the sender states by another way).
type Shipment struct {
	Tracking string // number
	Bag      string // number
	Intact   bool   // the bag is whole, and its number is the sender's
}

func (s *Shipment) check() error {
	if err := texts(&s.Tracking, &s.Bag); err != nil {
		return err
	}
	if s.Tracking == "" || s.Bag == "" || !s.Intact {
		return ErrShipment
	}
	return nil
}

// Arrival is a device that has come to the clinic.
type Arrival struct {
	Serial   string // off the label
	Profile  string
	Location string
	Solution string // reference of the P2PE solution, may be empty
	Keys     string // date of the key injection, may be empty
	Shipment
}

// Receive puts a device on the register that waits for its deployment.
func (r *Register) Receive(ctx context.Context, agent access.Agent, a Arrival) (ident.ID[ident.Device], error) {
	var id ident.ID[ident.Device]
	serial, err := serialOf(a.Serial)
	if err != nil {
		return id, err
	}
	if err := first(texts(&a.Location, &a.Solution), dated(a.Keys), a.check()); err != nil {
		return id, err
	}
	if a.Location == "" {
		return id, ErrLocation
	}
	req := access.Request{Agent: agent, Action: access.CustodyWrite, Entity: access.Entity{Kind: access.KindDevice}, Purpose: access.Operations}
	err = r.vault.Update(ctx, req, func(tx *vault.Tx) error {
		if _, known, err := live(tx, serial); err != nil || known {
			return first(err, ErrKnown)
		}
		d, err := r.fresh(tx, serial, a.Profile)
		if err != nil {
			return err
		}
		id = d.ID
		d.Location, d.Solution, d.Keys = a.Location, a.Solution, a.Keys
		d.put(tx, Awaiting)
		if _, err := devices.Insert(tx, deviceRow{Shared: d}); err != nil {
			return err
		}
		return note(tx, &d, Entry{What: Received, Tracking: a.Tracking, Bag: a.Bag})
	})
	return id, r.done(err)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh returns a device of a profile that is not on the register yet.
func (r *Register) fresh(tx *vault.Tx, serial, profile string) (device, error) {
	if _, ok, err := devices.First(tx, indexSerial, serial); err != nil || ok {
		return device{}, cmp.Or(err, error(ErrRetired)) // live found none
	}
	p, err := r.catalogue.Profile(profile)
	if err != nil {
		return device{}, ErrProfile
	}
	return device{ID: ident.New[ident.Device](tx.Now()), Serial: serial, Profile: profile, Vendor: p.Vendor, Model: p.Model}, nil
}

// live returns the device of a serial number that was not retired.
func live(tx *vault.Tx, serial string) (deviceRow, bool, error) {
	for row, err := range devices.Find(tx, indexSerial, serial) {
		if err != nil || row.Shared.Status != Retired {
			return row, err == nil, err
		}
	}
	return deviceRow{}, false, nil
}

// Pairing says which device is found at a connection: what the terminal says
// of itself, and what a person reads off its label.
type Pairing struct {
	Terminal ident.ID[ident.Terminal]
	Name     string // of the connection
	Profile  string // of the connection
	Wire     protocol.Device
	Label    string
	Location string
	Solution string // reference of the P2PE solution, may be empty
	Keys     string // date of the key injection, may be empty
	Why      string // of a swap
}

func (p *Pairing) check() error {
	serial, err := serialOf(p.Label)
	if err := first(err, texts(&p.Location, &p.Solution, &p.Why), dated(p.Keys)); err != nil {
		return err
	}
	switch {
	case p.Wire.Serial == "":
		return ErrSilent
	case serial != p.Wire.Serial:
		return ErrLabel
	case p.Location == "":
		return ErrLocation
	}
	return nil
}

// Pair deploys the device that answers at a connection. A device that was
// received before is that one; else it comes on the register now.
func (r *Register) Pair(ctx context.Context, agent access.Agent, p Pairing) (ident.ID[ident.Device], error) {
	return r.deploy(ctx, agent, p, Paired, func(tx *vault.Tx) (Entry, error) {
		_, taken, err := devices.First(tx, indexAt, p.Terminal.String())
		if err == nil && taken {
			err = ErrTaken
		}
		return Entry{}, err
	})
}

// Swap retires the device that is deployed at a connection and deploys the one
// that answers there now, in one act.
func (r *Register) Swap(ctx context.Context, agent access.Agent, p Pairing) (ident.ID[ident.Device], error) {
	if why, fits := text(p.Why); !fits || why == "" {
		return ident.ID[ident.Device]{}, ErrReason
	}
	return r.deploy(ctx, agent, p, SwappedIn, func(tx *vault.Tx) (Entry, error) {
		old, ok, err := devices.First(tx, indexAt, p.Terminal.String())
		switch {
		case err != nil:
			return Entry{}, err
		case !ok:
			return Entry{}, ErrVacant
		case old.Shared.Serial == p.Wire.Serial:
			return Entry{}, ErrStatus
		}
		old.Shared.put(tx, Retired)
		if err := devices.Replace(tx, old); err != nil {
			return Entry{}, err
		}
		err = note(tx, &old.Shared, Entry{What: SwappedOut, Terminal: p.Name, Why: p.Why, OtherLabel: p.Wire.Serial})
		return Entry{Other: old.Shared.ID, OtherLabel: old.Shared.Serial}, err
	})
}

// deploy puts a device at a connection, once before has cleared it.
func (r *Register) deploy(ctx context.Context, agent access.Agent, p Pairing, what What, before func(*vault.Tx) (Entry, error)) (ident.ID[ident.Device], error) {
	var id ident.ID[ident.Device]
	if err := p.check(); err != nil {
		return id, err
	}
	req := access.Request{Agent: agent, Action: access.CustodyWrite, Entity: access.Of(access.KindTerminal, p.Terminal), Purpose: access.Operations}
	err := r.vault.Update(ctx, req, func(tx *vault.Tx) error {
		e, err := before(tx)
		if err != nil {
			return err
		}
		row, known, err := live(tx, p.Wire.Serial)
		if err != nil {
			return err
		}
		if !known {
			row.Shared, err = r.fresh(tx, p.Wire.Serial, p.Profile)
		} else if row.Shared.Status != Awaiting {
			err = ErrKnown
		}
		if err != nil {
			return err
		}
		d := &row.Shared
		id = d.ID
		d.put(tx, Deployed)
		if err := r.take(d, p); err != nil {
			return err
		}
		d.see(p.Wire, tx.Now().UnixMicro())
		if known {
			err = devices.Replace(tx, row)
		} else {
			_, err = devices.Insert(tx, row)
		}
		if err != nil {
			return err
		}
		e.What, e.Why = what, p.Why
		return note(tx, d, e)
	})
	return id, r.done(err)
}

// take takes over what a pairing says of a device.
func (r *Register) take(d *device, p Pairing) error {
	profile, err := r.catalogue.Profile(p.Profile)
	if err != nil {
		return ErrProfile
	}
	d.Profile, d.Vendor, d.Model = p.Profile, profile.Vendor, profile.Model
	d.Terminal, d.Name, d.Stated, d.Location = p.Terminal, p.Name, p.Wire.Model, p.Location
	if p.Solution != "" {
		d.Solution = p.Solution
	}
	if p.Keys != "" {
		d.Keys = p.Keys
	}
	return nil
}

// Move notes that a device stands somewhere else.
func (r *Register) Move(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], location, why string) error {
	if err := texts(&location, &why); err != nil {
		return err
	}
	if location == "" {
		return ErrLocation
	}
	return r.change(ctx, agent, id, func(_ *vault.Tx, d *device) (Entry, error) {
		if d.Status == Retired {
			return Entry{}, ErrStatus
		}
		d.Location = location
		return Entry{What: Moved, Why: why}, nil
	})
}

// Send notes that a device goes: for repair (or is otherwise not in use), or in
// transit to another place. It takes no payment any more.
func (r *Register) Send(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], to Status, tracking, why string) error {
	if err := texts(&tracking, &why); err != nil {
		return err
	}
	if why == "" {
		return ErrReason
	}
	return r.change(ctx, agent, id, func(tx *vault.Tx, d *device) (Entry, error) {
		if d.Status == Retired || d.Status == to || to != Repair && to != Transit {
			return Entry{}, ErrStatus
		}
		e := Entry{What: Sent, Tracking: tracking, Why: why, Terminal: d.Name}
		d.put(tx, to)
		return e, nil
	})
}

// Return notes that a device that was sent away is back, and waits for its
// deployment.
func (r *Register) Return(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], location string, s Shipment) error {
	if err := first(texts(&location), s.check()); err != nil {
		return err
	}
	if location == "" {
		return ErrLocation
	}
	return r.change(ctx, agent, id, func(tx *vault.Tx, d *device) (Entry, error) {
		if d.Status != Repair && d.Status != Transit {
			return Entry{}, ErrStatus
		}
		d.Location = location
		d.put(tx, Awaiting)
		return Entry{What: Returned, Tracking: s.Tracking, Bag: s.Bag}, nil
	})
}

// Retire takes a device out of use for ever.
func (r *Register) Retire(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], why string) error {
	if err := texts(&why); err != nil {
		return err
	}
	if why == "" {
		return ErrReason
	}
	return r.change(ctx, agent, id, func(tx *vault.Tx, d *device) (Entry, error) {
		if d.Status == Retired {
			return Entry{}, ErrStatus
		}
		e := Entry{What: GivenUp, Why: why, Terminal: d.Name}
		d.put(tx, Retired)
		return e, nil
	})
}

// Accept notes that somebody has looked the software of a device up, and that
// it is what it should be.
func (r *Register) Accept(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], why string) error {
	if err := texts(&why); err != nil {
		return err
	}
	if why == "" {
		return ErrReason
	}
	return r.change(ctx, agent, id, func(tx *vault.Tx, d *device) (Entry, error) {
		if len(d.Seen) == 0 || r.accepted(d, d.runs()) {
			return Entry{}, ErrNoVersions
		}
		v := d.Seen[len(d.Seen)-1]
		d.Accepted = append(d.Accepted, v)
		tx.Detail("app", fault.Code(v.App))
		tx.Detail("os", fault.Code(v.OS))
		return Entry{What: Accepted, Why: why}, nil
	})
}
