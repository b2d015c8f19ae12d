package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/firmware-config"
	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/books"
	"coffer/internal/control"
	"coffer/internal/ops"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal"
	"coffer/internal/vault"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cofferctl": main})
}

// TestScripts runs the real command against a real control server, store and
// software TPM.
func TestScripts(t *testing.T) {
	boxes := &boxes{t: t}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("", "ctl") // short enough for a socket
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("SOCKET", filepath.Join(dir, "s"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": boxes.daemon, "exit": exitsWith, "jsonkeys": jsonKeys,
		},
	})
}

// exitsWith runs cofferctl with the socket of the script and demands an exit
// status: exit 7 verify --json. Its output is kept for stdout and stderr.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit STATUS COMMAND...")
	}
	err := ts.Exec("cofferctl", append([]string{"--socket", ts.Getenv("SOCKET")}, args[1:]...)...)
	code := 0
	var status interface{ ExitCode() int }
	if errors.As(err, &status) {
		code = status.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// jsonKeys compares the names in the JSON object on standard output with a
// file: what scripts of other people rely on.
func jsonKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonkeys FILE")
	}
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(d.Decode(&v))
	if err := d.Decode(new(any)); err != io.EOF {
		ts.Fatalf("more than one JSON object")
	}
	keys := map[string]bool{}
	collect(v, "", keys)
	var lines []string
	for k := range keys {
		lines = append(lines, k)
	}
	slices.Sort(lines)
	if got := strings.Join(lines, "\n") + "\n"; got != ts.ReadFile(args[0]) {
		ts.Fatalf("names are\n%s", got)
	}
}

func collect(v any, at string, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			collect(inner, strings.TrimPrefix(at+"."+k, "."), keys)
		}
	case []any:
		keys[at+"[]"] = true
		for _, inner := range v {
			collect(inner, at+"[]", keys)
		}
	default:
		keys[at] = true
	}
}

// boxes starts daemons' insides for scripts.
type boxes struct {
	t  *testing.T
	mu sync.Mutex // scripts run side by side; starting needs the test's TPM
}

// daemon starts a control server: daemon starting|sealed|empty|halved|serving|damaged|nobody; one that
// serves has a card number in its trail.
func (b *boxes) daemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: daemon STATE")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	it := accesstest.Agent(access.IT)
	agent := func() access.Agent { return it }
	if args[0] == "nobody" {
		agent = func() access.Agent { return access.Agent{} }
	}
	o := b.box(ts, args[0])
	l, err := control.Listen(ts.Getenv("SOCKET"))
	ts.Check(err)
	s := control.NewServer(control.Options{Ops: o, Agent: agent})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	ts.Defer(func() {
		if err := errors.Join(s.Close(context.Background()), <-done); err != nil {
			b.t.Error(err)
		}
	})
}

// box returns the Ops of a box in the state.
func (b *boxes) box(ts *testscript.TestScript, state string) *ops.Ops {
	dir := ts.MkAbs("box")
	ts.Check(os.MkdirAll(dir, 0o700))
	header := filepath.Join(dir, "coffer.seal")
	k, err := seal.Provision(context.Background(), sealtest.TPM(b.t), header, seal.Setup{Now: time.Now()})
	ts.Check(err)
	ts.Defer(k.Wipe)
	o := ops.New(ops.Machine{
		Version: "v-test", State: dir, TPM: sealtest.TPM(b.t), Header: header, Root: fstest.MapFS{}, Now: time.Now,
		Clinic: "Test Clinic", Daemon: accesstest.System("ops"),
		Proof: func(pin string) seal.Proof { return seal.Proof{PIN: pin} },
		Setup: func() (seal.Setup, error) { return seal.Setup{}, nil },
	})
	switch state {
	case "starting":
	case "sealed":
		o.Sealed(seal.ErrOtherTPM)
	case "empty":
		o.Sealed(seal.ErrNoHeader)
	case "halved":
		o.Sealed(vault.ErrNoStore)
	default:
		v := b.open(ts, o, k, filepath.Join(dir, "store"))
		if state == "serving" {
			r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.PageRead, Entity: access.None, Purpose: access.Operations}
			ts.Check(v.Record(context.Background(), r, audit.OK, audit.Detail{Key: "note", Value: "4111 1111 1111 1111"}))
		}
	}
	if state == "damaged" {
		ts.Check(damage(filepath.Join(dir, "store")))
	}
	return o
}

// open creates a store with books and opens it for business.
func (b *boxes) open(ts *testscript.TestScript, o *ops.Ops, k *seal.Key, dir string) *vault.Vault {
	v, err := vault.Create(context.Background(), accesstest.System("test"),
		vault.Options{Dir: dir, Key: k, Tables: append(books.Tables(), ops.Tables()...), MapBytes: 1 << 30})
	ts.Check(err)
	ts.Defer(func() { v.Close() }) // a damaged store may refuse its last commit
	store := books.New(v)
	ts.Check(store.Setup(context.Background(), accesstest.System("setup")))
	profile, err := firmwareconfig.Profile("sim-pax")
	ts.Check(err)
	away := terminal.Start(terminal.Config{Name: "desk-1", Profile: profile, Address: "serial:" + dir + "/none"})
	ts.Defer(func() { ts.Check(away.Close()) })
	ts.Check(o.Opened(context.Background(), ops.Store{
		Vault: v, Books: store, Seal: k.Status(), Terminals: []*terminal.Terminal{away},
		Certificate: func() time.Time { return time.Now().AddDate(0, 0, 60) },
	}))
	return v
}

// damage flips a bit in every page of the store's file beyond the head pages.
func damage(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	const page = 4096
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if len(b) < 3*page {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for at := 2*page + 200; at < len(b); at += page {
			if _, err := f.WriteAt([]byte{b[at] ^ 0x10}, int64(at)); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("no store file")
}
