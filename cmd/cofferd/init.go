package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/vault"
)

// initialise makes a new store for the boot file and says what was made.
func initialise(ctx context.Context, c Config) error {
	box, err := create(ctx, c, creation{issuer: access.NewIssuer(), now: c.clock()})
	if err != nil {
		return err
	}
	if err := box.close(ctx); err != nil {
		return err
	}
	fmt.Println("A new, empty store was made and sealed to this box's TPM.")
	fmt.Println("Next: cofferd run --config with the same boot file. Its journal has the set-up code with")
	fmt.Println("which the owner makes the recovery sheet in a browser; or run cofferctl recovery print here.")
	return nil
}

// errInitialised refuses to make a store where one is in use.
var errInitialised = fault.New(fault.Conflict, "There is a store already, and it is set up. Nothing was changed. To begin anew, move the state directory away first.")

// errHalf refuses to put an empty store behind a seal that belongs to another.
var errHalf = fault.New(fault.NotFound, "The seal is here, but its store is not: mount its disk, or put coffer.db back. Nothing was changed. To begin anew, move the state directory away first.")

// creation says with what a new store is made.
type creation struct {
	issuer    access.Issuer
	now       func() time.Time
	noSync    bool // commits need not be durable before the store is closed
	terminals []*terminal.Terminal
	bell      func(string)
	recovery  recovery.Public // zero: the sheet is made at the first run
}

// create seals a new root key to the box's TPM and makes an empty store with
// the chart of accounts, the fee list's template and the box's certificate
// authority. The authority is written last: a store without one is the rest of
// a set-up that was cut short, and is finished here; with one, it is refused.
// A seal without a store is such a rest only while the mark that stands from
// before the seal until after the store says so; else its store is elsewhere,
// and it is refused.
func create(ctx context.Context, c Config, n creation) (*clinic, error) {
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := c.mark(); err != nil {
		return nil, err
	}
	setup, err := c.sealSetup()
	if err != nil {
		return nil, err
	}
	setup.Now, setup.Recovery = n.now(), n.recovery
	key, err := seal.Provision(ctx, c.TPM, c.header(), setup)
	if errors.Is(err, seal.ErrExists) {
		key, err = seal.Unseal(ctx, c.TPM, c.header(), c.proof(""))
	}
	if err != nil {
		return nil, err
	}
	options := vaultOptions(c, key, n.now, nil)
	options.NoSync = n.noSync
	agent := n.issuer.System("setup")
	v, err := vault.Create(ctx, agent, options)
	if fault.KindOf(err) == fault.Conflict {
		v, err = vault.Open(ctx, agent, options)
	}
	if err != nil {
		key.Wipe()
		return nil, err
	}
	if err := c.unmark(); err != nil {
		err = firstError(err, v.Close())
		key.Wipe()
		return nil, err
	}
	box := furnish(c, v, n.issuer, n.terminals, n.bell, slog.New(slog.DiscardHandler))
	box.key = key
	if err := box.setup(ctx, c, agent, n.now()); err != nil {
		return nil, firstError(err, box.close(ctx))
	}
	return box, nil
}

// unfinished is the mark of a set-up between its seal and its store.
func (c Config) unfinished() string { return filepath.Join(c.State, "coffer.init") }

// mark sets the mark where there is no seal yet, and refuses a seal without
// store and mark.
func (c Config) mark() error {
	sealed, err := exists(c.header())
	if err != nil {
		return err
	}
	if !sealed {
		if err := os.WriteFile(c.unfinished(), nil, 0o600); err != nil {
			return markFault(err)
		}
		return nil
	}
	stored, err := exists(filepath.Join(c.storeDir(), "coffer.db"))
	if err != nil || stored {
		return err
	}
	marked, err := exists(c.unfinished())
	if err == nil && !marked {
		err = errHalf
	}
	return err
}

// unmark takes the mark away: there is a store.
func (c Config) unmark() error {
	if err := os.Remove(c.unfinished()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return markFault(err)
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, markFault(err)
}

func markFault(err error) error {
	return fault.Wrap(err, fault.Unavailable, "The state directory can't be used. Look at its disk and its rights, then run cofferd init again.")
}

// setup lays down what a clinic needs before its first day.
func (c *clinic) setup(ctx context.Context, config Config, agent access.Agent, now time.Time) error {
	if _, err := readAuthority(ctx, c.vault, agent); fault.KindOf(err) != fault.NotFound {
		return firstError(err, errInitialised)
	}
	if err := c.books.Setup(ctx, agent); err != nil {
		return err
	}
	if err := c.billing.Setup(ctx, agent); err != nil {
		return err
	}
	_, err := makeAuthority(ctx, c.vault, agent, now, config.Names)
	return err
}
