package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/fault"
)

// Checkpoint is a head under the name of its tree: the body of a C2SP
// tlog-checkpoint without extension lines.
type Checkpoint struct {
	Origin string
	Head
}

// Signed is a checkpoint with its signatures, as it leaves the box.
type Signed struct {
	Checkpoint
	Note  []byte // C2SP signed note
	Quote *Quote // the TPM's word; nil when no TPM signed
}

// Faults of checkpoints.
var (
	// ErrCheckpoint is returned for what is not a checkpoint.
	ErrCheckpoint = fault.New(fault.Corrupt, "This is not a checkpoint of an audit trail, or it is damaged. Take it again from where it was kept.")
	// ErrSignature is returned for a checkpoint without a good signature.
	ErrSignature = fault.New(fault.Corrupt, "The signature of this checkpoint is wrong. Don't trust it, and call the privacy officer.")
)

// Text returns the body: origin, size and root, each on a line.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// noteBytesMax bounds a note with its signatures; signaturesMax their number
// (the box's two, and those of witnesses).
const (
	noteBytesMax  = 16 << 10
	signaturesMax = 16
)

// parseCheckpoint reads exactly what Text writes.
func parseCheckpoint(text string) (Checkpoint, error) {
	var c Checkpoint
	if len(text) > noteBytesMax {
		return c, ErrCheckpoint
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || !validOrigin(lines[0]) {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || err2 != nil || len(root) != len(c.Root) {
		return Checkpoint{}, ErrCheckpoint
	}
	c = Checkpoint{lines[0], Head{size, Hash(root)}}
	if c.Text() != text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// splitNote returns the checkpoint in a note and the note's text without
// looking at its signatures. Two signatures of the same key are refused.
func splitNote(b []byte) (Checkpoint, string, error) {
	text, signatures, ok := strings.Cut(string(b), "\n\n")
	if !ok || len(b) > noteBytesMax || strings.Count(signatures, "\n") > signaturesMax {
		return Checkpoint{}, "", ErrCheckpoint
	}
	c, err := parseCheckpoint(text + "\n")
	if err != nil {
		return Checkpoint{}, "", err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(signatures) {
		key, ok := signatureKey(line)
		if !ok || seen[key] {
			return Checkpoint{}, "", ErrCheckpoint
		}
		seen[key] = true
	}
	return c, text + "\n", nil
}

// signatureKey returns the name and key id of a line "— name base64\n".
func signatureKey(line string) (string, bool) {
	name, rest, _ := strings.Cut(line, " ")
	who, encoded, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	sig, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if name != "—" || err != nil || len(sig) < 5 {
		return "", false
	}
	return who + "\n" + string(sig[:4]), true
}

// OpenCheckpoint reads a note and verifies it: the signing key must have
// signed it, and the TPM too where the keys name one. It gives ErrCheckpoint,
// ErrSignature or ErrQuote. Signatures of keys it does not know, which
// witnesses add, are passed over.
func OpenCheckpoint(b []byte, k Keys) (Signed, error) {
	c, text, err := splitNote(b)
	if err != nil {
		return Signed{}, err
	}
	if c.Origin != k.Origin {
		return Signed{}, ErrSignature
	}
	tpm := &quoteVerifier{name: k.Origin + tpmTail, key: k.Attestation}
	known := []note.Verifier{signingVerifier{k.Origin, k.Signing}}
	if k.Attestation != nil {
		known = append(known, tpm)
	}
	n, err := note.Open(b, note.VerifierList(known...))
	if err != nil {
		return Signed{}, openFault(err, k)
	}
	signed := slices.ContainsFunc(n.Sigs, func(s note.Signature) bool { return s.Name == k.Origin })
	switch {
	case n.Text != text:
		return Signed{}, ErrCheckpoint
	case !signed:
		return Signed{}, ErrSignature
	case k.Attestation != nil && tpm.quote == nil:
		return Signed{}, ErrQuote
	}
	return Signed{c, slices.Clone(b), tpm.quote}, nil
}

// openFault returns the fault for an error of package note.
func openFault(err error, k Keys) error {
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid) && invalid.Name != k.Origin:
		return ErrQuote
	case errors.As(err, &invalid), errors.As(err, &unverified):
		return ErrSignature
	}
	return ErrCheckpoint
}

// Signer signs checkpoints.
type Signer struct {
	Origin string
	Key    ed25519.PrivateKey
	// Quote asks the TPM for its word over extra: a TPMS_ATTEST, and the ECDSA
	// signature over its SHA-256 in ASN.1 DER. nil: no TPM signs.
	Quote       func(extra [32]byte) (attest, signature []byte, err error)
	Attestation []byte // PKIX form of the key that signs quotes
}

// Keys returns the public keys.
func (s Signer) Keys() Keys {
	k := Keys{Origin: s.Origin, Signing: s.Key.Public().(ed25519.PublicKey)}
	if s.Quote != nil {
		k.Attestation = s.Attestation
	}
	return k
}

// Sign returns the signed checkpoint of a head. It verifies what it returns.
func (s Signer) Sign(h Head) (Signed, error) {
	c := Checkpoint{s.Origin, h}
	signers := []note.Signer{signingSigner{signingVerifier{s.Origin, s.Keys().Signing}, s.Key}}
	if s.Quote != nil {
		signers = append(signers, quoteSigner{&quoteVerifier{name: s.Origin + tpmTail, key: s.Attestation}, s.Quote})
	}
	b, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return Signed{}, err
	}
	return OpenCheckpoint(b, s.Keys())
}

// signingVerifier is the Ed25519 key to package note.
type signingVerifier struct {
	name string
	key  ed25519.PublicKey
}

func (v signingVerifier) Name() string { return v.name }
func (v signingVerifier) KeyHash() uint32 {
	return keyID(v.name, append([]byte{algEd25519}, v.key...))
}
func (v signingVerifier) Verify(msg, sig []byte) bool {
	return len(v.key) == ed25519.PublicKeySize && ed25519.Verify(v.key, msg, sig)
}

type signingSigner struct {
	signingVerifier
	private ed25519.PrivateKey
}

func (s signingSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// quoteVerifier is the TPM's key to package note. It keeps the quote.
type quoteVerifier struct {
	name  string
	key   []byte
	quote *Quote
}

func (v *quoteVerifier) Name() string    { return v.name }
func (v *quoteVerifier) KeyHash() uint32 { return keyID(v.name, quoteKey(v.key)) }
func (v *quoteVerifier) Verify(msg, sig []byte) bool {
	q, err := openQuote(attestationKey(v.key), msg, sig)
	if err == nil {
		v.quote = &q
	}
	return err == nil
}

type quoteSigner struct {
	*quoteVerifier
	ask func([32]byte) ([]byte, []byte, error)
}

func (s quoteSigner) Sign(msg []byte) ([]byte, error) {
	attest, signature, err := s.ask(sha256.Sum256(msg))
	if err != nil {
		return nil, err
	}
	return packQuote(attest, signature), nil
}
