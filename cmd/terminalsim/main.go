// Command terminalsim is a card terminal in software. It takes the place of a
// PAX terminal, of a PIN pad with Elavon's Simplify or of a UPA terminal, on a
// serial line (a pseudo-terminal) or on TCP, approves test cards, and can be made
// to fail in every way a real one does. What its issuer did stands in a ledger
// file, which is the truth to compare with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"coffer/internal/terminal/sim"
	"coffer/internal/terminal/simpage"
)

// Exit codes.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitViolations = 3 // -strict has found something
)

func main() {
	// The main goroutine keeps its thread, so that a death signal asked for by
	// -die-with-parent belongs to the process's own thread.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.dieWithParent {
		if err := followParent(); err != nil {
			fmt.Fprintln(stderr, "terminalsim: cannot follow the parent:", err)
			return exitFailed
		}
	}
	code, err := serve(ctx, c, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "terminalsim:", err)
	}
	return code
}

// followParent has the kernel send SIGTERM when the parent ends.
func followParent() error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// farewell leaves the driver time to read the last EOT: a pseudo-terminal that
// hangs up forgets what nobody has read.
const farewell = 200 * time.Millisecond

// serve runs the terminal until ctx ends, or one of the limits is reached.
func serve(ctx context.Context, c config, stdout, stderr io.Writer) (int, error) {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	c.options.Log = slog.New(slog.NewTextHandler(stderr, nil))
	c.options.OnViolation = func(v sim.Violation) {
		fmt.Fprintf(stderr, "strict: %s: %s: %s\n", v.Rule, orDash(v.Message), v.Text)
	}
	if c.exchanges > 0 {
		c.options.OnExchange = func(n int) {
			if n >= c.exchanges {
				time.AfterFunc(farewell, quit)
			}
		}
	}
	s, err := sim.New(c.options)
	if err != nil {
		return exitFailed, err
	}
	stop, err := open(s, c, quit, stdout)
	if err != nil {
		return exitFailed, errors.Join(err, s.Close())
	}
	if c.duration > 0 {
		timer := time.AfterFunc(c.duration, quit)
		defer timer.Stop()
	}
	<-ctx.Done()
	if err := errors.Join(stop(), s.Close()); err != nil {
		return exitFailed, err
	}
	if n := len(s.Violations()); n > 0 {
		fmt.Fprintf(stderr, "strict: %s of the driver\n", faults(n))
		return exitViolations, nil
	}
	return exitOK, nil
}

// open opens the doors that the flags name, and says where they are. stop ends
// the page.
func open(s *sim.Sim, c config, quit func(), stdout io.Writer) (stop func() error, err error) {
	if c.pty != "" {
		if err := s.ServePTY(c.pty); err != nil {
			return nil, err
		}
		fmt.Fprintln(stdout, "pty", c.pty)
	}
	if c.tcp != "" {
		addr, err := s.ServeTCP(c.tcp)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(stdout, "tcp", addr)
	}
	if c.control != "" {
		if err := s.ServeControl(c.control, quit); err != nil {
			return nil, err
		}
		fmt.Fprintln(stdout, "control", c.control)
	}
	stop = func() error { return nil }
	if c.web != "" {
		if stop, err = show(s, c.web, stdout); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(stdout, "ready")
	return stop, nil
}

// show serves the terminal's page.
func show(s *sim.Sim, addr string, stdout io.Writer) (stop func() error, err error) {
	l, err := simpage.Listen(addr)
	if err != nil {
		return nil, err
	}
	server, ended := simpage.Server(s), make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	fmt.Fprintf(stdout, "web http://%s\n", l.Addr())
	return func() error {
		err := server.Close()
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// faults counts in words.
func faults(n int) string {
	if n == 1 {
		return "1 fault"
	}
	return fmt.Sprintf("%d faults", n)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
