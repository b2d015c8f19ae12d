package tilltest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/custody/custodytest"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// Options say what desk to open.
type Options struct {
	Dir   string // of the store
	Key   *seal.Key
	Fresh bool // create the store; else open it
	// Lines are the configurations of the terminals; ID, Name and Profile are
	// filled in where empty.
	Lines []terminal.Config
	// Serials are those of the terminals at Lines, which are paired if they are
	// not yet; without them the first one is, with Serial, when the store is
	// Fresh.
	Serials    []string
	AfterEvent func(event string)
	Now        func() time.Time
	Log        *slog.Logger
}

// Desk is a cash desk with everything behind it.
type Desk struct {
	Vault     *vault.Vault
	Till      *till.Till
	Register  *custody.Register
	Terminals []*terminal.Terminal
	System    access.Agent
	IT        access.Agent // verifies
	Cashier   access.Agent
	Second    access.Agent // another person at the desk

	mu      sync.Mutex
	waiting map[string][]chan struct{}
}

// Tables returns all that a desk keeps.
func Tables() []vault.AnyTable {
	var all []vault.AnyTable
	for _, part := range [][]vault.AnyTable{identity.Tables(), duty.Tables(), books.Tables(), roster.Tables(), custody.Tables(), till.Tables()} {
		all = append(all, part...)
	}
	return all
}

// Open opens a desk; Recover has been called.
func Open(ctx context.Context, o Options) (*Desk, error) {
	issuer := access.NewIssuer()
	now := time.Now()
	person := func(name string, role access.Role) access.Agent {
		return issuer.Person(ident.New[ident.Staff](now), ident.New[ident.Session](now), name,
			access.Origin{Via: "lan", Address: "192.0.2.7"}, role)
	}
	d := &Desk{
		System: issuer.System("till"), IT: person("ines", access.IT),
		Cashier: person("rosa", access.FrontDesk), Second: person("omar", access.FrontDesk),
		waiting: map[string][]chan struct{}{},
	}
	vo := vault.Options{Dir: o.Dir, Key: o.Key, Tables: Tables(), Now: o.Now, Log: o.Log, MapBytes: 1 << 30}
	open := vault.Open
	if o.Fresh {
		open = vault.Create
	}
	var err error
	if d.Vault, err = openUnlocked(ctx, open, d.System, vo); err != nil {
		return nil, fmt.Errorf("tilltest: open the store: %w", err)
	}
	if o.Fresh {
		if err := books.New(d.Vault).Setup(ctx, d.System); err != nil {
			return nil, errors.Join(err, d.Vault.Close())
		}
	}
	d.Register = custodytest.Register(d.Vault)
	if o.Fresh || len(o.Serials) > 0 {
		if err := pair(ctx, d.Register, o.Serials); err != nil {
			return nil, errors.Join(err, d.Vault.Close())
		}
	}
	for i, c := range o.Lines {
		d.Terminals = append(d.Terminals, terminal.Start(complete(c, i, o.Log)))
	}
	d.Till = till.New(till.Options{
		Vault: d.Vault, Agent: d.System, Register: d.Register, Terminals: d.Terminals, Clinic: "Harbor Street Counseling",
		Bell: d.ring, AfterEvent: o.AfterEvent, Log: o.Log, RetryMin: RetryMin, RetryMax: RetryMax,
	})
	if err := d.Till.Recover(ctx); err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	return d, nil
}

// pair puts the terminals on the register.
func pair(ctx context.Context, r *custody.Register, serials []string) error {
	if len(serials) == 0 {
		serials = []string{Serial}
	}
	for i, serial := range serials {
		if err := custodytest.Pair(ctx, r, TerminalID(i), serial); err != nil && !errors.Is(err, custody.ErrTaken) {
			return fmt.Errorf("tilltest: pair: %w", err)
		}
	}
	return nil
}

