package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/control"
	"coffer/internal/ops"
)

func (c *cli) backupCommand() *cobra.Command {
	return group("backup", "backups, and the proof that they restore", c.backupCreate(), c.backupList(), c.backupVerify(), c.backupDrill(), c.restoreCommand("restore"))
}

func (c *cli) backupCreate() *cobra.Command {
	var q control.BackupAsked
	cmd := &cobra.Command{
		Use: "create", Short: "make a backup now, at one target or at all",
		Example: "  cofferctl backup create\n  cofferctl backup create --target nas", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.BackupMade]("backups/create", q), printMade, madeExit)
		},
	}
	cmd.Flags().StringVar(&q.Target, "target", "", "name of the target (default: all)")
	return cmd
}

func printMade(p *printer, m ops.BackupMade) {
	for _, t := range m.Targets {
		if t.Reason != nil {
			p.pair(t.Target, "FAILED, "+t.Reason.Code+": "+t.Reason.Words)
			continue
		}
		p.pair(t.Target, fmt.Sprintf("%s, %d KiB", t.Name, t.Bytes>>10))
	}
}

// madeExit: 0 every target took it, 3 some did, 1 none.
func madeExit(m ops.BackupMade) int {
	taken := 0
	for _, t := range m.Targets {
		if t.Reason == nil {
			taken++
		}
	}
	switch {
	case m.OK:
		return 0
	case taken > 0:
		return exitWarnings
	}
	return exitFailed
}

func (c *cli) backupList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "targets, what is on them, and how old",
		Example: "  cofferctl backup list\n  cofferctl backup list --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), doctorTimeout, get[ops.Backups]("backups"), printBackups, backupsExit)
		},
	}
}

func printBackups(p *printer, b ops.Backups) {
	for _, t := range b.Targets {
		p.line(p.paint(t.Verdict) + "\t" + t.Name + "\t" + t.Place)
		if t.Reason != nil {
			p.line("\t\t→ " + t.Reason.Words)
		}
		for _, k := range t.Copies {
			level := "not verified"
			if k.Level > 0 {
				level = fmt.Sprintf("verified at level %d", k.Level)
			}
			p.line(fmt.Sprintf("\t%s\t%s, commit %d, %d KiB, %s", k.Name, when(k.Made), k.Sequence, k.Bytes>>10, level))
		}
	}
	if b.Drill != nil {
		p.line("drill\t" + when(b.Drill.At) + "\t" + passed(b.Drill.OK))
	}
	if b.Alarm != nil {
		p.line(p.paint(ops.Fail) + "\t" + b.Alarm.Code + "\t" + b.Alarm.Words)
	}
}

func passed(ok bool) string {
	if ok {
		return "passed"
	}
	return "FAILED"
}

// backupsExit: 0 fresh and proven, 3 something is late, 7 alarm.
func backupsExit(b ops.Backups) int { return diagnosisExit(ops.Diagnosis{Verdict: b.Verdict}) }

func (c *cli) backupVerify() *cobra.Command {
	q := control.BackupAsked{Level: 2}
	cmd := &cobra.Command{
		Use: "verify", Short: "read a backup back and prove that it is whole",
		Long:    "verify reads a backup back. Level 1 checks signature, sums and count without any\nkey; level 2 decrypts every record and compares the set hash; level 3 restores\ninto scratch and folds the books.",
		Example: "  cofferctl backup verify\n  cofferctl backup verify --target nas --level 3", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.BackupVerified]("backups/verify", q), printBackupVerified, backupVerifiedExit)
		},
	}
	cmd.Flags().StringVar(&q.Target, "target", "", "name of the target (default: the one with the newest backup)")
	cmd.Flags().StringVar(&q.Name, "name", "", "name of the backup (default: the newest)")
	cmd.Flags().IntVar(&q.Level, "level", 2, "1, 2 or 3")
	return cmd
}

func printBackupVerified(p *printer, v ops.BackupVerified) {
	p.pair("backup", v.Name+" at "+v.Target)
	p.pair("made", when(v.Made))
	p.pair("read", fmt.Sprintf("commit %d, %d records", v.Sequence, v.Records))
	if v.Reason != nil {
		p.pair("FAILED", v.Reason.Code+": "+v.Reason.Words)
		return
	}
	p.pair("result", fmt.Sprintf("whole, at level %d", v.Level))
}

// backupVerifiedExit: 0 whole, 7 not.
func backupVerifiedExit(v ops.BackupVerified) int {
	if v.OK {
		return 0
	}
	return exitCheckFailed
}

