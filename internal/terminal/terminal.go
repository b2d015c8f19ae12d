package terminal

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/simplify"
	"coffer/internal/terminal/upa"
)

// Config says which terminal to own, and how to reach it.
type Config struct {
	ID      ident.ID[ident.Terminal]
	Name    string           // for people: "Front desk"
	Address string           // "serial:/dev/coffer/term-<serial>" or "tcp:host:port"
	Profile protocol.Profile // of the model
	// Merchant is how the processor knows this terminal, for protocols that say
	// it in each message.
	Merchant simplify.Merchant
	Log      *slog.Logger // nil logs nothing

	// Dial, when set, opens the line in place of Address. The conversation is
	// that of a serial line.
	Dial func(context.Context) (net.Conn, error)
}

// Hooks are called on the terminal's own goroutine, in this order, while a
// command runs. Any may be nil. They must not call the Terminal.
type Hooks struct {
	// Sending must make it durable that the command is about to be sent. When
	// it fails, nothing is sent and Run returns NotSent.
	Sending func() error
	// Acked says that the terminal has taken the command. An error is logged.
	Acked func() error
	// Result must make the outcome durable; only then does the terminal get
	// our ACK. When it fails there is no ACK, and Run returns the outcome
	// together with the error.
	Result func(protocol.Outcome) error
	// Step says what the terminal is doing now.
	Step func(protocol.Step)
}

// Status is what a page shows of a terminal.
type Status struct {
	ID          ident.ID[ident.Terminal]
	Name        string
	Attached    bool            // connected, and the handshake was good
	Quarantined bool            // attached or not, it takes no command
	Busy        bool            // a command or a lookup is running
	Reason      protocol.Reason // why it is not attached, or quarantined
	Device      protocol.Device // as of the last handshake
	Since       time.Time       // of the last change of Attached or Quarantined
}

// Terminal owns one card terminal. Its methods are safe for concurrent use.
type Terminal struct {
	cfg     Config
	log     *slog.Logger
	opener  opener
	driver  protocol.Driver
	changed chan struct{}
	turn    chan struct{} // holds a token while a command or a lookup has its turn
	done    chan struct{} // closed when the goroutine has ended
	stop    context.CancelFunc

	judging sync.Mutex // held while the device is judged; never while mu is

	mu     sync.Mutex
	status Status
	line   line // while one is open
	closed bool
	job    *job // waits for the goroutine, or runs
	keep   func(protocol.Outcome) error
	lock   protocol.Reason                                // why it is quarantined until Release; none when it is not
	tell   func(protocol.Reason) error                    // OnLock
	judge  func(protocol.Device) (protocol.Reason, error) // OnAttach
	// verdict is why the device that answers may not be used; judged says that
	// it is of the device in status, which has not gone away since.
	verdict protocol.Reason
	judged  bool
	late    []protocol.Outcome // late answers that nobody has kept yet
}

