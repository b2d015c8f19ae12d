package terminal

import (
	"context"
	"log/slog"
	"net"
	"time"

	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// Config says which terminal to own, and how to reach it.
type Config struct {
	ID      ident.ID[ident.Terminal]
	Name    string           // for people: "Front desk"
	Address string           // "serial:/dev/coffer/term-<serial>" or "tcp:host:port"
	Serial  string           // the expected serial number; empty expects none
	Profile protocol.Profile // of the model
	Log     *slog.Logger     // nil logs nothing

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
	changed chan struct{}
}

// Start returns the owner of a terminal. It attaches by itself, and again
// after each loss of the line, until Close.
func Start(cfg Config) *Terminal {
	return &Terminal{cfg: cfg, changed: make(chan struct{}, 1)}
}

// ID returns the terminal's identifier.
func (t *Terminal) ID() ident.ID[ident.Terminal] { return t.cfg.ID }

// Name returns the terminal's name for people.
func (t *Terminal) Name() string { return t.cfg.Name }

// Simulated reports whether the profile is that of a terminal in software.
func (t *Terminal) Simulated() bool { return t.cfg.Profile.Simulated }

// OnStray sets who keeps an answer that belongs to no command now running: a
// late answer to an earlier one. The function is called on the terminal's
// goroutine, must make the outcome durable, and must not call the Terminal;
// the terminal gets its ACK only after that. Until it is set, late answers
// wait, unacknowledged.
func (t *Terminal) OnStray(keep func(protocol.Outcome) error) {}

// Run carries out a command and returns how it ended. While another command
// runs it waits for its turn. When the terminal is not attached, or is
// quarantined, the result is NotSent and no hook is called.
//
// When ctx ends before the command is sent, the result is NotSent. After
// that, the end of ctx is the same as Cancel: Run returns only when the
// conversation is over, at the latest Timers.Whole + Timers.Cancel after the
// start, or on Close.
//
// The error is that of a hook, or ErrCommand of a command that cannot be
// sent. The outcome is valid with any error.
func (t *Terminal) Run(ctx context.Context, cmd protocol.Command, h Hooks) (protocol.Outcome, error) {
	return protocol.Outcome{Result: protocol.NotSent, Kind: cmd.Kind, Ref: cmd.Ref, Requested: cmd.Amount, Reason: protocol.ReasonUnplugged}, nil
}

// Lookup asks the terminal what became of an earlier command. It never moves
// money. The result is the attempt's own when the terminal's record agrees
// with ref, amount and kind; NotCharged with Evidence when it proves that no
// money moved; else InDoubt with the Reason (unplugged, busy, mismatch,
// unproven …), after which it may be asked again.
func (t *Terminal) Lookup(ctx context.Context, ref string, kind protocol.Kind, amount money.Amount) (protocol.Outcome, error) {
	return protocol.Outcome{Result: protocol.InDoubt, Kind: kind, Ref: ref, Requested: amount, Reason: protocol.ReasonUnplugged}, nil
}

// Cancel asks the terminal to stop the command that runs. The command may
// still be approved: its Run says so. Without a running command it does
// nothing.
func (t *Terminal) Cancel() {}

// Release lifts a quarantine. The next handshake may impose it again.
func (t *Terminal) Release() {}

// Status returns the present state.
func (t *Terminal) Status() Status { return Status{ID: t.cfg.ID, Name: t.cfg.Name} }

// Changed returns the channel that ticks after each change of Status, except
// of Busy. Ticks that nobody takes are merged; there is one channel, for one
// reader.
func (t *Terminal) Changed() <-chan struct{} { return t.changed }

// Close gives the line up and waits for the terminal's goroutine. A command
// that runs ends in doubt, unless nothing of it was sent.
func (t *Terminal) Close() error { return nil }
