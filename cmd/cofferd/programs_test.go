package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs builds Coffer's programs once and returns their directory.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "coffer-bin")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "coffer/cmd/cofferd", "coffer/cmd/cofferctl", "coffer/cmd/terminalsim", "coffer/cmd/cofferverify").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// box is a directory with a boot file for a clinic of a test's own.
type box struct {
	dir    string
	config Config
}

// newBox writes a boot file. Its directory has a short name, since the path of
// a unix socket must be short.
func newBox(t *testing.T, tpm string) box {
	t.Helper()
	dir, err := os.MkdirTemp("", "box")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text := fmt.Sprintf("clinic = \"Test Clinic\"\nzone = \"America/New_York\"\nstate = %q\ntpm = %q\nlisten = %q\nnames = [\"localhost\"]\ncontrol = %q\n",
		filepath.Join(dir, "state"), tpm, l.Addr().String(), filepath.Join(dir, "c.sock"))
	b := box{dir: dir}
	if err := os.WriteFile(b.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if b.config, err = readConfig(b.file()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b box) file() string { return filepath.Join(b.dir, "cofferd.toml") }

// run is one running daemon.
type running struct {
	cmd  *exec.Cmd
	log  *journal
	done chan struct{}
}

// journal is what a daemon writes, and may be read while it does.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs the daemon on the box until the test ends, and waits until its
// pages answer.
func (b box) start(t *testing.T) *running {
	t.Helper()
	r := &running{cmd: exec.Command(program(t, "cofferd"), "run", "--config", b.file()), log: &journal{}, done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.Dir = r.log, r.log, b.dir
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.cmd.Wait() // how it ended is the test's own doing
		close(r.done)
	}()
	t.Cleanup(func() { r.signal(t, syscall.SIGTERM) })
	b.await(t, r, func() bool {
		_, _, err := b.page("/healthz")
		return err == nil
	})
	return r
}

// await polls until the condition holds, and fails when the daemon ends first
// or it takes a minute.
func (b box) await(t *testing.T, r *running, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-r.done:
			t.Fatalf("the daemon ended:\n%s", r.log)
		case <-ctx.Done():
			t.Fatalf("the daemon does not get there")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// signal ends the daemon and waits until it is gone.
func (r *running) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	select {
	case <-r.done:
		return
	default:
	}
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		r.cmd.Process.Kill()
		t.Error("the daemon did not stop in half a minute")
	}
}

// page returns status and text of a page, whoever vouches for the box.
func (b box) page(path string) (int, string, error) {
	_, port, err := net.SplitHostPort(b.config.Listen)
	if err != nil {
		return 0, "", err
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	r, err := client.Get("https://localhost:" + port + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

// ctl runs cofferctl and returns what it printed and its exit status.
func (b box) ctl(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(program(t, "cofferctl"), append(args, "--socket", b.config.Control)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}
