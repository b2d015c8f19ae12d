package tilltest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/vault"
)

// orders are what a campaign tells a child.
type orders struct {
	store, device, header string
	line                  string
	protocol              sim.Protocol
	log                   string
	heap                  string // where the child shows its memory when it ends; empty: nowhere
	seed                  uint64
	first, sales          int    // clients by account number
	event                 string // die at the nth of these; empty: live
	nth                   int
}

// args returns the orders as a command line.
func (o orders) args() []string {
	return []string{
		"-store", o.store, "-tpm", o.device, "-header", o.header, "-line", o.line, "-protocol", string(o.protocol),
		"-log", o.log, "-seed", fmt.Sprint(o.seed), "-first", fmt.Sprint(o.first), "-sales", fmt.Sprint(o.sales),
		"-heap", o.heap, "-event", o.event, "-nth", fmt.Sprint(o.nth),
	}
}

func parseOrders(args []string) (orders, error) {
	var o orders
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	f.StringVar(&o.store, "store", "", "directory of the store")
	f.StringVar(&o.device, "tpm", "", "socket of the software TPM")
	f.StringVar(&o.header, "header", "", "file of the sealed key")
	f.StringVar(&o.line, "line", "", "address of the terminal")
	f.StringVar((*string)(&o.protocol), "protocol", string(sim.PAX), "what the terminal speaks")
	f.StringVar(&o.log, "log", "", "file for the log")
	f.StringVar(&o.heap, "heap", "", "file for what the memory holds at the end")
	f.Uint64Var(&o.seed, "seed", 0, "seed of commands and amounts")
	f.IntVar(&o.first, "first", 1, "number of the first client")
	f.IntVar(&o.sales, "sales", 0, "how many clients")
	f.StringVar(&o.event, "event", "", "journal event to die at")
	f.IntVar(&o.nth, "nth", 1, "which of them")
	return o, f.Parse(args)
}

// Child is the daemon of a killing world: it opens the store as a daemon does
// after a restart, recovers, takes payments, and kills itself at the journal
// event it was told. It prints the number of each client before the sale.
func Child(args []string, out io.Writer) error {
	o, err := parseOrders(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*RunMax)
	defer cancel()
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	key, err := seal.Unseal(ctx, o.device, o.header, seal.Proof{})
	if err != nil {
		return fmt.Errorf("tilltest: unseal: %w", err)
	}
	d, err := Open(ctx, Options{
		Dir: o.store, Key: key, AfterEvent: o.killer(), Log: slog.New(slog.NewJSONHandler(log, nil)),
		Lines: []terminal.Config{{Address: o.line, Profile: profiles[o.protocol]()}},
	})
	if err != nil {
		return err
	}
	key.Wipe()
	for n := o.first; n < o.first+o.sales; n++ {
		if err := o.sell(ctx, d, n, out); err != nil {
			return errors.Join(err, d.Close(ctx))
		}
	}
	return errors.Join(quiet(ctx, d), o.showMemory(), d.Close(ctx), log.Close())
}

// showMemory writes what the heap, the stacks and the variables hold, also what
// nobody refers to any more.
func (o orders) showMemory() error {
	if o.heap == "" {
		return nil
	}
	f, err := os.OpenFile(o.heap, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	debug.WriteHeapDump(f.Fd())
	return f.Close()
}

// killer returns the hook that kills this process.
func (o orders) killer() func(string) {
	var mu sync.Mutex
	left := o.nth
	return func(event string) {
		mu.Lock()
		defer mu.Unlock()
		if o.event == "" || event != o.event {
			return
		}
		if left--; left > 0 {
			return
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return
		}
		select {}
	}
}

// sell takes one client's payment. The command of a client is always the same,
// as if the same form were sent again after the restart.
func (o orders) sell(ctx context.Context, d *Desk, n int, out io.Writer) error {
	id, err := clientNumber(ctx, d, n)
	if err != nil {
		return err
	}
	if err := d.AwaitReady(ctx); err != nil {
		return err
	}
	s := till.Sale{Command: o.command(n), Client: id, Amount: o.amount(n), Terminal: TerminalID(0)}
	if _, err := fmt.Fprintln(out, n); err != nil {
		return err
	}
	for {
		attempt, err := d.Till.Begin(ctx, d.Cashier, s)
		if errors.Is(err, till.ErrUnplugged) || errors.Is(err, till.ErrRecovering) {
			if err := d.AwaitReady(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		_, err = d.Await(ctx, attempt, func(p till.Payment) bool {
			if p.Stage == till.StageQuarantined {
				d.Terminals[0].Release() // as IT does, who has looked at it
			}
			return Settled(p)
		})
		return err
	}
}

func (o orders) hash(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, o.seed), uint64(n)))
}

func (o orders) command(n int) (id ident.ID[ident.Command]) {
	h := o.hash(n)
	copy(id[:], h[:])
	return id
}

func (o orders) amount(n int) money.Amount {
	h := o.hash(n)
	return 100 + money.Amount(binary.BigEndian.Uint16(h[30:]))
}

func clientNumber(ctx context.Context, d *Desk, n int) (ident.ID[ident.Client], error) {
	var id ident.ID[ident.Client]
	req := access.Request{Agent: d.Cashier, Action: access.ClientFind, Entity: access.None, Purpose: access.Operations}
	err := d.Vault.View(ctx, req, func(tx *vault.Tx) error {
		c, err := roster.ByAccount(tx, roster.Account(fmt.Sprintf("P-%06d", n)))
		id = c.ID
		return err
	})
	return id, err
}

// quiet waits until nothing is unknown.
func quiet(ctx context.Context, d *Desk) error {
	for {
		list, err := d.Till.Unresolved(ctx, d.Cashier)
		if err != nil || len(list) == 0 {
			return err
		}
		select {
		case <-time.After(poll / 4):
		case <-ctx.Done():
			return fmt.Errorf("tilltest: payment %v stays %s: %w", list[0].ID, list[0].Stage, ctx.Err())
		}
	}
}
