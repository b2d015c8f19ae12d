package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/vault/vaulttest"
)

// A statement verifies offline by the key on the recovery sheet; altered, cut
// off, or signed by another box, it does not.
func TestStatement(t *testing.T) {
	t.Parallel()
	v, dir := vaulttest.Open(t, nil), t.TempDir()
	b, err := v.SignStatement(t.Context(), audit.StatementHead+"findings: 1\n")
	if err != nil {
		t.Fatal(err)
	}
	key, _ := v.AuditKeys().Fingerprints()
	for name, try := range map[string]struct {
		text string
		key  string
		exit int
		says string
	}{
		"as it was signed": {string(b), key, exitOK, "(known)"},
		"without a key":    {string(b), "", exitOK, "compare it with the recovery sheet"},
		"altered":          {strings.Replace(string(b), "findings: 1", "findings: 0", 1), key, exitWrong, "DON'T TRUST"},
		"cut off":          {string(b[:len(b)/2]), key, exitWrong, "DON'T TRUST"},
		"of another box":   {string(b), strings.Repeat("ab", 32), exitWrong, "DON'T TRUST"},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(file, []byte(try.text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{file}
		if try.key != "" {
			args = append(args, "--key", try.key)
		}
		cmd := exec.Command(program, args...)
		out, _ := cmd.CombinedOutput() // its exit status is looked at
		if cmd.ProcessState.ExitCode() != try.exit || !strings.Contains(string(out), try.says) {
			t.Errorf("%s exits %d:\n%s", name, cmd.ProcessState.ExitCode(), out)
		}
	}
}
