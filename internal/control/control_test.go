package control

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ops"
	"coffer/internal/seal"
)

// socketPath returns a path short enough for a socket, in a directory that is
// still to be made.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "run", "s")
}

// serve starts a server of a sealed box that admits the users, or those it
// would admit anyway.
func serve(t *testing.T, admitted ...uint32) string {
	t.Helper()
	o := ops.New(ops.Machine{Version: "test", State: t.TempDir(), Root: fstest.MapFS{}, Now: time.Now})
	o.Sealed(seal.ErrGeneration)
	it := accesstest.Agent(access.IT)
	s := NewServer(Options{Ops: o, Agent: func() access.Agent { return it }})
	if len(admitted) > 0 {
		s.allowed = map[uint32]bool{}
	}
	for _, uid := range admitted {
		s.allowed[uid] = true
	}
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), <-done); err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestSealedBoxAnswers(t *testing.T) {
	path := serve(t)
	c := NewClient(path)
	s, err := c.Status(t.Context())
	if err != nil || s.State != ops.Sealed || s.Reason.Code != "SEAL-003" {
		t.Fatalf("%+v %v", s, err)
	}
	if d, err := Ask[ops.Diagnosis](t.Context(), c, "GET", "doctor", nil); err != nil || d.Verdict != ops.Fail {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = Ask[ops.Verification](t.Context(), c, "POST", "verify", nil)
	var refused *Error
	if !errors.As(err, &refused) || refused.Kind() != fault.Sealed || refused.Code != "SEAL-003" || refused.Words != seal.ErrGeneration.Message() {
		t.Fatalf("%+v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	path := serve(t)
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		fi, err := os.Stat(name)
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%v %v, want %v", fi.Mode(), err, want)
		}
	}
}

// TestOthersAreRefused: a server that admits other users than the one who
// runs this test.
func TestOthersAreRefused(t *testing.T) {
	path := serve(t, uint32(os.Geteuid())+1)
	_, err := NewClient(path).Status(t.Context())
	var refused *Error
	if !errors.As(err, &refused) || refused.Kind() != fault.Denied {
		t.Fatalf("%v", err)
	}
}

func TestPeerIsAskedOfTheKernel(t *testing.T) {
	path := serve(t)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, ok := peerUID(c); !ok || uid != uint32(os.Geteuid()) {
		t.Errorf("peer %d %v", uid, ok)
	}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if _, ok := peerUID(here); ok {
		t.Error("a peer of no unix socket is known")
	}
}

func TestOnlyTheProtocolIsServed(t *testing.T) {
	path := serve(t)
	c := NewClient(path)
	for _, q := range [][2]string{{"GET", "verify"}, {"POST", "status"}, {"GET", "../etc/passwd"}, {"GET", ""}} {
		if _, err := Ask[ops.Status](t.Context(), c, q[0], q[1], nil); err == nil {
			t.Errorf("%v was served", q)
		}
	}
}

func TestListen(t *testing.T) {
	used := serve(t)
	if _, err := Listen(used); !errors.Is(err, errInUse) {
		t.Errorf("in use: %v", err)
	}
	stale := socketPath(t)
	l, err := Listen(stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Listen(stale); err != nil {
		t.Fatalf("stale: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); !errors.Is(err, errPath) {
		t.Errorf("a file: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "keep" {
		t.Errorf("the file: %q %v", b, err)
	}
	if _, err := Listen("/" + strings.Repeat("x", socketPathMax)); !errors.Is(err, errPath) {
		t.Errorf("long: %v", err)
	}
}

func TestClientOfAStranger(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := <-answers
		if strings.HasPrefix(a, "!") {
			w.WriteHeader(500)
		}
		io.WriteString(w, strings.TrimPrefix(a, "!"))
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	for _, a := range []string{"", "{", "[]", "!", "!{}", `!{"kind":"lunar","words":"Hello."}`, `!{"kind":"denied"}`} {
		answers <- a
		_, err := NewClient(path).Status(t.Context())
		if !errors.Is(err, errProtocol) {
			t.Errorf("%q: %v", a, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := NewClient(socketPath(t)).Status(t.Context()); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"kind":"sealed","code":"SEAL-003","words":"Sealed."}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e *Error
		if !errors.As(parseRefusal(b), &e) || e.Words == "" {
			t.Fatal("no words")
		}
	})
}
