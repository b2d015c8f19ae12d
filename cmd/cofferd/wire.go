package main

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/backup"
	"coffer/internal/billing"
	"coffer/internal/books"
	"coffer/internal/custody"
	"coffer/internal/day"
	"coffer/internal/duty"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/ops"
	"coffer/internal/roster"
	"coffer/internal/schedule"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// tables are everything that the store holds.
func tables() []vault.AnyTable {
	return slices.Concat(
		identity.Tables(), roster.Tables(), schedule.Tables(),
		duty.Tables(), books.Tables(), billing.Tables(), custody.Tables(), till.Tables(), day.Tables(), ops.Tables(),
		[]vault.AnyTable{authorities},
	)
}

// vaultOptions say how the store of this box is opened.
func vaultOptions(c Config, key *seal.Key, now func() time.Time, log *slog.Logger) vault.Options {
	o := tablesOf(c, now, log)
	o.Key, o.Anchor, o.Attestor = key, seal.NewAnchor(c.TPM, key), seal.NewAttestor(c.TPM, key)
	return o
}

// tablesOf say what the store of this box holds, and where.
func tablesOf(c Config, now func() time.Time, log *slog.Logger) vault.Options {
	return vault.Options{Dir: c.storeDir(), Tables: tables(), Relation: schedule.Related, Now: now, Log: log}
}

// place is where a restore puts seal and store.
func (c Config) place() backup.Place { return backup.Place{Header: c.header(), Dir: c.storeDir()} }

// storeDir is the directory of the store.
func (c Config) storeDir() string { return filepath.Join(c.State, "store") }

func (c Config) header() string { return filepath.Join(c.State, "coffer.seal") }

// clock returns the present in the clinic's zone.
func (c Config) clock() func() time.Time {
	zone := c.zone()
	return func() time.Time { return time.Now().In(zone) }
}

// clinic is the record, care and desk floors over an open store.
type clinic struct {
	vault    *vault.Vault
	identity *identity.Identity
	roster   *roster.Roster
	schedule *schedule.Schedule
	books    *books.Books
	billing  *billing.Billing
	register *custody.Register
	till     *till.Till
	acts     *duty.Acts
	day      *day.Day

	terminals []*terminal.Terminal
	key       *seal.Key
}

// furnish puts the floors onto an open store. Terminals are started, the till
// touches none of them before Recover.
func furnish(c Config, v *vault.Vault, issuer access.Issuer, terminals []*terminal.Terminal, bell func(string), log *slog.Logger) *clinic {
	limits, _ := c.Limits.limits() // check has refused what is none
	people := identity.New(v, issuer, identity.WithLog(log), identity.WithClinicWords(c.Clinic))
	catalogue, err := c.catalogue()
	if err != nil {
		log.Error("the directory of terminal profiles is refused; those that came with the program stay in force")
	}
	register := custody.New(v, catalogue)
	return &clinic{
		vault: v, identity: people, roster: roster.New(v), schedule: schedule.New(v),
		books: books.New(v), billing: billing.New(billing.Options{Vault: v, Limits: limits, Takers: till.TakersOf}), terminals: terminals, register: register,
		till: till.New(till.Options{
			Vault: v, Agent: people.System("till"), Register: register, Terminals: terminals, Clinic: c.Clinic, Limits: limits, Bell: bell, Log: log,
		}),
		acts: duty.New(v),
		day:  day.New(day.Options{Vault: v, Agent: people.System("day"), Location: c.Clinic, Log: log}),
	}
}

// startTerminals starts the owners of the terminals of the boot file.
func startTerminals(c Config, log *slog.Logger) ([]*terminal.Terminal, error) {
	catalogue, _ := c.catalogue() // furnish says why it is refused
	var all []*terminal.Terminal
	for _, t := range c.Terminals {
		profile, err := catalogue.Profile(t.Profile)
		if err != nil {
			return nil, err
		}
		all = append(all, terminal.Start(terminal.Config{
			ID: terminalID(t.Name), Name: t.Name, Address: t.Address, Profile: profile, Log: log,
			Merchant: t.merchant(),
		}))
	}
	return all, nil
}

// terminalID returns the identifier of the terminal of a name: the same after
// each start, since payments refer to it.
func terminalID(name string) ident.ID[ident.Terminal] {
	sum := sha256.Sum256([]byte("coffer/terminal/" + name))
	return ident.ID[ident.Terminal](sum[:16])
}

// close stops the till, gives the terminals up, puts on record that this is a
// stop in order, closes the store and overwrites the root key. A payment that is
// still running is left to the next start.
func (c *clinic) close(ctx context.Context) error {
	err := c.till.Close(ctx)
	for _, t := range c.terminals {
		err = firstError(err, t.Close())
	}
	stop := access.Request{Agent: c.identity.System("stop"), Action: access.StoreClose, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	err = firstError(err, c.vault.Record(context.WithoutCancel(ctx), stop, audit.OK))
	err = firstError(err, c.vault.Close())
	c.key.Wipe()
	return err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
