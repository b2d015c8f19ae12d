package ops

import (
	"context"
	"crypto/rand"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Export says what leaves the box, and how.
type Export struct {
	Query    TrailQuery
	Openings bool   // with the private parts
	Plain    bool   // not encrypted
	Reason   string // why it leaves the box so; due for a plain one; goes on record
}

// ExportReady is an export that may be fetched once, within ten minutes, by
// who prepared it.
type ExportReady struct {
	ID         string `json:"id"`
	Name       string `json:"name"`                 // of the file
	Passphrase string `json:"passphrase,omitempty"` // shown once; empty for a plain export
}

// pendingExport waits in memory to be fetched.
type pendingExport struct {
	export     Export
	agent      string // sign-in name of who prepared it
	name       string // of the file
	passphrase string
	until      time.Time
}

// exportPatience is how long a prepared export can be fetched.
const exportPatience = 10 * time.Minute

// scryptWork is log2 of the work factor of age's passphrase recipients: about
// a second on the box.
const scryptWork = 18

var (
	errReason = fault.New(fault.Invalid, "Say why the export is not to be encrypted, in 10 to 500 characters.")
	errGone   = fault.New(fault.NotFound, "This export is not there: it was fetched already, or ten minutes have passed. Prepare it again.")
)

// validReason reports whether somebody has given a reason.
func validReason(s string) bool {
	n := utf8.RuneCountInString(strings.TrimSpace(s))
	return utf8.ValidString(s) && n >= 10 && n <= 500
}

// PrepareExport puts the export on record, signs the trail as it is now, and
// makes the passphrase.
func (o *Ops) PrepareExport(ctx context.Context, agent access.Agent, e Export) (ExportReady, error) {
	store, err := o.open(ctx, agent, access.AuditExport)
	if err != nil {
		return ExportReady{}, err
	}
	if e.Plain && !validReason(e.Reason) {
		return ExportReady{}, errReason
	}
	err = store.Vault.Record(ctx, request(agent, access.AuditExport), audit.OK,
		fact{Key: "step", Value: "prepared"}, fact{Key: "encrypted", Value: yesNo(!e.Plain)},
		fact{Key: "openings", Value: yesNo(e.Openings)}, fact{Key: "reason", Value: e.Reason})
	if err != nil {
		return ExportReady{}, err
	}
	// What is exported is what a checkpoint signs: also what happened today.
	if _, err := store.Vault.Checkpoint(ctx, request(agent, access.AuditCheckpoint)); err != nil {
		return ExportReady{}, err
	}
	ready := ExportReady{ID: rand.Text(), Name: "coffer-audit-" + o.machine.Now().Format("20060102-150405") + ".ndjson"}
	if !e.Plain {
		ready.Name, ready.Passphrase = ready.Name+".age", passphrase()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetOld()
	o.exports[ready.ID] = &pendingExport{e, agent.Name(), ready.Name, ready.Passphrase, o.machine.Now().Add(exportPatience)}
	return ready, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// passphrase returns 26 letters and digits, 130 random bits, in groups.
func passphrase() string {
	t := strings.ToLower(rand.Text())
	var groups []string
	for len(t) > 5 {
		groups, t = append(groups, t[:5]), t[5:]
	}
	return strings.Join(append(groups, t), "-")
}

// forgetOld drops what has waited too long. The mutex is held.
func (o *Ops) forgetOld() {
	now := o.machine.Now()
	for id, p := range o.exports {
		if now.After(p.until) {
			delete(o.exports, id)
		}
	}
	if o.pending != nil && now.After(o.pending.until) {
		o.voidSheet()
	}
}

// takeExport returns a prepared export once, to who prepared it.
func (o *Ops) takeExport(agent access.Agent, id string) (*pendingExport, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.waitingExport(agent, id)
	if err == nil {
		delete(o.exports, id)
	}
	return p, err
}

// waitingExport returns an export of that agent. The mutex is held.
func (o *Ops) waitingExport(agent access.Agent, id string) (*pendingExport, error) {
	o.forgetOld()
	p := o.exports[id]
	if p == nil || p.agent != agent.Name() {
		return nil, errGone
	}
	return p, nil
}

// ExportName returns the file name of an export that waits for the agent.
func (o *Ops) ExportName(agent access.Agent, id string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.waitingExport(agent, id)
	if err != nil {
		return "", err
	}
	return p.name, nil
}

// WriteExport writes a prepared export: the checkpoints, leaves and
// openings, encrypted by age with the passphrase unless it is plain. Program
// cofferverify reads both.
func (o *Ops) WriteExport(ctx context.Context, agent access.Agent, id string, w io.Writer) error {
	store, err := o.open(ctx, agent, access.AuditExport)
	if err != nil {
		return err
	}
	p, err := o.takeExport(agent, id)
	if err != nil {
		return err
	}
	if p.export.Plain {
		return o.writeTrail(ctx, store.Vault, agent, p.export, w)
	}
	recipient, err := age.NewScryptRecipient(p.passphrase)
	if err != nil {
		return errAge
	}
	recipient.SetWorkFactor(scryptWork)
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "The export can't be written. Prepare it again, to a place with enough space.")
	}
	if err := o.writeTrail(ctx, store.Vault, agent, p.export, sealed); err != nil {
		return err
	}
	if err := sealed.Close(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "The export can't be written to its end. Prepare it again, to a place with enough space.")
	}
	return nil
}

var errAge = fault.New(fault.Internal, "The export can't be encrypted. Report this to the makers of Coffer.")

func (o *Ops) writeTrail(ctx context.Context, v *vault.Vault, agent access.Agent, e Export, w io.Writer) error {
	_, err := v.ExportTrail(ctx, request(agent, access.AuditExport), w, e.Query.vault(o.machine.Now().Location()), e.Openings)
	return err
}
