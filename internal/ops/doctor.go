package ops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/host"
	"coffer/internal/seal"
)

// Verdict is what one check of the doctor comes to.
type Verdict string

// The verdicts: nothing to do; soon; now.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Line is one check of the doctor.
type Line struct {
	Verdict Verdict `json:"verdict"`
	Name    string  `json:"name"`
	Value   string  `json:"value"`
	Next    string  `json:"next,omitempty"` // what to do; empty when ok
}

// Diagnosis is all checks, and the worst verdict among them.
type Diagnosis struct {
	Verdict Verdict `json:"verdict"`
	Lines   []Line  `json:"lines"`
}

// Limits of the doctor's verdicts.
const (
	diskWarnPercent = 10
	diskFailPercent = 3
	diskFailBytes   = 256 << 20
	checkAgeMax     = 7 * 24 * time.Hour
	certificateWarn = 14 * 24 * time.Hour
	clockErrorMax   = time.Second
)

// Doctor looks at everything that can keep the box from working tomorrow. It
// is never refused for being sealed.
func (o *Ops) Doctor(ctx context.Context, agent access.Agent) (Diagnosis, error) {
	store, checked, sealed := o.look()
	if err := o.permit(ctx, agent, access.BoxStatus, store); err != nil {
		return Diagnosis{}, err
	}
	now := o.machine.Now()
	lines := []Line{o.sealLine(ctx, sealed), o.diskLine(), o.permissionsLine(), o.clockLine()}
	if store != nil {
		lines = append(lines, o.sheetLine(store.Seal, now), storeLine(store), checkLine(checked, now), o.booksLine(now), o.trailLine(store, now))
		lines = append(lines, o.witnessLines(ctx, store, now)...)
		lines = append(lines, safetyLines(store, now)...)
		lines = append(lines, o.backupLines(ctx, agent, store)...)
		for _, t := range store.Terminals {
			lines = append(lines, terminalLine(terminalRow(t)))
		}
		lines = append(lines, custodyLines(ctx, agent, store)...)
		if store.Certificate != nil {
			lines = append(lines, certificateLine(store.Certificate(), now))
		}
	}
	lines = append(lines, o.confinementLine(), o.portsLine(), o.firmwareLine())
	return Diagnosis{worst(lines), lines}, nil
}

// worst returns the worst verdict.
func worst(lines []Line) Verdict {
	v := OK
	for _, l := range lines {
		if l.Verdict == Fail || v == OK {
			v = l.Verdict
		}
	}
	return v
}

// sealLine asks the TPM what a start of the daemon would meet now.
func (o *Ops) sealLine(ctx context.Context, sealed error) Line {
	if sealed != nil {
		r := reasonOf(sealed)
		return Line{Fail, "seal", "sealed, " + r.Code, r.Words}
	}
	s, err := seal.Inspect(ctx, o.machine.TPM, o.machine.Header)
	if err != nil {
		r := reasonOf(err)
		return Line{Fail, "seal", "would not open again, " + r.Code, r.Words}
	}
	return levelLine(s)
}

func (o *Ops) diskLine() Line {
	d, err := host.DiskAt(o.machine.State)
	if err != nil {
		return Line{Fail, "disk", "does not answer", reasonOf(err).Words}
	}
	value := fmt.Sprintf("%d MiB free of %d MiB (%d%%)", d.FreeBytes>>20, d.TotalBytes>>20, d.FreePercent())
	switch {
	case d.FreePercent() < diskFailPercent || d.FreeBytes < diskFailBytes:
		return Line{Fail, "disk", value, "Free space on this disk now: payments stop when it is full."}
	case d.FreePercent() < diskWarnPercent:
		return Line{Warn, "disk", value, "Free space on this disk, or move the store to a larger one."}
	}
	return Line{OK, "disk", value, ""}
}

// stateFiles are the files of the state directory, from its top.
var stateFiles = []string{
	"coffer.seal", "coffer.seal.prev", "coffer.refused", "box-authority.pem",
	"store/coffer.db", "store/coffer.lock", "store/coffer.last", "store/coffer.journal", "store/coffer.clean",
}

// permissionsLine looks at who can reach what Coffer keeps.
func (o *Ops) permissionsLine() Line {
	var wrong []string
	for _, name := range append([]string{".", "store"}, stateFiles...) {
		e, err := host.EntryAt(filepath.Join(o.machine.State, name))
		switch dir := name == "." || name == "store"; {
		case err != nil:
			return Line{Fail, "permissions", "unknown", Words(err)}
		case !e.There:
		case e.Symlink:
			wrong = append(wrong, name+" is a symbolic link")
		case dir && !e.Directory, !dir && !e.Regular:
			wrong = append(wrong, name+" is something else")
		case int(e.Owner) != os.Geteuid():
			wrong = append(wrong, fmt.Sprintf("%s belongs to user %d", name, e.Owner))
		case dir && e.Mode != 0o700, !dir && e.Mode != 0o600:
			wrong = append(wrong, fmt.Sprintf("%s has mode %04o", name, e.Mode))
		}
	}
	if len(wrong) > 0 {
		return Line{Fail, "permissions", sorted(wrong), "Others can read or change what Coffer keeps. Give the state directory and all in it to the user that Coffer runs as, directories with mode 0700 and files with 0600, no links; then find out who had access."}
	}
	return Line{OK, "permissions", "only Coffer reaches what it keeps", ""}
}

