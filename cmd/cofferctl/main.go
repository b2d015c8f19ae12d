// Command cofferctl is for the person who looks after the box. It asks the
// daemon over its control socket and shows the answer.
//
//	cofferctl status     how the box is
//	cofferctl doctor     what needs doing, a line per check
//	cofferctl verify     read and check everything that is stored
//	cofferctl seal, key, recovery, backup, restore, audit, ledger, store, retire
//
// Data goes to standard output, talk to standard error. With --json the data
// is one JSON object with stable, snake_case names. What it has to ask, such as
// a PIN or the recovery sheet, it asks at the terminal, or reads with --stdin.
// It colours only a terminal, unless NO_COLOR is set.
//
// Exit status: 0 done · 1 failed · 2 usage · 3 done with warnings · 4 not
// allowed · 5 sealed · 6 not found · 7 a check failed · 10 no store · 11 store
// in use · 12 wrong recovery sheet · 130 interrupted. Treat any other as failed.
//
// It trusts whatever answers at the socket, whose directory only root and the
// daemon can write to; while none answers, doctor, seal status, recovery open
// and restore start cofferd console. It opens no file of the store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"coffer/internal/control"
	"coffer/internal/ops"
)

// Exit statuses; those of failures come from the fault's kind.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitWarnings    = 3
	exitSealed      = 5
	exitCheckFailed = 7
	exitNoStore     = 10
	exitStoreLocked = 11
	exitWrongKey    = 12
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit status.
func run(ctx context.Context, args []string, out, talk io.Writer) int {
	root := newCommand(out, talk)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(talk, "cofferctl: interrupted")
		return exitInterrupted
	}
	return explain(err, talk)
}

// exit is the outcome of a command that has said all there is to say.
type exit struct{ code int }

// Error is never shown.
func (e exit) Error() string { return "exit" }

// outputError is a failure to write the answer.
type outputError struct{ cause error }

// Error returns the cause's text.
func (e outputError) Error() string { return e.cause.Error() }

// explain says what went wrong, unless that was said already, and returns the
// exit status.
func explain(err error, talk io.Writer) int {
	var done exit
	if errors.As(err, &done) {
		return done.code
	}
	var unwritten outputError
	if errors.As(err, &unwritten) {
		fmt.Fprintln(talk, "cofferctl: the answer cannot be written:", unwritten.cause)
		return exitFailed
	}
	var refused *control.Error
	if errors.As(err, &refused) {
		fmt.Fprintln(talk, "cofferctl:", refused.Words)
		return exitOf(refused)
	}
	fmt.Fprintln(talk, "cofferctl:", err)
	fmt.Fprintln(talk, "Run cofferctl --help for the commands.")
	return exitUsage
}

// noSeal is the code of package seal for a directory without a store.
const noSeal = "SEAL-011"

// isNoStore reports whether a code says that there is no store, or only half
// of one.
func isNoStore(code string) bool { return code == noSeal || code == ops.NoStore }

// exitOf returns the exit status of a refusal.
func exitOf(e *control.Error) int {
	switch {
	case isNoStore(e.Code):
		return exitNoStore
	case slices.Contains(ops.WrongKey, e.Code):
		return exitWrongKey
	case e.Code == ops.StoreLocked:
		return exitStoreLocked
	}
	return e.Kind().ExitCode()
}
