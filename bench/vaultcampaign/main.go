// Command vaultcampaign kills a process that commits, anchors, seals anew,
// exchanges the root key, re-keys and backs up, and one that seals a new store,
// at random moments and over and over, and its TPM too, and opens what is left. Its last line is the summary;
// it exits 0 only if no commit that was told of is lost and nothing that should
// open was refused.
//
// It needs the program swtpm.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	if len(os.Args) == 5 && os.Args[1] == "child" {
		err = child(ctx, place{os.Args[2]}, os.Args[3], os.Args[4], os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	f := flag.NewFlagSet("vaultcampaign", flag.ContinueOnError)
	rounds := f.Int("rounds", 1000, "how many processes are killed")
	seed := f.Uint64("seed", 1, "what decides their acts and the moments of their ends")
	if err := f.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vc")
	if err != nil {
		return err
	}
	c := newCampaign(place{dir}, *seed, out, func(args ...string) *exec.Cmd {
		return exec.Command(self, append([]string{"child"}, args...)...)
	})
	if err := c.run(ctx, *rounds); err != nil {
		fmt.Fprintln(out, "what is left is in", dir)
		return err
	}
	return os.RemoveAll(dir)
}
