package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// TestASealWithoutItsStore takes coffer.db away: the daemon says to put it
// back, exit statuses tell it from a box that was never set up, and init
// makes no empty store behind the seal of another.
func TestASealWithoutItsStore(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.config.storeDir()); err != nil { // as when its disk is not mounted
		t.Fatal(err)
	}
	if err := initialise(t.Context(), b.config); !errors.Is(err, errHalf) || !strings.Contains(sentence(err), "move the state directory away") {
		t.Fatalf("init says %v", err)
	}
	if _, err := os.Stat(b.config.storeDir()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("init made something: %v", err)
	}
	b.start(t)
	for _, command := range []string{"status", "verify"} {
		if out, exit := b.ctl(t, command); exit != 10 || !strings.Contains(out, "Mount its disk, or put the file back") {
			t.Errorf("cofferctl %s exits %d:\n%s", command, exit, out)
		}
	}
}

// TestInitFinishesWhatItBegan: a set-up that was killed between its seal and
// its store is finished by the next one.
func TestInitFinishesWhatItBegan(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := os.MkdirAll(b.config.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.config.mark(); err != nil {
		t.Fatal(err)
	}
	key, err := seal.Provision(t.Context(), b.config.TPM, b.config.header(), seal.Setup{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	key.Wipe()
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.config.unfinished()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark stays: %v", err)
	}
}

// TestOddFilesShutTheBooksAndSayWhy puts other things in the places of files:
// the daemon starts all the same, and its journal names the cause.
func TestOddFilesShutTheBooksAndSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		path string // in the state directory
		make func(string) error
		exit int
		log  string
	}{
		"seal is a fifo":      {"coffer.seal", func(p string) error { return unix.Mkfifo(p, 0o600) }, 5, `code=SEAL-004 detail="not a regular file"`},
		"store is a fifo":     {"store/coffer.db", func(p string) error { return unix.Mkfifo(p, 0o600) }, 5, "coffer.db: not a regular file"},
		"store is a dir":      {"store/coffer.db", func(p string) error { return os.Mkdir(p, 0o700) }, 5, "coffer.db: is a directory"},
		"lock is a fifo":      {"store/coffer.lock", func(p string) error { return unix.Mkfifo(p, 0o600) }, 5, "coffer.lock: not a regular file"},
		"store is cut short":  {"store/coffer.db", func(p string) error { return os.WriteFile(p, make([]byte, 100), 0o600) }, 5, `detail="file 100: the file ends before its head pages do"`},
		"store has no record": {"store/coffer.db", func(p string) error { return os.WriteFile(p, make([]byte, 8192), 0o600) }, 5, `detail="head 0: both head pages are damaged"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, sealtest.TPM(t))
			if err := initialise(t.Context(), b.config); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(b.config.State, c.path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			r := b.start(t)
			out, exit := b.ctl(t, "status")
			if exit != c.exit || strings.Contains(out, "call IT") {
				t.Errorf("cofferctl status exits %d:\n%s", exit, out)
			}
			r.signal(t, syscall.SIGTERM)
			if !strings.Contains(r.log.String(), c.log) {
				t.Errorf("the journal lacks %s:\n%s", c.log, r.log)
			}
		})
	}
}

// TestAStartingDaemonStops: SIGTERM ends a daemon that waits for its TPM.
func TestAStartingDaemonStops(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	mute, err := net.Listen("unix", filepath.Join(b.dir, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	text, err := os.ReadFile(b.file())
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), b.config.TPM, mute.Addr().String(), 1)
	if err := os.WriteFile(b.file(), []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "cofferd"), "run", "--config", b.file())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if c, err := mute.Accept(); err != nil { // it is asking its TPM now
		t.Fatal(err)
	} else {
		defer c.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(5 * time.Second): // less than the TPM is waited for
		t.Error("it does not stop")
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
}

// TestNoDescriptorLeftIsSaid: too few file descriptors is not a matter of the
// disk or of rights.
func TestNoDescriptorLeftIsSaid(t *testing.T) {
	err := certificateFault(&os.PathError{Op: "open", Path: "box-authority.pem", Err: syscall.EMFILE})
	if words := fault.Message(err); !strings.Contains(words, "LimitNOFILE") {
		t.Error(words)
	}
	err = certificateFault(&os.PathError{Op: "open", Path: "box-authority.pem", Err: syscall.EACCES})
	if words := fault.Message(err); !strings.Contains(words, "rights") {
		t.Error(words)
	}
}

// TestSecondDaemon starts another daemon on the same box: at the same address
// it does not start; at one of its own it finds the store in use. The first
// goes on.
func TestSecondDaemon(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	second := exec.CommandContext(t.Context(), program(t, "cofferd"), "run", "--config", b.file())
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "another program may hold the port") {
		t.Errorf("at the same address: %v\n%s", err, out)
	}
	text, err := os.ReadFile(b.file())
	if err != nil {
		t.Fatal(err)
	}
	other := b
	other.config.Control, other.config.Listen = b.config.Control+"2", "localhost:0"
	moved := strings.NewReplacer(b.config.Control, other.config.Control, b.config.Listen, other.config.Listen).Replace(string(text))
	if err := os.WriteFile(b.file(), []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	third := exec.CommandContext(t.Context(), program(t, "cofferd"), "run", "--config", b.file())
	third.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := third.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: third, done: make(chan struct{})}
	go func() {
		third.Wait() // how it ended is the test's own doing
		close(r.done)
	}()
	t.Cleanup(func() { r.signal(t, syscall.SIGTERM) })
	var out string
	b.await(t, r, func() bool {
		out, _ = other.ctl(t, "status")
		return strings.Contains(out, "STORE-002")
	})
	if out, exit := b.ctl(t, "verify"); exit != 0 {
		t.Errorf("the first daemon's verify exits %d:\n%s", exit, out)
	}
}
