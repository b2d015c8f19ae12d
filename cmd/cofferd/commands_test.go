package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/internal/access"
	"coffer/internal/control"
	"coffer/internal/identity"
	"coffer/internal/ops"
	"coffer/internal/recovery"
	"coffer/internal/seal/sealtest"
	"coffer/internal/terminal/sim"
)

// staffed makes the box's store with a recovery sheet in force and a member of
// staff for each role, who has the role's name. It returns the sheet and the
// secrets of their one-time codes.
func (b box) staffed(t *testing.T, roles ...access.Role) (sheet *recovery.Seed, secrets map[access.Role]string) {
	t.Helper()
	sheet, secrets = recovery.New(), map[access.Role]string{}
	c, err := create(t.Context(), b.config, creation{issuer: access.NewIssuer(), now: b.config.clock(), recovery: sheet.Public()})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		_, enrolment, err := c.identity.CreateStaff(t.Context(), c.identity.System("setup"), identity.NewStaff{
			Name: string(role), DisplayName: "Somebody", Roles: []access.Role{role}, Password: deskPassword,
		})
		if err != nil {
			t.Fatal(err)
		}
		secrets[role] = enrolment.Secret
	}
	if err := c.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sheet, secrets
}

// signingIn returns what somebody types to sign in at the console. A code is
// good once, and none before it after that: n is 0, then 1.
func signingIn(t *testing.T, secrets map[access.Role]string, who access.Role, n int) func() string {
	return func() string {
		t.Helper()
		code, err := identity.Code(secrets[who], time.Now().Add(time.Duration(n)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return string(who) + "\n" + deskPassword + "\n" + code + "\n"
	}
}

// typing returns what is typed whoever it is.
func typing(lines ...string) func() string {
	return func() string { return strings.Join(append(lines, ""), "\n") }
}

// bareCommands say nothing of the clinic and ask the daemon nothing.
var bareCommands = []string{"completion", "help", "version", "terminal lint"}

// leaves returns every command of cofferctl that has none below it, as its
// help names them.
func leaves(t *testing.T, path ...string) []string {
	t.Helper()
	out, err := exec.Command(program(t, "cofferctl"), append(path, "--help")...).Output()
	if err != nil {
		t.Fatalf("cofferctl %v --help: %v", path, err)
	}
	_, list, has := strings.Cut(string(out), "Available Commands:\n")
	if !has || len(path) > 0 && slices.Contains(bareCommands, path[0]) {
		return []string{strings.Join(path, " ")}
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var all []string
	for line := range strings.Lines(list) {
		all = append(all, leaves(t, append(slices.Clone(path), strings.Fields(line)[0])...)...)
	}
	return all
}

// tried is one use of a command: its first words name it.
type tried struct {
	args    string
	answers func() string
	exit    int           // status; 3 may be 7, as the machine is
	act     access.Action // of the event that it must leave
}

// everyCommand uses each command of cofferctl, in a way that works and in one
// that does not.
func everyCommand(t *testing.T, sheet *recovery.Seed, secrets map[access.Role]string, dir string) []tried {
	none, right, wrong := typing(), typing(sheet.Text()), typing(recovery.New().Text())
	person := func(who access.Role, n int) func() string { return signingIn(t, secrets, who, n) }
	return []tried{
		{"status", none, 0, access.BoxStatus},
		{"doctor", none, 3, access.BackupRead},
		{"verify", none, 0, access.StoreVerify},
		{"scope prove", none, 0, access.ScopeProve},
		{"seal status", none, 0, access.SealRead},
		{"seal unlock", typing("271828"), 1, access.StoreOpen},
		{"seal reseal", none, 0, access.SealWrite},
		{"seal reseal --level measured", none, 2, access.SealWrite},
		{"recovery print", wrong, 4, access.RecoveryTest},
		{"recovery print --owner", typing("owner", "wrong", "000000"), 4, access.SignIn},
		{"recovery print --owner", person(access.Officer, 0), 4, access.RecoveryMake},
		{"recovery test", right, 0, access.RecoveryTest},
		{"recovery test", wrong, 12, access.RecoveryTest},
		{"recovery open --reason mainboard-exchanged", right, 1, access.StoreOpen},
		{"key rotate", none, 0, access.KeyRotate},
		{"backup create", none, 0, access.BackupWrite},
		{"backup create --target nowhere", none, 6, access.BackupWrite},
		{"backup verify --level 1", none, 0, access.BackupVerify},
		{"backup verify --name none", none, 6, access.BackupVerify},
		{"backup drill", none, 0, access.BackupDrill},
		{"backup list", none, 0, access.BackupRead},
		{"backup restore --reason the-box-burnt-down", right, 1, access.StoreRestore},
		{"audit tail", none, 0, access.AuditTail},
		{"audit verify", none, 0, access.AuditVerify},
		{"audit checkpoint", none, 0, access.AuditCheckpoint},
		{"audit export --plain --reason for-an-auditor " + filepath.Join(dir, "export"), person(access.Officer, 1), 0, access.AuditExport},
		{"store check", none, 0, access.StoreVerify},
		{"store compact", none, 0, access.StoreCompact},
		{"store accept-loss --yes --reason entered-them-again", none, 1, access.StoreAcceptLoss},
		{"ledger check", none, 0, access.BooksCheck},
		{"terminal list", none, 7, access.CustodyRead},
		{"terminal probe nowhere", none, 6, access.TerminalWrite},
		{"terminal probe desk-1", none, 7, access.TerminalWrite},
		{"terminal pair desk-1 --location desk", typing("99999999\n"), 1, access.CustodyWrite},
		{"terminal pair desk-1 --location desk", typing("53236566\n"), 0, access.CustodyWrite},
		{"terminal pair desk-1 --label 53236566 --location desk --swap it-broke", none, 1, access.CustodyWrite},
		{"terminal probe desk-1", none, 0, access.TerminalWrite},
		{"terminal test desk-1", none, 0, access.TerminalWrite},
		{"terminal list", none, 0, access.CustodyRead},
		{"restore --reason the-box-burnt-down", right, 1, access.StoreRestore},
		{"retire --yes", person(access.FrontDesk, 0), 4, access.StoreRetire},
	}
}

// terminal puts a simulated terminal at desk-1, and waits until somebody could
// attach to it.
func (b *box) terminal(t *testing.T) {
	t.Helper()
	s, err := sim.New(sim.Options{Serial: "53236566"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	at, err := s.ServeTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.amend(t, fmt.Sprintf("[[terminal]]\nname = \"desk-1\"\naddress = \"tcp:%s\"\nprofile = \"sim-pax\"\n", at))
}

// tail returns the newest events as the console sees them, oldest first.
func (b box) tail(t *testing.T) []ops.TrailEvent {
	t.Helper()
	tail, err := control.Ask[ops.Tail](t.Context(), control.NewClient(b.config.Control), http.MethodPost, "audit/tail", control.TailAsked{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tail.Events)
	return tail.Events
}

// TestEveryCommandLeavesAnEvent walks the whole command tree of cofferctl
// against a running daemon: each command, where it works and where it is
// refused or denied, leaves its event of somebody at the console. What
// cofferctl refuses by itself, such as a misspelt flag, asks the daemon
// nothing. No command makes the trail shorter or changes what is in it, and it
// is all there after a restart.
func TestEveryCommandLeavesAnEvent(t *testing.T) {
	b := newBox(t, sealtest.TPM(t))
	b.target(t)
	b.terminal(t)
	sheet, secrets := b.staffed(t, access.Owner, access.Officer, access.FrontDesk)
	defer sheet.Wipe()
	r := b.start(t)
	before := b.tail(t)
	uses := everyCommand(t, sheet, secrets, b.dir)
	for _, name := range leaves(t) {
		used := slices.ContainsFunc(uses, func(u tried) bool { return u.args == name || strings.HasPrefix(u.args, name+" ") })
		if used == slices.Contains(bareCommands, name) {
			t.Errorf("cofferctl %s: in the walk: %v; it must be there or among those that ask nothing", name, used)
		}
	}
	var shapes strings.Builder
	for _, u := range uses {
		from := b.tail(t)
		out, talk, exit := b.answering(t, u.answers(), append(strings.Fields(u.args), "--json")...)
		if exit != u.exit && !(u.exit == 3 && exit == 7) {
			t.Errorf("cofferctl %s exits %d:\n%s%s", u.args, exit, out, talk)
		}
		if exit == 0 {
			fmt.Fprintf(&shapes, "%s\n", strings.ReplaceAll(u.args, b.dir, "DIR"))
			for _, name := range jsonNames(t, out) {
				fmt.Fprintf(&shapes, "\t%s\n", name)
			}
		}
		demandEvent(t, u, from, b.tail(t))
	}
	demandShapes(t, shapes.String())
	demandSame(t, before, b.tail(t), true)
	r.signal(t, syscall.SIGTERM)
	b.start(t)
	after := b.tail(t)
	demandSame(t, before, after, false)
	stops := 0 // the one that set the box up, and this one
	for _, e := range after {
		if e.Act == string(access.StoreClose) && e.Actor == "system:stop" && e.Outcome == "ok" {
			stops++
		}
	}
	if stops != 2 {
		t.Errorf("%d stops in order on record", stops)
	}
	b.must(t, 0, "", "audit", "verify")
}

var updateShapes = flag.Bool("update", false, "write testdata/commands.json-names anew")

// demandShapes compares the names in what commands print with --json with
// those that other people's scripts rely on.
func demandShapes(t *testing.T, got string) {
	t.Helper()
	const golden = "testdata/commands.json-names"
	if *updateShapes {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the names in JSON answers are\n%s", got)
	}
}

// jsonNames returns the names of the values in the JSON objects of out, sorted.
func jsonNames(t *testing.T, out string) []string {
	t.Helper()
	names := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var v any
		if err := d.Decode(&v); err == io.EOF {
			return slices.Sorted(maps.Keys(names))
		} else if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		addNames(names, "", v)
	}
}

func addNames(names map[string]bool, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			addNames(names, strings.TrimPrefix(at+"."+k, "."), inner)
		}
	case []any:
		for _, inner := range v {
			addNames(names, at+"[]", inner)
		}
	default:
		names[at] = true
	}
}

// demandEvent fails the test unless the events after those of before hold one
// of the use.
func demandEvent(t *testing.T, u tried, before, after []ops.TrailEvent) {
	t.Helper()
	via := "console:control"
	if u.act == access.SignIn {
		via = "system:identity" // nobody is signed in; who tried stands in the details
	}
	own := 0 // of this test, which reads the tail
	if u.act == access.AuditTail {
		own = 1
	}
	last := before[len(before)-1].Number
	var seen []string
	for _, e := range after {
		if e.Number <= last {
			continue
		}
		seen = append(seen, fmt.Sprintf("%s %s %s %s", e.Actor, e.Via, e.Act, e.Outcome))
		refused := e.Outcome != "ok"
		if e.Act == string(u.act) && e.Via == via && (u.exit == 0 || u.exit == 7 || refused || u.act == access.BackupRead || u.act == access.RecoveryTest) {
			if own == 0 {
				return
			}
			own--
		}
	}
	t.Errorf("cofferctl %s leaves no event %s:\n%s", u.args, u.act, strings.Join(seen, "\n"))
}

// demandSame fails the test unless the trail still begins with the events of
// before. Clients' identifiers are replaced anew at each start.
func demandSame(t *testing.T, before, after []ops.TrailEvent, sameStart bool) {
	t.Helper()
	if len(after) < len(before) {
		t.Fatalf("the trail had %d events and has %d", len(before), len(after))
	}
	for i, e := range before {
		now := after[i]
		if !sameStart {
			e.Object, now.Object = "", ""
		}
		if fmt.Sprint(e) != fmt.Sprint(now) {
			t.Errorf("event %d was %v and is %v", i, e, now)
		}
	}
}
