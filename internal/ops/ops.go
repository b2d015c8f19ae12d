package ops

import (
	"context"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/backup"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/day"
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
	Clinic  string           // the clinic's name, as sheets and certificates print it
	Demo    bool             // a sample clinic
	State   string           // directory of the store and the header
	TPM     string           // device given to seal
	Header  string           // path of coffer.seal
	Ports   []host.Port      // the addresses at which the daemon means to listen
	Root    fs.FS            // the machine's root directory, os.DirFS("/")
	Now     func() time.Time // in the clinic's zone
	Log     *slog.Logger     // nil logs nothing
	Targets []*backup.Target // where backups go, in the order of the boot file
	Store   vault.Options    // how the store is opened: directory, tables, relation and clock

	Proof  func(pin string) seal.Proof // what the seal is shown
	Setup  func() (seal.Setup, error)  // how the boot file wants the key sealed; without Now and PIN
	Daemon access.Agent                // the daemon itself, for what nobody signed in can do
	// Reopen opens a shut store with a PIN and has it served; with a reason,
	// also one that the TPM's counter says was set back. nil: it cannot be.
	Reopen func(ctx context.Context, pin, reason string) error
}

// Store is what there is once the store is open.
type Store struct {
	Vault       *vault.Vault
	Books       *books.Books
	Till        *till.Till  // nil: payments are not compared with the books
	Day         *day.Day    // nil: day sheets are not compared with the books
	Key         *seal.Key   // the root key, while the store is open
	Seal        seal.Status // as it was at the unseal
	Terminals   []*terminal.Terminal
	Register    *custody.Register           // of devices; due with Terminals
	Backups     *backup.Keeper              // nil: the boot file names no target
	Certificate func() (notAfter time.Time) // end of the HTTPS certificate; nil: none is used
}

// Ops answers for one daemon. Its methods may be called from any goroutine.
type Ops struct {
	machine Machine
	started time.Time
	setUp   *ceremony

	mu      sync.Mutex
	sealed  error         // why there is no store
	store   *Store        // nil until Opened
	checked check         // the last check of the whole store
	memory  *memory       // of past upkeep
	former  []*seal.Key   // root keys of former generations, to be overwritten
	reason  string        // why the recovery sheet was used while the store was shut
	pending *pendingSheet // nil: none waits
	exports map[string]*pendingExport

	verifying sync.Mutex      // held by the one Verify that runs
	changing  sync.Mutex      // held by what changes seal, root key or data keys
	begun     sync.WaitGroup  // tasks that pages began
	ending    context.Context // done when those are to be broken off
	end       func()
	over      chan struct{} // closed when the box was retired
	retired   func()        // closes it
}

// check is a check of the whole store: that at opening, or a Verify.
type check struct {
	at time.Time
	ok bool
}

// New returns the Ops of a daemon that is starting.
func New(m Machine) *Ops {
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	over := make(chan struct{})
	ending, end := context.WithCancel(context.Background())
	return &Ops{
		ending: ending, end: end,
		over: over, retired: sync.OnceFunc(func() { close(over) }),
		machine: m, started: m.Now(), setUp: newCeremony(), memory: newMemory(),
		exports: map[string]*pendingExport{},
	}
}

// Sealed says that the store cannot be opened, and why. A reason that is no
// fault is kept from people, as everywhere. It is remembered on disk until the
// trail can have it.
func (o *Ops) Sealed(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed, o.store = why, nil
	o.remember(refusal{At: o.machine.Now(), What: "open", Code: Code(why)})
}

// Stopped says that the store is not to be opened, and why: nothing failed.
func (o *Ops) Stopped(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed, o.store = why, nil
}

// Opened says that the store is open. Opening it has checked it, but for what
// was lost before. What failed while it was shut goes into the trail now.
func (o *Ops) Opened(ctx context.Context, s Store) error {
	if err := o.recordRefusals(ctx, s.Vault); err != nil {
		return err
	}
	past, err := o.recall(ctx, s.Vault)
	if err != nil {
		return err
	}
	o.mu.Lock()
	o.sealed, o.store, o.memory = nil, &s, past
	o.checked = check{at: o.machine.Now(), ok: s.Vault.Status().Lost == 0}
	o.mu.Unlock()
	if s.Seal.Recovery {
		o.setUp.end()
	}
	if err := o.finishRotation(ctx); err != nil {
		o.machine.Log.Warn("the exchange of the root key was not finished", slog.String("code", Code(err)))
	}
	return nil
}

// Closed overwrites the root keys, once the store is closed. Tasks that pages
// began are waited for before it is (see Rest).
func (o *Ops) Closed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.former {
		k.Wipe()
	}
	if o.store != nil && o.store.Key != nil {
		o.store.Key.Wipe()
	}
}

// Over returns a channel that closes when the box was retired: nothing is to
// be served any more.
func (o *Ops) Over() <-chan struct{} { return o.over }

// Rest waits until the tasks that pages began have ended.
func (o *Ops) Rest() { o.begun.Wait() }

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
	errDenied   = fault.New(fault.Denied, "Your role does not allow this. Ask who holds the role that does: IT for the box, the owner for keys and the recovery sheet, the privacy officer for the audit trail.")
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

// ofStore are the actions whose object is the store itself.
var ofStore = map[access.Action]bool{
	access.StoreVerify: true, access.SealRead: true, access.SealWrite: true, access.RecoveryMake: true,
	access.RecoveryRead: true, access.RecoveryTest: true, access.KeyRotate: true, access.StoreCompact: true, access.StoreRestore: true,
	access.StoreRetire: true, access.StoreAcceptLoss: true, access.StoreOpen: true, access.BackupRead: true, access.BackupWrite: true,
	access.BackupVerify: true, access.BackupDrill: true,
}

func request(agent access.Agent, action access.Action) access.Request {
	kind := access.KindNone
	if ofStore[action] {
		kind = access.KindStore
	}
	return access.Request{Agent: agent, Action: action, Entity: access.Entity{Kind: kind}, Purpose: access.Operations}
}
