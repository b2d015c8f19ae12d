package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/seal/sealtest"
)

// TestAnotherTPMStaysSealed puts a clinic's disk into another machine: the
// daemon starts, opens nothing, and page and cofferctl say why and what to do.
func TestAnotherTPMStaysSealed(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	t.Run("elsewhere", func(t *testing.T) {
		text, err := os.ReadFile(b.file())
		if err != nil {
			t.Fatal(err)
		}
		moved := strings.Replace(string(text), b.config.TPM, sealtest.TPM(t), 1)
		if err := os.WriteFile(b.file(), []byte(moved), 0o600); err != nil {
			t.Fatal(err)
		}
		b.start(t)
		for _, path := range []string{"/", "/today", "/sign-in"} {
			status, page, err := b.page(path)
			if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(page, "SEAL-") {
				t.Errorf("%s answers %d, %v:\n%s", path, status, err, page)
			}
		}
		if out, exit := b.ctl(t, "status"); exit != 5 || !strings.Contains(out, "SEAL-") {
			t.Errorf("cofferctl status exits %d:\n%s", exit, out)
		}
		if out, exit := b.ctl(t, "verify"); exit != 5 {
			t.Errorf("cofferctl verify exits %d:\n%s", exit, out)
		}
		if err := os.WriteFile(b.file(), text, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("at home", func(t *testing.T) {
		r := b.start(t)
		if out, exit := b.ctl(t, "verify"); exit != 0 {
			t.Errorf("cofferctl verify exits %d:\n%s", exit, out)
		}
		r.signal(t, syscall.SIGTERM)
	})
}

// TestInitRefusesASecondStore runs init twice: the second must change nothing.
func TestInitRefusesASecondStore(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(b.config.header())
	if err != nil {
		t.Fatal(err)
	}
	if err := initialise(t.Context(), b.config); err == nil || !strings.Contains(sentence(err), "There is a store already") {
		t.Errorf("a second init says %v", err)
	}
	if after, err := os.ReadFile(b.config.header()); err != nil || string(after) != string(before) {
		t.Error("a second init changed the header")
	}
}

// TestStoreTamperedIsShut changes one byte in the middle of the closed store:
// the daemon must not open it, and must say so.
func TestStoreTamperedIsShut(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	if err := initialise(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	flipInRecords(t, b)
	b.start(t)
	status, page, err := b.page("/")
	if err != nil || status < 500 || strings.Contains(page, "Sign in") {
		t.Errorf("a changed store is served: %d %v\n%s", status, err, page)
	}
	if out, exit := b.ctl(t, "status"); exit == 0 {
		t.Errorf("cofferctl status exits 0:\n%s", out)
	}
}
