package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"coffer/internal/access"
	"coffer/internal/fault"
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
	fmt.Println("Next: cofferd run --config with the same boot file.")
	return nil
}

// errInitialised refuses to make a store where one is in use.
var errInitialised = fault.New(fault.Conflict, "There is a store already, and it is set up. Nothing was changed. To begin anew, move the state directory away first.")

// creation says with what a new store is made.
type creation struct {
	issuer    access.Issuer
	now       func() time.Time
	noSync    bool // commits need not be durable before the store is closed
	terminals []*terminal.Terminal
	bell      func(string)
}

// create seals a new root key to the box's TPM and makes an empty store with
// the chart of accounts, the fee list's template and the box's certificate
// authority. The authority is written last: a store without one is the rest of
// a set-up that was cut short, and is finished here; with one, it is refused.
func create(ctx context.Context, c Config, n creation) (*clinic, error) {
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	key, err := seal.Provision(ctx, c.TPM, c.header(), n.now())
	if errors.Is(err, seal.ErrExists) {
		key, err = seal.Unseal(ctx, c.TPM, c.header())
	}
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	options := vaultOptions(c, key, n.now, nil)
	options.NoSync = n.noSync
	agent := n.issuer.System("setup")
	v, err := vault.Create(ctx, agent, options)
	if fault.KindOf(err) == fault.Conflict {
		v, err = vault.Open(ctx, agent, options)
	}
	if err != nil {
		return nil, err
	}
	box := furnish(c, v, n.issuer, n.terminals, n.bell, slog.New(slog.DiscardHandler))
	if err := box.setup(ctx, c, agent, n.now()); err != nil {
		return nil, firstError(err, box.close(ctx))
	}
	return box, nil
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
