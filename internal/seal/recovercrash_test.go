package seal_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/recovery"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// The steps of what a kill may cut short.
var (
	recoverSteps = []string{"counter", "sealed", "proven", "former counter removed", "header"}
	movedSteps   = []string{"counter", "anchor", "attestation key", "sealed", "proven", "header"}
	resealSteps  = []string{"both", "incremented", "one"}
)

func TestKilledRecoverInTheSameTPM(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	for _, step := range recoverSteps {
		old := read(t, header)
		killed(t, "recover", step, device, header)
		opened, err := seal.Unseal(t.Context(), device, header, seal.Proof{})
		if gone := step == "former counter removed"; gone != (err != nil) || gone && !isFault(err, seal.ErrCounterMissing) {
			t.Fatalf("after %q: %v %s", step, err, seal.Detail(err))
		}
		if err == nil {
			opened.Wipe()
		}
		recovered(t, device, header, seal.Setup{}, k)
		unsealed(t, device, header, seal.Proof{}, k)
		write(t, header+".old", old)
		_, err = seal.Unseal(t.Context(), device, header+".old", seal.Proof{})
		if !isFault(err, seal.ErrCounterMissing) && !isFault(err, seal.ErrGeneration) { // its index may serve again
			t.Fatal(step, err)
		}
	}
}

func TestKilledRecoverOnAnotherBox(t *testing.T) {
	header, k := sheeted(t, sealtest.TPM(t), seal.Setup{})
	whole := read(t, header)
	for _, step := range movedSteps {
		there := sealtest.Another(t)
		write(t, header, whole)
		killed(t, "recover", step, there, header)
		if step == "header" {
			unsealed(t, there, header, seal.Proof{}, k)
			continue
		}
		unsealed(t, sealtest.TPM(t), header, seal.Proof{}, k) // the old box has it still
		recovered(t, there, header, seal.Setup{}, k)
		unsealed(t, there, header, seal.Proof{}, k)
	}
}

func TestKilledAdopt(t *testing.T) {
	_, k := sheeted(t, sealtest.TPM(t), seal.Setup{})
	slot := hex.EncodeToString(k.Slot().Bytes())
	for _, step := range movedSteps {
		there, header := sealtest.Another(t), filepath.Join(t.TempDir(), "coffer.seal")
		killed(t, "adopt", step, there, header, slot)
		if _, err := os.Stat(header); (err == nil) != (step == "header") {
			t.Fatal(step, err)
		}
		if step != "header" {
			if err := adoptUntil(t.Context(), there, header, slot, func(string) {}); err != nil {
				t.Fatal(step, err, seal.Detail(err))
			}
		}
		unsealed(t, there, header, seal.Proof{}, k)
	}
}

// TestKilledSetRecovery: a header always opens by the TPM, and by one sheet.
func TestKilledSetRecovery(t *testing.T) {
	device := sealtest.TPM(t)
	header, k := sheeted(t, device, seal.Setup{})
	for _, step := range resealSteps {
		killed(t, "set-recovery", step, device, header)
		unsealed(t, device, header, seal.Proof{}, k)
		if err := seal.TestRecovery(header, sheet(2)); err != nil {
			t.Fatal(step, err)
		}
		if err := seal.SetRecovery(t.Context(), device, header, seal.Proof{}, sheet(1).Public()); err != nil {
			t.Fatal(step, err, seal.Detail(err))
		}
		if err := seal.TestRecovery(header, sheet(2)); !errors.Is(err, recovery.ErrWrongSeed) {
			t.Fatal(step, err)
		}
		unsealed(t, device, header, seal.Proof{}, k)
	}
}

// TestPowerCutOfTheTPM kills the TPM itself at each step, and starts it anew.
func TestPowerCutOfTheTPM(t *testing.T) {
	acts := map[string]struct {
		steps []string
		run   func(ctx context.Context, b *box, k *seal.Key, after func(string)) error
	}{
		"recover": {recoverSteps, func(ctx context.Context, b *box, _ *seal.Key, after func(string)) error {
			_, err := seal.RecoverSteps(ctx, b.device, b.header, sheet(1), seal.Setup{Now: now}, after)
			return err
		}},
		"set-recovery": {resealSteps, func(ctx context.Context, b *box, k *seal.Key, after func(string)) error {
			return seal.SetRecoverySteps(ctx, b.device, b.header, seal.Proof{Key: k}, sheet(1).Public(), after)
		}},
		"begin": {[]string{"both generations"}, func(ctx context.Context, b *box, k *seal.Key, after func(string)) error {
			_, err := seal.BeginRotationSteps(ctx, b.device, b.header, seal.Proof{Key: k}, after)
			return err
		}},
		"end": {resealSteps, func(ctx context.Context, b *box, k *seal.Key, after func(string)) error {
			if _, err := seal.BeginRotation(ctx, b.device, b.header, seal.Proof{Key: k}); err != nil {
				return err
			}
			return seal.EndRotationSteps(ctx, b.device, b.header, seal.Proof{Key: k}, after)
		}},
	}
	for name, act := range acts {
		b := newBox(t)
		b.provision(seal.Setup{Recovery: sheet(1).Public()})
		for _, step := range act.steps {
			k, err := seal.Unseal(t.Context(), b.device, b.header, seal.Proof{})
			if err != nil {
				t.Fatal(name, err, seal.Detail(err))
			}
			cut := false
			err = act.run(t.Context(), b, k, func(at string) {
				if at == step {
					cut = true
					b.cut()
				}
			})
			if !cut {
				t.Fatalf("%s never came to %q: %v", name, step, err)
			}
			b.boot("secure boot on", "image 1")
			if again, err := seal.Unseal(t.Context(), b.device, b.header, seal.Proof{}); err == nil {
				again.Wipe()
			} else if name != "recover" {
				t.Fatalf("%s, cut after %q: %v %s", name, step, err, seal.Detail(err))
			}
			if err := seal.TestRecovery(b.header, sheet(1)); err != nil {
				t.Fatal(name, step, err)
			}
			got, err := seal.Recover(t.Context(), b.device, b.header, sheet(1), seal.Setup{Now: now})
			if err != nil {
				t.Fatal(name, step, err, seal.Detail(err))
			}
			if was, ok := k.At(got.Generation()); !ok || was.Derive("test") != got.Derive("test") {
				t.Fatalf("%s, cut after %q: generation %d is another", name, step, got.Generation())
			}
			if _, ok := got.At(k.Generation()); !ok && name != "end" {
				t.Fatalf("%s, cut after %q: the store's generation is lost", name, step)
			}
			ended(t, b.device, b.header, seal.Proof{Key: got})
			got.Wipe()
			k.Wipe()
		}
	}
}

// cut kills the box's TPM without notice, as a power cut does.
func (b *box) cut() {
	b.t.Helper()
	procs, err := os.ReadDir("/proc")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		if err == nil && strings.HasPrefix(string(line), "swtpm\x00") && strings.Contains(string(line), "dir="+b.dir+",") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.off() // waits until it is gone
}
