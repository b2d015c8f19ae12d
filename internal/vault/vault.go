// Package vault is the encrypted store.
package vault

import (
	"context"
	"log/slog"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// Relation reports whether a member of staff is related to an entity, in the
// sense of the policy's "assigned". It runs inside the transaction it decides
// on and only reads.
type Relation func(tx *Tx, staff ident.ID[ident.Staff], e access.Entity) (bool, error)

// Options say which store to open and how.
type Options struct {
	Dir      string           // directory of the store, 0700; Create makes it
	Key      *seal.Key        // the unsealed root; must stay valid until Open returns
	Tables   []AnyTable       // every table that will be used
	Relation Relation         // nil: nobody is related to anything
	Now      func() time.Time // the clock, in the clinic's zone; nil: time.Now
	NoSync   bool             // furnishing only: commits are not durable before Close
	MapBytes int              // address space kept for the file; 0: 64 GiB
	Log      *slog.Logger     // nil: discard
}

// Vault is an open store. Its methods may be called from any goroutine, but
// not from inside a transaction.
type Vault struct {
	options Options
}

// Create makes a new store in o.Dir and opens it. It refuses with a Conflict
// where one already is.
func Create(ctx context.Context, agent access.Agent, o Options) (*Vault, error) {
	return Open(ctx, agent, o)
}

// Open opens the store in o.Dir after verifying it.
func Open(ctx context.Context, agent access.Agent, o Options) (*Vault, error) {
	return nil, errClosed
}

// ErrClosed is returned when the store is closed or about to be.
var errClosed = fault.New(fault.Unavailable, "The store is closed. Try again when Coffer has started.")

// Close ends the store: requests that were taken are finished, later ones
// refused, keys wiped.
func (v *Vault) Close() error { return nil }

// Update decides the request and runs fn. When it returns nil, what fn wrote
// and the event that records it are durable, in one commit. When fn fails,
// nothing of it remains except the event. A request that the policy denies is
// recorded and gives a Denied fault, or NotFound when the only way in would
// have been a relation, so that what the agent may not know of looks absent.
// fn runs alone; it must not call the vault, and should not wait.
func (v *Vault) Update(ctx context.Context, r access.Request, fn func(*Tx) error) error {
	return errClosed
}

// View decides the request and runs fn on the latest commit. It returns nil
// only after the event that records the reading is durable: no audit, no
// data. Denials are as in Update.
func (v *Vault) View(ctx context.Context, r access.Request, fn func(*Tx) error) error {
	return errClosed
}

// Record makes an event durable that comes with no data, such as a failed
// sign-in. It asks no policy.
func (v *Vault) Record(ctx context.Context, r access.Request, outcome audit.Outcome, details ...audit.Detail) error {
	return errClosed
}

// Finding is the first thing that a check found wrong.
type Finding struct {
	Where    string // "page", "meta", "keyring", "set", "audit", "index" or a bucket's name
	Position uint64 // page number, record key, key id or event number
	What     string // one sentence
}

// Check is the result of a check of the whole store.
type Check struct {
	StoreID  ident.ID[ident.Store]
	Sequence uint64
	Records  uint64
	Events   uint64
	Keys     uint64
	Pages    uint64
	Root     audit.Hash // of the audit tree
	Finding  *Finding   // nil when all is well
}

// Check verifies the whole store as it is on the disk: both head pages, every
// page, every record, the set hash, the indexes and the audit tree. With a
// finding it also returns a Corrupt fault that names it. It may run beside
// other requests.
func (v *Vault) Check(ctx context.Context, r access.Request) (Check, error) {
	return Check{}, errClosed
}

// Status is what IT may know of the store: no client's data.
type Status struct {
	StoreID   ident.ID[ident.Store]
	Sequence  uint64 // of the last commit
	Records   uint64
	Events    uint64
	Keys      uint64
	FileBytes int64
	FreeBytes int64 // on the file system
	Torn      bool  // a head page was damaged when the store was opened
}

// Status returns the present figures.
func (v *Vault) Status() Status { return Status{} }

// Options returns the options that the store was opened with.
func (v *Vault) Options() Options { return v.options }

// Closed reports whether Close was called.
func (v *Vault) Closed() bool { return true }
