package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/control"
	"coffer/internal/ops"
	"coffer/internal/recovery"
)

func (c *cli) recoveryCommand() *cobra.Command {
	return group("recovery", "the paper recovery sheet", c.recoveryPrint(), c.recoveryTest(), c.recoveryOpen())
}

// isShare reports whether a text is a share of a sheet, not a whole one.
func isShare(text string) bool {
	_, err := recovery.ParseShare(text)
	return err == nil
}

func (c *cli) recoveryPrint() *cobra.Command {
	var shares, owner bool
	cmd := &cobra.Command{
		Use: "print", Short: "make a recovery sheet, print it, and put it in force",
		Long:    "print shows a new recovery sheet once and asks for two of its groups. When they\nare right, the sheet is in force and the former one opens nothing new. The\npresent sheet is the proof that this may be done; while there is none, none is\nasked for. With --owner, the owner signs in instead.",
		Example: "  cofferctl recovery print\n  cofferctl recovery print --shares", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := control.SheetAsked{Form: ops.OneSheet}
			if shares {
				q.Form = ops.ThreeShares
			}
			return c.printSheet(cmd.Context(), q, owner)
		},
	}
	cmd.Flags().BoolVar(&shares, "shares", false, "three shares, of which any two open")
	cmd.Flags().BoolVar(&owner, "owner", false, "the owner signs in, in place of the present sheet")
	return cmd
}

func (c *cli) printSheet(ctx context.Context, q control.SheetAsked, owner bool) error {
	state, err := c.sealState(ctx)
	if err != nil {
		return err
	}
	switch {
	case owner:
		var p control.Person
		p, err = c.person("owner")
		q.As = &p
	case state.Recovery:
		q.Papers, err = c.asker().papers()
	}
	if err != nil {
		return err
	}
	sheet, err := ask[ops.Sheet](ctx, c, openTimeout, "recovery/sheet", q)
	if err != nil {
		return err
	}
	if err := c.showSheet(sheet); err != nil {
		return err
	}
	typed := control.SheetTyped{ID: sheet.ID}
	for _, a := range sheet.Ask {
		group, err := c.asker().line(askFor(sheet, a))
		if err != nil {
			return err
		}
		typed.Answers = append(typed.Answers, group)
	}
	if typed.PIN, err = c.pin(state.PIN); err != nil {
		return err
	}
	if _, err := ask[control.Done](ctx, c, openTimeout, "recovery/confirm", typed); err != nil {
		return err
	}
	fmt.Fprintln(c.talk, "The recovery sheet is in force. Keep it where neither fire nor the thief of the box finds it, and rehearse it twice a year: cofferctl recovery test")
	return nil
}

// ask puts a question that is not the last one of its command.
func ask[T any](ctx context.Context, c *cli, usual time.Duration, what string, body any) (T, error) {
	if c.timeout > 0 {
		usual = c.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, usual)
	defer cancel()
	return control.Ask[T](ctx, control.NewClient(c.socket), http.MethodPost, what, body)
}

func askFor(s ops.Sheet, a ops.Asked) string {
	if len(s.Papers) == 1 {
		return fmt.Sprintf("Type group %d of the sheet back:", a.Group)
	}
	return fmt.Sprintf("Type group %d of share %d back:", a.Group, a.Paper)
}

// showSheet prints the sheet: as JSON, or as it is to stand on paper.
func (c *cli) showSheet(s ops.Sheet) error {
	if c.json {
		return c.object(s)
	}
	p := &printer{w: c.out}
	for _, paper := range s.Papers {
		p.line("")
		p.line("COFFER RECOVERY SHEET — " + s.Clinic)
		if len(s.Papers) > 1 {
			p.line(fmt.Sprintf("Share %d of %d. Any two open; one alone tells nothing. Keep them with different people.", paper.Number, len(s.Papers)))
		} else {
			p.line("Whoever has this sheet and a backup or the box's disk can read everything.")
		}
		p.line("Made " + when(s.Made) + " for store " + s.Store.String())
		p.line("")
		for i, g := range paper.Groups {
			p.line(fmt.Sprintf("  %2d  %s", i+1, g))
		}
		p.line("")
		p.line("Sheet " + s.Fingerprint)
		if s.Attestation != "" {
			p.line("TPM   " + s.Attestation)
		}
		p.line("Trail " + s.TrailPrint)
		for key := range strings.Lines(s.TrailKey) {
			p.line("      " + strings.TrimSpace(key))
		}
	}
	if p.err != nil {
		return outputError{p.err}
	}
	return nil
}

func (c *cli) recoveryTest() *cobra.Command {
	return &cobra.Command{
		Use: "test", Short: "rehearse: would this sheet, or these two shares, open the books?",
		Example: "  cofferctl recovery test", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			papers, err := c.asker().papers()
			if err != nil {
				return err
			}
			return answer(c, cmd.Context(), openTimeout, post[ops.SheetTested]("recovery/test", control.SheetShown{Papers: papers}), printTested, testedExit)
		},
	}
}

func printTested(p *printer, t ops.SheetTested) {
	if t.OK {
		p.line("This sheet opens the books. Rehearse again by " + t.Next.Local().Format(time.DateOnly) + ".")
		return
	}
	p.line("This sheet does NOT open the books. Find the one that does, or have the owner make a new one today.")
}

// testedExit: 0 it opens, 12 it does not.
func testedExit(t ops.SheetTested) int {
	if t.OK {
		return 0
	}
	return exitWrongKey
}

func (c *cli) recoveryOpen() *cobra.Command {
	var newPIN bool
	var q control.SheetShown
	cmd := &cobra.Command{
		Use: "open", Short: "open a shut box with the recovery sheet and seal it to its TPM anew",
		Example: "  cofferctl recovery open --reason \"mainboard exchanged on 2026-03-02\"", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.offline(cmd.Context(), func() error { return c.openBySheet(cmd.Context(), q, newPIN) })
		},
	}
	cmd.Flags().StringVar(&q.Reason, "reason", "", "why the sheet is used; goes on record (asked for when it is missing)")
	cmd.Flags().BoolVar(&newPIN, "new-pin", false, "ask for a PIN for the new seal; where the present one has a PIN, it is asked for anyway")
	cmd.Flags().BoolVar(&q.NoPIN, "no-pin", false, "the new seal asks for no PIN")
	return cmd
}

// openBySheet asks for what is missing, the sheet last.
func (c *cli) openBySheet(ctx context.Context, q control.SheetShown, newPIN bool) error {
	now, err := c.sealState(ctx)
	if err != nil {
		return err
	}
	if q.Reason, err = c.reason(q.Reason); err != nil {
		return err
	}
	if newPIN || now.PIN && !q.NoPIN {
		if q.PIN, err = c.twice("New PIN, 6 to 12 digits:"); err != nil {
			return err
		}
	}
	if q.Papers, err = c.asker().papers(); err != nil {
		return err
	}
	return answer(c, ctx, openTimeout, post[control.Done]("recovery/open", q), printDone("the books open, and are sealed to this box's TPM anew"), always)
}

// reason returns why something is done, and asks when it was not said.
func (c *cli) reason(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	return c.asker().line("Why, in 10 to 500 characters; it goes on record:")
}

// person asks a member of staff to sign in.
func (c *cli) person(role string) (control.Person, error) {
	var p control.Person
	var err error
	if p.Name, err = c.asker().line("Sign-in name of the " + role + ":"); err != nil {
		return p, err
	}
	if p.Password, err = c.asker().secret("Password:"); err != nil {
		return p, err
	}
	p.Code, err = c.asker().secret("One-time code:")
	return p, err
}
