package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"

	"coffer/internal/ident"
)

const (
	headerVersion  = 1
	headerBytesMax = 16 << 10
	slotsMax       = 3 // of one root: the opened one, and a re-seal's two
	macLabel       = "header mac"
)

// header is the content of coffer.seal. Its fields, in this order, are the
// format.
type header struct {
	Version int
	StoreID ident.ID[ident.Store]
	Created time.Time   // UTC
	Roots   []rootSlots // one; two while the root key is being rotated
	SRKName []byte      // the storage key's Name: the pin

	Anchor      uint32 // NV index of the anchor counter
	Attestation attestationSlot
	Recovery    []byte `json:",omitempty"` // public half of the recovery sheet in force

	Digest []byte // SHA-256 of everything above
	MAC    []byte // HMAC-SHA-256 of everything above, under a key of the root
}

// rootSlots is one generation of the root key with the ways to open it.
type rootSlots struct {
	Gen      uint32
	TPM      []tpmSlot     // one; one more while a re-seal is under way, and for an announced firmware state
	Auths    []byte        // the TPM's authorization values, wrapped under this root
	Recovery *recoverySlot `json:",omitempty"` // where a sheet is in force
}

// tpmSlot opens the root key by the TPM.
type tpmSlot struct {
	Level      Level
	Public     []byte         // TPM2B_PUBLIC without its size
	Private    []byte         // TPM2B_PRIVATE without its size
	ReleaseKey []byte         `json:",omitempty"` // PKIX; level measured
	Epoch      string         `json:",omitempty"` // level measured
	SignedPCRs []int          `json:",omitempty"` // level measured
	Literal    map[int]string `json:",omitempty"` // PCR values; levels measured, secureboot
	GenIndex   uint32         // NV index of the generation counter
	GenValue   uint64         // the value at which the policy holds
	PIN        *argon2Params  `json:",omitempty"`
	Wrap       []byte         // nonce, AES-256-GCM ciphertext and tag of the root key
}

// argon2Params are the costs of a PIN's stretching.
type argon2Params struct {
	Salt       []byte
	Passes     uint32
	MemoryKiB  uint32
	Threads    uint8
	Commitment []byte // HMAC under the slot key: GCM does not commit to its key
}

// encode returns the header's one spelling.
func (h *header) encode() ([]byte, error) {
	b, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return nil, because(ErrHeader, err)
	}
	return append(b, '\n'), nil
}

// decodeHeader reads a header: exactly the spelling of encode, with a true
// digest. Its MAC is still to be checked.
func decodeHeader(b []byte) (*header, error) {
	if len(b) > headerBytesMax {
		return nil, ErrHeader
	}
	var probe struct{ Version int }
	if err := json.Unmarshal(b, &probe); err != nil {
		return nil, because(ErrHeader, err)
	}
	if probe.Version > headerVersion {
		return nil, ErrLevel
	}
	h := new(header)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(h); err != nil {
		return nil, because(ErrHeader, err)
	}
	spelled, err := h.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(spelled, b) || h.Version != headerVersion || !bytes.Equal(h.digest(), h.Digest) {
		return nil, ErrHeader
	}
	return h, h.usable()
}

// usable refuses what this version cannot honour, and structures that could
// not have been written.
func (h *header) usable() error {
	if len(h.Roots) < 1 || len(h.Roots) > 2 || h.StoreID.IsZero() {
		return ErrHeader
	}
	if !inCounterRange(h.Anchor) || !h.Attestation.usable() {
		return ErrHeader
	}
	for _, r := range h.Roots {
		if err := r.Recovery.usable(h.Recovery); err != nil {
			return err
		}
		if r.Gen == 0 || len(r.TPM) < 1 || len(r.TPM) > slotsMax {
			return ErrHeader
		}
		for _, s := range r.TPM {
			if err := s.usable(); err != nil {
				return err
			}
		}
	}
	return nil
}

// digest computes Digest.
func (h *header) digest() []byte {
	sum := sha256.Sum256(h.above(nil))
	return sum[:]
}

// mac computes MAC.
func (h *header) mac(root []byte) []byte {
	key := derive(root, macLabel)
	defer clear(key[:])
	m := hmac.New(sha256.New, key[:])
	m.Write(h.above(h.Digest))
	return m.Sum(nil)
}

// above returns the spelling of what Digest (with nil) or MAC covers. A header
// always has a spelling: it holds only numbers, text and bytes.
func (h *header) above(digest []byte) []byte {
	c := *h
	c.Digest, c.MAC = digest, nil
	b, err := json.Marshal(c)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return b
}

// authenticate checks MAC under the unsealed root key.
func (h *header) authenticate(root []byte) error {
	if !hmac.Equal(h.mac(root), h.MAC) {
		return ErrHeader
	}
	return nil
}

// sign sets Digest and MAC.
func (h *header) sign(root []byte) {
	h.Digest = h.digest()
	h.MAC = h.mac(root)
}

// newest returns the newest root generation.
func (h *header) newest() *rootSlots {
	r := &h.Roots[0]
	for i := range h.Roots {
		if h.Roots[i].Gen > r.Gen {
			r = &h.Roots[i]
		}
	}
	return r
}

// older returns the generation before the newest while the root key is being
// rotated, otherwise nil.
func (h *header) older() *rootSlots {
	for i := range h.Roots {
		if &h.Roots[i] != h.newest() {
			return &h.Roots[i]
		}
	}
	return nil
}

// root returns the root of a generation; the newest where there is none such.
func (h *header) root(gen uint32) *rootSlots {
	if r := h.older(); r != nil && r.Gen == gen {
		return r
	}
	return h.newest()
}

// shut wraps what a root generation guards under its root key: the TPM's
// authorization values, and the root key itself to the recovery sheet in force.
func (h *header) shut(r *rootSlots, root []byte, own auths) (err error) {
	if r.Auths, err = own.wrap(root, h.StoreID, r.Gen); err != nil || len(h.Recovery) == 0 {
		return err
	}
	r.Recovery, err = h.sealToSheet(r.Gen, root, own)
	return err
}
