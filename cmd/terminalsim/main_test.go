package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coffer/internal/terminal/sim"
)

// TestMain lets the test binary be the command itself, or a parent that starts
// the command and dies.
func TestMain(m *testing.M) {
	switch os.Getenv("TERMINALSIM_TEST") {
	case "command":
		main()
	case "parent":
		c := exec.Command(os.Args[0], os.Args[1:]...)
		c.Env = append(os.Environ(), "TERMINALSIM_TEST=command")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// program is the command running in a process of its own.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	doors  map[string]string // "pty", "tcp", "control" → where
	stderr words
}

// words is what a program says, for a reader that does not wait for its end.
type words struct {
	mu   sync.Mutex
	more *sync.Cond
	text []byte
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	w.more.Broadcast()
	return len(b), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

// stderrHas waits until the program has said something.
func (p *program) stderrHas(text string) error {
	late := false
	timer := time.AfterFunc(10*time.Second, func() {
		p.stderr.mu.Lock()
		defer p.stderr.mu.Unlock()
		late = true
		p.stderr.more.Broadcast()
	})
	defer timer.Stop()
	p.stderr.mu.Lock()
	defer p.stderr.mu.Unlock()
	for !bytes.Contains(p.stderr.text, []byte(text)) {
		if late {
			return errors.New("it never says " + text)
		}
		p.stderr.more.Wait()
	}
	return nil
}

func start(t *testing.T, as string, args ...string) *program {
	t.Helper()
	p := &program{t: t, doors: make(map[string]string)}
	p.stderr.more = sync.NewCond(&p.stderr.mu)
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), "TERMINALSIM_TEST="+as)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			return p
		}
		door, where, _ := strings.Cut(lines.Text(), " ")
		p.doors[door] = where
	}
	t.Fatalf("it is never ready: %v: %s", p.cmd.Wait(), p.stderr.String())
	return nil
}

