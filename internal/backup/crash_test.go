package backup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/vault"
)

// The re-executed test binary backs up or restores by what these name.
const (
	crashAct    = "COFFER_BACKUP_ACT"
	crashBase   = "COFFER_BACKUP_BASE"
	crashMedia  = "COFFER_BACKUP_MEDIA"
	crashDevice = "COFFER_BACKUP_DEVICE"
	crashSeed   = "COFFER_BACKUP_SEED"
)

func placeIn(base string) Place {
	return Place{Header: filepath.Join(base, "coffer.seal"), Dir: filepath.Join(base, "store")}
}

// TestCrashChild is the process that is killed; by itself it does nothing.
func TestCrashChild(t *testing.T) {
	act := os.Getenv(crashAct)
	if act == "" {
		return
	}
	g := target(t, TargetConfig{Name: "disk", Target: "dir:" + os.Getenv(crashMedia)})
	at, device := placeIn(os.Getenv(crashBase)), os.Getenv(crashDevice)
	if act == "restore" {
		seed, err := recovery.Parse(os.Getenv(crashSeed))
		if err != nil {
			t.Fatal(err)
		}
		c := &clinic{seed: seed, device: device}
		if _, err := plan(t, g, "", at).Execute(t.Context(), system, Orders{
			Seed: c.seed, Device: device, Setup: seal.Setup{Now: time.Now()}, Reason: "the kill test restores",
			Vault: vault.Options{Tables: append(Tables(), entries, clients), MapBytes: 1 << 28},
		}); err != nil {
			t.Fatal(err, seal.Detail(err), vault.Detail(err))
		}
		return
	}
	key, err := seal.Unseal(t.Context(), device, at.Header, seal.Proof{})
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{key: key, device: device, place: at}
	v, err := vault.Open(t.Context(), system, c.options())
	if err != nil {
		t.Fatal(err)
	}
	k := New(Options{Vault: v, Self: system, Targets: []*Target{g}})
	for {
		if all, err := k.BackUp(t.Context(), it, ""); err != nil || !all[0].OK {
			t.Fatalf("%+v, %v", all, err)
		}
	}
}

// killed runs the child and kills it after a time. It reports whether it had
// ended by itself.
func killed(t *testing.T, after time.Duration, env ...string) (ended bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return true
	case <-time.After(after):
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v: %s", err, out.String())
	}
	return false
}

// crashRounds is how often each campaign kills, and the steps between.
const crashRounds = 8

// TestKilledInABackup: what has its final name is whole, always.
func TestKilledInABackup(t *testing.T) {
	c := newClinic(t)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	after := 60 * time.Millisecond
	for round, whole := 0, 0; round < crashRounds || whole == 0 && after < time.Minute; round++ {
		killed(t, after, crashAct+"=backup", crashBase+"="+c.place.base(), crashMedia+"="+c.media, crashDevice+"="+c.device)
		whole = c.wholeBackups(t)
		after += 25 * time.Millisecond
		if round >= crashRounds {
			after *= 2 // a slow machine gets as long as it needs for one
		}
	}
	if c.wholeBackups(t) == 0 {
		t.Error("no backup was finished: the test kills too early")
	}
	if n, _, _ := opens(t, c.device, c.place); n != 30 {
		t.Errorf("%d entries", n)
	}
}

// wholeBackups counts the backups that have their final name; each must be
// whole.
func (c *clinic) wholeBackups(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(c.media)
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, f := range files {
		if strings.HasSuffix(f.Name(), partial) {
			continue
		}
		b, err := os.ReadFile(c.path(f.Name()))
		if err != nil || sum(b) != nil {
			t.Errorf("%s: %v, %v", f.Name(), sum(b), err)
		}
		whole++
	}
	return whole
}

// TestKilledInARestore: after each kill either the old store opens, or Finish
// brings the restored one; and a restore that is run again succeeds.
func TestKilledInARestore(t *testing.T) {
	c := newClinic(t)
	c.backUp(t)
	c.post(t, 5)
	if err := c.v.Close(); err != nil {
		t.Fatal(err)
	}
	device := c.device
	text := c.seed.Text()
	finished, cut := 0, 0
	for round := range crashRounds {
		ended := killed(t, time.Duration(20+round*20)*time.Millisecond, crashAct+"=restore", crashBase+"="+c.place.base(),
			crashMedia+"="+c.media, crashDevice+"="+device, crashSeed+"="+text)
		if err := Finish(t.Context(), c.device, c.place); err != nil {
			t.Fatal(err)
		}
		n, _, _ := opens(t, device, c.place)
		switch {
		case n == 35 && !ended && finished == 0:
			cut++
		case n == 30:
			finished++
		default:
			t.Fatalf("round %d: %d entries, ended %v, finished %d", round, n, ended, finished)
		}
	}
	if cut == 0 {
		t.Error("no restore was cut off: the test kills too late")
	}
	p := plan(t, c.target, "", c.place)
	o := c.orders(device)
	o.Reason = "run again after the kills"
	if _, err := p.Execute(t.Context(), system, o); err != nil {
		t.Fatal(err, seal.Detail(err), vault.Detail(err))
	}
	if n, _, _ := opens(t, device, c.place); n != 30 {
		t.Error(n)
	}
	if _, err := os.Lstat(filepath.Join(c.place.base(), asidePrefix+strconv.Itoa(finished+1))); errors.Is(err, fs.ErrNotExist) {
		t.Error("the store before is not aside")
	}
}
