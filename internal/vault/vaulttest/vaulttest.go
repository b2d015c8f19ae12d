// Package vaulttest opens stores for tests.
package vaulttest

import (
	"testing"

	"coffer/internal/access/accesstest"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// mapBytes keeps the address space of many stores in one test small.
const mapBytes = 1 << 30

// Open creates a store with the tables under a root key sealed in a software
// TPM. When the test ends the store is checked from end to end and closed.
func Open(t testing.TB, relation vault.Relation, tables ...vault.AnyTable) *vault.Vault {
	t.Helper()
	return open(t, vault.Create, vault.Options{
		Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: tables, Relation: relation, MapBytes: mapBytes,
	})
}

// OpenWith is Open for a test that sets options of its own, such as a clock;
// Dir and Key are filled in where they are empty.
func OpenWith(t testing.TB, o vault.Options) *vault.Vault {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir() + "/store"
	}
	if o.Key == nil {
		o.Key = sealtest.Key(t)
	}
	o.MapBytes = mapBytes
	return open(t, vault.Create, o)
}

// Reopen closes the store and opens it again, as after a restart.
func Reopen(t testing.TB, v *vault.Vault) *vault.Vault {
	t.Helper()
	o := v.Options()
	if err := v.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return open(t, vault.Open, o)
}

func open(t testing.TB, how opener, o vault.Options) *vault.Vault {
	t.Helper()
	agent := accesstest.System("test")
	v, err := how(t.Context(), agent, o)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() { finish(t, v) })
	return v
}
