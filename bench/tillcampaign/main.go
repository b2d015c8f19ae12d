// Command tillcampaign drives card payments through seeded failures of line,
// terminal and people and, in a quarter of the runs, through SIGKILL of the
// daemon at a journal event, and compares journal and ledger with what the
// terminals' issuers really did. Its last line is the summary; it exits 0 only
// if nothing was lost, nothing doubled, nothing stayed unknown while its
// terminal lives, no card digits are at rest (in the store's records, the log,
// or the memory of a daemon that was leaked one), no terminal was told more than
// the rules have it, and no goroutine and no descriptor is left.
//
// It needs the program swtpm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"coffer/internal/terminal/sim"
	"coffer/internal/till/tilltest"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		finish(tilltest.Child(os.Args[2:], os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	finish(run(ctx, os.Args[1:], os.Stdout))
}

func finish(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("tillcampaign", flag.ContinueOnError)
	runs := f.Int("runs", 10_000, "how many payments or lives of the daemon, in all; the protocols share them")
	seed := f.Uint64("seed", 1, "what decides payments and faults")
	kill := f.Bool("kill", true, "kill the daemon in a quarter of the runs")
	speaks := f.String("protocol", "all", "what the terminals speak: "+list(sim.Protocols())+", or all, one after the other")
	if err := f.Parse(args); err != nil {
		return err
	}
	protocols := []sim.Protocol{sim.Protocol(*speaks)}
	if *speaks == "all" {
		protocols = sim.Protocols()
	}
	var sum tilltest.Report
	var failed error
	for i, p := range protocols {
		share := *runs*(i+1)/len(protocols) - *runs*i/len(protocols)
		r, err := campaign(ctx, tilltest.Campaign{Runs: share, Seed: *seed, Kill: *kill, Protocol: p}, out)
		failed = errors.Join(failed, err)
		sum.Add(r)
	}
	fmt.Fprintln(out, &sum)
	return failed
}

// campaign runs one campaign and prints what it found.
func campaign(ctx context.Context, c tilltest.Campaign, out io.Writer) (*tilltest.Report, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "till")
	if err != nil {
		return nil, err
	}
	c.Dir = dir
	c.Child = func(args ...string) *exec.Cmd {
		return exec.Command(self, append([]string{"child"}, args...)...)
	}
	r, err := tilltest.Run(ctx, c)
	if r == nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for _, p := range r.Problems {
		fmt.Fprintln(out, p)
	}
	if err == nil && r.OK() {
		err = os.RemoveAll(dir)
	} else {
		fmt.Fprintln(out, "the stores are kept in", dir)
	}
	fmt.Fprintf(out, "%s %s\n", c.Protocol, r)
	if err == nil && !r.OK() {
		err = fmt.Errorf("the campaign of %s failed", c.Protocol)
	}
	return r, err
}

func list(protocols []sim.Protocol) string {
	var names []string
	for _, p := range protocols {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
