package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"coffer/internal/control"
	"coffer/internal/ops"
)

func (c *cli) auditCommand() *cobra.Command {
	return group("audit", "the audit trail", c.auditTail(), c.auditVerify(), c.auditCheckpoint(), c.auditExport())
}

func (c *cli) auditTail() *cobra.Command {
	q := control.TailAsked{Limit: 20}
	cmd := &cobra.Command{
		Use: "tail", Short: "the newest events, without anything that identifies a client",
		Example: "  cofferctl audit tail\n  cofferctl audit tail --limit 100 --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), doctorTimeout, post[ops.Tail]("audit/tail", q), printTail, always)
		},
	}
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "how many events, at most 1000")
	cmd.Flags().Uint64Var(&q.Before, "before", 0, "only events with a smaller number")
	return cmd
}

func printTail(p *printer, t ops.Tail) {
	for i := len(t.Events) - 1; i >= 0; i-- {
		e := t.Events[i]
		p.line(fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s", e.Number, when(e.Time), e.Actor, e.Via, e.Act, e.Object, e.Outcome))
	}
}

func (c *cli) auditVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "recompute the whole trail on the box",
		Long:    "verify recomputes the tree over all events on the box. What root of this box\ncould have forged, only an outsider can see: give an export and the recovery\nsheet's keys to cofferverify on another machine.",
		Example: "  cofferctl audit verify", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.TrailVerified]("audit/verify", nil), printTrailVerified, trailExit)
		},
	}
}

func printTrailVerified(p *printer, t ops.TrailVerified) {
	p.pair("events", number(t.Events))
	p.pair("root", t.Root)
	if !t.Badge.SignedAt.IsZero() {
		p.pair("checkpoint", fmt.Sprintf("%d events, signed %s, by TPM: %s", t.Badge.Signed, when(t.Badge.SignedAt), yesNo(t.Badge.ByTPM)))
	}
	for _, f := range t.Findings {
		p.pair("FOUND", fmt.Sprintf("%s, %s %d: %s", f.Part, f.Where, f.Position, f.What))
	}
	if t.OK {
		p.pair("result", "the trail is whole")
	}
}

// trailExit: 0 whole, 7 not.
func trailExit(t ops.TrailVerified) int {
	if t.OK {
		return 0
	}
	return exitCheckFailed
}

func (c *cli) auditCheckpoint() *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint", Short: "sign the trail as it is now and print the checkpoint, to be kept elsewhere",
		Example: "  cofferctl audit checkpoint", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), doctorTimeout, post[ops.Checkpoint]("audit/checkpoint", nil),
				func(p *printer, k ops.Checkpoint) { p.text(k.Note) }, always)
		},
	}
}

func (c *cli) auditExport() *cobra.Command {
	var q control.ExportAsked
	cmd := &cobra.Command{
		Use: "export FILE", Short: "write the trail for an auditor; the privacy officer signs in",
		Long:    "export writes the whole trail with its checkpoints to a file that must not exist\nyet, encrypted with a passphrase that is shown once. cofferverify reads\nit, on any machine.",
		Example: "  cofferctl audit export /media/stick/audit.ndjson.age\n  cofferctl audit export --redacted audit.ndjson.age", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			redacted, err := cmd.Flags().GetBool("redacted")
			if err != nil {
				return err
			}
			q.Openings = !redacted
			if q.As, err = c.person("privacy officer"); err != nil {
				return err
			}
			return c.export(cmd.Context(), q, args[0])
		},
	}
	cmd.Flags().Bool("redacted", false, "without the private parts: who did what when, but not to whom")
	cmd.Flags().BoolVar(&q.Plain, "plain", false, "not encrypted; needs --reason")
	cmd.Flags().StringVar(&q.Reason, "reason", "", "why it is not to be encrypted; goes on record")
	return cmd
}

// export writes the trail to a new file; what did not arrive whole is removed.
func (c *cli) export(ctx context.Context, q control.ExportAsked, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return outputError{err}
	}
	usual := verifyTimeout
	if c.timeout > 0 {
		usual = c.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, usual)
	defer cancel()
	exported, err := control.NewClient(c.socket).Export(ctx, q, f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		if gone := os.Remove(path); gone != nil {
			fmt.Fprintln(c.talk, "cofferctl: what was written of the export stays:", gone)
		}
		return err
	}
	if c.json {
		return c.object(exported)
	}
	p := newPrinter(c.out)
	p.pair("written", fmt.Sprintf("%s, %d bytes", path, exported.Bytes))
	if exported.Passphrase != "" {
		p.pair("passphrase", exported.Passphrase)
		p.pair("", "It is shown this once. Give it to the auditor by another way than the file.")
	}
	return p.flush()
}

