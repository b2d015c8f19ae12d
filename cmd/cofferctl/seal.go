package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"coffer/internal/control"
	"coffer/internal/ops"
)

// question returns what asks the daemon for what.
func question[T any](method, what string, body any) func(*control.Client, context.Context) (T, error) {
	return func(c *control.Client, ctx context.Context) (T, error) {
		return control.Ask[T](ctx, c, method, what, body)
	}
}

func get[T any](what string) func(*control.Client, context.Context) (T, error) {
	return question[T](http.MethodGet, what, nil)
}

func post[T any](what string, body any) func(*control.Client, context.Context) (T, error) {
	return question[T](http.MethodPost, what, body)
}

// always is the exit status of what is done when it returns.
func always[T any](T) int { return 0 }

// printDone prints that something was done.
func printDone(what string) func(*printer, control.Done) {
	return func(p *printer, _ control.Done) { p.line(what) }
}

// group returns a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Help(); err != nil {
			return outputError{err}
		}
		return exit{exitUsage}
	}}
	cmd.AddCommand(commands...)
	return cmd
}

func (c *cli) sealCommand() *cobra.Command {
	return group("seal", "what opens the books: status, PIN, sealing anew", c.sealStatus(), c.sealUnlock(), c.sealReseal())
}

func (c *cli) sealStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "how the root key is sealed, and whether a start would open it",
		Example: "  cofferctl seal status\n  cofferctl seal status --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.offline(cmd.Context(), func() error {
				return answer(c, cmd.Context(), statusTimeout, get[ops.SealState]("seal"), printSeal, sealExit)
			})
		},
	}
}

// sealExit: 0 open, and the next start would be; 3 the next would not; 5 shut.
func sealExit(s ops.SealState) int {
	switch {
	case s.State == ops.Sealed && s.Reason != nil && isNoStore(s.Reason.Code):
		return exitNoStore
	case s.State == ops.Sealed:
		return exitSealed
	case s.Next != nil:
		return exitWarnings
	}
	return 0
}

func printSeal(p *printer, s ops.SealState) {
	p.pair("state", string(s.State))
	if s.Reason != nil {
		p.pair("reason", s.Reason.Code)
		p.pair("", s.Reason.Words)
	}
	if s.Seal != nil {
		p.pair("level", string(s.Seal.Level))
		p.pair("PIN", yesNo(s.Seal.PIN))
		p.pair("recovery sheet", cmp.Or(s.Seal.Sheet, "no"))
		p.pair("TPM", s.Seal.Manufacturer)
		p.pair("generation", number(s.Seal.Generation))
		if s.Seal.AttestationKey != "" {
			p.pair("attestation key", s.Seal.AttestationKey)
		}
	}
	if s.Next != nil {
		p.pair("next start", s.Next.Code)
		p.pair("", s.Next.Words)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (c *cli) sealUnlock() *cobra.Command {
	return &cobra.Command{
		Use: "unlock", Short: "open a box that waits for its PIN; it serves at once",
		Example: "  cofferctl seal unlock", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pin, err := c.asker().secret("PIN:")
			if err != nil {
				return err
			}
			return answer(c, cmd.Context(), openTimeout, post[control.Done]("seal/unlock", control.PINGiven{PIN: pin}),
				printDone("the books are open"), always)
		},
	}
}

func (c *cli) sealReseal() *cobra.Command {
	var change ops.SealChange
	var newPIN bool
	cmd := &cobra.Command{
		Use: "reseal", Short: "seal the root key anew: after a firmware update, or with another level or PIN",
		Long:    "reseal binds the root key to what the box has booted now. Every older copy of\nthe seal stops opening.",
		Example: "  cofferctl seal reseal\n  cofferctl seal reseal --new-pin\n  cofferctl seal reseal --level secureboot", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := c.sealState(cmd.Context())
			if err != nil {
				return err
			}
			if change.PIN, err = c.pin(state.PIN); err != nil {
				return err
			}
			if newPIN {
				if change.NewPIN, err = c.twice("New PIN, 6 to 12 digits:"); err != nil {
					return err
				}
			}
			return answer(c, cmd.Context(), openTimeout, post[ops.Resealed]("seal/reseal", change), printResealed, always)
		},
	}
	cmd.Flags().StringVar(&change.Level, "level", "", "measured, secureboot or bound (default: as it is)")
	cmd.Flags().BoolVar(&newPIN, "new-pin", false, "ask for a new PIN")
	cmd.Flags().BoolVar(&change.NoPIN, "no-pin", false, "from now on without a PIN")
	return cmd
}

func printResealed(p *printer, r ops.Resealed) {
	p.pair("sealed anew", fmt.Sprintf("level %s, generation %d, PIN %s", r.Seal.Level, r.Seal.Generation, yesNo(r.Seal.PIN)))
}

// sealState asks how the seal is, for commands that need to know whether there
// is a PIN or a recovery sheet.
func (c *cli) sealState(ctx context.Context) (sealNow, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s, err := control.Ask[ops.SealState](ctx, control.NewClient(c.socket), http.MethodGet, "seal", nil)
	if err != nil || s.Seal == nil {
		return sealNow{}, err
	}
	return sealNow{s.Seal.PIN, s.Seal.Recovery}, nil
}

// sealNow is what commands need to know of the seal.
type sealNow struct{ PIN, Recovery bool }

// twice asks for a secret twice.
func (c *cli) twice(question string) (string, error) {
	one, err := c.asker().secret(question)
	if err != nil {
		return "", err
	}
	two, err := c.asker().secret("Once more:")
	if err == nil && one != two {
		err = errors.New("the two differ; nothing was changed")
	}
	return one, err
}

func (c *cli) keyCommand() *cobra.Command {
	var data bool
	rotate := &cobra.Command{
		Use: "rotate", Short: "replace the root key, and with --data every data key",
		Long:    "rotate makes a new root key and wraps every key of the store anew. With --data\nit also writes every record anew under fresh data keys; work goes on meanwhile.",
		Example: "  cofferctl key rotate\n  cofferctl key rotate --data", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := c.sealState(cmd.Context())
			if err != nil {
				return err
			}
			pin, err := c.pin(state.PIN)
			if err != nil {
				return err
			}
			return answer(c, cmd.Context(), verifyTimeout, post[ops.Rotated]("key/rotate", control.RotationAsked{PIN: pin, Data: data}), printRotated, always)
		},
	}
	rotate.Flags().BoolVar(&data, "data", false, "also write every record anew under fresh data keys")
	return group("key", "the root key and the data keys", rotate)
}

func printRotated(p *printer, r ops.Rotated) {
	p.pair("root key", fmt.Sprintf("generation %d", r.Generation))
	if r.Buckets > 0 {
		p.pair("data keys", fmt.Sprintf("of %d buckets are new", r.Buckets))
	}
}
