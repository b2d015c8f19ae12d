package vaulttest

import (
	"context"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/vault"
)

type opener func(context.Context, access.Agent, vault.Options) (*vault.Vault, error)

// finish checks the store unless it was closed already, and closes it.
func finish(t testing.TB, v *vault.Vault) {
	t.Helper()
	if v.Closed() {
		return
	}
	r := access.Request{Agent: accesstest.Agent(access.IT), Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	if _, err := v.Check(context.Background(), r); err != nil {
		t.Errorf("check of the store: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}
