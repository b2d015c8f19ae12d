package audit

import (
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/fault"
)

// StatementHead is the first line of a statement: what the box says of itself,
// signed by the keys of its checkpoints in the same form of note. No checkpoint
// begins so, so neither can pass for the other.
const StatementHead = "Coffer scope statement 1\n"

// statementKey begins the lines of a statement that name its keys.
const statementKey = "key: "

// statementBytesMax bounds a statement with its signatures.
const statementBytesMax = 64 << 10

// ErrStatement is returned for what is no statement.
var ErrStatement = fault.New(fault.Corrupt, "This is no statement of a Coffer box, or it is cut off. Have it made anew.")

// SignStatement signs a statement whose first line is StatementHead and whose
// lines are none of them empty. The lines that name the keys are added.
func (s Signer) SignStatement(text string) ([]byte, error) {
	if !strings.HasPrefix(text, StatementHead) || !strings.HasSuffix(text, "\n") || strings.Contains(text, "\n\n") || strings.Contains(text, "\n"+statementKey) {
		return nil, ErrStatement
	}
	keys := s.Keys()
	for line := range strings.Lines(keys.Text()) {
		text += statementKey + line
	}
	signers := []note.Signer{signingSigner{signingVerifier{s.Origin, keys.Signing}, s.Key}}
	if s.Quote != nil {
		signers = append(signers, quoteSigner{&quoteVerifier{name: s.Origin + tpmTail, key: s.Attestation}, s.Quote})
	}
	b, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, ErrStatement
	}
	if _, _, err := OpenStatement(b); err != nil {
		return nil, err
	}
	return b, nil
}

// OpenStatement verifies a statement against the keys that it names, of which a
// reader compares the fingerprints with those that are known from elsewhere. It
// gives ErrStatement, ErrSignature or ErrQuote.
func OpenStatement(b []byte) (text string, k Keys, err error) {
	text, _, ok := strings.Cut(string(b), "\n\n")
	text += "\n"
	if !ok || len(b) > statementBytesMax || !strings.HasPrefix(text, StatementHead) {
		return "", Keys{}, ErrStatement
	}
	var lines strings.Builder
	for line := range strings.Lines(text) {
		if key, ok := strings.CutPrefix(line, statementKey); ok {
			lines.WriteString(key)
		}
	}
	if k, err = ParseKeys(lines.String()); err != nil {
		return "", Keys{}, ErrStatement
	}
	tpm := &quoteVerifier{name: k.Origin + tpmTail, key: k.Attestation}
	known := []note.Verifier{signingVerifier{k.Origin, k.Signing}}
	if k.Attestation != nil {
		known = append(known, tpm)
	}
	n, err := note.Open(b, note.VerifierList(known...))
	switch {
	case err != nil:
		return "", Keys{}, openFault(err, k)
	case n.Text != text:
		return "", Keys{}, ErrStatement
	case !slices.ContainsFunc(n.Sigs, func(s note.Signature) bool { return s.Name == k.Origin }):
		return "", Keys{}, ErrSignature
	case k.Attestation != nil && tpm.quote == nil:
		return "", Keys{}, ErrQuote
	}
	return text, k, nil
}
