package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coffer/internal/ops"
)

func (c *cli) scopeCommand() *cobra.Command {
	return group("scope", "what of the box the card industry's rules are about", c.scopeProve())
}

func (c *cli) scopeProve() *cobra.Command {
	return &cobra.Command{
		Use: "prove", Short: "search the decrypted store for card numbers and sign what was found",
		Long:    "prove has the daemon decrypt every record and every event of the audit trail,\nlook through all fields for card numbers, and sign a statement of what was\nread, with the keys that sign the audit trail. cofferverify checks the\nstatement on any machine. If something looks like a card number, prove names\nthe table and the record, no digit, and its exit status is 7.",
		Example: "  cofferctl scope prove > scope-2026-11.txt\n  cofferverify scope-2026-11.txt --key FINGERPRINT", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return answer(c, cmd.Context(), verifyTimeout, post[ops.Scope]("scope/prove", nil),
				func(p *printer, s ops.Scope) { p.text(s.Statement) }, func(s ops.Scope) int { return c.scopeExit(s) })
		},
	}
}

// scopeExit: 0 no card number, 7 something looks like one.
func (c *cli) scopeExit(s ops.Scope) int {
	if s.OK {
		return 0
	}
	fmt.Fprintf(c.talk, "%d fields look like card numbers. Read the records named, take the numbers out, and tell the privacy officer.\n", len(s.Findings))
	return exitCheckFailed
}
