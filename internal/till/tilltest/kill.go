package tilltest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"coffer/internal/ident"
	"coffer/internal/pan"
	"coffer/internal/seal"
	"coffer/internal/terminal/sim"
)

// deaths are the journal events at which a child is killed, in turn, each with
// faults after which it comes to that event.
var deaths = []struct {
	event  string
	faults []sim.Kind
}{
	{"created", nil},
	{"sent", nil},
	{"acked", nil},
	{"acked", []sim.Kind{sim.Timeout}},
	{"resulted", nil},
	{"resulted", []sim.Kind{sim.Partial}},
	{"closed", nil},
	{"in_doubt", []sim.Kind{sim.EOTForReply}},
	{"in_doubt", []sim.Kind{sim.PowerAfter}},
	{"in_doubt", []sim.Kind{sim.HangUp, sim.Stale}},
	{"not_charged", []sim.Kind{sim.PowerBefore}},
	{"resulted", []sim.Kind{sim.HangUp}},
	{"sent", []sim.Kind{sim.DropCommand}},
	{"resulted", []sim.Kind{sim.NoAck}},
	{"closed", []sim.Kind{sim.MissingEOT}},
	{"stray", []sim.Kind{sim.LateReply}},
}

func killWorldTCP(ctx context.Context, dir string, p plan) error {
	return killWorld(ctx, dir, p, func(s *sim.Sim) (string, error) {
		addr, err := s.ServeTCP("127.0.0.1:0")
		if err != nil {
			return "", err
		}
		return "tcp:" + addr.String(), nil
	})
}

func killWorldPTY(ctx context.Context, dir string, p plan) error {
	return killWorld(ctx, dir, p, func(s *sim.Sim) (string, error) {
		link := filepath.Join(dir, "term-"+Serial)
		return "serial:" + link, s.ServePTY(link)
	})
}

// killWorld runs one child after the other on the same store and terminal, and
// kills each at a journal event; the last one lives.
func killWorld(ctx context.Context, dir string, p plan, serve func(*sim.Sim) (string, error)) (err error) {
	device, header, key, stop, err := tpm(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	so := Terminal(p.seed)
	heard := newWire(p.protocol)
	defer heard.judge(p.report)
	so.Protocol, so.OnMessage = p.protocol, heard.hear
	s, err := sim.New(so)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	line, err := serve(s)
	if err != nil {
		return err
	}
	o := orders{
		store: filepath.Join(dir, "store"), device: device, header: header, line: line, protocol: p.protocol,
		log: filepath.Join(dir, "log"), seed: p.seed, first: 1, sales: 3, nth: 1,
	}
	clients, err := furnish(ctx, o, key, o.sales*(p.runs+2))
	if err != nil {
		return err
	}
	if err := p.lives(ctx, &o, s); err != nil {
		return err
	}
	return p.judgeKilled(ctx, o, s, clients)
}

// furnish creates the store with its clients, and closes it.
func furnish(ctx context.Context, o orders, key *seal.Key, n int) ([]ident.ID[ident.Client], error) {
	defer key.Wipe()
	d, err := Open(ctx, Options{Dir: o.store, Key: key, Fresh: true})
	if err != nil {
		return nil, err
	}
	clients, err := d.Clients(ctx, n, 9000)
	return clients, errors.Join(err, d.Close(ctx))
}

// lives runs the children. Each begins by sending the form of the last one's
// last client again.
func (p plan) lives(ctx context.Context, o *orders, s *sim.Sim) error {
	rng := rand.New(rand.NewPCG(p.seed, 0))
	for n := range p.runs {
		death := deaths[(n+rng.IntN(2))%len(deaths)]
		o.event, o.nth = death.event, 1
		if len(death.faults) == 0 && rng.IntN(4) == 0 {
			o.nth = 2 // in the sale after
		}
		for _, kind := range death.faults {
			if !slices.Contains(o.protocol.Kinds(), kind) {
				kind = sim.PowerAfter // of those that every protocol has, one after which much is unknown
			}
			if err := s.Inject(sim.Fault{Kind: kind}); err != nil {
				return err
			}
			p.report.armed(kind)
		}
		last, killed, err := p.live(ctx, *o)
		if err != nil {
			return err
		}
		if killed {
			p.report.killed(death.event)
		}
		p.report.count(&p.report.Runs, 1)
		p.report.count(&p.report.Sales, max(0, last-o.first))
		o.first = max(o.first, last)
	}
	// The last life is leaked a card number, lives, and shows its memory.
	o.event, o.heap = "", filepath.Join(filepath.Dir(o.log), "heap")
	if err := s.Inject(sim.Fault{Kind: sim.PANLeak}); err != nil {
		return err
	}
	p.report.armed(sim.PANLeak)
	last, killed, err := p.live(ctx, *o)
	if err == nil && killed {
		err = errors.New("tilltest: the last child was killed by somebody else")
	}
	p.report.count(&p.report.Sales, last-o.first+1)
	return err
}

// live runs one child to its death or end, and returns its last client.
func (p plan) live(ctx context.Context, o orders) (last int, killed bool, err error) {
	c := p.child(o.args()...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, false, err
	}
	if err := c.Start(); err != nil {
		return 0, false, err
	}
	stop := context.AfterFunc(ctx, func() {
		if c.Process.Kill() != nil {
			return // it has ended already
		}
	})
	defer stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			last = n
		}
	}
	err = c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return last, true, ctx.Err()
		}
		return last, false, fmt.Errorf("tilltest: the child (event %s) failed: %w: %s", o.event, err, complaint.String())
	}
	return last, false, err
}

// judgeKilled opens the store a last time and compares.
func (p plan) judgeKilled(ctx context.Context, o orders, s *sim.Sim, clients []ident.ID[ident.Client]) (err error) {
	key, err := seal.Unseal(ctx, o.device, o.header, seal.Proof{})
	if err != nil {
		return err
	}
	defer key.Wipe()
	d, err := Open(ctx, Options{Dir: o.store, Key: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	meant := sales{}
	for _, c := range clients {
		meant[c] = 1
	}
	log, err := os.ReadFile(o.log)
	if err != nil {
		return err
	}
	p.report.digits(pan.In(log), "the log")
	memory, err := os.ReadFile(o.heap)
	if err != nil {
		return err
	}
	p.report.digits(bytes.Contains(memory, []byte(sim.LeakedNumber())), "a daemon's memory")
	if len(memory) < 1<<16 {
		p.report.problem("the daemon's memory was not looked at")
	}
	p.report.complaints(s)
	return d.judge(ctx, p.report, meant, s.Ledger())
}
