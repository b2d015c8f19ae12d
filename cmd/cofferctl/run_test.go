package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/ops"
)

// mute is a daemon that takes connections and says nothing; taken tells of
// each.
func mute(t *testing.T) (socket string, taken chan struct{}) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	socket, taken = filepath.Join(dir, "s"), make(chan struct{}, 1)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			taken <- struct{}{}
		}
	}()
	return socket, taken
}

func TestTimeout(t *testing.T) {
	socket, _ := mute(t)
	var out, talk bytes.Buffer
	if code := run(t.Context(), []string{"verify", "--socket", socket, "--timeout", "30ms"}, &out, &talk); code != exitFailed {
		t.Fatalf("exit status %d", code)
	}
	if out.Len() > 0 || !strings.Contains(talk.String(), "did not answer in time") {
		t.Fatalf("%q %q", out.String(), talk.String())
	}
}

func TestInterrupt(t *testing.T) {
	socket, taken := mute(t)
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-taken
		interrupt()
	}()
	var out, talk bytes.Buffer
	if code := run(ctx, []string{"verify", "--socket", socket}, &out, &talk); code != exitInterrupted || out.Len() > 0 {
		t.Fatalf("exit status %d, %q", code, out.String())
	}
}

func TestVerdictsAreColouredOnTerminalsOnly(t *testing.T) {
	var out bytes.Buffer
	d := ops.Diagnosis{Lines: []ops.Line{{Verdict: ops.OK, Name: "a", Value: "b"}, {Verdict: ops.Fail, Name: "c", Value: "d", Next: "e"}}}
	p := newPrinter(&out)
	printDiagnosis(p, d)
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "ok    a  b\nfail  c  d  → e\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.colour = true
	if got := p.paint(ops.Fail); got != "\x1b[31mfail\x1b[0m" {
		t.Errorf("%q", got)
	}
}
