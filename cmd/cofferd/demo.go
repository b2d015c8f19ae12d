package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coffer/internal/access"
	"coffer/internal/demo"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
)

// demoFlags are what a guest may choose.
type demoFlags struct {
	dir, listen string
	face        string // address of the terminal's page
	seed        uint64
	fresh, tour bool
}

func demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "show Coffer with a sample clinic, a software TPM and a simulated card terminal",
		Example: "  cofferd demo                  until Ctrl-C; prints the address and the sign-ins\n" +
			"  cofferd demo --tour           needs nobody: sells, fails, is killed, recovers, proves it\n" +
			"  cofferd demo code desk        the one-time code of a sample sign-in, now",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), f) },
	}
	cmd.PersistentFlags().StringVar(&f.dir, "dir", ".demo", "where the sample clinic is kept")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8443", "address of the pages, on this machine")
	cmd.Flags().StringVar(&f.face, "terminal-page", "127.0.0.1:8444", "address of the simulated terminal's own page, on this machine")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "another number makes another sample clinic")
	cmd.Flags().BoolVar(&f.fresh, "fresh", false, "forget what was done in the sample clinic and begin anew")
	cmd.Flags().BoolVar(&f.tour, "tour", false, "show and prove by itself, in a clinic of its own, then end")
	cmd.AddCommand(&cobra.Command{
		Use: "code NAME", Short: "print the one-time code of a sample sign-in", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := demo.Code(f.dir, args[0])
			if err == nil {
				fmt.Println(code)
			}
			return err
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use: "terminal COMMAND…", Short: "be the hand at the simulated card terminal", Args: cobra.MinimumNArgs(1),
		Example: "  cofferd demo terminal decline\n  cofferd demo terminal unplug\n  cofferd demo terminal tap visa",
		Long:    "Gives a command to the sample clinic's card terminal and prints its answer.\n\n" + sim.ControlHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			answer, err := demo.Terminal(f.dir, strings.Join(args, " "))
			if err == nil {
				fmt.Println(answer)
			}
			return err
		},
	})
	return cmd
}

// runDemo makes the sample clinic if there is none and shows it.
func runDemo(ctx context.Context, f demoFlags) error {
	if f.tour {
		dir, err := os.MkdirTemp("", "coffer-tour-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		f.dir, f.listen, f.face = dir, "127.0.0.1:0", "127.0.0.1:0"
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return err
	}
	show := demo.Show{Dir: dir, Listen: f.listen, TerminalPage: f.face, Seed: f.seed, Fresh: f.fresh, Out: os.Stdout, Furnish: furnishSample}
	if f.tour {
		return show.Tour(ctx)
	}
	return show.Run(ctx)
}

// furnishSample makes a store for the sample clinic's boot file and has the
// past posted into it through a terminal that answers at once.
func furnishSample(ctx context.Context, s demo.Sample) error {
	c, err := readConfig(s.Config)
	if err != nil {
		return err
	}
	issuer, present, id := access.NewIssuer(), c.clock()(), terminalID(c.Terminals[0].Name)
	clock, changed := demo.NewClock(present), make(chan struct{}, 1)
	terminals, stop, err := s.Terminals(id, c.Terminals[0].Profile)
	if err != nil {
		return err
	}
	defer stop()
	box, err := create(ctx, c, creation{issuer: issuer, now: clock.Now, noSync: true, terminals: terminals, recovery: s.Recovery, bell: func(string) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return err
	}
	if err = box.till.Recover(ctx); err == nil {
		err = demo.Furnish(ctx, demo.Clinic{
			Issuer: issuer, Identity: box.identity, Roster: box.roster, Schedule: box.schedule,
			Billing: box.billing, Till: box.till, Day: box.day, Register: box.register, Terminal: id, Wire: func() protocol.Device { return terminals[0].Status().Device }, Clock: clock, Seed: s.Seed, Changed: changed,
		}, present, s.Dir)
	}
	return firstError(err, box.close(ctx))
}
