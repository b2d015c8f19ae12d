package tilltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/pan"
	"coffer/internal/seal"
	"coffer/internal/terminal"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/sim"
	"coffer/internal/till"
)

// lanes is how many terminals a world of faults has.
const lanes = 8

// journal collects log lines, to be searched for card numbers.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) search(r *Report) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.digits(pan.In(j.b.Bytes()), "the log")
}

// tpm starts a software TPM and provisions a root key in it.
func tpm(ctx context.Context, dir string) (device, header string, key *seal.Key, stop func() error, err error) {
	device, stop, err = seal.StartSoftwareTPM(ctx, filepath.Join(dir, "tpm"))
	if err != nil {
		return "", "", nil, nil, fmt.Errorf("tilltest: start the software TPM: %w", err)
	}
	header = filepath.Join(dir, "coffer.seal")
	key, err = seal.Provision(ctx, device, header, seal.Setup{Now: time.Now()})
	if err != nil {
		return "", "", nil, nil, errors.Join(fmt.Errorf("tilltest: provision: %w", err), stop())
	}
	return device, header, key, stop, nil
}

// faultWorld makes payments at eight terminals at once while lines, terminals
// and people fail in seeded ways.
func faultWorld(ctx context.Context, dir string, p plan) (err error) {
	_, _, key, stop, err := tpm(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	defer key.Wipe()
	log := &journal{}
	o := Options{Dir: filepath.Join(dir, "store"), Key: key, Fresh: true, Log: slog.New(slog.NewJSONHandler(log, nil))}
	var sims []*sim.Sim
	heard := newWire(p.protocol)
	defer heard.judge(p.report)
	defer func() {
		for _, s := range sims {
			err = errors.Join(err, s.Close())
		}
	}()
	for i := range lanes {
		so := Terminal(p.seed*lanes + uint64(i))
		so.Serial, so.Protocol, so.OnMessage = fmt.Sprintf("5323656%d", i), p.protocol, heard.hear
		s, err := sim.New(so)
		if err != nil {
			return err
		}
		sims = append(sims, s)
		o.Lines = append(o.Lines, terminal.Config{Dial: s.Dial, Profile: profiles[p.protocol]()})
		o.Serials = append(o.Serials, so.Serial)
	}
	d, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	return p.faultRuns(ctx, d, sims, log)
}

// faultRuns shares the runs out among the lanes, and judges when all is quiet.
func (p plan) faultRuns(ctx context.Context, d *Desk, sims []*sim.Sim, log *journal) error {
	clients, err := d.Clients(ctx, p.runs, 9000)
	if err != nil {
		return err
	}
	next := make(chan int)
	meant := sales{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, s := range sims {
		wg.Go(func() {
			for n := range next {
				one := run{desk: d, sim: s, kinds: p.protocol.Kinds(), lane: i, report: p.report, client: clients[n], rng: rand.New(rand.NewPCG(p.seed, uint64(n)))}
				if n < len(one.kinds) {
					one.certain = one.kinds[n]
				}
				if err := one.pay(ctx); err != nil {
					p.report.problem("run %d of seed %d: %v", n, p.seed, err)
				}
				mu.Lock()
				meant[one.client] = one.meant
				mu.Unlock()
				p.report.count(&p.report.Runs, 1)
			}
		})
	}
	for n := range p.runs {
		next <- n
	}
	close(next)
	wg.Wait()
	var truth []sim.Truth
	for _, s := range sims {
		truth = append(truth, s.Ledger()...)
		p.report.complaints(s)
	}
	log.search(p.report)
	return d.judge(ctx, p.report, meant, truth)
}

// complaints keeps what a strict terminal holds against its driver.
func (r *Report) complaints(s *sim.Sim) {
	for _, v := range Complaints(s) {
		r.problem("the terminal complains: %s %s: %s", v.Rule, v.Message, v.Text)
	}
}

// Complaints returns what a strict terminal holds against its driver, as far
// as it cannot be a crossing on the wire: with timers this short a busy machine
// may miss an ACK or a reply that was on its way.
func Complaints(s *sim.Sim) []sim.Violation {
	var grave []sim.Violation
	for _, v := range s.Violations() {
		switch v.Rule {
		case sim.RefReused, sim.RefMissing, sim.OriginalMissing, sim.Forbidden, sim.AccountFilled, sim.BadMessage, sim.BadLRC:
			grave = append(grave, v)
		}
	}
	return grave
}

// run is one client at the desk.
type run struct {
	desk   *Desk
	sim    *sim.Sim
	kinds  []sim.Kind // of the faults that it can have
	lane   int
	report *Report
	client ident.ID[ident.Client]
	rng    *rand.Rand
	// certain is a fault that is sure to be armed; the others are drawn. Each
	// world begins with one run of each kind.
	certain sim.Kind
	meant   int // sales that the client agreed to
}

// pay makes a sale amid faults, perhaps gives it back, and leaves the terminal
// ready for the next client.
func (r *run) pay(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, RunMax)
	defer cancel()
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := r.disturb(); err != nil {
		return err
	}
	s := till.Sale{Command: Command(), Client: r.client, Amount: r.amount(), Terminal: TerminalID(r.lane)}
	id, err := r.begin(ctx, s)
	if err != nil {
		return err
	}
	r.meant++
	r.report.count(&r.report.Sales, 1)
	var wg sync.WaitGroup
	wg.Go(func() { r.hand(ctx, id) })
	p, err := r.settle(ctx, id)
	wg.Wait()
	if err != nil {
		return err
	}
	if err := r.afterwards(ctx, p); err != nil {
		return err
	}
	return r.ready(ctx)
}

// begin clicks, often more than once, and again when the terminal went away
// just before: the command is the same.
func (r *run) begin(ctx context.Context, s till.Sale) (ident.ID[ident.Attempt], error) {
	clicks := 1
	if r.rng.IntN(4) == 0 {
		clicks = 5
	}
	for {
		id, err := r.click(ctx, s, clicks)
		if !away(err) {
			return id, err
		}
		if err := r.ready(ctx); err != nil {
			return id, err
		}
	}
}

// away reports whether nothing began because of the terminal.
func away(err error) bool {
	return errors.Is(err, till.ErrUnplugged) || errors.Is(err, till.ErrRecovering) || errors.Is(err, till.ErrQuarantined)
}

// click sends the same form several times at once. All that began something
// must have begun the same.
func (r *run) click(ctx context.Context, s till.Sale, clicks int) (begun ident.ID[ident.Attempt], err error) {
	type answer struct {
		id  ident.ID[ident.Attempt]
		err error
	}
	answers := make(chan answer, clicks)
	for range clicks {
		go func() {
			id, err := r.desk.Till.Begin(ctx, r.desk.Cashier, s)
			answers <- answer{id, err}
		}()
	}
	for range clicks {
		a := <-answers
		switch {
		case a.err != nil && begun.IsZero():
			err = a.err
		case a.err == nil && !begun.IsZero() && a.id != begun:
			r.report.problem("one command made two attempts")
		case a.err == nil:
			begun, err = a.id, nil
		}
	}
	return begun, err
}

// amount draws one; some cents make the simulated issuer decline, approve
// half, or be slow.
func (r *run) amount() money.Amount {
	return money.Amount(100 + r.rng.IntN(50_000))
}

// disturb arms up to two faults.
func (r *run) disturb() error {
	n := []int{0, 1, 1, 1, 2}[r.rng.IntN(5)]
	if r.certain != "" {
		n = 1
	}
	for range n {
		f := sim.Fault{Kind: r.kinds[r.rng.IntN(len(r.kinds))]}
		if r.certain != "" {
			f.Kind = r.certain
		}
		switch f.Kind {
		case sim.CheckByte:
			f.Byte = []byte{0x02, 0x03, 0x04, 0x06, 0x15}[r.rng.IntN(5)]
		case sim.Nak, sim.WrongLRC:
			f.Count = 1 + r.rng.IntN(4)
		}
		if err := r.sim.Inject(f); err != nil {
			return err
		}
		r.report.armed(f.Kind)
	}
	return nil
}

// hand does what people do to terminals while a payment runs.
func (r *run) hand(ctx context.Context, id ident.ID[ident.Attempt]) {
	what := r.rng.IntN(12)
	if what > 4 {
		return
	}
	r.report.count(&r.report.Faults, 1)
	select {
	case <-time.After(time.Duration(r.rng.IntN(40_000)) * time.Microsecond):
	case <-ctx.Done():
		return
	}
	var err error
	switch what {
	case 0:
		err = errors.Join(r.sim.Unplug(), r.sim.Plug())
	case 1:
		err = errors.Join(r.sim.PowerOff(), r.sim.PowerOn())
	case 2:
		err = r.sim.Cancel()
	case 3, 4:
		err = r.desk.Till.Cancel(ctx, r.desk.Cashier, id)
	}
	for _, expected := range []error{till.ErrTooLate, sim.ErrNothing, sim.ErrOff, sim.ErrAway} {
		if errors.Is(err, expected) {
			err = nil
		}
	}
	if err != nil && ctx.Err() == nil {
		r.report.problem("the hand at the terminal: %v", err)
	}
}

// settle waits until the outcome is known, and does what a person has to do.
func (r *run) settle(ctx context.Context, id ident.ID[ident.Attempt]) (till.Payment, error) {
	for {
		p, err := r.desk.Await(ctx, id, func(p till.Payment) bool {
			return Settled(p) || p.Stage == till.StageQuarantined
		})
		switch {
		case err != nil:
			return p, fmt.Errorf("%w; the terminal: %+v", err, r.sim.Status())
		case p.Stage == till.StageQuarantined:
			if err := r.repair(ctx); err != nil {
				return p, err
			}
		case p.Stage == till.StageManual:
			return p, fmt.Errorf("tilltest: payment %v (%s) needs two people: %v", p.ID, p.Ref, p.Steps)
		case p.Choice:
			if id, err = r.answer(ctx, p); err != nil {
				return p, err
			}
		default:
			return p, nil
		}
	}
}

// answer says that a reported duplicate is really a second payment: every run
// has a client of its own.
func (r *run) answer(ctx context.Context, p till.Payment) (ident.ID[ident.Attempt], error) {
	command := Command()
	for {
		if err := r.ready(ctx); err != nil {
			return p.ID, err
		}
		id, err := r.desk.Till.AnswerSecond(ctx, r.desk.Cashier, p.ID, command)
		if away(err) {
			continue // the terminal went away between the two questions
		}
		return id, err
	}
}

// afterwards gives some payments back.
func (r *run) afterwards(ctx context.Context, p till.Payment) error {
	if !p.MayVoid || r.rng.IntN(6) != 0 {
		return nil
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	var id ident.ID[ident.Attempt]
	var err error
	if r.rng.IntN(2) == 0 {
		id, err = r.desk.Till.GiveBack(ctx, r.desk.Cashier, till.GiveBack{Kind: till.KindVoid, Reason: till.ReasonMistake, Command: Command(), Original: p.ID})
	} else {
		id, err = r.desk.Till.GiveBack(ctx, r.desk.Cashier, till.GiveBack{Kind: till.KindRefund, Reason: till.ReasonMistake, Command: Command(), Original: p.ID, Amount: 1 + p.Approved/3})
	}
	if away(err) {
		return nil
	}
	if err == nil {
		_, err = r.settle(ctx, id)
	}
	return err
}

// ready waits until the run's terminal takes payments.
func (r *run) ready(ctx context.Context) error {
	for {
		s := r.desk.Terminals[r.lane].Status()
		if s.Quarantined {
			if err := r.repair(ctx); err != nil {
				return err
			}
		}
		list, err := r.desk.Till.Terminals(ctx, r.desk.Cashier)
		if err != nil || list[r.lane].Ready {
			return err
		}
		select {
		case <-time.After(poll / 4):
		case <-ctx.Done():
			return fmt.Errorf("tilltest: terminal %d is not ready: %s: %w", r.lane, list[r.lane].Words, ctx.Err())
		}
	}
}

// repair does what IT does with a blocked terminal: puts the right device back
// and lifts the block.
func (r *run) repair(ctx context.Context) error {
	m := r.desk.Terminals[r.lane]
	s := m.Status()
	if s.Reason == protocol.ReasonSubstitute {
		if err := errors.Join(r.sim.PowerOff(), r.sim.PowerOn()); err != nil && !errors.Is(err, sim.ErrOff) {
			return err
		}
	} else {
		m.Release()
	}
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