// ends waits for the end and returns the exit code.
func (p *program) ends() int {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// serial opens a serial line as a client does.
func serial(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A sale of 150.00 in bytes: written down by hand, not made by our code.
const saleBytes = "\x02T00\x1c1.35\x1c01\x1c15000\x1c\x1c163135\x1fINV7\x1c\x1c\x1c\x1c\x1cTIPREQ=0\x03\x07"

// sell sends the sale and plays the exchange to its end, or leaves the reply
// unacknowledged.
func sell(t *testing.T, line io.ReadWriter, acknowledge bool) string {
	t.Helper()
	if _, err := io.WriteString(line, saleBytes); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(line)
	one := func(want byte) {
		t.Helper()
		if c, err := in.ReadByte(); err != nil || c != want {
			t.Fatalf("got %#02x, %v; want %#02x", c, err, want)
		}
	}
	one(0x06)
	reply, err := in.ReadString(0x03)
	if err == nil {
		_, err = in.ReadByte()
	}
	if err == nil && acknowledge {
		_, err = line.Write([]byte{0x06})
	}
	if err != nil {
		t.Fatal(err)
	}
	if acknowledge {
		one(0x04)
	}
	return reply
}

func TestSaleOnPTY(t *testing.T) {
	dir := t.TempDir()
	ledger := filepath.Join(dir, "ledger")
	p := start(t, "command", "-pty", filepath.Join(dir, "terminal"), "-ledger", ledger, "-serial", "11223344",
		"-card-delay", "1ms", "-host-delay", "1ms", "-pace", "-strict", "-exchanges", "1")
	f := serial(t, p.doors["pty"])
	reply := sell(t, f, true)
	if !strings.Contains(reply, "\x1cAPPROVAL") && !strings.Contains(reply, "APPROVAL\x1f") || !strings.Contains(reply, "SN=11223344") {
		t.Errorf("%q", reply)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if code := p.ends(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	lines, err := sim.ReadLedger(ledger)
	if err != nil || len(lines) != 1 || lines[0].Amount != 15000 || lines[0].Ref != "163135" {
		t.Errorf("%+v, %v", lines, err)
	}
	if _, err := os.Lstat(p.doors["pty"]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link stays: %v", err)
	}
}

func TestStrictOnTCP(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "command", "-tcp", "127.0.0.1:0", "-control", filepath.Join(dir, "control"), "-manual", "-strict", "-host-delay", "1ms")
	c, err := net.Dial("tcp", p.doors["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	control, err := net.Dial("unix", p.doors["control"])
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() { done <- sell(t, c, false) }()
	answers := bufio.NewReader(control)
	ask := func(line string) string {
		t.Helper()
		if _, err := io.WriteString(control, line+"\n"); err != nil {
			t.Fatal(err)
		}
		a, err := answers.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !strings.Contains(ask("tap visa"), `"ok":true`) {
		if ctx.Err() != nil {
			t.Fatal("it never asks for a card")
		}
	}
	<-done
	if _, err := io.WriteString(c, saleBytes); err != nil { // the sale again, and no ACK
		t.Fatal(err)
	}
	for !strings.Contains(ask("violations"), "resend-after-ack") {
		if ctx.Err() != nil {
			t.Fatal("strict does not see it")
		}
	}
	ask("quit")
	if code := p.ends(); code != exitViolations || !strings.Contains(p.stderr.String(), "strict: resend-after-ack: T00: ") {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	if err := errors.Join(c.Close(), control.Close()); err != nil {
		t.Error(err)
	}
}

// TestStrictCounts has a client leave before its ACK is overdue, and noise.
func TestStrictCounts(t *testing.T) {
	for _, c := range []struct {
		before string // written before the sale
		says   string
	}{{"", "strict: 1 fault of the driver\n"}, {strings.Repeat("noise", 800), "strict: 2 faults of the driver\n"}} {
		p := start(t, "command", "-tcp", "127.0.0.1:0", "-strict", "-card-delay", "1ms", "-host-delay", "1ms")
		line, err := net.Dial("tcp", p.doors["tcp"])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(line, c.before); err != nil {
			t.Fatal(err)
		}
		sell(t, line, false)
		if err := line.Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.stderrHas("strict: ack-missing: T00: "); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.ends(); code != exitViolations || !strings.HasSuffix(p.stderr.String(), c.says) {
			t.Errorf("exit code %d: %s", code, p.stderr.String())
		}
	}
}

func TestEndsBySignalAndByTime(t *testing.T) {
	p := start(t, "command", "-tcp", "127.0.0.1:0")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.ends(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	if code := start(t, "command", "-tcp", "127.0.0.1:0", "-for", "10ms").ends(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestDiesWithParent kills the parent without a word; the terminal's end is
// the end of its line.
func TestDiesWithParent(t *testing.T) {
	p := start(t, "parent", "-tcp", "127.0.0.1:0", "-die-with-parent")
	c, err := net.Dial("tcp", p.doors["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it lives on: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	p.ends()
}

func TestFlags(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "faults")
	if err := os.WriteFile(bad, []byte(`{"kind":`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args string
		code int
		says string
	}{
		{"-h", exitOK, "example, in two shells"},
		{"-h", exitOK, "51 with CODE 000000"},
		{"", exitUsage, "name a door"},
		{"-protocol zvt -tcp :0", exitUsage, "one of pax, simplify, upa"},
		{"-tcp :0 extra", exitUsage, "not a flag"},
		{"-tcp :0 -chaos 2", exitUsage, "from 0 to 1"},
		{"-tcp :0 -manual", exitUsage, "-manual needs -control"},
		{"-tcp :0 -nonsense", exitUsage, "nonsense"},
		{"-tcp :0 -faults " + bad, exitUsage, "not a JSON array"},
		{"-tcp :0 -faults " + bad + "x", exitUsage, "no such file"},
		{"-tcp 256.0.0.1:1", exitFailed, "cannot listen"},
		{"-tcp 127.0.0.1:0 -ledger /nonexistent/ledger", exitFailed, "cannot open the ledger"},
	}
	for _, c := range tests {
		t.Run(c.args, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(strings.Fields(c.args), &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("exit code %d: %s", code, errs.String())
			}
		})
	}
	for _, k := range slices.Concat(sim.PAX.Kinds(), sim.Simplify.Kinds(), sim.UPA.Kinds()) {
		var help bytes.Buffer
		run([]string{"-h"}, io.Discard, &help)
		if !strings.Contains(help.String(), " "+string(k)+" ") || k.About() == "" {
			t.Errorf("the help does not tell of %s", k)
		}
	}
}
