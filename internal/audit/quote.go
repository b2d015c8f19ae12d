package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"

	"coffer/internal/fault"
)

// Quote is what the TPM said of itself when it signed a checkpoint (TPM 2.0
// Library part 2, TPMS_ATTEST). The TPM adds a number of the key's own to
// both counts, so only their differences modulo 2^32 mean something.
type Quote struct {
	Clock        uint64 // milliseconds that the TPM has run
	ResetCount   uint32 // starts of the box
	RestartCount uint32
	Safe         bool   // Clock never went back since the last orderly stop
	PCRDigest    []byte // SHA-256 of the selected PCRs
}

// ErrQuote is returned for a quote that is not the TPM's word on the note.
var ErrQuote = fault.New(fault.Corrupt, "The TPM has not signed this checkpoint. Don't trust it, and call the privacy officer.")

const (
	attestMagic    = 0xff544347 // TPM_GENERATED_VALUE
	attestQuote    = 0x8018     // TPM_ST_ATTEST_QUOTE
	attestBytesMax = 1 << 10
)

// parseQuote reads a TPMS_ATTEST of a quote over extra. Bytes that are left
// over, or that a TPM does not write, are refused with ErrQuote.
func parseQuote(attest []byte, extra Hash) (Quote, error) {
	r := attestReader{rest: attest}
	var q Quote
	generated := r.u32() == attestMagic && r.u16() == attestQuote
	r.sized() // qualified name of the signer
	over := r.sized()
	q.Clock, q.ResetCount, q.RestartCount = r.u64(), r.u32(), r.u32()
	safe := r.take(1)
	r.u64() // firmware version
	r.selection()
	q.PCRDigest = bytes.Clone(r.sized())
	if r.failed || len(r.rest) != 0 || len(attest) > attestBytesMax || !generated || !bytes.Equal(over, extra[:]) || safe[0] > 1 {
		return Quote{}, ErrQuote
	}
	q.Safe = safe[0] == 1
	return q, nil
}

// attestReader takes big-endian fields off the front of TPM structures.
type attestReader struct {
	rest   []byte
	failed bool
}

// take returns the next n bytes; zeros when there are fewer.
func (r *attestReader) take(n int) []byte {
	if n > len(r.rest) {
		r.failed, r.rest = true, nil
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *attestReader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *attestReader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *attestReader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// sized returns a TPM2B.
func (r *attestReader) sized() []byte { return r.take(int(r.u16())) }

// selection passes over a TPML_PCR_SELECTION.
func (r *attestReader) selection() {
	banks := r.u32()
	for ; banks > 0 && !r.failed; banks-- {
		r.u16() // algorithm
		r.take(int(r.take(1)[0]))
	}
}

// The TPM's line of a note holds: length u16 of the attestation | TPMS_ATTEST
// | ECDSA signature over its SHA-256 in ASN.1 DER.

func packQuote(attest, signature []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(attest)))
	return append(append(b, attest...), signature...)
}

// openQuote verifies the TPM's word on a note's text.
func openQuote(key *ecdsa.PublicKey, text, packed []byte) (Quote, error) {
	if key == nil || len(packed) < 2 {
		return Quote{}, ErrQuote
	}
	n := int(binary.BigEndian.Uint16(packed))
	if n > len(packed)-2 {
		return Quote{}, ErrQuote
	}
	attest, signature := packed[2:2+n], packed[2+n:]
	digest := sha256.Sum256(attest)
	if !ecdsa.VerifyASN1(key, digest[:], signature) {
		return Quote{}, ErrQuote
	}
	return parseQuote(attest, sha256.Sum256(text))
}
