package backup

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// Options say what is kept safe, and where.
type Options struct {
	Vault *vault.Vault
	// Key gives the root of the present generation each time it is asked; nil:
	// that with which the store was opened.
	Key     func() *seal.Key
	Targets []*Target // in the order of the boot file
	// Self is the box itself, which opens the copy of a drill.
	Self access.Agent
	// Scratch is a directory of the box's own disk that drills use and empty.
	// It is made, mode 0700, in a directory that is there.
	Scratch string
	// Night is when the nightly backup and drill begin, after midnight of the
	// vault's clock. 0 is 02:00.
	Night time.Duration
	// TrialBalance folds the books of a store and returns a text that is equal
	// for equal books, or why they don't balance.
	TrialBalance func(context.Context, *vault.Vault) (string, error)
	Log          *slog.Logger // nil: nothing is logged
}

// Keeper makes, verifies and drills the backups of one open store. Its methods
// may be called from any goroutine; what writes or reads whole backups runs
// one at a time, and a second one is given ErrBusy.
type Keeper struct {
	options Options
	working sync.Mutex // held by the one task
	mu      sync.Mutex
	now     *Progress // nil when nothing is under way
}

// Progress is a task under way.
type Progress struct {
	Task    Task
	Target  string
	Since   time.Time
	Records uint64 // so far
	Total   uint64 // 0 when not known
}

// nightDefault is the default of Options.Night.
const nightDefault = 2 * time.Hour

// New returns the keeper of a store's backups.
func New(o Options) *Keeper {
	if o.Night == 0 {
		o.Night = nightDefault
	}
	if o.Key == nil {
		o.Key = func() *seal.Key { return o.Vault.Options().Key }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{options: o}
}

// Underway returns what is being done, and whether anything is.
func (k *Keeper) Underway() (Progress, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil {
		return Progress{}, false
	}
	return *k.now, true
}

// begin takes the one place of a task.
func (k *Keeper) begin(task Task) error {
	if !k.working.TryLock() {
		return ErrBusy
	}
	k.report(&Progress{Task: task, Since: k.clock()})
	return nil
}

func (k *Keeper) end() {
	k.report(nil)
	k.working.Unlock()
}

func (k *Keeper) report(p *Progress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = p
}

// at says at which target the task under way is, and of how many records.
func (k *Keeper) at(target string, total uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now.Target, k.now.Records, k.now.Total = target, 0, total
}

// progressStep is how many records go by between two reports.
const progressStep = 4096

// passed counts records of the task under way.
func (k *Keeper) passed(n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now.Records += n
}

// clock is the vault's.
func (k *Keeper) clock() time.Time { return k.options.Vault.Options().Now() }

// key is the root of the present generation.
func (k *Keeper) key() *seal.Key { return k.options.Key() }

// target returns the target of that name.
func (k *Keeper) target(name string) (*Target, error) {
	for _, t := range k.options.Targets {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, ErrNoTarget
}

func request(agent access.Agent, action access.Action) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
}

// permit asks the policy before anything is read or written at a target. A
// denial is on record at once; what is allowed is recorded with its outcome.
func (k *Keeper) permit(ctx context.Context, agent access.Agent, action access.Action) error {
	r := request(agent, action)
	if access.Decide(r) == access.Allow {
		return nil
	}
	return k.options.Vault.View(ctx, r, func(*vault.Tx) error { return nil })
}

// note keeps an outcome, in the same commit as the event that records it.
func (k *Keeper) note(ctx context.Context, agent access.Agent, action access.Action, o Outcome) error {
	ctx = context.WithoutCancel(ctx) // a task that was broken off is on record too
	err := k.options.Vault.Update(ctx, request(agent, action), func(tx *vault.Tx) error {
		tx.Detail("task", o.Task)
		tx.Detail("ok", okCode(o.OK))
		tx.Detail("sequence", fault.Int(o.Sequence))
		tx.Detail("level", fault.Int(o.Level))
		if o.Code != "" {
			tx.Detail("code", fault.Code(o.Code))
		}
		_, err := results.Insert(tx, vault.Row[row, vault.None]{Shared: rowOf(o)})
		return err
	})
	level := slog.LevelInfo
	if !o.OK {
		level = slog.LevelError
	}
	k.options.Log.LogAttrs(ctx, level, "backup task ended", slog.String("task", string(o.Task)), slog.Bool("ok", o.OK),
		slog.String("code", o.Code), slog.Uint64("sequence", o.Sequence), slog.Duration("took", o.Took))
	return err
}

func okCode(ok bool) fault.Code {
	if ok {
		return "yes"
	}
	return "no"
}