// openUnlocked opens the store. A child that another world has just forked may
// hold the lock of the store's last life for a moment, until it runs its own
// program.
func openUnlocked(ctx context.Context, open func(context.Context, access.Agent, vault.Options) (*vault.Vault, error), agent access.Agent, o vault.Options) (*vault.Vault, error) {
	for until := time.Now().Add(5 * time.Second); ; {
		v, err := open(ctx, agent, o)
		if !errors.Is(err, vault.ErrInUse) || time.Now().After(until) {
			return v, err
		}
		select {
		case <-time.After(poll / 10):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TerminalID returns the identifier of the i-th terminal: always the same one.
func TerminalID(i int) ident.ID[ident.Terminal] {
	return ident.ID[ident.Terminal]{0x01, 6: 0x70, 8: 0x80, 15: byte(i + 1)}
}

func complete(c terminal.Config, i int, log *slog.Logger) terminal.Config {
	if c.ID.IsZero() {
		c.ID = TerminalID(i)
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("Desk %d", i+1)
	}
	if c.Profile.ID == "" {
		c.Profile = Profile()
	}
	if c.Log == nil {
		c.Log = log
	}
	return c
}

// Close stops the till, waiting for running payments until ctx ends, and
// closes terminals and store.
func (d *Desk) Close(ctx context.Context) error {
	return errors.Join(d.Till.Close(ctx), d.Vault.Close())
}

// Client adds a client who owes an amount (zero: nothing).
func (d *Desk) Client(ctx context.Context, owes money.Amount) (ident.ID[ident.Client], error) {
	ids, err := d.Clients(ctx, 1, owes)
	if err != nil {
		return ident.ID[ident.Client]{}, err
	}
	return ids[0], nil
}

// Clients adds n clients, each of whom owes an amount.
func (d *Desk) Clients(ctx context.Context, n int, owes money.Amount) ([]ident.ID[ident.Client], error) {
	var ids []ident.ID[ident.Client]
	req := access.Request{Agent: d.Cashier, Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	err := d.Vault.Update(ctx, req, func(tx *vault.Tx) error {
		ids = nil
		for range n {
			c, err := roster.Create(tx, roster.Details{Name: phi.NewText("Avery Example")})
			if err != nil {
				return err
			}
			ids = append(ids, c.ID)
			if owes == 0 {
				continue
			}
			if _, err := books.Post(tx, ledger.Draft{Event: ledger.EventChargeSession, Postings: []ledger.Posting{
				{Account: books.Receivables, Sub: ledger.Sub(c.Account), Amount: owes},
				{Account: books.Individual, Amount: -owes},
			}}); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

// Command returns a fresh command identifier.
func Command() ident.ID[ident.Command] { return ident.New[ident.Command](time.Now()) }

// ring wakes whoever waits for a topic.
func (d *Desk) ring(topic string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.waiting[topic] {
		close(c)
	}
	delete(d.waiting, topic)
}

// listen returns a channel that is closed when the topic rings next.
func (d *Desk) listen(topic string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := make(chan struct{})
	d.waiting[topic] = append(d.waiting[topic], c)
	return c
}

// Await waits until ok accepts the payment, and returns it as it is then.
func (d *Desk) Await(ctx context.Context, id ident.ID[ident.Attempt], ok func(till.Payment) bool) (till.Payment, error) {
	for {
		rung := d.listen("payment " + id.String())
		p, err := d.Till.Payment(ctx, d.Cashier, id)
		if err != nil || ok(p) {
			return p, err
		}
		select {
		case <-rung:
		case <-time.After(poll): // a change of the terminal alone need not ring
		case <-ctx.Done():
			return p, fmt.Errorf("tilltest: payment %v stays at %q: %w", id, p.Stage, ctx.Err())
		}
	}
}

// poll is how long Await trusts the bell.
const poll = 100 * time.Millisecond

// Final accepts a payment that does not change by itself any more.
func Final(p till.Payment) bool { return p.Final }

// Settled accepts a payment that needs nothing but, perhaps, a person.
func Settled(p till.Payment) bool { return p.Final || p.Choice || p.Stage == till.StageManual }

// AwaitReady waits until a payment may begin at each terminal.
func (d *Desk) AwaitReady(ctx context.Context) error {
	return d.AwaitTerminals(ctx, func(s till.TerminalStatus) bool { return s.Ready })
}

// AwaitTerminals waits until ok accepts each terminal.
func (d *Desk) AwaitTerminals(ctx context.Context, ok func(till.TerminalStatus) bool) error {
	for {
		rung := d.listen(till.TopicTerminals)
		list, err := d.Till.Terminals(ctx, d.Cashier)
		if err != nil {
			return err
		}
		all := true
		for _, s := range list {
			all = all && ok(s)
		}
		if all {
			return nil
		}
		select {
		case <-rung:
		case <-time.After(poll):
		case <-ctx.Done():
			return fmt.Errorf("tilltest: terminals do not become ready: %w", ctx.Err())
		}
	}
}

// Check runs the till's own check and returns what it found, and the net of
// all card payments.
func (d *Desk) Check(ctx context.Context) (found []till.Finding, net money.Amount, err error) {
	req := access.Request{Agent: d.IT, Action: access.StoreVerify, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	err = d.Vault.View(ctx, req, func(tx *vault.Tx) error {
		if found, _, err = till.Check(tx); err != nil {
			return err
		}
		net, err = till.Net(tx)
		return err
	})
	return found, net, err
}
