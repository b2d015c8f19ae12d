package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"coffer/firmware-config"
	"coffer/internal/ident"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// driverSales takes payments with Coffer's driver over one paced line, without a
// till, and returns the median and the bytes of one sale.
func driverSales(ctx context.Context, speaks sim.Protocol, baud, sales int) (took time.Duration, bytes int, err error) {
	dir, err := os.MkdirTemp("", "driver")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	s, err := sim.New(sim.Options{Protocol: speaks, Baud: baud})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	link := filepath.Join(dir, "line")
	if err := s.ServePTY(link); err != nil {
		return 0, 0, err
	}
	profile, err := firmwareconfig.Profile("sim-" + string(speaks))
	if err != nil {
		return 0, 0, err
	}
	t := terminal.Start(terminal.Config{ID: ident.New[ident.Terminal](time.Now()), Address: "serial:" + link, Profile: profile})
	defer func() { err = errors.Join(err, t.Close()) }()
	for !t.Status().Attached {
		select {
		case <-t.Changed():
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	before := s.Status().Stats.Sent
	var all []time.Duration
	for n := range sales {
		begun := time.Now()
		o, err := t.Run(ctx, protocol.Command{Kind: protocol.Sale, Ref: fmt.Sprint(100000000001 + n), Amount: 5000}, terminal.Hooks{})
		if err != nil || o.Result != protocol.Approved {
			return 0, 0, fmt.Errorf("a sale is %s (%s): %w", o.Result, o.Reason, err)
		}
		all = append(all, time.Since(begun))
	}
	return median(all), (s.Status().Stats.Sent - before) / sales, nil
}
