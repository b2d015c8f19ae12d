package ops

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// TrailQuery narrows the audit trail; zero fields do not narrow.
type TrailQuery struct {
	From, Until time.Time              // From ≤ event < Until
	Actor       string                 // sign-in name
	Act         string                 // an action, or a part of one up to its dot: "payment"
	Outcome     string                 // "ok", "denied", …
	Client      ident.ID[ident.Client] // events that touched the client
	AfterHours  bool                   // before 07:00, after 20:00, or on a week-end, in the clinic's zone
	Before      uint64                 // events with smaller numbers only: the next page; 0: from the newest
	Limit       int                    // at most; 0: 100
}

// Trail is a page of the audit trail, the newest event first.
type Trail struct {
	Client ident.ID[ident.Client] `json:"client,omitzero"` // whose events these are; zero: everybody's
	Events []TrailEvent           `json:"events"`
	Next   uint64                 `json:"next,omitempty"` // Before of the next page; 0: there is none
	Size   uint64                 `json:"size"`           // events in the whole trail
	Badge  ChainBadge             `json:"badge"`
	Alarm  *Alarm                 `json:"alarm,omitempty"` // of a browser that witnesses the trail, not judged yet
}

// TrailEvent is one event.
type TrailEvent struct {
	Number  uint64        `json:"number"`
	Time    time.Time     `json:"time"`
	Actor   string        `json:"actor"`
	Via     string        `json:"via"`
	Act     string        `json:"act"`
	Object  string        `json:"object"` // kind and identifier
	Outcome string        `json:"outcome"`
	Details []TrailDetail `json:"details,omitempty"` // the private part, for who may read it
}

// TrailDetail is one fact of an event's private part.
type TrailDetail struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ChainBadge says whether the trail is known to be whole.
type ChainBadge struct {
	OK       bool      `json:"ok"`
	Checked  time.Time `json:"checked"`            // when the whole trail was last recomputed
	Signed   uint64    `json:"signed"`             // events under the newest checkpoint
	SignedAt time.Time `json:"signed_at,omitzero"` // when it was signed
	ByTPM    bool      `json:"by_tpm"`             // it carries a quote
	Anchored time.Time `json:"anchored,omitzero"`  // when the store was last tied to the TPM's counter; zero: not since it was opened
	Reason   *Reason   `json:"reason,omitempty"`   // what is wrong
}

// Hours of the clinic; an event outside of them is after hours.
const (
	hoursBegin = 7
	hoursEnd   = 20
)

// Trail returns a page of the trail for the privacy officer. That it was read,
// and for whom, is an event itself.
func (o *Ops) Trail(ctx context.Context, agent access.Agent, q TrailQuery) (Trail, error) {
	store, err := o.open(ctx, agent, access.AuditRead)
	if err != nil {
		return Trail{}, err
	}
	page, err := store.Vault.Trail(ctx, request(agent, access.AuditRead), q.vault(o.machine.Now().Location()))
	if err != nil {
		return Trail{}, err
	}
	t := Trail{Client: q.Client, Events: []TrailEvent{}, Size: page.Head.Size, Next: page.Next}
	for _, e := range page.Events {
		t.Events = append(t.Events, trailEvent(e))
	}
	t.Badge = o.badge(store)
	t.Alarm, err = o.alarm(ctx, store)
	return t, err
}

func (q TrailQuery) vault(zone *time.Location) vault.TrailQuery {
	v := vault.TrailQuery{
		Since: q.From, Until: q.Until, Before: q.Before, Actor: q.Actor, Act: q.Act,
		Outcome: audit.Outcome(q.Outcome), Client: q.Client, Limit: q.Limit,
	}
	if q.AfterHours {
		v.Also = func(e vault.TrailEvent) bool { return afterHours(e.Time.In(zone)) }
	}
	return v
}

// afterHours reports whether the clinic is closed at that local time.
func afterHours(t time.Time) bool {
	return t.Hour() < hoursBegin || t.Hour() >= hoursEnd || t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
}

func trailEvent(e vault.TrailEvent) TrailEvent {
	row := TrailEvent{
		Number: e.Seq, Time: e.Time, Actor: e.Actor, Via: e.Via, Act: e.Act, Object: e.Object, Outcome: string(e.Outcome),
	}
	for _, d := range e.Details {
		row.Details = append(row.Details, TrailDetail{d.Key, d.Value})
	}
	return row
}

// WhoLooked returns the events that touched the client whom who names: an
// account number such as "P-004217", or an identifier.
func (o *Ops) WhoLooked(ctx context.Context, agent access.Agent, who string, q TrailQuery) (Trail, error) {
	id, err := o.clientOf(ctx, agent, who)
	if err != nil {
		return Trail{}, err
	}
	q.Client = id
	return o.Trail(ctx, agent, q)
}

