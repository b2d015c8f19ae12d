package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

var program string // the built cofferverify

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cofferverify")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "cofferverify")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// sample is an export of a real store, and what an auditor has beside it.
type sample struct {
	dir    string
	file   string
	export []byte
	old    string // file with an older checkpoint
	newer  string // file with a checkpoint after the export
	key    string // fingerprint
}

func newSample(t *testing.T) sample {
	t.Helper()
	v := vaulttest.Open(t, nil)
	officer := accesstest.Agent(access.Officer)
	as := func(a access.Action) access.Request {
		return access.Request{Agent: officer, Action: a, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	}
	s := sample{dir: t.TempDir()}
	sign := func(name string) string {
		t.Helper()
		for range 10 {
			if err := v.Record(t.Context(), as(access.AuditRead), audit.OK); err != nil {
				t.Fatal(err)
			}
		}
		c, err := v.Checkpoint(t.Context(), as(access.AuditCheckpoint))
		if err != nil {
			t.Fatal(err)
		}
		return s.write(t, name, c.Note)
	}
	s.old = sign("old")
	sign("last")
	var b bytes.Buffer
	if _, err := v.ExportTrail(t.Context(), as(access.AuditExport), &b, vault.TrailQuery{}, true); err != nil {
		t.Fatal(err)
	}
	s.export = b.Bytes()
	s.newer = sign("newer")
	s.file = s.write(t, "trail", s.export)
	s.key, _ = v.AuditKeys().Fingerprints()
	return s
}

func (s sample) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is how a run ended.
type result struct {
	code   int
	out    string
	memory int64 // bytes at most
}

// offline runs the program in a network namespace of its own, in which there
// is nothing but a loopback device that is down.
func offline(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, args...)
	c.Stdin = stdin
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return result{c.ProcessState.ExitCode(), string(out), usage.Maxrss << 10}
}

func TestSoundExport(t *testing.T) {
	s := newSample(t)
	for _, args := range [][]string{
		{s.file},
		{s.file, "--key", s.key, "--against", s.old},
		{"--against", s.old, "--key=" + strings.ToUpper(s.key), s.file},
	} {
		r := offline(t, nil, args...)
		if r.code != 0 || !strings.Contains(r.out, "Nothing wrong was found") {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.out)
		}
		if strings.Contains(r.out, "is contained") != (len(args) > 1) || strings.Contains(r.out, "(known)") != (len(args) > 1) {
			t.Errorf("%v says\n%s", args, r.out)
		}
	}
	if r := offline(t, bytes.NewReader(s.export), "-"); r.code != 0 {
		t.Errorf("from standard input: exit %d\n%s", r.code, r.out)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("cofferverify is %.1f MB", float64(info.Size())/1e6)
	if info.Size() > 12<<20 {
		t.Errorf("cofferverify has grown to %d bytes", info.Size())
	}
}

func TestPlantedFlaws(t *testing.T) {
	s := newSample(t)
	for _, c := range []struct {
		name, old, new, want string
	}{
		{"actor", `"actor":"test-`, `"actor":"best-`, "[root]"},
		{"outcome", `"outcome":"ok"`, `"outcome":"denied"`, "[root]"},
		{"number", `"seq":5,`, `"seq":6,`, "[sequence]"},
		{"private part", `"role":"officer"`, `"role":"owner"`, "[opening]"},
		{"signature", `{"checkpoint":"coffer.`, `{"checkpoint":"coffe.`, "[checkpoint]"},
		{"end", `{"end"`, `{"fin"`, "[line]"},
	} {
		changed := bytes.Replace(s.export, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, s.export) {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		r := offline(t, nil, s.write(t, "flawed", changed), "--key", s.key)
		if r.code != 7 || !strings.Contains(r.out, c.want) || !strings.Contains(r.out, "line ") {
			t.Errorf("%s: exit %d\n%s", c.name, r.code, r.out)
		}
	}
	if r := offline(t, nil, s.file, "--against", s.file); r.code != 0 {
		t.Errorf("against itself: %+v", r)
	}
	note, err := os.ReadFile(s.newer)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(map[string]string{"checkpoint": string(note)})
	if err != nil {
		t.Fatal(err)
	}
	later := s.write(t, "later", slices.Concat([]byte("{\"export\":{}}\n"), []byte(strings.Repeat("x", 1<<20)+"\n"), line, []byte("\n{\"end\":{}}\n")))
	if r := offline(t, nil, s.file, "--against", later); r.code != 7 || !strings.Contains(r.out, "[set back]") {
		t.Errorf("against a later export: %+v", r)
	}
	if r := offline(t, nil, s.file, "--against", s.write(t, "bare", []byte("{\"export\":{}}\n"))); r.code != 2 {
		t.Errorf("against an export without a checkpoint: %+v", r)
	}
	if r := offline(t, nil, s.file, "--against", s.newer); r.code != 7 || !strings.Contains(r.out, "[set back]") {
		t.Errorf("an older export: exit %d\n%s", r.code, r.out)
	}
	if r := offline(t, nil, s.file, "--key", strings.Repeat("0", 64)); r.code != 7 || !strings.Contains(r.out, "[key]") {
		t.Errorf("another key: exit %d\n%s", r.code, r.out)
	}
}

// zeros is a stream of n zero bytes.
type zeros int64

func (z *zeros) Read(b []byte) (int, error) {
	if *z <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), int64(*z))
	clear(b[:n])
	*z -= zeros(n)
	return int(n), nil
}

