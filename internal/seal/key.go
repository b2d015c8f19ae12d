package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"sync"

	"coffer/internal/ident"
	"coffer/internal/recovery"
)

const rootBytes = 32

// Key is the root key of one store, in a locked page. It prints as nothing.
// Methods may be called from several goroutines at once.
type Key struct {
	mu         sync.RWMutex
	root       *page // nil once wiped
	beside     *Key  // the other generation, while the root key is being rotated
	storeID    ident.ID[ident.Store]
	generation uint32
	status     Status
	booted     []byte // the software PCR at the unseal; level measured
	pin        *heldPIN
	slot       Slot // to the recovery sheet
	sheet      recovery.Public
	objects    objects
}

// objects are the store's own in the TPM beside its generation counter.
type objects struct {
	srkName     []byte
	auths       auths
	anchor      uint32 // NV index
	attestation attestationSlot
}

// Status is what IT may know of the seal.
type Status struct {
	Level          Level  `json:"level"`
	PIN            bool   `json:"pin"`             // a PIN is asked for
	Recovery       bool   `json:"recovery"`        // there is a recovery slot
	Sheet          string `json:"sheet"`           // SHA-256 of the sheet's public half in hex, as the sheet itself shows it; "" for none
	Manufacturer   string `json:"manufacturer"`    // TPM vendor, such as "IBM" (swtpm), "INTC", "IFX"
	Generation     uint64 `json:"generation"`      // value of the TPM's generation counter
	Rotating       bool   `json:"rotating"`        // an exchange of the root key, or a re-seal, is not finished (EndRotation)
	AttestationKey string `json:"attestation_key"` // SHA-256 of its PKIX form in hex; "" for none
}

// newKey returns a Key with an empty page.
func newKey(h *header, generation uint32, s Status) (*Key, error) {
	p, err := newPage()
	if err != nil {
		return nil, err
	}
	return &Key{root: p, storeID: h.StoreID, generation: generation, status: s}, nil
}

// fill draws a fresh root key. crypto/rand.Read does not fail.
func (k *Key) fill() { rand.Read(k.root.b[:rootBytes]) }

// learn takes from an opened and authenticated header what later operations
// need. k may be in use: a re-seal under way tells the key that it works with.
func (k *Key) learn(m *tpm, h *header, o opened, pin string) error {
	sheet, err := h.sheet()
	if err != nil {
		return err
	}
	status, err := m.status(h, o.slot)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle(h)
	k.status, k.sheet, k.slot = status, sheet, h.slotOf(h.root(k.generation))
	k.pin = m.held(o.slot.PIN, pin)
	k.objects = objects{h.SRKName, o.auths, h.Anchor, h.Attestation}
	return nil
}

// Derive returns HKDF-Expand-SHA256(root, "coffer/1/"+label, 32). Labels are
// constants of the program, each used for one purpose. Derive panics on a key
// that was wiped: its caller outlived the store.
func (k *Key) Derive(label string) [32]byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.root == nil {
		panic("seal: key derived after Wipe")
	}
	return derive(k.root.b[:rootBytes], label)
}

// derive is the one derivation of the store's key hierarchy.
func derive(secret []byte, label string) [32]byte {
	out, err := hkdf.Expand(sha256.New, secret, "coffer/1/"+label, 32)
	if err != nil {
		panic("seal: " + err.Error()) // 32 bytes of SHA-256 output are always within bounds
	}
	var d [32]byte
	copy(d[:], out)
	clear(out)
	return d
}

// copyRoot copies the root key of generation gen into dst; it reports false
// when k does not hold it.
func (k *Key) copyRoot(gen uint32, dst []byte) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.beside != nil && k.beside.copyRoot(gen, dst) {
		return true
	}
	if k.root == nil || k.generation != gen {
		return false
	}
	copy(dst, k.root.b[:rootBytes])
	return true
}

// StoreID returns the identifier of the store that the key opens.
func (k *Key) StoreID() ident.ID[ident.Store] { return k.storeID }

// Generation returns the root key's generation, which the store names in
// clear; the first is 1. EndRotation changes it.
func (k *Key) Generation() uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.generation
}

// Status returns the state of the seal as it was when the key was unsealed, or
// when it was last given to a call that changed the seal.
func (k *Key) Status() Status {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.status
}

// Wipe overwrites the root key and gives its page back. Wiping twice is
// allowed.
func (k *Key) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.beside != nil {
		k.beside.Wipe()
	}
	if k.root != nil {
		k.root.free()
		k.root = nil
	}
	if k.pin != nil {
		clear(k.pin.halves.rest[:])
		k.pin = nil
	}
}

// String returns a constant, so that a key cannot be printed by accident.
func (k *Key) String() string { return "seal.Key" }

// LogValue returns a constant, for the same reason.
func (k *Key) LogValue() slog.Value { return slog.StringValue("seal.Key") }
