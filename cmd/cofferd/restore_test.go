package main

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/ops"
	"coffer/internal/recovery"
	"coffer/internal/seal/sealtest"
)

// must runs cofferctl with answers and demands an exit status.
func (b box) must(t *testing.T, exit int, answers string, args ...string) string {
	t.Helper()
	out, talk, got := b.answering(t, answers, args...)
	if got != exit {
		t.Fatalf("cofferctl %v exits %d, want %d\n%s%s", args, got, exit, out, talk)
	}
	return out + talk
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
	b.must(t, 2, sheet+"\n", "recovery", "open")
	b.must(t, 0, sheet+"\n", "recovery", "open", "--reason", "the PIN was forgotten")
	b.must(t, 0, "", "seal", "status")
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
