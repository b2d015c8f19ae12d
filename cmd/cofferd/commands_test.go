package main

import (
	"fmt"
	"net/http"
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
var bareCommands = []string{"completion", "help", "version"}

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
	works   bool          // exit status 0
	act     access.Action // of the event that it must leave
}

// everyCommand uses each command of cofferctl, in a way that works and in one
// that does not.
func everyCommand(t *testing.T, sheet *recovery.Seed, secrets map[access.Role]string, dir string) []tried {
	none, right, wrong := typing(), typing(sheet.Text()), typing(recovery.New().Text())
	person := func(who access.Role, n int) func() string { return signingIn(t, secrets, who, n) }
	return []tried{
		{"status", none, true, access.BoxStatus},
		{"doctor", none, false, access.BackupRead},
		{"verify", none, true, access.StoreVerify},
		{"seal status", none, true, access.SealRead},
		{"seal unlock", typing("271828"), false, access.StoreOpen},
		{"seal reseal", none, true, access.SealWrite},
		{"seal reseal --level measured", none, false, access.SealWrite},
		{"recovery print", wrong, false, access.RecoveryTest},
		{"recovery print --owner", typing("owner", "wrong", "000000"), false, access.SignIn},
		{"recovery print --owner", person(access.Officer, 0), false, access.RecoveryMake},
		{"recovery test", right, true, access.RecoveryTest},
		{"recovery test", wrong, false, access.RecoveryTest},
		{"recovery open --reason mainboard-exchanged", right, false, access.StoreOpen},
		{"key rotate", none, true, access.KeyRotate},
		{"backup create", none, true, access.BackupWrite},
		{"backup create --target nowhere", none, false, access.BackupWrite},
		{"backup list", none, true, access.BackupRead},
		{"backup verify --level 1", none, true, access.BackupVerify},
		{"backup verify --name none", none, false, access.BackupVerify},
		{"backup drill", none, true, access.BackupDrill},
		{"backup restore --reason the-box-burnt-down", right, false, access.StoreRestore},
		{"audit tail", none, true, access.AuditTail},
		{"audit verify", none, true, access.AuditVerify},
		{"audit checkpoint", none, true, access.AuditCheckpoint},
		{"audit export --plain --reason for-an-auditor " + filepath.Join(dir, "export"), person(access.Officer, 1), true, access.AuditExport},
		{"store check", none, true, access.StoreVerify},
		{"store compact", none, true, access.StoreCompact},
		{"store accept-loss --yes --reason entered-them-again", none, false, access.StoreAcceptLoss},
		{"ledger check", none, true, access.BooksCheck},
		{"restore --reason the-box-burnt-down", right, false, access.StoreRestore},
		{"retire --yes", person(access.FrontDesk, 0), false, access.StoreRetire},
	}
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
	for _, u := range uses {
		from := b.tail(t)
		out, talk, exit := b.answering(t, u.answers(), strings.Fields(u.args)...)
		if u.works != (exit == 0) {
			t.Errorf("cofferctl %s exits %d:\n%s%s", u.args, exit, out, talk)
		}
		demandEvent(t, u, from, b.tail(t))
	}
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
		if e.Act == string(u.act) && e.Via == via && (u.works || refused || u.act == access.BackupRead || u.act == access.RecoveryTest) {
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
