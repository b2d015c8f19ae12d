package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"coffer/internal/control"
)

// defaultConfig is the daemon's boot file as shipped.
const defaultConfig = "/etc/coffer/cofferd.toml"

// offline does what works without the daemon too: when none answers, it has
// "cofferd console" answer in its place as long as it takes.
func (c *cli) offline(ctx context.Context, do func() error) error {
	err := do()
	if !control.IsAbsent(err) {
		return err
	}
	stop, started := c.startConsole(ctx)
	if started != nil {
		return errors.Join(err, started)
	}
	defer stop()
	return do()
}

// startConsole starts cofferd, which stands beside this program or in the
// path, without pages. It ends with its standard input.
func (c *cli) startConsole(ctx context.Context) (stop func(), err error) {
	path, err := exec.LookPath("cofferd")
	if self, errSelf := os.Executable(); errSelf == nil {
		if beside := filepath.Join(filepath.Dir(self), "cofferd"); isFile(beside) {
			path, err = beside, nil
		}
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "console", "--config", c.config, "--control", c.socket)
	cmd.Stderr = c.talk
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out) // until it ends
		_ = cmd.Wait()                  // what it had to say it has said
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		stop()
		return nil, refusedBy(cmd)
	}
	return stop, nil
}

// refusedBy returns what cofferd's end comes to: it has said why.
func refusedBy(cmd *exec.Cmd) error {
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return exit{code}
	}
	return errors.New("cofferd can't answer either")
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}
