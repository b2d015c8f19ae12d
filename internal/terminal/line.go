package terminal

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"coffer/internal/fault"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/protocol"
)

// The faults of a line.
var (
	// ErrPortBusy: another program has the port.
	ErrPortBusy = fault.New(fault.Unavailable, "Another program is using the terminal's port. Stop it; Coffer tries again by itself.")
	// ErrNoPort: there is no such port, or it is no terminal line.
	ErrNoPort = fault.New(fault.Unavailable, "The card terminal is not connected. Check its cable and power.")
	// ErrAddress: the address in the configuration cannot be used.
	ErrAddress = fault.New(fault.Invalid, "A terminal's address must be serial:<device> or tcp:<host>:<port>.")

	errGone    = fault.New(fault.Unavailable, "The line to the card terminal is gone.")
	errStalled = fault.New(fault.Unavailable, "The card terminal does not take what is sent to it.")
	errTick    = fault.New(fault.Unavailable, "Nothing came in time.")
)

// line is an open connection. One goroutine reads and writes it; Wake and
// Close may be called by any.
type line interface {
	// Read returns bytes as soon as there are some. It returns errTick when
	// until has come (the zero time never comes) or after Wake, and errGone
	// when there will be no more.
	Read(b []byte, until time.Time) (int, error)
	// Write writes all of b, or returns errStalled when that takes longer
	// than within, or errGone.
	Write(b []byte, within time.Duration) error
	// Wake ends a Read that waits, or the next one.
	Wake()
	// Close gives the connection up. A Read that waits returns errGone.
	Close() error
}

// connLine is a line over a network connection or a pipe in memory.
type connLine struct {
	conn  net.Conn
	mu    sync.Mutex
	woken bool
}

func newConnLine(c net.Conn) *connLine { return &connLine{conn: c} }

func (l *connLine) Read(b []byte, until time.Time) (int, error) {
	l.mu.Lock()
	if l.woken {
		l.woken = false
		l.mu.Unlock()
		return 0, errTick
	}
	err := l.conn.SetReadDeadline(until)
	l.mu.Unlock()
	if err != nil {
		return 0, errGone
	}
	n, err := l.conn.Read(b)
	if n > 0 {
		return n, nil
	}
	if !os.IsTimeout(err) {
		return 0, errGone
	}
	l.mu.Lock()
	l.woken = false
	l.mu.Unlock()
	return 0, errTick
}

func (l *connLine) Write(b []byte, within time.Duration) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return errGone
	}
	_, err := l.conn.Write(b)
	switch {
	case err == nil:
		return nil
	case os.IsTimeout(err):
		return errStalled
	}
	return errGone
}

func (l *connLine) Wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
	// On a connection that is closed Read returns by itself.
	_ = l.conn.SetReadDeadline(time.Unix(1, 0))
}

func (l *connLine) Close() error { return l.conn.Close() }

// opener opens lines to one terminal.
type opener struct {
	line pax.Line
	open func(ctx context.Context, attempt int) (line, error)
	dir  string // where the device's name appears, or ""
}

// openerOf reads the configuration's address.
func openerOf(cfg Config) (opener, error) {
	kind, rest, _ := strings.Cut(cfg.Address, ":")
	switch {
	case cfg.Dial != nil:
		return opener{line: pax.Serial, open: func(ctx context.Context, _ int) (line, error) {
			return dialed(cfg.Dial(ctx))
		}}, nil
	case kind == "tcp" && rest != "":
		d := &net.Dialer{Timeout: dialMax}
		return opener{line: pax.TCP, open: func(ctx context.Context, _ int) (line, error) {
			return dialed(d.DialContext(ctx, "tcp", rest))
		}}, nil
	case kind == "serial" && rest != "":
		t := serialTransport(cfg.Profile)
		return opener{line: pax.Serial, dir: dirOf(rest), open: func(_ context.Context, n int) (line, error) {
			return openSerial(rest, t, t.Baud[n%len(t.Baud)])
		}}, nil
	}
	return opener{}, ErrAddress
}

// dialMax is how long a TCP connection may take to come about.
const dialMax = 5 * time.Second

func dialed(c net.Conn, err error) (line, error) {
	if err != nil {
		return nil, ErrNoPort
	}
	return newConnLine(c), nil
}

// serialTransport returns the profile's first serial transport, or that of
// most terminals.
func serialTransport(p protocol.Profile) protocol.Transport {
	for _, t := range p.Transports {
		if (t.Kind == "serial" || t.Kind == "usb-cdc") && len(t.Baud) > 0 {
			return t
		}
	}
	return protocol.Transport{Kind: "serial", Baud: []int{115200, 9600}, Data: 8, Parity: "N", Stop: 1}
}
