package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/identity"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/recovery"
	"coffer/internal/roster"
	"coffer/internal/seal/sealtest"
	"coffer/internal/till"
)

// canary is something planted that must not be found.
type canary struct{ what, text string }

// plant posts clients with names, notes and payments that stand nowhere else,
// and returns 200 of them, with the secret of the privacy officer's codes.
func plant(t *testing.T, b box) ([]canary, string) {
	t.Helper()
	issuer := access.NewIssuer()
	c, err := create(t.Context(), b.config, creation{issuer: issuer, now: b.config.clock(), recovery: recovery.New().Public()})
	if err != nil {
		t.Fatal(err)
	}
	_, officer, err := c.identity.CreateStaff(t.Context(), c.identity.System("setup"), identity.NewStaff{
		Name: string(access.Officer), DisplayName: "Somebody", Roles: []access.Role{access.Officer}, Password: deskPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	desk := issuer.Person(ident.New[ident.Staff](time.Now()), ident.ID[ident.Session]{}, "desk", access.Origin{Via: "lan"}, access.FrontDesk)
	var all []canary
	for i := range 67 {
		name, memo := fmt.Sprintf("Zyxqua%02d Wobblethorpe%02d", i, i), fmt.Sprintf("planted-memo-%02d-quixotic", i)
		client, err := c.roster.Create(t.Context(), desk, roster.Details{Name: phi.NewText(name), Memo: phi.NewText(memo)})
		if err != nil {
			t.Fatal(err)
		}
		amount := money.Amount(731_913 + 7*i)
		if _, err := c.till.Cash(t.Context(), desk, till.CashSale{Command: ident.New[ident.Command](time.Now()), Client: client.ID, Amount: amount}); err != nil {
			t.Fatal(err)
		}
		all = append(all, canary{"name", strings.Fields(name)[0]}, canary{"note", memo}, canary{"amount", amount.String()})
	}
	if err := c.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return all[:200], officer.Secret
}

// forms are the ways in which a canary could stand in a file.
func (c canary) forms() [][]byte {
	forms := [][]byte{[]byte(c.text), []byte(strings.ToLower(c.text)), []byte(strings.ToUpper(c.text))}
	if c.what == "amount" {
		cents, err := money.Parse(c.text)
		if err == nil {
			forms = append(forms, binary.BigEndian.AppendUint64(nil, uint64(cents)), binary.LittleEndian.AppendUint64(nil, uint64(cents)))
		}
	}
	return forms
}

// TestNothingInClear plants 200 names, notes and amounts, has the daemon open
// the store and be killed in ways that leave things behind, and looks for them
// in everything that is left: store, journal, header, backups, answers, logs,
// exports, temporary files, core.
func TestNothingInClear(t *testing.T) {
	program(t, "cofferd") // built outside of what is looked through
	b := newBox(t, sealtest.TPM(t))
	tmp := filepath.Join(b.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	b.target(t)
	canaries, secret := plant(t, b)
	for n, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGTERM} {
		r := b.start(t)
		leavesNoMemory(t, b, r)
		if n == 0 {
			exportTrail(t, b, secret)
		}
		if out, exit := b.ctl(t, "verify", "--json"); exit != 0 {
			t.Fatalf("verify exits %d:\n%s", exit, out)
		} else if err := os.WriteFile(filepath.Join(b.dir, "verify.json"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"backup", "create"}, {"backup", "drill"}, {"audit", "tail", "--json"}, {"doctor", "--json"}} {
			out, talk, _ := b.answering(t, "", args...)
			if err := os.WriteFile(filepath.Join(b.dir, strings.Join(args, "-")), []byte(out+talk), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.signal(t, sig)
		if err := os.WriteFile(filepath.Join(b.dir, fmt.Sprintf("log-%d", sig)), []byte(r.log.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := everything(t, b.dir)
	for _, c := range canaries {
		for _, form := range c.forms() {
			for name, text := range files {
				if bytes.Contains(text, form) && (c.what != "amount" || filepath.Base(name) != "export-private") {
					t.Errorf("%s: the %s %q stands in clear", name, c.what, c.text)
				}
			}
		}
	}
	for name := range files {
		if strings.HasPrefix(filepath.Base(name), "core") {
			t.Errorf("a core file was written: %s", name)
		}
	}
	if !bytes.Contains(files[filepath.Join(b.dir, "export")], []byte(`"act":"client.write"`)) {
		t.Error("the export does not tell of the clients")
	}
	if len(files) < 12 {
		t.Errorf("only %d files were looked through", len(files))
	}
}

// exportTrail has the privacy officer export the trail with and without the
// private parts of its events. With them the export tells of amounts, but of no
// name and no note.
func exportTrail(t *testing.T, b box, secret string) {
	t.Helper()
	for n, args := range [][]string{{"--redacted", filepath.Join(b.dir, "export")}, {filepath.Join(b.dir, "export-private")}} {
		officer := signingIn(t, map[access.Role]string{access.Officer: secret}, access.Officer, n-1)
		out, talk, exit := b.answering(t, officer(), append([]string{"audit", "export", "--plain", "--reason", "for an auditor"}, args...)...)
		if exit != 0 {
			t.Fatalf("audit export exits %d:\n%s%s", exit, out, talk)
		}
	}
}

// leavesNoMemory fails unless the running daemon can write no core file, is not
// dumpable, and has memory locked, where its root key is.
func leavesNoMemory(t *testing.T, b box, r *running) {
	t.Helper()
	pid := r.cmd.Process.Pid
	if limit := factOf(t, pid, "limits", "Max core file size"); limit[0] != "0" || limit[1] != "0" {
		t.Errorf("the daemon may write a core file of %v bytes", limit)
	}
	if locked := factOf(t, pid, "status", "VmLck:"); locked[0] == "0" {
		t.Error("the daemon has no memory locked")
	}
	if out, _ := b.ctl(t, "doctor", "--json"); strings.Contains(out, "memory may be dumped") || !strings.Contains(out, `"confinement"`) {
		t.Errorf("the daemon says of itself that its memory may be dumped:\n%s", out)
	}
}

// factOf returns the words that the kernel has for a fact of a process.
func factOf(t *testing.T, pid int, file, name string) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("the kernel does not say %q of the process", name)
	return nil
}

// everything returns every regular file below dir.
func everything(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files[name], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flipInRecords changes one bit in every page of the store that holds
// anything, but for the two head pages.
func flipInRecords(t *testing.T, b box) {
	t.Helper()
	file := filepath.Join(b.config.State, "store", "coffer.db")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for at := 2 * page; at < len(text); at += page {
		if last := bytes.LastIndexFunc(text[at:at+page], func(r rune) bool { return r != 0 }); last >= 0 {
			text[at+last] ^= 1
		}
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