func (c *cli) storeCommand() *cobra.Command {
	check := c.verifyCommand()
	check.Use, check.Example = "check", "  cofferctl store check"
	compact := &cobra.Command{
		Use: "compact", Short: "have the next start write the store's file anew, without what was deleted",
		Example: "  cofferctl store compact", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.Compacted]("store/compact", nil), func(p *printer, k ops.Compacted) {
				p.pair("asked", "the next start writes the file anew; it takes longer, and as much free space as the file has")
				p.pair("size now", fmt.Sprintf("%d KiB", k.Bytes>>10))
			}, always)
		},
	}
	return group("store", "the store's file", check, compact, c.acceptLoss())
}

func (c *cli) acceptLoss() *cobra.Command {
	var q control.ReasonGiven
	cmd := &cobra.Command{
		Use: "accept-loss", Short: "acknowledge that a confirmed commit is gone, once it was entered again",
		Long:    "When the store was set back, status and doctor name the commit that is gone until\nsomebody acknowledges it here, with what was done about it.",
		Example: "  cofferctl store accept-loss --reason \"two payments entered again from receipts\"", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.agree("What was confirmed and is gone will not be shown any more.", "lost"); err != nil {
				return err
			}
			return answer(c, cmd.Context(), openTimeout, post[control.Done]("store/accept", q), printDone("the loss is acknowledged, and on record"), always)
		},
	}
	cmd.Flags().StringVar(&q.Reason, "reason", "", "what was done about it; goes on record")
	return cmd
}

func (c *cli) ledgerCommand() *cobra.Command {
	return group("ledger", "the books", &cobra.Command{
		Use: "check", Short: "fold the whole journal anew and compare every balance and payment with it",
		Example: "  cofferctl ledger check", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.BooksVerified]("ledger/check", nil), printBooks, booksExit)
		},
	})
}

func printBooks(p *printer, b ops.BooksVerified) {
	p.pair("books", fmt.Sprintf("%d entries, %d postings, %d open items, %d pending", b.Books.Entries, b.Books.Postings, b.Books.Items, b.Books.Pending))
	p.pair("payments", fmt.Sprintf("%d attempts compared with the books", b.Payments.Attempts))
	for _, f := range b.Findings {
		p.pair("FOUND", fmt.Sprintf("%s, %s %d: %s", f.Part, f.Where, f.Position, f.What))
	}
	if b.OK {
		p.pair("result", "the books balance, and every payment stands in them")
	}
}

func booksExit(b ops.BooksVerified) int { return trailExit(ops.TrailVerified{OK: b.OK}) }

func (c *cli) retireCommand() *cobra.Command {
	var q control.RetirementAsked
	return &cobra.Command{
		Use: "retire", Short: "end this box: destroy what opens its books here, and print a certificate",
		Long:    "retire takes the keys out of the TPM and destroys the seal. The books open from a\nbackup with the recovery sheet alone after that. The owner signs in.",
		Example: "  cofferctl retire", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := control.Ask[ops.Status](cmd.Context(), control.NewClient(c.socket), http.MethodGet, "status", nil)
			if err != nil {
				return err
			}
			if err := c.agree("The books can't be opened on this box any more, by nobody, without a backup and the recovery sheet.", status.Clinic); err != nil {
				return err
			}
			q.Clinic = status.Clinic
			if q.As, err = c.person("owner"); err != nil {
				return err
			}
			return answer(c, cmd.Context(), openTimeout, post[ops.Certificate]("retire", q), printCertificate, always)
		},
	}
}

func printCertificate(p *printer, r ops.Certificate) {
	p.line("CERTIFICATE OF DISPOSAL — " + r.Clinic)
	p.line("On " + when(r.At) + " what opens the books of store " + r.Store.String() + " on this box was destroyed:")
	for _, l := range r.Lines {
		p.line("  · " + l)
	}
	p.line(fmt.Sprintf("Its audit trail ended with %d events, root %s.", r.Events, r.Root))
	p.line("Signed: ______________________   Witnessed: ______________________")
}
