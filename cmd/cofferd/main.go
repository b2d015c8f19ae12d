// Command cofferd is Coffer's daemon: it opens the clinic's books on the box
// they are sealed to and serves the clinic's pages and its card terminals.
//
//	cofferd run --config /etc/coffer/cofferd.toml
//	cofferd init --config /etc/coffer/cofferd.toml
//	cofferd check-config --config /etc/coffer/cofferd.toml
//	cofferd demo
//
// What it trusts: the TPM that the boot file names, the boot file, and root on
// the running box. What it writes: the store and its header in the state
// directory, the box's public certificate beside them, the mark coffer.init while
// a store is being made, the control socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cofferd:", sentence(err))
		os.Exit(exitCode(err))
	}
}

// sentence returns what a person at the console may read of err.
func sentence(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Error()
	}
	return err.Error()
}

// configError is a boot file that must be corrected first: the unit does not
// start the daemon again for it.
type configError struct{ error }

func exitCode(err error) int {
	var wrong configError
	if errors.As(err, &wrong) {
		return 2
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Kind().ExitCode()
	}
	return 1
}

const defaultConfig = "/etc/coffer/cofferd.toml"

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "cofferd",
		Short:         "the daemon of the clinic's money box",
		Example:       "  cofferd demo\n  cofferd run --config " + defaultConfig,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	root.AddCommand(runCommand(), initCommand(), consoleCommand(), checkCommand(), demoCommand(), versionCommand())
	return root
}

// withConfig gives a command the --config flag and its boot file, read.
func withConfig(cmd *cobra.Command, do func(context.Context, Config) error) *cobra.Command {
	path := cmd.Flags().String("config", defaultConfig, "the boot file")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := readConfig(*path)
		if err != nil {
			return configError{err}
		}
		return do(cmd.Context(), config)
	}
	return cmd
}

func runCommand() *cobra.Command {
	return withConfig(&cobra.Command{Use: "run", Short: "open the books and serve the clinic"}, asOwner(run))
}

func initCommand() *cobra.Command {
	return withConfig(&cobra.Command{
		Use:   "init",
		Short: "make a new, empty store, sealed to this box's TPM; refuses if there is one",
	}, asOwner(initialise))
}

func consoleCommand() *cobra.Command {
	var socket string
	cmd := withConfig(&cobra.Command{
		Use: "console", Hidden: true,
		Short: "answer cofferctl while the daemon is stopped, until standard input ends; cofferctl starts it itself",
	}, asOwner(func(ctx context.Context, c Config) error {
		if socket != "" {
			c.Control = socket
		}
		return console(ctx, c)
	}))
	cmd.Flags().StringVar(&socket, "control", "", "the control socket, in place of the boot file's")
	return cmd
}

func checkCommand() *cobra.Command {
	return withConfig(&cobra.Command{Use: "check-config", Short: "say whether the boot file is in order"},
		func(context.Context, Config) error {
			fmt.Println("The boot file is in order.")
			return nil
		})
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "print the version", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {
		fmt.Println("cofferd", version())
	}}
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