// TestHostileExports: whatever the file holds, the program ends with a finding
// and stays small.
func TestHostileExports(t *testing.T) {
	s := newSample(t)
	const small = 96 << 20
	text := string(s.export)
	last := strings.LastIndex(text, `{"checkpoint":`)
	note := text[last : last+strings.Index(text[last:], "\n")]
	body := func(from, to string) []byte {
		changed := strings.Replace(note, from, to, 1)
		if changed == note {
			t.Fatalf("no %q in %s", from, note)
		}
		return []byte(text[:last] + changed + text[last+len(note):])
	}
	size := note[strings.Index(note, `\u000a`):][:len(`\u000a22`)]
	for name, export := range map[string][]byte{
		"CRLF":                 bytes.ReplaceAll(s.export, []byte("\n"), []byte("\r\n")),
		"huge size line":       body(size, `\u000a`+strings.Repeat("9", 1<<20)),
		"negative size":        body(size, `\u000a-1`),
		"duplicate signatures": body(`"}`, strings.Repeat(note[strings.LastIndex(note, "—"):len(note)-2], 1)+`"}`),
		"many signatures":      body(`"}`, strings.Repeat(`— a AAAAAAA=\u000a`, 10000)+`"}`),
		"trailing bytes":       append(bytes.Clone(s.export), "x"...),
		"cut":                  s.export[:len(s.export)/2],
		"empty":                {},
		"gzip":                 {0x1f, 0x8b, 8, 0, 0, 0, 0, 0},
		"no age":               []byte("age-encryption.org/v1\nx"),
	} {
		r := offline(t, strings.NewReader("secret\n"), s.write(t, "hostile", export))
		if want := map[bool]int{true: 2, false: 7}[name == "no age"]; r.code != want || r.memory > small {
			t.Errorf("%s: exit %d, %d MiB\n%.500s", name, r.code, r.memory>>20, r.out)
		}
	}
	endless := zeros(2 << 30)
	if r := offline(t, &endless, "-"); r.code != 7 || r.memory > small {
		t.Errorf("2 GiB of zeros: exit %d, %d MiB\n%.500s", r.code, r.memory>>20, r.out)
	}
	long := zeros(1 << 30) // behind a good beginning
	if r := offline(t, io.MultiReader(bytes.NewReader(s.export[:len(s.export)/2]), &long), "-"); r.code != 7 || r.memory > small {
		t.Errorf("1 GiB in one line: exit %d, %d MiB\n%.500s", r.code, r.memory>>20, r.out)
	}
}

func encrypt(t *testing.T, plain io.Reader, work int) []byte {
	t.Helper()
	to, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(work)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEncryptedExport(t *testing.T) {
	s := newSample(t)
	sealed := encrypt(t, bytes.NewReader(s.export), 10)
	file := s.write(t, "sealed", sealed)
	if r := offline(t, strings.NewReader("correct horse\n"), file, "--key", s.key); r.code != 0 {
		t.Errorf("exit %d\n%s", r.code, r.out)
	}
	if r := offline(t, strings.NewReader("wrong\n"), file); r.code != 2 || !strings.Contains(r.out, "passphrase is wrong") {
		t.Errorf("wrong passphrase: exit %d\n%s", r.code, r.out)
	}
	cut := s.write(t, "cut", sealed[:len(sealed)-20])
	if r := offline(t, strings.NewReader("correct horse\n"), cut); r.code == 0 {
		t.Errorf("a cut file: exit %d\n%s", r.code, r.out)
	}
	// A file that asks for 16 GiB of scrypt is not tried.
	greedy := s.write(t, "greedy", bytes.Replace(sealed, []byte(" 10\n"), []byte(" 24\n"), 1))
	if r := offline(t, strings.NewReader("correct horse\n"), greedy); r.code != 2 || r.memory > 64<<20 {
		t.Errorf("greedy: exit %d, %d MiB\n%s", r.code, r.memory>>20, r.out)
	}
}

func TestUsage(t *testing.T) {
	s := newSample(t)
	for _, args := range [][]string{{}, {"a", "b"}, {"--key", "xyz", s.file}, {"--nonsense"}, {filepath.Join(s.dir, "missing")},
		{s.file, "--against", filepath.Join(s.dir, "missing")}, {s.file, "--against", s.write(t, "nothing", nil)}, {s.dir}} {
		if r := offline(t, nil, args...); r.code != 2 {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.out)
		}
	}
	if r := offline(t, nil, "--help"); r.code != 0 || !strings.HasPrefix(r.out, "usage:") {
		t.Errorf("help: exit %d\n%s", r.code, r.out)
	}
}