// clientOf finds the client by account number or identifier, on behalf of who
// may read the trail.
func (o *Ops) clientOf(ctx context.Context, agent access.Agent, who string) (ident.ID[ident.Client], error) {
	if id, err := ident.Parse[ident.Client](who); err == nil {
		return id, nil
	}
	store, err := o.open(ctx, agent, access.AuditRead)
	if err != nil {
		return ident.ID[ident.Client]{}, err
	}
	var id ident.ID[ident.Client]
	err = store.Vault.View(ctx, request(agent, access.AuditRead), func(tx *vault.Tx) error {
		c, err := roster.ByAccount(tx, roster.Account(strings.ToUpper(strings.TrimSpace(who))))
		id = c.ID
		return err
	})
	return id, err
}

// ChainBadge says whether the trail is known to be whole.
func (o *Ops) ChainBadge(ctx context.Context, agent access.Agent) (ChainBadge, error) {
	store, err := o.open(ctx, agent, access.AuditVerify)
	if err != nil {
		return ChainBadge{}, err
	}
	err = store.Vault.View(ctx, request(agent, access.AuditVerify), func(*vault.Tx) error { return nil })
	return o.badge(store), err
}

// badge is ChainBadge for who may see it anyway.
func (o *Ops) badge(store *Store) ChainBadge {
	_, checked, _ := o.look()
	signed, at := store.Vault.LatestCheckpoint()
	b := ChainBadge{OK: checked.ok, Checked: checked.at, Signed: signed.Size, SignedAt: at, ByTPM: signed.Quote != nil, Anchored: store.Vault.Anchored()}
	if !checked.ok {
		b.Reason = &Reason{Code: "AUDIT-001", Words: "The last check of the store found it not as it was written. Have cofferctl verify run, and compare the last checkpoint that you hold outside of this box."}
	}
	return b
}

// Checkpoint is the newest signed head of the trail.
type Checkpoint struct {
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   string    `json:"root"` // base64, as in the note
	Note   string    `json:"note"` // signed, C2SP tlog-checkpoint
	At     time.Time `json:"at"`
	ByTPM  bool      `json:"by_tpm"`
	// Restored is when the box says that an earlier state was last put in place
	// on purpose, which is why a trail may have become shorter; zero: never.
	Restored time.Time `json:"restored,omitzero"`
}

// Consistency is a proof that the trail of New events begins with that of Old
// (RFC 6962 section 2.1.2).
type Consistency struct {
	Old   uint64   `json:"old"`
	New   uint64   `json:"new"`
	Proof []string `json:"proof"` // base64
}

// LatestCheckpoint returns the newest checkpoint, for browsers that witness;
// NotFound before the first. The event that it was asked for is on record.
func (o *Ops) LatestCheckpoint(ctx context.Context, agent access.Agent) (Checkpoint, error) {
	store, err := o.open(ctx, agent, access.AuditWitness)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := store.Vault.View(ctx, request(agent, access.AuditWitness), func(*vault.Tx) error { return nil }); err != nil {
		return Checkpoint{}, err
	}
	signed, at := store.Vault.LatestCheckpoint()
	if len(signed.Note) == 0 {
		return Checkpoint{}, errUnsigned
	}
	c := checkpoint(signed, at)
	restored, err := o.lastRestore(ctx, store)
	if restored != nil {
		c.Restored = restored.At
	}
	return c, err
}

var errUnsigned = fault.New(fault.NotFound, "No checkpoint of the audit trail has been signed yet. One is signed every quarter of an hour.")

// SignCheckpoint signs the trail as it is now.
func (o *Ops) SignCheckpoint(ctx context.Context, agent access.Agent) (Checkpoint, error) {
	store, err := o.open(ctx, agent, access.AuditCheckpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	signed, err := store.Vault.Checkpoint(ctx, request(agent, access.AuditCheckpoint))
	if err != nil {
		return Checkpoint{}, err
	}
	_, at := store.Vault.LatestCheckpoint()
	return checkpoint(signed, at), nil
}

func checkpoint(s audit.Signed, at time.Time) Checkpoint {
	return Checkpoint{
		Origin: s.Origin, Size: s.Size, Root: base64.StdEncoding.EncodeToString(s.Root[:]),
		Note: string(s.Note), At: at, ByTPM: s.Quote != nil,
	}
}

// Consistency proves that a trail of old events is the beginning of that of
// size events.
func (o *Ops) Consistency(ctx context.Context, agent access.Agent, old, size uint64) (Consistency, error) {
	store, err := o.open(ctx, agent, access.AuditWitness)
	if err != nil {
		return Consistency{}, err
	}
	hashes, err := store.Vault.Consistency(ctx, request(agent, access.AuditWitness), old, size)
	if err != nil {
		return Consistency{}, err
	}
	c := Consistency{Old: old, New: size, Proof: []string{}}
	for _, h := range hashes {
		c.Proof = append(c.Proof, base64.StdEncoding.EncodeToString(h[:]))
	}
	return c, nil
}
