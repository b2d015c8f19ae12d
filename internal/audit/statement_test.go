package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

func TestStatements(t *testing.T) {
	t.Parallel()
	tpm, key := newPretendTPM(t, 1), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	for name, s := range map[string]Signer{"Ed25519 alone": {Origin: testOrigin, Key: key}, "with a TPM": tpm.signer(key)} {
		b, err := s.SignStatement(StatementHead + "findings: 0\n")
		if err != nil {
			t.Fatal(err)
		}
		text, k, err := OpenStatement(b)
		if err != nil || !strings.Contains(text, "findings: 0\n") || k.Text() != s.Keys().Text() {
			t.Errorf("%s: %q %v %v", name, text, k, err)
		}
		if _, err := OpenCheckpoint(b, s.Keys()); err == nil {
			t.Errorf("%s: a statement passes for a checkpoint", name)
		}
		if signed, err := s.Sign(Head{}); err != nil {
			t.Error(err)
		} else if _, _, err := OpenStatement(signed.Note); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: a checkpoint passes for a statement: %v", name, err)
		}
		for _, bad := range []string{"", "findings: 0\n", StatementHead + "no end", StatementHead + "\nx\n", StatementHead + statementKey + "x\n"} {
			if _, err := s.SignStatement(bad); !errors.Is(err, ErrStatement) {
				t.Errorf("%s signs %q: %v", name, bad, err)
			}
		}
	}
}

// FuzzOpenStatement: what is believed is exactly what was signed.
func FuzzOpenStatement(f *testing.F) {
	s := newPretendTPM(f, 1).signer(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	b, err := s.SignStatement(StatementHead + "findings: 0\n")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte("0"), []byte("1"), 1))
	f.Add([]byte(StatementHead))
	f.Fuzz(func(t *testing.T, in []byte) {
		text, k, err := OpenStatement(in)
		if err == nil && k.Text() == s.Keys().Text() && !bytes.HasPrefix(b, []byte(text)) {
			t.Fatalf("%q was never signed", text)
		}
	})
}