func (c *cli) backupDrill() *cobra.Command {
	return &cobra.Command{
		Use: "drill", Short: "restore the newest backup into scratch and compare it with the store",
		Example: "  cofferctl backup drill", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.Drill]("backups/drill", nil), printDrill, drillExit)
		},
	}
}

func printDrill(p *printer, d ops.Drill) {
	p.pair("backup", d.Name+" at "+d.Target+", made "+when(d.Made))
	p.pair("restored", fmt.Sprintf("%d records and %d events in %.1f s", d.Records, d.Events, d.Seconds))
	if d.Reason != nil {
		p.pair("FAILED", d.Reason.Code+": "+d.Reason.Words)
		return
	}
	p.pair("result", "the restored books, trail and records are equal to the store's")
}

func drillExit(d ops.Drill) int { return backupVerifiedExit(ops.BackupVerified{OK: d.OK}) }

// restoreCommand is "cofferctl restore", and the same under backup.
func (c *cli) restoreCommand(use string) *cobra.Command {
	var q ops.Restoring
	var newPIN bool
	cmd := &cobra.Command{
		Use: use, Short: "bring the books back from a backup, on this box",
		Long: "restore brings the books back with the recovery sheet: on a new box, or on one\nwhose disk was lost. It shows what would come back and what would be missing,\nthen asks for what it needs, the sheet last. Over books that are there it needs\n--replace and a reason: they are moved aside, and the trail says for ever that\nan older state was put in their place.",
		Example: "  cofferctl restore --target nas --reason \"disk lost on 2026-03-02\"\n" +
			"  cofferctl restore --target dir:/media/stick --dry-run", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.offline(cmd.Context(), func() error { return c.restore(cmd.Context(), q, newPIN) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Target, "target", "", "name of a target of the boot file, or dir:/path, usb:LABEL, sftp://… (default: the first)")
	f.StringVar(&q.Name, "name", "", "name of the backup (default: the newest)")
	f.StringVar(&q.Reason, "reason", "", "why; goes on record")
	f.Uint64Var(&q.Claimed, "last-known", 0, "number of the last commit that you know of, from a receipt or a checkpoint")
	f.BoolVar(&q.Replace, "replace", false, "over the books that are on this box")
	f.BoolVar(&q.DryRun, "dry-run", false, "only say what would be restored")
	f.BoolVar(&newPIN, "new-pin", false, "ask for a PIN for the new seal")
	return cmd
}

// restore shows what would come back, and asks for what is missing, the sheet
// last.
func (c *cli) restore(ctx context.Context, q ops.Restoring, newPIN bool) error {
	dry := q
	dry.DryRun = true
	if q.DryRun {
		return answer(c, ctx, verifyTimeout, post[ops.Restored]("restore", dry), printRestored, always)
	}
	plan, err := ask[ops.Restored](ctx, c, verifyTimeout, "restore", dry)
	if err != nil {
		return err
	}
	p := newPrinter(c.talk)
	printRestored(p, plan)
	if err := p.flush(); err != nil {
		return err
	}
	if plan.Replaces && q.Replace {
		if err := c.agree("The books on this box are replaced by older ones. What was posted since is gone from them.", "replace"); err != nil {
			return err
		}
		if q.Reason, err = c.reason(q.Reason); err != nil {
			return err
		}
	}
	if newPIN {
		if q.PIN, err = c.twice("New PIN, 6 to 12 digits:"); err != nil {
			return err
		}
	}
	if !plan.Replaces || q.Replace { // else the daemon says what is missing
		if q.Papers, err = c.asker().papers(); err != nil {
			return err
		}
	}
	return answer(c, ctx, verifyTimeout, post[ops.Restored]("restore", q), printRestored, always)
}

func printRestored(p *printer, r ops.Restored) {
	if r.Done {
		p.pair("restored", r.Name+" from "+r.Target)
	} else {
		p.pair("would restore", r.Name+" from "+r.Target)
	}
	p.pair("made", when(r.Made)+", "+time.Since(r.Made).Round(time.Minute).String()+" ago")
	p.pair("store", r.Store.String())
	p.pair("holds", fmt.Sprintf("commit %d, %d records, %d events", r.Sequence, r.Records, r.Events))
	if r.Replaces && !r.Done {
		p.pair("replaces", "the books on this box, which are moved aside; what was posted since is not in it")
	}
	if r.Note != "" {
		p.pair("note", r.Note)
	}
}
