package ops

import (
	"context"
	"io/fs"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/fault"
	"coffer/internal/host"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// Machine is what the daemon knows of its box before the store is open.
type Machine struct {
	Version string           // of the daemon
	Demo    bool             // a sample clinic
	State   string           // directory of the store and the header
	TPM     string           // device given to seal
	Header  string           // path of coffer.seal
	Ports   []host.Port      // the addresses at which the daemon means to listen
	Root    fs.FS            // the machine's root directory, os.DirFS("/")
	Now     func() time.Time // in the clinic's zone
}

// Store is what there is once the store is open.
type Store struct {
	Vault       *vault.Vault
	Books       *books.Books
	Till        *till.Till  // nil: payments are not compared with the books
	Seal        seal.Status // as it was at the unseal
	Terminals   []*terminal.Terminal
	Certificate func() (notAfter time.Time) // end of the HTTPS certificate; nil: none is used
}

// Ops answers for one daemon. Its methods may be called from any goroutine.
type Ops struct {
	machine Machine
	started time.Time

	mu      sync.Mutex
	sealed  error  // why there is no store
	store   *Store // nil until Opened
	checked check  // the last check of the whole store

	verifying sync.Mutex // held by the one Verify that runs
}

// check is a check of the whole store: that at opening, or a Verify.
type check struct {
	at time.Time
	ok bool
}

// New returns the Ops of a daemon that is starting.
func New(m Machine) *Ops { return &Ops{machine: m, started: m.Now()} }

// Sealed says that the store cannot be opened, and why. A reason that is no
// fault is kept from people, as everywhere.
func (o *Ops) Sealed(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed, o.store = why, nil
}

// Opened says that the store is open. Opening it has checked it, but for what
// was lost before.
func (o *Ops) Opened(s Store) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed, o.store = nil, &s
	o.checked = check{at: o.machine.Now(), ok: s.Vault.Status().Lost == 0}
}

// look returns the present state.
func (o *Ops) look() (store *Store, checked check, sealed error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.store, o.checked, o.sealed
}

// State is what the daemon is doing.
type State string

// The states.
const (
	Starting State = "starting" // the store is being opened
	Sealed   State = "sealed"   // there is no store: see the reason
	Serving  State = "serving"
	Stopped  State = "stopped" // the store takes no requests until the daemon is started again
)

// state names the state of what look returned.
func state(sealed error, store *Store) State {
	switch {
	case sealed != nil:
		return Sealed
	case store == nil:
		return Starting
	case store.Vault.Status().Stopped:
		return Stopped
	}
	return Serving
}

var (
	errDenied   = fault.New(fault.Denied, "Only the person who looks after the box may see this. Sign in as IT.")
	errStarting = fault.New(fault.Unavailable, "The store is still being opened and checked. Try again in a minute.")
	errBusy     = fault.New(fault.Conflict, "A verification is running already. Wait for its result.")
)

// permit decides whether the agent may ask. With a store, a denial goes on
// record there.
func (o *Ops) permit(ctx context.Context, agent access.Agent, action access.Action, store *Store) error {
	r := request(agent, action)
	if access.Decide(r) == access.Allow {
		return nil
	}
	if store == nil {
		return errDenied
	}
	if err := store.Vault.View(ctx, r, func(*vault.Tx) error { return nil }); err != nil {
		return err
	}
	return errDenied
}

func request(agent access.Agent, action access.Action) access.Request {
	kind := access.KindNone
	if action == access.StoreVerify {
		kind = access.KindStore
	}
	return access.Request{Agent: agent, Action: action, Entity: access.Entity{Kind: kind}, Purpose: access.Operations}
}
