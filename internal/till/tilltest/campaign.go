package tilltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	"coffer/internal/terminal/sim"
)

// Campaign says what to run.
type Campaign struct {
	Runs int    // in all
	Seed uint64 // the same seed plans the same payments and faults
	// Protocol is what the terminals speak; "" is PAX.
	Protocol sim.Protocol
	// Kill makes a share of the runs kill the daemon with SIGKILL at a journal
	// event. Child then returns the command that runs Child with the arguments.
	Kill  bool
	Child func(args ...string) *exec.Cmd
	Dir   string // for stores; removed by the caller
}

// killShare is one in how many runs kills the daemon.
const killShare = 4

// RunMax is how long one payment may take until its outcome is known.
const RunMax = 90 * time.Second

// Report is what a campaign found.
type Report struct {
	Runs, Killed, Faults int
	Sales, Charges       int // begun here; made by the issuers
	Messages             int // that the terminals got, each held against what may be sent
	Kinds                int // kinds of faults that were armed
	Lost                 int // the issuer moved money that the journal does not have
	Doubled              int // more than one charge for one sale, or money in the books that never moved
	Unresolved           int // outcomes not known although the terminal lives
	Digits               int // places where a card number is at rest: records, logs, a daemon's memory
	Problems             []string
	Events               map[string]int // kills by journal event
	met                  map[sim.Kind]bool
	Elapsed              time.Duration
	mu                   sync.Mutex
}

// Add adds what another campaign found.
func (r *Report) Add(o *Report) {
	if o == nil {
		r.problem("a campaign could not be run")
		return
	}
	r.Runs, r.Killed, r.Faults, r.Kinds = r.Runs+o.Runs, r.Killed+o.Killed, r.Faults+o.Faults, r.Kinds+o.Kinds
	r.Sales, r.Charges, r.Messages = r.Sales+o.Sales, r.Charges+o.Charges, r.Messages+o.Messages
	r.Lost, r.Doubled, r.Unresolved = r.Lost+o.Lost, r.Doubled+o.Doubled, r.Unresolved+o.Unresolved
	r.Digits, r.Elapsed = r.Digits+o.Digits, r.Elapsed+o.Elapsed
	r.Problems = append(r.Problems, o.Problems...)
	if r.Events == nil {
		r.Events = map[string]int{}
	}
	for e, n := range o.Events {
		r.Events[e] += n
	}
}

// OK reports whether everything held.
func (r *Report) OK() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Unresolved == 0 && r.Digits == 0 && len(r.Problems) == 0
}

// String returns the summary in one line.
func (r *Report) String() string {
	kills := make([]string, 0, len(r.Events))
	for e, n := range r.Events {
		kills = append(kills, fmt.Sprintf("%s %d", e, n))
	}
	sort.Strings(kills)
	verdict := "ok"
	if !r.OK() {
		verdict = "FAILED"
	}
	return fmt.Sprintf("%s: %d runs, %d faults of %d kinds, %d killed (%s), %d sales, %d charges, %d messages; %d lost, %d doubled, %d unresolved, %d card numbers at rest, %d problems; %.1f s, %.1f runs a second",
		verdict, r.Runs, r.Faults, r.Kinds, r.Killed, strings.Join(kills, ", "), r.Sales, r.Charges, r.Messages,
		r.Lost, r.Doubled, r.Unresolved, r.Digits, len(r.Problems), r.Elapsed.Seconds(), float64(r.Runs)/max(r.Elapsed.Seconds(), 0.001))
}

func (r *Report) count(n *int, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n += by
}

// armed notes a fault that was given to a terminal.
func (r *Report) armed(k sim.Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Faults++
	r.met[k] = true
	r.Kinds = len(r.met)
}

func (r *Report) killed(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Killed++
	r.Events[event]++
}

// digits keeps that a card number was found at rest.
func (r *Report) digits(found bool, where string) {
	if found {
		r.count(&r.Digits, 1)
		r.problem("a card number in %s", where)
	}
}

// problem keeps what went wrong.
func (r *Report) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Run runs the campaign. The error is about the campaign itself; what it
// found is in the report.
func Run(ctx context.Context, c Campaign) (*Report, error) {
	if c.Protocol == "" {
		c.Protocol = sim.PAX
	}
	if profiles[c.Protocol] == nil {
		return nil, sim.ErrProtocol
	}
	r := &Report{Events: map[string]int{}, met: map[sim.Kind]bool{}}
	began := time.Now()
	if err := startPoller(); err != nil {
		return r, err
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	launch := func(name string, world func(ctx context.Context, dir string) error) error {
		dir := filepath.Join(c.Dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		wg.Go(func() {
			if err := world(ctx, dir); err != nil {
				errs <- fmt.Errorf("%s: %w", name, err)
			}
		})
		return nil
	}
	for _, w := range c.worlds(r) {
		if err := launch(w.name, w.run); err != nil {
			return r, err
		}
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		r.problem("%v", err)
		all = append(all, err)
	}
	r.leaks(goroutines, files)
	r.Elapsed = time.Since(began)
	return r, errors.Join(all...)
}

// world is one store with its terminals, and a part of the runs.
type world struct {
	name string
	run  func(ctx context.Context, dir string) error
}

// worlds splits the runs: two stores whose daemon lives, and four whose daemon
// is killed again and again, half of them at serial lines and half at TCP.
func (c Campaign) worlds(r *Report) []world {
	kills := 0
	if c.Kill {
		kills = c.Runs / killShare
	}
	var all []world
	add := func(name string, runs int, run func(context.Context, string, plan) error) {
		if runs == 0 {
			return
		}
		p := plan{runs: runs, seed: c.Seed*16 + uint64(len(all)), child: c.Child, report: r, protocol: c.Protocol}
		all = append(all, world{name, func(ctx context.Context, dir string) error { return run(ctx, dir, p) }})
	}
	calm := c.Runs - kills
	add("faults-1", calm-calm/2, faultWorld)
	add("faults-2", calm/2, faultWorld)
	add("kill-tcp-1", kills/4, killWorldTCP)
	add("kill-tcp-2", kills/4, killWorldTCP)
	add("kill-pty-1", kills/4, killWorldPTY)
	add("kill-pty-2", kills-3*(kills/4), killWorldPTY)
	return all
}

// plan is what one world has to do.
type plan struct {
	runs   int
	seed   uint64
	child  func(args ...string) *exec.Cmd
	report *Report

	protocol sim.Protocol
}

// leaks compares goroutines and open files with those of before.
func (r *Report) leaks(goroutines, files int) {
	for until := time.Now().Add(5 * time.Second); ; {
		g, f := runtime.NumGoroutine(), openFiles()
		if g <= goroutines && f <= files {
			return
		}
		if time.Now().After(until) {
			r.problem("%d goroutines and %d files were left open", g-goroutines, f-files)
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// startPoller makes the runtime open the files that it keeps for polling, so
// that they are not taken for leaks.
func startPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
}

func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
