// Command terminal measures what Coffer adds to the time that a card terminal's
// line takes by itself, and prints one table.
//
// A simulated terminal at a real serial line (a pseudo-terminal) sends at the
// pace of 9,600 or 115,200 baud and answers without delay. The physical time is
// that of the bytes which it sent, at ten bits each; what the driver sends is not
// paced and is not counted. Three clients take the same sale: the least that can
// (it acknowledges each frame and looks at nothing), Coffer's driver, and the
// whole till, whose journal is made durable at each of its five events. The aim
// is that of the driver; what the journal costs is the disk's.
//
// The second half has four terminals at work at once, and then a fifth beside
// them: none may be slower for it.
//
// It needs the program swtpm. Figures judge nothing; the aims stand beside.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"

	"coffer/internal/terminal/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench/terminal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("terminal", flag.ContinueOnError)
	sales := f.Int("sales", 9, "payments of each measurement")
	limit := f.Duration("limit", 5*time.Minute, "give up after")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "one sale, median\tbytes\tline alone\tbare client\tdriver\tadds\tof the line\taim of the driver\tdriver and journal")
	for _, speaks := range []sim.Protocol{sim.PAX, sim.Simplify} {
		for _, baud := range []int{9600, 115200} {
			if err := latency(ctx, table, speaks, baud, *sales); err != nil {
				return fmt.Errorf("%s at %d baud: %w", speaks, baud, err)
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	fmt.Fprintln(table, "terminals at once, median sale\talone\tfour\tratio\tthe fifth\tratio\taim")
	for _, speaks := range sim.Protocols() {
		if err := together(ctx, table, speaks, *sales); err != nil {
			return fmt.Errorf("%s, several terminals: %w", speaks, err)
		}
	}
	return table.Flush()
}

// latency prints what a sale takes beyond the line's own time.
func latency(ctx context.Context, w io.Writer, speaks sim.Protocol, baud, sales int) error {
	bare, bytes, err := bareSales(ctx, speaks, baud, sales)
	if err != nil {
		return err
	}
	driver, sent, err := driverSales(ctx, speaks, baud, sales)
	if err != nil {
		return err
	}
	whole, err := tillSales(ctx, speaks, baud, sales)
	if err != nil {
		return err
	}
	line := func(bytes int) time.Duration { return time.Duration(bytes) * 10 * time.Second / time.Duration(baud) }
	adds := driver - line(sent)
	verdict := "held"
	if adds > line(sent)/20+10*time.Millisecond {
		verdict = "MISSED"
	}
	_, err = fmt.Fprintf(w, "%s %d baud\t%d\t%s\t%s\t%s\t%s\t%.1f %%\t<= 5 %% + 10 ms: %s\t%s\n", speaks, baud, sent, ms(line(sent)),
		fmt.Sprintf("%s (+%s)", ms(bare), ms(bare-line(bytes))), ms(driver), ms(adds), 100*float64(adds)/float64(line(sent)), verdict, ms(whole))
	return err
}

// together prints what a sale takes at one terminal, at four at once, and at a
// fifth beside them.
func together(ctx context.Context, w io.Writer, speaks sim.Protocol, sales int) error {
	var medians []time.Duration
	var fifth time.Duration
	for _, n := range []int{1, 4, 5} {
		took, err := crowd(ctx, speaks, n, sales)
		if err != nil {
			return err
		}
		fifth = median(took[n-1])
		medians = append(medians, median(slices.Concat(took...)))
	}
	ratio := func(d time.Duration) float64 { return float64(d) / float64(medians[0]) }
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%s\t%.2f\tboth <= 1.10\n", speaks, ms(medians[0]), ms(medians[1]), ratio(medians[1]), ms(fifth), ratio(fifth))
	return err
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
