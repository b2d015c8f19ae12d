// Package custodytest registers the card terminals of tests.
package custodytest

import (
	"context"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/custody"
	"coffer/internal/ident"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// Register returns the register of a store.
func Register(v *vault.Vault) *custody.Register { return custody.New(v, firmwareconfig.Catalogue{}) }

// Pair deploys a device of a serial number at a connection, as IT does who has
// read the number off its label.
func Pair(ctx context.Context, r *custody.Register, at ident.ID[ident.Terminal], serial string) error {
	_, err := r.Pair(ctx, accesstest.Agent(access.IT), custody.Pairing{
		Terminal: at, Name: "Desk", Profile: "sim-pax", Label: serial, Location: "front desk", Wire: protocol.Device{Serial: serial},
	})
	return err
}
