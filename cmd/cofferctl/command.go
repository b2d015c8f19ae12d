package main

import (
	"context"
	"encoding/json"
	"io"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/control"
	"coffer/internal/ops"
)

// defaultSocket is the daemon's control socket as shipped.
const defaultSocket = "/run/coffer/control.sock"

// How long each command waits unless --timeout says otherwise.
const (
	statusTimeout = 10 * time.Second
	doctorTimeout = 30 * time.Second
	openTimeout   = 5 * time.Minute
	verifyTimeout = time.Hour
)

// cli is one command line.
type cli struct {
	out, talk io.Writer
	socket    string
	json      bool
	timeout   time.Duration // 0: the command's own
	yes       bool          // no question about destructive acts
	config    string        // the daemon's boot file, for what works without it
	stdin     bool          // answers come from standard input
	asks      *asker        // nil until something is asked
}

// newCommand returns the tree of commands.
func newCommand(out, talk io.Writer) *cobra.Command {
	c := &cli{out: out, talk: talk}
	root := &cobra.Command{
		Use:           "cofferctl",
		Short:         "look after a box that runs Coffer",
		Example:       "  cofferctl doctor\n  cofferctl status --json\n  cofferctl verify",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(talk)
			if err := cmd.Help(); err != nil {
				return outputError{err}
			}
			return exit{exitUsage}
		},
	}
	root.SetOut(out)
	root.SetErr(talk)
	flags := root.PersistentFlags()
	flags.StringVar(&c.socket, "socket", defaultSocket, "the daemon's control socket")
	flags.BoolVar(&c.json, "json", false, "print one JSON object")
	flags.DurationVar(&c.timeout, "timeout", 0, "how long to wait for the daemon, such as 30s (default: as long as the command usually needs)")
	flags.StringVar(&c.config, "config", defaultConfig, "the daemon's boot file, for doctor, recovery and restore while it is stopped")
	flags.BoolVar(&c.yes, "yes", false, "do not ask before a destructive act")
	flags.BoolVar(&c.stdin, "stdin", false, "take the answers, secrets too, from standard input: a line each, in the order of the questions")
	root.AddCommand(
		c.statusCommand(), c.doctorCommand(), c.verifyCommand(), c.sealCommand(), c.recoveryCommand(), c.keyCommand(),
		c.backupCommand(), c.auditCommand(), c.storeCommand(), c.ledgerCommand(), c.terminalCommand(), c.scopeCommand(), c.restoreCommand("restore"), c.retireCommand(), c.versionCommand(),
	)
	return root
}

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "how the box is: serving, sealed and why, store, terminals",
		Example: "  cofferctl status\n  cofferctl status --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), statusTimeout, get[ops.Status]("status"), printStatus, statusExit)
		},
	}
}

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "what needs doing, a line per check with the next step",
		Example: "  cofferctl doctor\n  cofferctl doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.offline(cmd.Context(), func() error {
				return answer(c, cmd.Context(), doctorTimeout, get[ops.Diagnosis]("doctor"), printDiagnosis, diagnosisExit)
			})
		},
	}
}

func (c *cli) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "read and check every record, the books and the audit trail",
		Long:    "verify has the daemon read everything that is stored: each page and record,\nthe balance of every entry and account, and the tree over the audit trail.\nPayments go on meanwhile. If something is not as it was written, verify prints\nwhere, and its exit status is 7.",
		Example: "  cofferctl verify\n  cofferctl verify --json --timeout 2h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.Verification]("verify", nil), printVerification, verificationExit)
		},
	}
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version of cofferctl",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
			}{version()}
			if c.json {
				return c.object(v)
			}
			p := newPrinter(c.out)
			p.line("cofferctl " + v.Version)
			return p.flush()
		},
	}
}

// answer asks the daemon, prints the answer and returns its exit status.
func answer[T any](c *cli, ctx context.Context, usual time.Duration,
	ask func(*control.Client, context.Context) (T, error), show func(*printer, T), status func(T) int) error {
	if c.timeout > 0 {
		usual = c.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, usual)
	defer cancel()
	result, err := ask(control.NewClient(c.socket), ctx)
	if err != nil {
		return err
	}
	if c.json {
		err = c.object(result)
	} else {
		p := newPrinter(c.out)
		show(p, result)
		err = p.flush()
	}
	if code := status(result); err == nil && code != 0 {
		return exit{code}
	}
	return err
}

// object prints one JSON object on a line.
func (c *cli) object(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return outputError{err}
	}
	return nil
}

// statusExit: 0 serving, 3 starting, 5 sealed, 10 no store, 1 stopped.
func statusExit(s ops.Status) int {
	switch {
	case s.State == ops.Serving:
		return 0
	case s.State == ops.Starting:
		return exitWarnings
	case s.State == ops.Sealed && s.Reason != nil && isNoStore(s.Reason.Code):
		return exitNoStore
	case s.State == ops.Sealed:
		return exitSealed
	}
	return exitFailed
}

// diagnosisExit: 0 nothing to do, 3 warnings, 7 a check failed.
func diagnosisExit(d ops.Diagnosis) int {
	switch d.Verdict {
	case ops.OK:
		return 0
	case ops.Warn:
		return exitWarnings
	}
	return exitCheckFailed
}

// verificationExit: 0 all is as it was written, 7 it is not.
func verificationExit(v ops.Verification) int {
	if v.OK {
		return 0
	}
	return exitCheckFailed
}

// version returns the commit the program was built from, as the linker
// recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
