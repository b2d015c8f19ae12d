package till

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/custody"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal"
	"coffer/internal/vault"
)

// DuplicateWindow is how long after a payment the same amount for the same
// client asks for a confirmation.
const DuplicateWindow = 10 * time.Minute

// AmountMax is the largest single payment: more is a slip of the finger.
const AmountMax money.Amount = 10_000_00

// Options are what a till needs. Vault and Agent are due; the rest may be zero.
type Options struct {
	// Vault must have been opened with Tables of this package, books and roster.
	Vault *vault.Vault
	// Agent is the system's own: it writes what terminals answer.
	Agent access.Agent
	// Register says which card terminals may be used; due with Terminals. The
	// vault must have been opened with its Tables too.
	Register *custody.Register
	// Terminals are the card terminals; none means cash only. They belong to
	// the till from now on: its Close closes them.
	Terminals []*terminal.Terminal
	// Clinic is the name at the head of receipts.
	Clinic string
	// Bell is told a topic ("payment " and its identifier, or TopicTerminals)
	// after each change that a page shows. It must not block.
	Bell func(topic string)
	// AfterEvent is told each journal event right after it has become durable:
	// "created", "sent", "acked", "resulted", "in_doubt", "not_charged",
	// "manual", "stray", "asked", "answered", "proposed", "closed". For test
	// campaigns, which kill the process there.
	AfterEvent func(event string)
	// Limits are what one person may give back alone. Zero: nothing.
	Limits duty.Limits
	Log    *slog.Logger
	// RunMax is how long a command may run at a terminal that neither answers
	// nor gives up; zero means 10 minutes. The terminal's own deadlines, which
	// come from its profile, are shorter.
	RunMax time.Duration
	// RetryMin and RetryMax bound the back-off between two questions about an
	// outcome that is not known; zero means 1 second and 1 minute.
	RetryMin, RetryMax time.Duration
}

// Till is the desk's cash register. Its methods may be called from any
// goroutine.
type Till struct {
	vault    *vault.Vault
	agent    access.Agent
	clinic   string
	register *custody.Register
	bell     func(string)
	after    func(string)
	limits   duty.Limits
	log      *slog.Logger
	runMax   time.Duration
	retry    backoff

	lanes map[ident.ID[ident.Terminal]]*lane
	order []*lane // as configured, for pages

	mu      sync.Mutex
	closing bool
	entered sync.WaitGroup // payments that are being begun
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
}

// New returns a till. It does nothing, and takes no card payment, before
// Recover has been called.
func New(o Options) *Till {
	t := &Till{
		vault: o.Vault, agent: o.Agent, clinic: o.Clinic, register: o.Register,
		bell: o.Bell, after: o.AfterEvent, log: o.Log, limits: o.Limits,
		runMax: orDefault(o.RunMax, 10*time.Minute),
		retry:  backoff{orDefault(o.RetryMin, time.Second), orDefault(o.RetryMax, time.Minute)},
		lanes:  map[ident.ID[ident.Terminal]]*lane{},
	}
	if t.bell == nil {
		t.bell = func(string) {}
	}
	if t.after == nil {
		t.after = func(string) {}
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	for _, m := range o.Terminals {
		l := newLane(t, m)
		t.lanes[l.id] = l
		t.order = append(t.order, l)
	}
	return t
}

func orDefault(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}

// Limits returns what one person may give back alone.
func (t *Till) Limits() duty.Limits { return t.limits }

// Tables returns what the till keeps, for opening the vault.
func Tables() []vault.AnyTable {
	return []vault.AnyTable{attempts, attemptEvents, receipts, copies, counters, strays, holds, deposits}
}

// Close stops the till and its terminals. It takes no new payment, waits for
// running ones until ctx is done, and leaves what has not ended by then to the
// recovery of the next start. It does not close the vault.
func (t *Till) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closing = true
	t.mu.Unlock()
	t.entered.Wait()
	for _, l := range t.order {
		l.drain(ctx)
	}
	t.stop()
	var errs []error
	for _, l := range t.order {
		errs = append(errs, l.terminal.Close())
	}
	t.running.Wait()
	return errors.Join(errs...)
}
