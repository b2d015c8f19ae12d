package ops

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// SealChange says how to seal anew.
type SealChange struct {
	Level  string // seal.Level; empty: as it is
	PIN    string // the present PIN, if there is one
	NewPIN string // empty with ClearPIN false: as it is
	NoPIN  bool   // from now on without PIN
}

// Resealed is the result of Reseal.
type Resealed struct {
	At   time.Time   `json:"at"`
	Seal seal.Status `json:"seal"`
}

// Reseal seals the root key anew: to the present firmware state, with another
// level or PIN. The former seal is dead from then on.
func (o *Ops) Reseal(ctx context.Context, agent access.Agent, c SealChange) (Resealed, error) {
	return Resealed{}, errStarting
}

// Rotated is the result of RotateRoot and RekeyAll.
type Rotated struct {
	At         time.Time `json:"at"`
	Generation uint32    `json:"generation"` // of the root key
	Buckets    int       `json:"buckets"`    // that got new data keys
}

// RotateRoot replaces the root key and wraps every key of the store anew.
func (o *Ops) RotateRoot(ctx context.Context, agent access.Agent, pin string) (Rotated, error) {
	return Rotated{}, errStarting
}

// RekeyAll writes every record anew under fresh data keys, then rotates the
// root. Work goes on meanwhile.
func (o *Ops) RekeyAll(ctx context.Context, agent access.Agent, pin string) (Rotated, error) {
	return Rotated{}, errStarting
}

// Shredded is the result of ShredClient.
type Shredded struct {
	At         time.Time `json:"at"`
	Generation uint32    `json:"generation"`
}

// ShredClient destroys the key of a client's private data for ever: what the
// ledger needs stays. The reason goes on record. Account is the client's
// account number, typed as the proof that this client is meant.
func (o *Ops) ShredClient(ctx context.Context, agent access.Agent, client ident.ID[ident.Client], account, reason, pin string) (Shredded, error) {
	return Shredded{}, errStarting
}

// Certificate says what was destroyed when a box was retired.
type Certificate struct {
	At       time.Time             `json:"at"`
	Store    ident.ID[ident.Store] `json:"store"`
	Sequence uint64                `json:"sequence"`
	Events   uint64                `json:"events"`
	Root     string                `json:"root"`  // hex, of the audit tree
	Lines    []string              `json:"lines"` // what was done
}

// Retire destroys what opens this store on this box: the sealed secret, the
// counters, the header and the store's file. Backups and the recovery sheet
// are the owner's to destroy. Name is the clinic's name, typed.
func (o *Ops) Retire(ctx context.Context, agent access.Agent, name string) (Certificate, error) {
	return Certificate{}, errStarting
}
