package seal

import (
	"context"

	"coffer/internal/recovery"
)

// Recovery and rotation with a call after each step.
func RecoverSteps(ctx context.Context, device, path string, seed *recovery.Seed, s Setup, after func(string)) (*Key, error) {
	return recoverSteps(ctx, device, path, seed, s, after)
}

func SetRecoverySteps(ctx context.Context, device, path string, p Proof, public recovery.Public, after func(string)) error {
	return setRecovery(ctx, device, path, p, public, after)
}

func AdoptSteps(ctx context.Context, device, path string, slot Slot, seed *recovery.Seed, s Setup, after func(string)) (*Key, error) {
	return adopt(ctx, device, path, slot, seed, s, after)
}

func BeginRotationSteps(ctx context.Context, device, path string, p Proof, after func(string)) (*Key, error) {
	return beginRotation(ctx, device, path, p, after)
}

func EndRotationSteps(ctx context.Context, device, path string, p Proof, after func(string)) error {
	return endRotation(ctx, device, path, p, after)
}

// AuthValues returns every authorization value that the key knows.
func AuthValues(k *Key) []string {
	a := k.objects.auths
	out := []string{a.Generation, a.Anchor, a.Attestation}
	if a.Lockout != "" {
		out = append(out, a.Lockout)
	}
	return out
}

// AnchorIndex returns the NV index of the anchor counter.
func AnchorIndex(k *Key) uint32 { return k.objects.anchor }

// WithoutAuth returns an attestor that does not know the key's authorization,
// as a thief of the header has it.
func (a *Attestor) WithoutAuth() *Attestor {
	b := *a
	b.auth = ""
	return &b
}
