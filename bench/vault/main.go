// Command vault measures the store on one machine in one run and prints one
// table: durable commits beside SQLCipher's with synchronous=FULL on the same
// file system, and what opening, backing up, restoring, verifying the audit
// trail and unsealing cost at a given number of records.
//
// It needs the programs swtpm and sqlcipher (both in Debian). What it writes
// goes to a new directory under -dir and is removed. Figures judge nothing;
// the aims stand beside them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench/vault:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	dir     string
	records int
	span    time.Duration // of each measurement of commits
	table   *tabwriter.Writer
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) == 4 && args[0] == openOnly {
		return openStore(ctx, args[1:], out)
	}
	f := flag.NewFlagSet("vault", flag.ContinueOnError)
	dir := f.String("dir", "", "where to write; the file system that is measured (default: the system's temporary directory)")
	records := f.Int("records", 1_000_000, "records of the large store")
	span := f.Duration("span", 5*time.Second, "how long each measurement of commits takes")
	if err := f.Parse(args); err != nil {
		return err
	}
	work, err := os.MkdirTemp(*dir, "bench-vault-")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(work); err == nil {
			err = e
		}
	}()
	b := &bench{dir: work, records: *records, span: *span, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	b.row("what", "figure", "beside", "aim")
	for _, part := range []func(context.Context) error{b.commits, b.large} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return b.table.Flush()
}

// row prints one line of the table.
func (b *bench) row(what, figure, beside, aim string) {
	fmt.Fprintf(b.table, "%s\t%s\t%s\t%s\n", what, figure, beside, aim)
}

// perSecond returns n events in d as a rate.
func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
