package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"golang.org/x/crypto/argon2"
)

// The costs of stretching a PIN (RFC 9106): about 0.3 s on the box.
const (
	argonPasses    = 3
	argonMemoryKiB = 64 << 10
	argonThreads   = 2
	argonSaltBytes = 16
)

const (
	slotKeyLabel    = "slot key"
	commitmentLabel = "slot commitment"
)

// A PIN that were only the TPM's authorization value would give everything to
// whoever breaks the TPM (faulTPM, arXiv 2304.14717). So it is stretched and
// split: one half authorizes, the other is joined with what the TPM gives out.
type halves struct {
	auth string // hex, for the sealed object
	rest [32]byte
}

// stretched names a PIN and salt that were stretched already.
type stretched struct {
	pin  string
	salt [argonSaltBytes]byte
}

// newArgon2 draws the parameters of a new PIN.
func newArgon2() *argon2Params {
	p := &argon2Params{Salt: make([]byte, argonSaltBytes), Passes: argonPasses, MemoryKiB: argonMemoryKiB, Threads: argonThreads}
	rand.Read(p.Salt)
	return p
}

// usable refuses costs that this version does not make: a header must not
// take the box's memory before it is authenticated.
func (p *argon2Params) usable() bool {
	return len(p.Salt) == argonSaltBytes && len(p.Commitment) == 32 &&
		p.Passes == argonPasses && p.MemoryKiB == argonMemoryKiB && p.Threads == argonThreads
}

// stretch returns the halves of a PIN, computed once for each operation.
func (m *tpm) stretch(pin string, p *argon2Params) halves {
	as := stretched{pin: pin, salt: [argonSaltBytes]byte(p.Salt)}
	if h, ok := m.pins[as]; ok {
		return h
	}
	out := argon2.IDKey([]byte(pin), p.Salt, p.Passes, p.MemoryKiB, p.Threads, 64)
	defer clear(out)
	h := halves{auth: hex.EncodeToString(out[:16]), rest: [32]byte(out[32:])}
	if m.pins == nil {
		m.pins = map[stretched]halves{}
	}
	m.pins[as] = h
	return h
}

// heldPIN is a PIN in its stretched form, as an unsealed key holds it: the
// root key can be rotated with nobody present.
type heldPIN struct {
	salt   [argonSaltBytes]byte
	halves halves
}

// held returns the stretched PIN of a slot that has just been opened or
// sealed with it; nil where there is none.
func (m *tpm) held(p *argon2Params, pin string) *heldPIN {
	if p == nil {
		return nil
	}
	salt := [argonSaltBytes]byte(p.Salt)
	h, ok := m.pins[stretched{pin, salt}]
	if !ok {
		return nil
	}
	return &heldPIN{salt, h}
}

// work returns p for an operation that keeps the PIN: where the key is in
// memory, so is its PIN, and what is typed does not count.
func (m *tpm) work(p Proof) Proof {
	if p.Key == nil {
		return p
	}
	p.PIN = ""
	p.Key.mu.RLock()
	defer p.Key.mu.RUnlock()
	if held := p.Key.pin; held != nil {
		m.pins = map[stretched]halves{{"", held.salt}: held.halves}
	}
	return p
}

// asks says what is wrong with a PIN before the TPM counts it.
func (m *tpm) asks(p *argon2Params, pin string) error {
	if p == nil || m.held(p, pin) != nil {
		return nil
	}
	if pin == "" {
		return ErrPINNeeded
	}
	if !pinShaped(pin) {
		return ErrPINShape
	}
	return nil
}

// slotKey joins the unsealed secret with the second half of the PIN, if there
// is one.
func slotKey(secret []byte, pin *halves) ([32]byte, error) {
	if pin == nil {
		return derive(secret, slotKeyLabel), nil
	}
	joined, err := hkdf.Extract(sha256.New, secret, pin.rest[:])
	if err != nil {
		return [32]byte{}, err
	}
	defer clear(joined)
	return derive(joined, slotKeyLabel), nil
}

// commitment is what a slot key commits to: GCM alone would open under a
// second key that somebody made to fit.
func commitment(key []byte) []byte {
	c := derive(key, commitmentLabel)
	return c[:]
}

// commits reports whether the slot's commitment is that of key.
func (p *argon2Params) commits(key []byte) bool {
	return subtle.ConstantTimeCompare(p.Commitment, commitment(key)) == 1
}
