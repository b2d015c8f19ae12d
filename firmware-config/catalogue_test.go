package firmwareconfig_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// signed returns a directory with these files, its manifest and signature.
func signed(key ed25519.PrivateKey, files map[string][]byte) fstest.MapFS {
	dir, manifest := fstest.MapFS{}, "coffer firmware-config 1\n"
	for name, b := range files {
		dir[name] = &fstest.MapFile{Data: b}
		manifest += fmt.Sprintf("%x  %s\n", sha256.Sum256(b), name)
	}
	dir["manifest"] = &fstest.MapFile{Data: []byte(manifest)}
	dir["manifest.sig"] = &fstest.MapFile{Data: ed25519.Sign(key, []byte(manifest))}
	return dir
}

// TestSignedDirectory: what the clinic's key has signed is laid over what came
// with the program; anything else changes nothing.
func TestSignedDirectory(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	allow, err := os.ReadFile("allow/pax-a35.json")
	if err != nil {
		t.Fatal(err)
	}
	allow = []byte(strings.Replace(string(allow), `"versions": []`, `"versions": [{"app":"V2","os":"10","kernel":"","note":""}]`, 1))
	wire := protocol.Device{App: "V2", OS: "10"}
	files := map[string][]byte{"allow/pax-a35.json": allow}
	c, err := firmwareconfig.Open(signed(private, files), public)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Allow("pax-a35"); err != nil || !a.Accepts(wire) {
		t.Errorf("%+v %v", a, err)
	}
	for name, spoil := range map[string]func(fstest.MapFS){
		"no signature":   func(d fstest.MapFS) { delete(d, "manifest.sig") },
		"another's":      func(d fstest.MapFS) { d["manifest.sig"].Data[0] ^= 1 },
		"no manifest":    func(d fstest.MapFS) { delete(d, "manifest") },
		"a changed file": func(d fstest.MapFS) { d["allow/pax-a35.json"].Data = append(allow, ' ') },
		"a missing file": func(d fstest.MapFS) { delete(d, "allow/pax-a35.json") },
	} {
		dir := signed(private, files)
		spoil(dir)
		c, err := firmwareconfig.Open(dir, public)
		if !errors.Is(err, firmwareconfig.ErrDirectory) {
			t.Errorf("%s: %v", name, err)
		}
		if a, err := c.Allow("pax-a35"); err != nil || a.Accepts(wire) {
			t.Errorf("%s: %+v is in force, %v", name, a, err)
		}
	}
	for name, b := range map[string][]byte{"../x.json": allow, "allow/none.json": allow, "allow/pax-a35.json": []byte("{}")} {
		if _, err := firmwareconfig.Open(signed(private, map[string][]byte{name: b}), public); fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := firmwareconfig.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})); err != nil || !key.Equal(public) {
		t.Error(err)
	}
	if _, err := firmwareconfig.ParseKey([]byte("no key")); !errors.Is(err, firmwareconfig.ErrKey) {
		t.Error(err)
	}
}

// TestEveryProfileIsComplete: each has its allow list and its inspection, and
// states nothing that nobody has verified.
// TestDirectoryOfThisMachine: a pipe in the place of a file makes nobody wait.
func TestDirectoryOfThisMachine(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	dir, key := t.TempDir(), filepath.Join(t.TempDir(), "key.pem")
	lay := func() {
		t.Helper()
		must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
		for name, f := range signed(private, nil) {
			must(t, os.WriteFile(filepath.Join(dir, name), f.Data, 0o600))
		}
	}
	lay()
	if _, err := firmwareconfig.OpenDirectory(dir, key); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{filepath.Join(dir, "manifest"), filepath.Join(dir, "manifest.sig"), key} {
		must(t, os.Remove(place))
		must(t, syscall.Mkfifo(place, 0o600))
		if _, err := firmwareconfig.OpenDirectory(dir, key); err == nil {
			t.Errorf("%s is a pipe and is taken", filepath.Base(place))
		}
		must(t, os.Remove(place))
		lay()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryProfileIsComplete(t *testing.T) {
	var c firmwareconfig.Catalogue
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for _, id := range c.IDs() {
		a, err := c.Allow(id)
		if err != nil || a.PTS.Approval != nil || a.CheckedOn != nil || (a.Source == "") != strings.HasPrefix(id, "sim-") {
			t.Errorf("%s: %+v %v", id, a, err)
		}
	}
}

var ruleForm = regexp.MustCompile(`^(([A-Z_]+)(\{[^}"]+\})?(==|!=|=|\+=)"[^"]*"(, |$))+$`)

// TestEachUdevLineIsARule: each line is a rule, by udevadm too where it can say so, and
// every USB vendor of a profile has one.
func TestEachUdevLineIsARule(t *testing.T) {
	rules := string(firmwareconfig.UdevRules)
	for n, line := range strings.Split(rules, "\n") {
		if line != "" && line[0] != '#' && !ruleForm.MatchString(line) {
			t.Errorf("line %d is no rule: %s", n+1, line)
		}
	}
	for _, id := range firmwareconfig.IDs() {
		p, err := firmwareconfig.Profile(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range p.Transports {
			if v := one.Match.Vendor; v != "" && strings.Count(rules, `=="`+v+`"`) < 2 {
				t.Errorf("%s: no rule for vendor %s", id, v)
			}
		}
	}
	if exec.Command("udevadm", "verify", "--help").Run() != nil {
		return // systemd before 254 cannot
	}
	file := filepath.Join(t.TempDir(), "60-coffer-terminals.rules")
	if err := os.WriteFile(file, firmwareconfig.UdevRules, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("udevadm", "verify", "--no-style", file).CombinedOutput(); err != nil {
		t.Errorf("udevadm: %v\n%s", err, out)
	}
}

func FuzzParseAllow(f *testing.F) {
	b, err := os.ReadFile("allow/sim-pax.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := firmwareconfig.ParseAllow(b); err == nil && a.Profile == "" {
			t.Error("an allow list of nothing")
		}
	})
}

func FuzzParseInspection(f *testing.F) {
	b, err := os.ReadFile("inspect/pax-a35.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := firmwareconfig.ParseInspection(b); err == nil && len(i.Steps) == 0 {
			t.Error("an inspection without steps")
		}
	})
}
