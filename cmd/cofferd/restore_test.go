package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/ops"
	"coffer/internal/recovery"
	"coffer/internal/seal/sealtest"
)

// amend adds lines to the boot file.
func (b *box) amend(t *testing.T, lines string) {
	t.Helper()
	text, err := os.ReadFile(b.file())
	if err == nil {
		err = os.WriteFile(b.file(), append(text, lines...), 0o600)
	}
	if err == nil {
		b.config, err = readConfig(b.file())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// target makes a directory for backups and names it in the boot file.
func (b *box) target(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(b.dir, "backups")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.amend(t, "\n[[backup]]\nname = \"here\"\ntarget = \"dir:"+dir+"\"\n")
	return dir
}

// must runs cofferctl with answers and demands an exit status.
func (b box) must(t *testing.T, exit int, answers string, args ...string) string {
	t.Helper()
	out, talk, got := b.answering(t, answers, args...)
	if got != exit {
		t.Fatalf("cofferctl %v exits %d, want %d\n%s%s", args, got, exit, out, talk)
	}
	return out + talk
}

// TestRestoreOnAnotherBox: a clinic backs up, drills, and burns. On a new box
// with another TPM, backup and sheet bring it back without a restart, its
// trail goes on from the old one, and neither a wrong sheet nor none does.
func TestRestoreOnAnotherBox(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	dir := b.target(t)
	sheet := b.setUp(t)
	r := b.start(t)
	b.must(t, 0, "", "backup", "create")
	b.must(t, 0, "", "backup", "verify", "--level", "1")
	b.must(t, 0, "", "backup", "verify")
	b.must(t, 0, "", "backup", "drill")
	if out := b.must(t, 0, "", "backup", "list"); !strings.Contains(out, "verified at level") || !strings.Contains(out, "passed") {
		t.Errorf("the list says\n%s", out)
	}
	before := trail(t, b)
	r.signal(t, syscall.SIGTERM)

	other := newBox(t, sealtest.Another(t))
	other.amend(t, "\n[[backup]]\nname = \"here\"\ntarget = \"dir:"+dir+"\"\n")
	other.start(t)
	other.must(t, 10, "", "status")
	other.must(t, 12, recovery.New().Text()+"\n", "restore", "--reason", "the old box burnt down")
	other.must(t, 0, sheet+"\n", "restore", "--dry-run")
	if out := other.must(t, 0, sheet+"\n", "restore", "--reason", "the old box burnt down"); !strings.Contains(out, "restored") {
		t.Errorf("restore says\n%s", out)
	}
	if status, page, err := other.page("/sign-in"); err != nil || status != http.StatusOK || !strings.Contains(page, `name="password"`) {
		t.Fatalf("the clinic is not served: %d %v\n%s", status, err, page)
	}
	other.must(t, 0, "", "verify")
	other.must(t, 0, sheet+"\n", "recovery", "test")
	after := trail(t, other)
	if after.Size <= before.Size {
		t.Errorf("the trail had %d events and has %d", before.Size, after.Size)
	}
	if !acted(after, "store.restore") {
		t.Errorf("no event of the restore:\n%+v", after)
	}
}

// trail returns the newest 200 events as IT sees them.
func trail(t *testing.T, b box) ops.Tail {
	t.Helper()
	var tail ops.Tail
	if err := json.Unmarshal([]byte(b.must(t, 0, "", "audit", "tail", "--limit", "200", "--json")), &tail); err != nil {
		t.Fatal(err)
	}
	return tail
}

func acted(t ops.Tail, act string) bool {
	for _, e := range t.Events {
		if e.Act == act {
			return true
		}
	}
	return false
}

// TestPIN: a box with a PIN stays shut until it is entered, a wrong one is on
// record after, and the sheet opens it for who has forgotten it.
func TestPIN(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	sheet := b.setUp(t)
	r := b.start(t)
	b.must(t, 0, "271828\n271828\n", "seal", "reseal", "--new-pin")
	r.signal(t, syscall.SIGTERM)
	r = b.start(t)
	b.must(t, 5, "", "status")
	b.must(t, 5, "314159\n", "seal", "unlock")
	b.must(t, 0, "271828\n", "seal", "unlock")
	b.must(t, 0, "", "status")
	refused := 0
	for _, e := range trail(t, b).Events {
		if e.Act == "store.open" && e.Outcome == "refused" {
			refused++
		}
	}
	if refused < 2 { // the start, and the wrong PIN
		t.Errorf("%d failed openings on record", refused)
	}
	r.signal(t, syscall.SIGTERM)
	b.start(t)
	b.must(t, 2, "lost\n271828\n271828\n"+sheet+"\n", "recovery", "open")
	b.must(t, 0, "the PIN was forgotten\n141421\n141421\n"+sheet+"\n", "recovery", "open")
	if out := b.must(t, 0, "", "seal", "status"); !strings.Contains(out, "PIN") || strings.Contains(out, "PIN              no") {
		t.Errorf("the new seal lost its PIN:\n%s", out)
	}
	b.must(t, 0, "", "verify")
}

// TestRecoveryOnAnotherTPM moves the disk: the sheet seals it to the new box.
func TestRecoveryOnAnotherTPM(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	sheet := b.setUp(t)
	text, err := os.ReadFile(b.file())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.file(), []byte(strings.Replace(string(text), b.config.TPM, sealtest.Another(t), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.start(t)
	defer func() {
		if t.Failed() {
			t.Logf("%s", r.log)
		}
	}()
	b.must(t, 5, "", "seal", "status")
	b.must(t, 12, recovery.New().Text()+"\n", "recovery", "open", "--reason", "mainboard exchanged")
	b.must(t, 0, sheet+"\n", "recovery", "open", "--reason", "mainboard exchanged")
	b.must(t, 0, "", "verify")
	r.signal(t, syscall.SIGTERM)
	b.start(t)
	b.must(t, 0, "", "seal", "status")
}

// TestRotation exchanges root and data keys under the running daemon.
func TestRotation(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	sheet := b.setUp(t)
	r := b.start(t)
	b.must(t, 0, "", "key", "rotate")
	b.must(t, 0, "", "key", "rotate", "--data")
	b.must(t, 0, "", "verify")
	r.signal(t, syscall.SIGTERM)
	b.start(t)
	b.must(t, 0, "", "verify")
	b.must(t, 0, sheet+"\n", "recovery", "test")
	b.must(t, 0, "", "ledger", "check")
	b.must(t, 0, "", "audit", "verify")
	b.must(t, 0, "", "audit", "checkpoint")
}