func (o *Ops) clockLine() Line {
	c := host.ClockFacts(o.machine.Root)
	const next = "Turn time synchronization on (timedatectl set-ntp true) and name a time server that the box can reach."
	switch {
	case c.Sync == host.SyncYes && c.ErrorMax <= clockErrorMax:
		return Line{OK, "clock", "synchronized", ""}
	case c.Sync == host.SyncYes:
		return Line{Warn, "clock", "synchronized, but more than a second may be wrong", next}
	case c.Sync == host.SyncNo:
		return Line{Warn, "clock", "not synchronized", next}
	}
	return Line{Warn, "clock", "unknown: no time service has left its mark", next}
}

func storeLine(store *Store) Line {
	v := store.Vault.Status()
	value := fmt.Sprintf("%d records, %d events, %d MiB", v.Records, v.Events, v.FileBytes>>20)
	what, next := openingNote(v)
	switch {
	case v.Stopped:
		return Line{Fail, "store", "stopped; " + value, "The store takes no requests. Read the journal of cofferd, then start Coffer again."}
	case v.Lost != 0:
		return Line{Fail, "store", what, next}
	case what != "":
		return Line{Warn, "store", what, next}
	}
	return Line{OK, "store", value, ""}
}

func checkLine(c check, now time.Time) Line {
	age := now.Sub(c.at)
	value := "passed " + days(age) + " ago"
	switch {
	case !c.ok:
		return Line{Fail, "store-check", "failed " + days(age) + " ago", "Run cofferctl verify and give its findings to support. Change nothing on the disk."}
	case age > checkAgeMax:
		return Line{Warn, "store-check", value, "Run cofferctl verify."}
	}
	return Line{OK, "store-check", value, ""}
}

func terminalLine(t TerminalRow) Line {
	name := "terminal " + t.Name
	switch {
	case t.Quarantined:
		return Line{Fail, name, "quarantined, " + t.Reason.Code, t.Reason.Words}
	case !t.Attached:
		return Line{Warn, name, "does not answer, " + t.Reason.Code, t.Reason.Words}
	}
	return Line{OK, name, strings.TrimSpace("answers, " + t.Model + " " + t.App), ""}
}

func certificateLine(notAfter, now time.Time) Line {
	left := notAfter.Sub(now)
	switch {
	case left <= 0:
		return Line{Fail, "certificate", "ended " + days(-left) + " ago", "Start Coffer again: it makes itself a new certificate at start."}
	case left < certificateWarn:
		return Line{Warn, "certificate", days(left) + " left", "Start Coffer again before the certificate ends: it makes itself a new one at start."}
	}
	return Line{OK, "certificate", days(left) + " left", ""}
}

func (o *Ops) confinementLine() Line {
	c, err := host.Confined()
	if err != nil {
		return Line{Warn, "confinement", "unknown", reasonOf(err).Words}
	}
	if c.Dumpable || c.CoreLimitBytes != 0 {
		return Line{Fail, "confinement", "memory may be dumped", "Stop Coffer: its memory, with the keys, could end up in a file. Start it by its unit, cofferd.service."}
	}
	var lacks []string
	for name, lacking := range map[string]bool{
		"no_new_privileges": !c.NoNewPrivileges, "system_calls": !c.SystemCalls,
		"capabilities": c.Capabilities != 0, "user": c.Root,
	} {
		if lacking {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) > 0 {
		return Line{Warn, "confinement", "not confined: " + sorted(lacks), "Start Coffer by its unit, cofferd.service, which confines it."}
	}
	return Line{OK, "confinement", "as cofferd.service sets it", ""}
}

func (o *Ops) portsLine() Line {
	ports, err := host.Ports()
	if err != nil {
		return Line{Warn, "ports", "unknown", reasonOf(err).Words}
	}
	var others []string
	for _, p := range ports {
		if !o.expects(p) && !isLoopback(p.Address) {
			others = append(others, fmt.Sprintf("%s:%d", p.Address, p.Number))
		}
	}
	if len(others) > 0 {
		return Line{Warn, "ports", "others listen: " + sorted(others), "Find out who listens there (ss -ltnp) and close what the clinic does not need."}
	}
	return Line{OK, "ports", "nothing listens to the network but Coffer", ""}
}

func (o *Ops) firmwareLine() Line {
	f := host.FirmwareFacts(o.machine.Root)
	value := strings.Join(strings.Fields(f.Vendor+" "+f.Product+" "+f.BIOS+" "+f.BIOSDate), " ")
	if value == "" {
		value = "unknown make"
	}
	if f.SecureBoot == "on" {
		return Line{OK, "firmware", value + ", Secure Boot on", ""}
	}
	return Line{Warn, "firmware", value + ", Secure Boot off", "Turn Secure Boot on in the firmware settings, so that only signed systems start."}
}