// Start returns the owner of a terminal. It attaches by itself, and again
// after each loss of the line, until Close. With an address or a profile that
// cannot be used it never attaches; Status says so.
func Start(cfg Config) *Terminal {
	t := &Terminal{
		cfg: cfg, log: cfg.Log, changed: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.log = t.log.With("terminal", cfg.ID.String())
	t.status = Status{ID: cfg.ID, Name: cfg.Name, Reason: protocol.ReasonUnplugged, Since: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	var err error
	if t.opener, err = openerOf(cfg); err == nil {
		t.driver, err = driverOf(cfg, t.opener.line)
	}
	if err != nil {
		t.log.Error("a terminal cannot be used as it is configured", "kind", fault.KindOf(err).String())
		t.status.Reason = protocol.ReasonForbidden
		close(t.done)
		return t
	}
	go t.own(ctx)
	return t
}

// driverOf returns the driver of the profile's protocol.
func driverOf(cfg Config, l pax.Line) (protocol.Driver, error) {
	switch cfg.Profile.Protocol {
	case "pax":
		return pax.New(cfg.Profile, l)
	case "simplify":
		return simplify.New(cfg.Profile, simplify.Line(l), cfg.Merchant)
	case "upa":
		return upa.New(cfg.Profile)
	}
	return nil, protocol.ErrProfile
}

// ID returns the terminal's identifier.
func (t *Terminal) ID() ident.ID[ident.Terminal] { return t.cfg.ID }

// Name returns the terminal's name for people.
func (t *Terminal) Name() string { return t.cfg.Name }

// Profile returns the name of the terminal's profile.
func (t *Terminal) Profile() string { return t.cfg.Profile.ID }

// Simulated reports whether the profile is that of a terminal in software.
func (t *Terminal) Simulated() bool { return t.cfg.Profile.Simulated }

// OnStray sets who keeps an answer that belongs to no command now running: a
// late answer to an earlier one (see protocol.Stray). The function is called
// on the terminal's goroutine, or for answers that came before by OnStray
// itself. It must make the outcome durable, must not call the Terminal, and
// may be called again with the same outcome; the terminal gets its ACK only
// after it has succeeded. Until it is set, late answers wait, unacknowledged.
func (t *Terminal) OnStray(keep func(protocol.Outcome) error) {
	t.mu.Lock()
	t.keep = keep
	late := t.late
	t.late = nil
	t.mu.Unlock()
	for _, o := range late {
		if err := keep(o); err != nil {
			t.log.Error("a late answer could not be kept", "kind", fault.KindOf(err).String())
		}
	}
}

// Run carries out a command and returns how it ended. While another command
// runs it waits for its turn. When the terminal is not attached, or is
// quarantined, the result is NotSent and no hook is called.
//
// When ctx ends before the command is sent, the result is NotSent. After
// that, the end of ctx is the same as Cancel: Run returns only when the
// conversation is over, at the latest Timers.Whole + Timers.Cancel after its
// start, or on Close.
//
// The error is that of the hook Sending or Result, or protocol.ErrCommand for a
// command that no terminal may be sent. The outcome is valid with any error.
func (t *Terminal) Run(ctx context.Context, cmd protocol.Command, h Hooks) (protocol.Outcome, error) {
	blank := protocol.Outcome{Result: protocol.NotSent, Kind: cmd.Kind, Ref: cmd.Ref, Requested: cmd.Amount}
	if t.driver == nil {
		blank.Reason = protocol.ReasonForbidden
		return blank, nil
	}
	m, err := t.driver.Money(cmd)
	if err != nil {
		blank.Reason = protocol.ReasonForbidden
		return blank, err
	}
	h.step(protocol.StepQueued)
	return t.submit(ctx, &job{machine: m, hooks: h, blank: blank, money: true})
}

// OnLock sets who keeps that the terminal was quarantined until Release. The
// function is called on the terminal's goroutine at each such alarm, before
// the terminal gets another byte. It must not call the Terminal. When it fails
// the terminal is quarantined all the same, until the program ends.
func (t *Terminal) OnLock(keep func(protocol.Reason) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell = keep
}

// Lock quarantines the terminal until Release, as an earlier run has found
// reason to.
func (t *Terminal) Lock(why protocol.Reason) {
	t.change(func(s *Status) { t.lock = why; t.settle(s) })
}

// OnAttach sets who judges a device that has just answered: whether it belongs
// here and may be used. The function is called on the terminal's goroutine at
// each attach, and whenever another device answers, before the terminal gets a
// command; by Recheck on its caller's. It must not call the Terminal. The reason
// it returns quarantines the terminal until another verdict; while it fails, the
// terminal does not attach.
func (t *Terminal) OnAttach(judge func(protocol.Device) (protocol.Reason, error)) {
	t.mu.Lock()
	t.judge, t.judged = judge, false
	t.mu.Unlock()
	t.Recheck()
}

// Recheck has the device that is attached judged again.
func (t *Terminal) Recheck() {
	t.judging.Lock()
	defer t.judging.Unlock()
	s := t.Status()
	if !s.Attached {
		return
	}
	why, err := t.ask(s.Device)
	t.change(func(s *Status) { t.verdict, t.judged = why, err == nil; t.settle(s) })
}

// ask asks for the verdict on a device. t.judging must be held.
func (t *Terminal) ask(d protocol.Device) (protocol.Reason, error) {
	t.mu.Lock()
	judge := t.judge
	t.mu.Unlock()
	if judge == nil {
		return protocol.ReasonNone, nil
	}
	why, err := judge(d)
	if err != nil {
		t.log.Error("a terminal could not be compared with the register", "kind", fault.KindOf(err).String())
		return protocol.ReasonUnchecked, err
	}
	return why, nil
}

// settle brings a status in line with lock and verdict. t.mu must be held.
func (t *Terminal) settle(s *Status) {
	switch {
	case t.lock != protocol.ReasonNone:
		s.Quarantined, s.Reason = true, t.lock
	case t.verdict != protocol.ReasonNone:
		s.Quarantined, s.Reason = true, t.verdict
	case s.Quarantined:
		s.Quarantined, s.Reason = false, protocol.ReasonNone
		if !s.Attached {
			s.Reason = protocol.ReasonUnplugged
		}
	case s.Attached:
		s.Reason = protocol.ReasonNone
	}
}

// Lookup asks the terminal what became of an earlier command, in quarantine
// too. It never moves money. The result is the attempt's own when the
// terminal's record agrees with the question; NotCharged with Evidence when it
// proves that no money moved; else InDoubt with the Reason (unplugged, busy,
// mismatch, unproven, substitution …), after which it may be asked again. A
// command that still runs on the terminal is stopped first.
//
// When ctx ends, the result is InDoubt. The error is that of a defect of the
// program; the outcome is valid with it.
func (t *Terminal) Lookup(ctx context.Context, q protocol.Question) (protocol.Outcome, error) {
	blank := protocol.Outcome{Result: protocol.InDoubt, Kind: q.Kind, Ref: q.Ref, Requested: q.Amount}
	if t.driver == nil {
		blank.Reason = protocol.ReasonForbidden
		return blank, nil
	}
	return t.submit(ctx, &job{machine: t.driver.Lookup(q), blank: blank})
}

// Probe asks the terminal what it is, by the handshake of its protocol, in
// quarantine too. The reason is why it could not be asked, or gave no answer.
func (t *Terminal) Probe(ctx context.Context) (protocol.Device, protocol.Reason, error) {
	if t.driver == nil {
		return protocol.Device{}, protocol.ReasonForbidden, nil
	}
	j := &job{machine: t.driver.Handshake(), probe: true}
	o, err := t.submit(ctx, j)
	return j.device, o.Reason, err
}

// Cancel asks the terminal to stop the command that runs. The command may
// still be approved: its Run says so. Without a running command it does
// nothing.
func (t *Terminal) Cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.job != nil && t.job.money {
		t.job.cancel.Store(true)
		t.wake()
	}
}

// Release lifts a quarantine, but not what OnAttach has found.
func (t *Terminal) Release() {
	t.change(func(s *Status) {
		t.lock = protocol.ReasonNone
		t.settle(s)
	})
}

// Status returns the present state.
func (t *Terminal) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.status
	s.Busy = t.job != nil
	return s
}

// Changed returns the channel that ticks after each change of Status, except
// of Busy. Ticks that nobody takes are merged; there is one channel, for one
// reader.
func (t *Terminal) Changed() <-chan struct{} { return t.changed }

// Close gives the line up and waits for the terminal's goroutine. A command
// that runs ends in doubt, unless nothing of it was sent.
func (t *Terminal) Close() error {
	t.mu.Lock()
	t.closed = true
	t.wake()
	t.mu.Unlock()
	t.stop()
	<-t.done
	return nil
}

// wake makes the goroutine look around. t.mu must be held.
func (t *Terminal) wake() {
	if t.line != nil {
		t.line.Wake()
	}
}

// change alters the status and ticks, if it is then another one.
func (t *Terminal) change(edit func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.status
	edit(&t.status)
	if t.status == before {
		return
	}
	if t.status.Attached != before.Attached || t.status.Quarantined != before.Quarantined {
		t.status.Since = time.Now()
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}
