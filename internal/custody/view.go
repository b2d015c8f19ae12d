package custody

import (
	"context"
	"slices"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Device is a device as pages and lists show it.
type Device struct {
	ID        ident.ID[ident.Device]   `json:"id"`
	Serial    string                   `json:"serial"`
	Profile   string                   `json:"profile"`
	Vendor    string                   `json:"vendor"`
	Model     string                   `json:"model"`
	Status    Status                   `json:"status"`
	Location  string                   `json:"location"`
	Terminal  ident.ID[ident.Terminal] `json:"-"`                  // connection; zero unless deployed
	Name      string                   `json:"terminal,omitempty"` // of the connection
	Solution  string                   `json:"p2pe_solution,omitempty"`
	Keys      string                   `json:"keys_injected,omitempty"` // date
	Seen      []Version                `json:"versions"`                // oldest first; the last is the present one
	Unknown   bool                     `json:"version_unknown"`         // nobody has accepted the present one
	Failed    bool                     `json:"inspection_failed"`
	Inspected time.Time                `json:"inspected,omitzero"` // passed last
	Due       string                   `json:"inspection_due,omitempty"`
	Overdue   bool                     `json:"inspection_overdue"`
}

func (r *Register) device(tx *vault.Tx, d *device, p Policy) Device {
	v := Device{
		ID: d.ID, Serial: d.Serial, Profile: d.Profile, Vendor: d.Vendor, Model: d.Model, Status: d.Status, Location: d.Location,
		Terminal: d.Terminal, Name: d.Name, Solution: d.Solution, Keys: d.Keys, Seen: slices.Clone(d.Seen), Failed: d.Failed,
		Unknown: len(d.Seen) > 0 && !r.accepted(d, d.runs()), Overdue: d.overdue(p, tx.Now()),
	}
	if d.Inspected != 0 {
		v.Inspected = time.UnixMicro(d.Inspected).In(tx.Now().Location())
	}
	if d.Status == Deployed {
		v.Due = d.due(p, tx.Now().Location()).String()
	}
	return v
}

// Holding is the whole register, and the policy in force.
type Holding struct {
	Devices []Device
	Policy  Policy
}

// List returns the register: what is deployed first, then by serial number.
func (r *Register) List(ctx context.Context, agent access.Agent) (Holding, error) {
	var h Holding
	req := access.Request{Agent: agent, Action: access.CustodyRead, Entity: access.Entity{Kind: access.KindDevice}, Purpose: access.Operations}
	err := r.vault.View(ctx, req, func(tx *vault.Tx) (err error) {
		h, err = r.list(tx)
		return err
	})
	return h, err
}

func (r *Register) list(tx *vault.Tx) (Holding, error) {
	p, err := policy(tx)
	if err != nil {
		return Holding{}, err
	}
	h := Holding{Policy: p}
	for row, err := range devices.All(tx) {
		if err != nil {
			return Holding{}, err
		}
		h.Devices = append(h.Devices, r.device(tx, &row.Shared, p))
	}
	slices.SortFunc(h.Devices, func(a, b Device) int {
		if a, b := a.rank(), b.rank(); a != b {
			return a - b
		}
		return strings.Compare(a.Serial, b.Serial)
	})
	return h, nil
}

func (d Device) rank() int {
	return slices.Index([]Status{Deployed, Awaiting, Repair, Transit, Retired}, d.Status)
}

// History is a device with all that is on record of it, the newest first.
type History struct {
	Device
	Log         []Entry
	Inspections []Inspection
}

// One returns a device with its history.
func (r *Register) One(ctx context.Context, agent access.Agent, id ident.ID[ident.Device]) (History, error) {
	var h History
	err := r.vault.View(ctx, request(agent, access.CustodyRead, id), func(tx *vault.Tx) error {
		row, err := rowOf(tx, id)
		if err != nil {
			return err
		}
		p, err := policy(tx)
		if err != nil {
			return err
		}
		h.Device = r.device(tx, &row.Shared, p)
		for e, err := range entries.Find(tx, indexDevice, id.String()) {
			if err != nil {
				return err
			}
			h.Log = append(h.Log, e.Shared)
		}
		for i, err := range inspections.Find(tx, indexDevice, id.String()) {
			if err != nil {
				return err
			}
			i.Shared.Number = i.Key
			h.Inspections = append(h.Inspections, i.Shared)
		}
		return nil
	})
	slices.Reverse(h.Log)
	slices.Reverse(h.Inspections)
	return h, err
}

// PhotoOf returns the photo of an inspection, a JPEG.
func (r *Register) PhotoOf(ctx context.Context, agent access.Agent, id ident.ID[ident.Device], inspection uint64) ([]byte, error) {
	var jpeg []byte
	err := r.vault.View(ctx, request(agent, access.CustodyRead, id), func(tx *vault.Tx) error {
		i, err := inspections.At(tx, inspection)
		if err != nil || i.Shared.Device != id || i.Shared.Photo == 0 {
			return ErrPhotoNone
		}
		row, err := photos.At(tx, i.Shared.Photo)
		jpeg = row.Shared.JPEG
		return err
	})
	return jpeg, err
}

// Evidence is what an assessor asks for under PCI DSS 4.0.1, 9.5.1: the list of
// devices as it is now, and the custody log and inspections of a period.
type Evidence struct {
	Range       civil.Range
	Made        time.Time
	Holding     Holding
	Policies    []Policy // in force in the period or before, oldest first
	Log         []Entry
	Inspections []Inspection
}

// ErrRange says that a period is not one.
var ErrRange = fault.New(fault.Invalid, "Enter the first and the last day of the period, the first not after the last.")

// Evidence returns the evidence of a period.
func (r *Register) Evidence(ctx context.Context, agent access.Agent, period civil.Range) (Evidence, error) {
	if period.First > period.Last {
		return Evidence{}, ErrRange
	}
	e := Evidence{Range: period}
	req := access.Request{Agent: agent, Action: access.CustodyRead, Entity: access.Entity{Kind: access.KindDevice}, Purpose: access.Operations}
	err := r.vault.View(ctx, req, func(tx *vault.Tx) (err error) {
		tx.Detail("evidence", fault.Code("9.5"))
		tx.Detail("first", period.First)
		tx.Detail("last", period.Last)
		e.Made = tx.Now()
		if e.Holding, err = r.list(tx); err != nil {
			return err
		}
		return e.gather(tx)
	})
	return e, err
}

func (e *Evidence) gather(tx *vault.Tx) error {
	in := func(at time.Time) bool { return e.Range.Contains(civil.Of(at.In(tx.Now().Location()))) }
	for row, err := range entries.All(tx) {
		if err != nil {
			return err
		}
		if in(row.Shared.At) {
			e.Log = append(e.Log, row.Shared)
		}
	}
	for row, err := range inspections.All(tx) {
		if err != nil {
			return err
		}
		if in(row.Shared.At) {
			row.Shared.Number = row.Key
			e.Inspections = append(e.Inspections, row.Shared)
		}
	}
	for row, err := range policies.All(tx) {
		if err != nil {
			return err
		}
		if civil.Of(row.Shared.At.In(tx.Now().Location())) <= e.Range.Last {
			e.Policies = append(e.Policies, row.Shared)
		}
	}
	return nil
}
