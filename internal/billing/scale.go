package billing

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/vault"
)

// scaleRecord is the part of each fee that a client is not charged.
type scaleRecord struct {
	Client      ident.ID[ident.Client] `cbor:"1,keyasint"`
	BasisPoints uint16                 `cbor:"2,keyasint"` // 4000 is 40 %
}

type scaleRow = vault.Row[scaleRecord, vault.None]

var scales = vault.NewTable(vault.BucketScales,
	vault.NewIndex("client", func(r scaleRow) []string { return []string{string(r.Shared.Client[:])} }))

// ErrScale is given for a reduction of more than the whole fee.
var ErrScale = fault.New(fault.Invalid, "A sliding scale takes 0 to 100 percent off the fee. Correct the percentage.")

// Scale returns the part of each fee that a client is not charged, in basis
// points (4000 is 40 %): zero for a client without a sliding scale.
func Scale(tx *vault.Tx, client ident.ID[ident.Client]) (uint16, error) {
	row, _, err := scales.First(tx, "client", string(client[:]))
	return row.Shared.BasisPoints, err
}

// PutScale sets a client's sliding scale for charges to come, within a
// transaction that is allowed fee.write.
func PutScale(tx *vault.Tx, client ident.ID[ident.Client], basisPoints uint16) error {
	if basisPoints > 10000 {
		return ErrScale
	}
	row, ok, err := scales.First(tx, "client", string(client[:]))
	if err != nil {
		return err
	}
	row.Shared = scaleRecord{client, basisPoints}
	if ok {
		return scales.Replace(tx, row)
	}
	_, err = scales.Insert(tx, row)
	return err
}

// SetScale is PutScale in a transaction of its own.
func (b *Billing) SetScale(ctx context.Context, agent access.Agent, client ident.ID[ident.Client], basisPoints uint16) error {
	return b.v.Update(ctx, request(agent, access.FeeWrite, access.Client(client)), func(tx *vault.Tx) error {
		return PutScale(tx, client, basisPoints)
	})
}
