package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/host"
	"coffer/internal/ops"
	"coffer/internal/ui"
)

// errStopped is why the books are shut while the daemon does not run.
var errStopped = fault.New(fault.Sealed, "Coffer is stopped. Start it (systemctl start cofferd) when you are done.")

// console answers cofferctl while the daemon is stopped, for what needs the
// box's TPM, store and boot file but no pages: doctor, recovery and restore. It
// opens the books only to prove that they open. It ends when its standard
// input does.
func console(ctx context.Context, c Config) error {
	if err := host.Confine(); err != nil {
		return err
	}
	d := &daemon{
		config: c, log: slog.New(masked{slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})}),
		issuer: access.NewIssuer(), bell: ui.NewBell(), now: c.clock(),
	}
	machine, err := d.machine(host.Port{})
	if err != nil {
		return err
	}
	machine.Ports, machine.Reopen = nil, d.proveOpening
	d.ops = ops.New(machine)
	d.ops.Stopped(errStopped)
	stop, err := d.serveControl()
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println("ready")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // that it ends is all that matters
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// proveOpening opens the books and shuts them again.
func (d *daemon) proveOpening(ctx context.Context, pin, reason string) error {
	box, err := d.open(ctx, pin, reason)
	if err != nil {
		return err
	}
	err = d.ops.Opened(ctx, ops.Store{Vault: box.vault, Books: box.books, Key: box.key, Seal: box.key.Status()})
	err = firstError(err, box.close(ctx))
	d.ops.Stopped(errStopped)
	return err
}
