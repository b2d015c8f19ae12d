package ops

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"coffer/internal/access"
	"coffer/internal/vault"
)

// Tail is what the person who looks after the box may see of the audit trail:
// who did what when, and how it ended. What identifies a client's things is
// replaced by a number that means something during this start of the daemon
// only: the same thing has the same number.
type Tail struct {
	Events []TrailEvent `json:"events"` // the newest first; without details
	Next   uint64       `json:"next,omitempty"`
	Size   uint64       `json:"size"`
}

// plainObjects are the kinds of objects that say nothing of a client.
var plainObjects = map[access.Kind]bool{
	access.KindNone: true, access.KindDay: true, access.KindStaff: true, access.KindSession: true,
	access.KindTerminal: true, access.KindDevice: true, access.KindStore: true, access.KindAccount: true,
}

// tailKey makes the numbers of this start of the daemon.
var tailKey = func() (k [32]byte) { rand.Read(k[:]); return k }()

// blind replaces the identifier of an object that is a client's.
func blind(object string) string {
	kind, _, has := strings.Cut(object, ":")
	if !has || plainObjects[access.Kind(kind)] {
		return object
	}
	mac := hmac.New(sha256.New, tailKey[:])
	mac.Write([]byte(object))
	return kind + ":#" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// Tail returns events before a number, 0 for the newest.
func (o *Ops) Tail(ctx context.Context, agent access.Agent, before uint64, limit int) (Tail, error) {
	store, err := o.open(ctx, agent, access.AuditTail)
	if err != nil {
		return Tail{}, err
	}
	if err := store.Vault.View(ctx, request(agent, access.AuditTail), func(*vault.Tx) error { return nil }); err != nil {
		return Tail{}, err
	}
	q := vault.TrailQuery{Before: before, Limit: limit}
	page, err := store.Vault.Trail(ctx, request(o.machine.Daemon, access.AuditRead), q)
	if err != nil {
		return Tail{}, err
	}
	t := Tail{Events: []TrailEvent{}, Next: page.Next, Size: page.Head.Size}
	for _, e := range page.Events {
		row := trailEvent(e)
		row.Object, row.Details = blind(row.Object), nil
		t.Events = append(t.Events, row)
	}
	return t, nil
}

// TrailVerified is the result of VerifyTrail.
type TrailVerified struct {
	OK       bool          `json:"ok"`
	Events   uint64        `json:"events"`
	Root     string        `json:"root"` // hex; recomputed over all events
	Badge    ChainBadge    `json:"badge"`
	Findings []PartFinding `json:"findings"`
}

// VerifyTrail recomputes the whole trail on the box. What a root of this box
// could have done to it, a checkpoint that was kept elsewhere shows, and
// cofferverify on an export.
func (o *Ops) VerifyTrail(ctx context.Context, agent access.Agent) (TrailVerified, error) {
	store, err := o.open(ctx, agent, access.AuditVerify)
	if err != nil {
		return TrailVerified{}, err
	}
	c, err := store.Vault.Check(ctx, request(agent, access.AuditVerify))
	if err != nil && c.Finding == nil {
		return TrailVerified{}, err
	}
	t := TrailVerified{OK: c.Finding == nil, Events: c.Events, Root: hex.EncodeToString(c.Root[:]), Badge: o.badge(store), Findings: []PartFinding{}}
	if c.Finding != nil {
		t.Findings = append(t.Findings, storeFinding(*c.Finding))
	}
	return t, nil
}
