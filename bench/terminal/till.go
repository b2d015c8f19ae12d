package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"coffer/firmware-config"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
	"coffer/internal/till/tilltest"
)

// desk is a whole cash desk with simulated terminals, on a store of its own.
type desk struct {
	*tilltest.Desk
	end []func() error
}

// openDesk opens a desk with n terminals at serial lines.
func openDesk(ctx context.Context, n int, o sim.Options) (d *desk, err error) {
	dir, err := os.MkdirTemp("", "desk")
	if err != nil {
		return nil, err
	}
	d = &desk{end: []func() error{func() error { return os.RemoveAll(dir) }}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.shut(ctx))
		}
	}()
	tpm, stop, err := seal.StartSoftwareTPM(ctx, filepath.Join(dir, "tpm"))
	if err != nil {
		return d, err
	}
	d.end = append(d.end, stop)
	key, err := seal.Provision(ctx, tpm, filepath.Join(dir, "coffer.seal"), seal.Setup{Now: time.Now()})
	if err != nil {
		return d, err
	}
	defer key.Wipe()
	profile, err := firmwareconfig.Profile("sim-" + string(o.Protocol))
	if err != nil {
		return d, err
	}
	to := tilltest.Options{Dir: filepath.Join(dir, "store"), Key: key, Fresh: true}
	for i := range n {
		o.Serial = fmt.Sprintf("5323656%d", i)
		s, err := sim.New(o)
		if err != nil {
			return d, err
		}
		d.end = append(d.end, s.Close)
		link := filepath.Join(dir, "term-"+o.Serial)
		if err := s.ServePTY(link); err != nil {
			return d, err
		}
		to.Serials = append(to.Serials, o.Serial)
		to.Lines = append(to.Lines, terminal.Config{Address: "serial:" + link, Profile: profile})
	}
	if d.Desk, err = tilltest.Open(ctx, to); err != nil {
		return d, err
	}
	return d, d.AwaitReady(ctx)
}

func (d *desk) shut(ctx context.Context) error {
	var err error
	if d.Desk != nil {
		err = d.Close(ctx)
	}
	for i := len(d.end) - 1; i >= 0; i-- {
		err = errors.Join(err, d.end[i]())
	}
	return err
}

// sell takes payments at one terminal and returns how long each took, from the
// click to its known outcome.
func (d *desk) sell(ctx context.Context, at, sales int) ([]time.Duration, error) {
	clients, err := d.Clients(ctx, sales, 5000)
	if err != nil {
		return nil, err
	}
	var all []time.Duration
	for _, c := range clients {
		begun := time.Now()
		id, err := d.Till.Begin(ctx, d.Cashier, till.Sale{Command: tilltest.Command(), Client: c, Amount: 5000, Terminal: tilltest.TerminalID(at)})
		if err != nil {
			return nil, err
		}
		p, err := d.Await(ctx, id, tilltest.Settled)
		if err != nil {
			return nil, err
		}
		if p.Stage != till.StageApproved {
			return nil, fmt.Errorf("a payment is %s", p.Stage)
		}
		all = append(all, time.Since(begun))
	}
	return all, nil
}

// tillSales takes payments through the till over one paced line, and returns the
// median.
func tillSales(ctx context.Context, speaks sim.Protocol, baud, sales int) (took time.Duration, err error) {
	d, err := openDesk(ctx, 1, sim.Options{Protocol: speaks, Baud: baud})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.shut(ctx)) }()
	all, err := d.sell(ctx, 0, sales)
	if err != nil {
		return 0, err
	}
	return median(all), nil
}

// crowd takes payments at n terminals at once, each with a bank that takes a
// third of a second, and returns how long each sale of each took.
func crowd(ctx context.Context, speaks sim.Protocol, n, sales int) (took [][]time.Duration, err error) {
	d, err := openDesk(ctx, n, sim.Options{Protocol: speaks, Baud: 115200, HostDelay: time.Second / 3})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.shut(ctx)) }()
	took = make([][]time.Duration, n)
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { took[i], failures[i] = d.sell(ctx, i, sales) })
	}
	all.Wait()
	return took, errors.Join(failures...)
}
