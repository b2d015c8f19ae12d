package seal_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// childEnv tells this test binary to be the process that gets killed:
// act, step, device, header.
const childEnv = "COFFER_SEAL_CHILD"

func TestMain(m *testing.M) {
	if act := os.Getenv(childEnv); act != "" {
		child(act, os.Args[1:])
	}
	os.Exit(m.Run())
}

// child does the act and kills itself after the step.
func child(act string, args []string) {
	ctx := context.Background()
	die := func(step string) {
		if step == args[0] {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	var err error
	switch act {
	case "provision":
		_, err = seal.ProvisionSteps(ctx, args[1], args[2], seal.Setup{Now: now}, die)
	case "provision-pin":
		_, err = seal.ProvisionSteps(ctx, args[1], args[2], seal.Setup{Now: now, PIN: pin}, die)
	case "reseal-to": // args go on: from PIN, to PIN, to level
		err = seal.ResealSteps(ctx, args[1], args[2], seal.Proof{PIN: args[3]}, seal.Setup{PIN: args[4], Level: seal.Level(args[5])}, die)
	case "unseal-without-rights":
		if os.Getuid() == 0 {
			err = syscall.Setuid(65534)
		}
		if err == nil {
			_, err = seal.Unseal(ctx, args[1], args[2], seal.Proof{})
		}
	case "retire":
		err = seal.RetireSteps(ctx, args[1], args[2], die)
	case "reseal":
		err = seal.ResealSteps(ctx, args[1], args[2], seal.Proof{}, seal.Setup{}, die)
	case "recover":
		_, err = seal.RecoverSteps(ctx, args[1], args[2], sheet(1), seal.Setup{Now: now}, die)
	case "recover-pin":
		_, err = seal.RecoverSteps(ctx, args[1], args[2], sheet(1), seal.Setup{Now: now, PIN: pin}, die)
	case "set-recovery":
		err = seal.SetRecoverySteps(ctx, args[1], args[2], seal.Proof{}, sheet(2).Public(), die)
	case "begin-rotation":
		_, err = seal.BeginRotationSteps(ctx, args[1], args[2], seal.Proof{}, die)
	case "end-rotation":
		err = seal.EndRotationSteps(ctx, args[1], args[2], seal.Proof{}, die)
	case "adopt": // args go on: slot in hex
		err = adoptUntil(ctx, args[1], args[2], args[3], die)
	case "swtpm":
		var device string
		if device, _, err = seal.StartSoftwareTPM(ctx, args[1]); err == nil {
			os.Stdout.WriteString(device + "\n")
			select {}
		}
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + seal.Detail(err) + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// killed runs a child that must die by its own SIGKILL.
func killed(t *testing.T, act, step, device, header string, more ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{step, device, header}, more...)...)
	cmd.Env = append(os.Environ(), childEnv+"="+act)
	out, err := cmd.CombinedOutput()
	ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if err == nil || !ok || !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("%s was not killed at %q: %v %s", act, step, err, out)
	}
}

func TestKilledProvisionLeavesNothingOrAHeaderThatOpens(t *testing.T) {
	device := sealtest.TPM(t)
	for _, step := range []string{"storage key", "counter", "sealed", "proven", "header"} {
		header := filepath.Join(t.TempDir(), "coffer.seal")
		killed(t, "provision", step, device, header)
		if _, err := os.Stat(header); err != nil {
			if step == "header" {
				t.Fatal("no header after the last step")
			}
			k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
			if err != nil {
				t.Fatalf("after %q: %v %s", step, err, seal.Detail(err))
			}
			k.Wipe()
		}
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err != nil {
			t.Fatalf("after %q: %v %s", step, err, seal.Detail(err))
		}
		k.Wipe()
	}
}

func TestKilledResealOpens(t *testing.T) {
	device := sealtest.TPM(t)
	header, want := store(t)
	steps := []string{"both", "incremented", "one", "both", "both", "incremented", "incremented"}
	if *full {
		steps = slices.Repeat(steps, 15)
	}
	for _, step := range steps {
		killed(t, "reseal", step, device, header)
		k, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if err != nil {
			t.Fatalf("after %q: %v %s", step, err, seal.Detail(err))
		}
		if k.Derive("test") != want {
			t.Fatalf("after %q: another root key", step)
		}
		k.Wipe()
	}
}

// TestKilledResealToAnotherPINAndLevel: after a kill at any step, with the
// power gone too, exactly one of the two PINs opens, and it is the old one
// until the counter has moved.
func TestKilledResealToAnotherPINAndLevel(t *testing.T) {
	const second = "739104"
	for _, c := range []struct {
		step, from, to, opens string
		level                 seal.Level
	}{
		{"both", pin, "", pin, seal.Bound},
		{"incremented", pin, second, second, seal.SecureBoot},
		{"one", pin, "", "", seal.SecureBoot},
	} {
		b := newBox(t)
		want := b.provision(seal.Setup{PIN: c.from})
		killed(t, "reseal-to", c.step, b.device, b.header, c.from, c.to, string(c.level))
		b.boot("secure boot on", "image 1")
		b.opens(seal.Proof{PIN: c.opens}, want)
		if c.opens != "" {
			b.refuses(seal.Proof{}, seal.ErrPINNeeded)
		}
		if c.to == "" { // what was cut is finished by doing it again
			b.reseal(seal.Proof{PIN: c.opens}, seal.Setup{Level: c.level})
			b.opens(seal.Proof{}, want)
		}
	}
}

func TestSoftwareTPMDiesWithItsParentAndKeepsItsState(t *testing.T) {
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.CommandContext(t.Context(), os.Args[0], "", dir)
	cmd.Env = append(os.Environ(), childEnv+"=swtpm")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	device := line[:len(line)-1]
	header := filepath.Join(t.TempDir(), "coffer.seal")
	k, err := seal.Provision(t.Context(), device, header, seal.Setup{Now: now})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	want := k.Derive("test")
	k.Wipe()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the parent ended by itself")
	}
	gone(t, device)
	device, stop, err := seal.StartSoftwareTPM(t.Context(), dir)
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	k, err = seal.Unseal(t.Context(), device, header, seal.Proof{})
	if err != nil {
		t.Fatal(err, seal.Detail(err))
	}
	if k.Derive("test") != want {
		t.Fatal("another root key")
	}
	k.Wipe()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	gone(t, device)
}

// gone waits until nothing listens at device.
func gone(t *testing.T, device string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		c, err := net.Dial("unix", device)
		if err != nil {
			return
		}
		c.Close()
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the software TPM outlives its parent")
		}
	}
}
