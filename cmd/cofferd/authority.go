package main

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/ui"
	"coffer/internal/vault"
)

// authorityRecord is the box's own certificate authority as the vault keeps it.
type authorityRecord struct {
	PEM []byte `cbor:"1,keyasint"` // certificate and private key
}

var authorities = vault.NewTable[authorityRecord, vault.None](vault.BucketAuthority)

// makeAuthority makes the box's certificate authority for its names and keeps
// it in the vault.
func makeAuthority(ctx context.Context, v *vault.Vault, agent access.Agent, now time.Time, names []string) (ui.Authority, error) {
	authority, err := ui.NewCA(now, names)
	if err != nil {
		return ui.Authority{}, err
	}
	text, err := authority.PEM()
	if err != nil {
		return ui.Authority{}, err
	}
	request := access.Request{Agent: agent, Action: access.AuthorityWrite, Entity: access.None, Purpose: access.Operations}
	return authority, v.Update(ctx, request, func(tx *vault.Tx) error {
		_, err := authorities.Insert(tx, vault.Row[authorityRecord, vault.None]{Shared: authorityRecord{text}})
		return err
	})
}

// errNoAuthority says that init has not finished.
var errNoAuthority = fault.New(fault.NotFound, "The store was never set up to the end. Run cofferd init with the same boot file; it goes on where it stopped.")

// readAuthority returns the newest authority of the vault, or errNoAuthority.
func readAuthority(ctx context.Context, v *vault.Vault, agent access.Agent) (ui.Authority, error) {
	request := access.Request{Agent: agent, Action: access.AuthorityRead, Entity: access.None, Purpose: access.Operations}
	var text []byte
	err := v.View(ctx, request, func(tx *vault.Tx) error {
		for row, err := range authorities.Newest(tx) {
			text = row.Shared.PEM
			return err
		}
		return nil
	})
	if err != nil {
		return ui.Authority{}, err
	}
	if text == nil {
		return ui.Authority{}, errNoAuthority
	}
	return ui.ParseAuthority(text)
}
