package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/firmware-config"
	"coffer/internal/control"
	"coffer/internal/custody"
	"coffer/internal/ops"
)

// terminalTimeout is for a handshake and a question, with a slow line's time
// limits.
const terminalTimeout = 2 * time.Minute

func (c *cli) terminalCommand() *cobra.Command {
	return group("terminal", "the card terminals and the register of devices",
		c.terminalList(), c.terminalLint(), c.terminalProbe(), c.terminalTest(), c.terminalPair())
}

func (c *cli) terminalList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "how each terminal is, where each device is, and when its inspection is due",
		Example: "  cofferctl terminal list\n  cofferctl terminal list --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), doctorTimeout, get[ops.TerminalList]("terminals"), printTerminals, terminalsExit)
		},
	}
}

func printTerminals(p *printer, l ops.TerminalList) {
	for _, t := range l.Terminals {
		printTerminal(p, t)
	}
	for _, d := range l.Devices {
		p.line(fmt.Sprintf("device %s\t%s %s\t%s\t%s\t%s", d.Serial, d.Vendor, d.Model, d.Status, d.Location, dueWords(d)))
	}
	p.pair("policy", fmt.Sprintf("an inspection every %d days; overdue: %s; unknown software: %s", l.Policy.Days, l.Policy.Overdue, l.Policy.Firmware))
}

// dueWords says what is due for a device.
func dueWords(d custody.Device) string {
	var words []string
	switch {
	case d.Failed:
		words = append(words, "FAILED its inspection")
	case d.Overdue:
		words = append(words, "inspection OVERDUE since "+d.Due)
	case d.Due != "":
		words = append(words, "inspection due by "+d.Due)
	}
	if d.Unknown {
		words = append(words, "its software was not accepted")
	}
	return strings.Join(words, "; ")
}

// terminalsExit: 0 nothing to do, 3 something is due, 7 one may not be used.
func terminalsExit(l ops.TerminalList) int { return diagnosisExit(ops.Diagnosis{Verdict: l.Verdict}) }

// linted is what lint says of a directory of profiles.
type linted struct {
	OK       bool     `json:"ok"`
	Signed   bool     `json:"signed"` // by the key that was named
	Profiles []string `json:"profiles"`
	Problem  string   `json:"problem,omitempty"`
}

func (c *cli) terminalLint() *cobra.Command {
	var dir, key string
	cmd := &cobra.Command{
		Use: "lint", Short: "check profiles, allow lists and inspection steps of terminals; needs no daemon",
		Long:    "lint checks what came with the program and, with --directory and --key, a signed\ndirectory over it, as the daemon does when it starts.",
		Example: "  cofferctl terminal lint\n  cofferctl terminal lint --directory /etc/coffer/terminals --key /etc/coffer/terminals.pem", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.lint(dir, key) },
	}
	cmd.Flags().StringVar(&dir, "directory", "", "a directory laid out as firmware-config, with its manifest and signature")
	cmd.Flags().StringVar(&key, "key", "", "the file with the Ed25519 public key, PEM, that signs it")
	return cmd
}

func (c *cli) lint(dir, keyFile string) error {
	catalogue, err := firmwareconfig.Catalogue{}, error(nil)
	if dir != "" {
		catalogue, err = firmwareconfig.OpenDirectory(dir, keyFile)
	}
	if err == nil {
		err = catalogue.Check()
	}
	l := linted{OK: err == nil, Signed: dir != "" && err == nil, Profiles: catalogue.IDs()}
	if err != nil {
		l.Problem = ops.Words(err)
	}
	if c.json {
		if err := c.object(l); err != nil {
			return err
		}
	} else {
		p := newPrinter(c.out)
		p.pair("profiles", strings.Join(l.Profiles, ", "))
		p.pair("signed", yesNo(l.Signed))
		if !l.OK {
			p.pair("FOUND", l.Problem)
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	if !l.OK {
		return exit{exitCheckFailed}
	}
	return nil
}

func (c *cli) terminalProbe() *cobra.Command {
	return &cobra.Command{
		Use: "probe NAME", Short: "ask a terminal what it is: a handshake, nothing else",
		Example: "  cofferctl terminal probe desk-1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(c, cmd.Context(), terminalTimeout, post[ops.TerminalProbed]("terminals/probe", control.TerminalNamed{Name: args[0]}), printProbed, probedExit)
		},
	}
}

// probedExit: 0 may be used, 7 may not.
func probedExit(p ops.TerminalProbed) int {
	if p.Reason != nil {
		return exitCheckFailed
	}
	return 0
}

func printProbed(p *printer, t ops.TerminalProbed) {
	p.pair("terminal", t.Name+", profile "+t.Profile)
	p.pair("serial", t.Serial)
	p.pair("model", t.Model)
	p.pair("software", t.App+", "+t.OS)
	p.pair("registered", yesNo(t.Registered))
	p.pair("round trip", fmt.Sprintf("%d ms", t.Millis))
	if t.Reason != nil {
		p.pair("reason", t.Reason.Words)
	}
}

func (c *cli) terminalTest() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "a handshake, and a question about a payment that never was; neither can move money",
		Example: "  cofferctl terminal test desk-1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(c, cmd.Context(), terminalTimeout, post[ops.TerminalProbed]("terminals/test", control.TerminalNamed{Name: args[0]}), printTerminalTested, terminalTestExit)
		},
	}
}

func printTerminalTested(p *printer, t ops.TerminalProbed) {
	printProbed(p, t)
	p.pair("can tell what became of a payment", yesNo(t.Answers))
}

// terminalTestExit: 0 all is well, 7 it may not be used, or can't answer.
func terminalTestExit(t ops.TerminalProbed) int {
	if !t.Answers {
		return exitCheckFailed
	}
	return probedExit(t)
}

func (c *cli) terminalPair() *cobra.Command {
	var q ops.PairingAsked
	cmd := &cobra.Command{
		Use: "pair NAME", Short: "register the device at a connection, whose label you hold in your hand",
		Long:    "pair asks the terminal what it is and shows it. Type the serial number as its label\nshows it: what the two do not agree on is not paired. With --swap, the device that\nis deployed there now is retired in the same act.",
		Example: "  cofferctl terminal pair desk-1 --location 'front desk'\n  cofferctl terminal pair desk-1 --location 'front desk' --swap 'the old one broke'", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			return c.pair(cmd.Context(), q)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Label, "label", "", "the serial number on the label; else it is asked for")
	f.StringVar(&q.Location, "location", "", "where the device stands")
	f.StringVar(&q.Solution, "solution", "", "reference of the listed P2PE solution")
	f.StringVar(&q.Keys, "keys", "", "date of the key injection, 2026-03-31")
	f.StringVar(&q.Swap, "swap", "", "retire the device that is deployed there, for this reason")
	return cmd
}

func (c *cli) pair(ctx context.Context, q ops.PairingAsked) error {
	if q.Label == "" {
		probed, err := control.Ask[ops.TerminalProbed](ctx, control.NewClient(c.socket), "POST", "terminals/probe", control.TerminalNamed{Name: q.Name})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.talk, "The terminal says that it is a %s. Read its serial number off the label.\n", strings.TrimSpace(probed.Model+" "+probed.App))
		if q.Label, err = c.asker().line("Serial number on the label:"); err != nil {
			return err
		}
	}
	return answer(c, ctx, terminalTimeout, post[ops.TerminalPaired]("terminals/pair", q), func(p *printer, t ops.TerminalPaired) {
		p.pair("deployed", t.Serial+" at "+t.Terminal)
		p.pair("device", t.Device)
	}, always)
}
