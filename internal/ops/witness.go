package ops

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// Testimony is what a browser that witnesses the audit trail says of it.
type Testimony struct {
	Why         string // "gone", "other", "back" or "rewritten"
	Kept, Shown uint64 // events under the checkpoint that it keeps, and under that it was shown
	Judged      bool   // the privacy officer goes on, in that browser, from what is shown
}

// Alarm is the newest complaint of a browser, until the privacy officer has
// judged it.
type Alarm struct {
	At       time.Time    `json:"at"`
	Words    string       `json:"words"`              // what the browser found
	Restored *Restoration `json:"restored,omitempty"` // what may explain it
}

// Restoration is the last time that somebody with the recovery sheet put an
// earlier state into the store's place, on purpose and on record.
type Restoration struct {
	At     time.Time `json:"at"`
	Reason string    `json:"-"` // typed by a person: for who may read the trail
	Backup string    `json:"backup,omitempty"`
}

// testimonies are what a browser can complain of, and what that comes to.
var testimonies = map[string]string{
	"gone":      "the box has no audit trail to show",
	"other":     "another store answers",
	"back":      "the audit trail has become shorter",
	"rewritten": "the audit trail was rewritten",
}

var (
	errTestimony = fault.New(fault.Invalid, "A witness says that the trail is gone, another one, set back or rewritten. Reload the page.")
	errNoAlarm   = fault.New(fault.NotFound, "No alarm of a browser is waiting to be judged. It was judged already.")
	errFinding   = fault.New(fault.Invalid, "Say what you found, in 10 to 500 characters. It goes on record.")
)

// Testify puts a witness's complaint on record and raises the alarm of the
// box, or says that the privacy officer has gone on in that browser. A box that
// was tampered with may keep it to itself: the browser's own alarm and evidence
// are what counts.
func (o *Ops) Testify(ctx context.Context, agent access.Agent, t Testimony) error {
	if testimonies[t.Why] == "" {
		return errTestimony
	}
	action, outcome := access.AuditWitness, audit.Failed
	if t.Judged {
		action, outcome = access.AuditRead, audit.OK
	}
	store, err := o.open(ctx, agent, action)
	if err != nil {
		return err
	}
	err = store.Vault.Record(ctx, request(agent, access.AuditWitness), outcome,
		audit.Detail{Key: "witness", Value: t.Why},
		audit.Detail{Key: "kept", Value: strconv.FormatUint(t.Kept, 10)}, audit.Detail{Key: "shown", Value: strconv.FormatUint(t.Shown, 10)})
	if err != nil || t.Judged {
		return err
	}
	return o.note(ctx, store, agent, access.AuditWitness, upkeepRecord{Chore: choreWitness, Code: t.Why})
}

// JudgeAlarm ends the alarm of the box, with what the privacy officer found.
// Browsers that complain go on doing so until the officer has gone on in them.
func (o *Ops) JudgeAlarm(ctx context.Context, agent access.Agent, found string) error {
	store, err := o.open(ctx, agent, access.AuditRead)
	if err != nil {
		return err
	}
	last, _ := o.lastOf(choreWitness)
	switch {
	case last.At == 0 || last.OK:
		return errNoAlarm
	case !validReason(found):
		return errFinding
	}
	err = store.Vault.Record(ctx, request(agent, access.AuditRead), audit.OK,
		audit.Detail{Key: "judged", Value: last.Code}, audit.Detail{Key: "reason", Value: strings.TrimSpace(found)})
	if err != nil {
		return err
	}
	return o.note(ctx, store, agent, access.AuditWitness, upkeepRecord{Chore: choreWitness, OK: true})
}

// alarm returns what a browser complains of and nobody has judged yet; nil:
// nothing.
func (o *Ops) alarm(ctx context.Context, store *Store) (*Alarm, error) {
	last, _ := o.lastOf(choreWitness)
	if last.At == 0 || last.OK {
		return nil, nil
	}
	restored, err := o.lastRestore(ctx, store)
	return &Alarm{At: last.at(), Words: testimonies[last.Code], Restored: restored}, err
}

// lastRestore returns when an earlier state was last put in place on purpose;
// nil: never. It is looked up once, since that cannot be done to open books.
func (o *Ops) lastRestore(ctx context.Context, store *Store) (*Restoration, error) {
	o.mu.Lock()
	restored, looked := o.memory.restored, o.memory.looked
	o.mu.Unlock()
	if looked {
		return restored, nil
	}
	page, err := store.Vault.Trail(ctx, request(o.machine.Daemon, access.AuditRead), vault.TrailQuery{
		Act: string(access.StoreRestore), Outcome: audit.OK, Limit: 1, Also: func(e vault.TrailEvent) bool { return detail(e, "reason") != "" },
	})
	if err != nil {
		return nil, err
	}
	for _, e := range page.Events {
		restored = &Restoration{At: e.Time, Reason: detail(e, "reason"), Backup: detail(e, "backup")}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.memory.restored, o.memory.looked = restored, true
	return restored, nil
}

// detail returns one fact of an event, "" if it has none of that name.
func detail(e vault.TrailEvent, key string) string {
	i := slices.IndexFunc(e.Details, func(d audit.Detail) bool { return d.Key == key })
	if i < 0 {
		return ""
	}
	return e.Details[i].Value
}

// witnessLines are what the doctor says of the browsers that witness the
// trail: nothing while none complains.
func (o *Ops) witnessLines(ctx context.Context, store *Store, now time.Time) []Line {
	a, err := o.alarm(ctx, store)
	switch {
	case err != nil:
		return []Line{{Fail, "witness", "unknown", Words(err)}}
	case a == nil:
		return nil
	}
	value := "a browser found, " + days(now.Sub(a.At)) + " ago, that " + a.Words
	if a.Restored != nil {
		value += "; an earlier state was put in place on purpose " + days(now.Sub(a.Restored.At)) + " ago"
	}
	return []Line{{Fail, "witness", value, "Change nothing on the box. The privacy officer judges it on the page Audit trail, and ends this alarm there; if you restored the box, tell the officer when and why."}}
}
