package custody

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Overdue is what an overdue inspection comes to.
type Overdue string

// The choices. Each holds what the one before does.
const (
	OverdueAlerts  Overdue = "alert"  // pages and the doctor say so
	OverdueRefuses Overdue = "refuse" // no payment begins at that terminal
	OverdueShuts   Overdue = "shut"   // no drawer is opened for the day either
)

// Firmware is what software that nobody has accepted comes to.
type Firmware string

// The choices.
const (
	FirmwareWarns  Firmware = "warn"
	FirmwareBlocks Firmware = "block"
)

// Policy is how often devices are inspected and what follows when they are
// not: the result of the clinic's targeted risk analysis (PCI DSS 4.0.1,
// 9.5.1.2.1 and 12.3.1).
type Policy struct {
	Days     int       `cbor:"1,keyasint" json:"days"`   // between two inspections
	Reason   string    `cbor:"2,keyasint" json:"reason"` // why that often
	Overdue  Overdue   `cbor:"3,keyasint" json:"overdue"`
	Firmware Firmware  `cbor:"4,keyasint" json:"firmware"`
	By       string    `cbor:"5,keyasint" json:"by,omitempty"`
	At       time.Time `cbor:"6,keyasint" json:"at,omitzero"`
}

// standing is the policy of a clinic that has stated none.
var standing = Policy{
	Days: 30, Overdue: OverdueAlerts, Firmware: FirmwareWarns,
	Reason: "Coffer's own, until the clinic has made its targeted risk analysis.",
}

// daysMax is the longest time between two inspections.
const daysMax = 366

// ErrPolicy says that a policy is not complete.
var ErrPolicy = fault.New(fault.Invalid, "State how many days may lie between two inspections (1 to 366), the reason for it, and what follows when one is overdue.")

// SetPolicy puts a policy in force. By and At are filled in.
func (r *Register) SetPolicy(ctx context.Context, agent access.Agent, p Policy) error {
	ok := p.Days >= 1 && p.Days <= daysMax && (p.Overdue == OverdueAlerts || p.Overdue == OverdueRefuses || p.Overdue == OverdueShuts) &&
		(p.Firmware == FirmwareWarns || p.Firmware == FirmwareBlocks)
	reason, fits := text(p.Reason)
	if !ok || !fits || reason == "" {
		return ErrPolicy
	}
	req := access.Request{Agent: agent, Action: access.CustodyPolicy, Entity: access.None, Purpose: access.Operations}
	err := r.vault.Update(ctx, req, func(tx *vault.Tx) error {
		p.Reason, p.By, p.At = reason, agent.Name(), tx.Now()
		tx.Detail("days", fault.Int(p.Days))
		tx.Detail("overdue", fault.Code(p.Overdue))
		tx.Detail("firmware", fault.Code(p.Firmware))
		_, err := policies.Insert(tx, vault.Row[Policy, vault.None]{Shared: p})
		return err
	})
	return r.done(err)
}

// policy returns the policy in force.
func policy(tx *vault.Tx) (Policy, error) {
	for row, err := range policies.Newest(tx) {
		return row.Shared, err
	}
	return standing, nil
}
