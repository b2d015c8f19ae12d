package vault

import (
	"context"
	"strings"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// TrailQuery says which events to show. Empty fields ask for nothing; the
// others must all hold.
type TrailQuery struct {
	Since   time.Time              // events of this wall clock or later
	Until   time.Time              // events before this wall clock
	From    uint64                 // events of this number or later
	Before  uint64                 // events of a smaller number: TrailPage.Next of the page before; 0: from the newest
	Actor   string                 // sign-in name, "system:<part>" or "nobody"
	Act     string                 // an action, or the part of one before its dot
	Object  string                 // kind:identifier as in the leaf, or a kind alone
	Outcome audit.Outcome          // exactly
	Client  ident.ID[ident.Client] // who looked at this client: named by the event, or its private part opened in it
	Also    func(TrailEvent) bool  // a further condition; nil: none
	Limit   int                    // events on the page; 0: 100; at most 1,000
}

// TrailEvent is one event with its private part.
type TrailEvent struct {
	audit.Event
	Details []audit.Detail
}

// TrailPage is a part of the trail, the newest event first.
type TrailPage struct {
	Events []TrailEvent
	Next   uint64     // TrailQuery.Before of the next page; 0: there is none
	Head   audit.Head // of the trail that was looked at
}

// Sizes of a page.
const (
	pageEvents    = 100
	pageEventsMax = 1000
)

// errAct is given for a request whose action is not the one that a method is
// for: else an agent could read the trail by a right to something else.
var errAct = fault.New(fault.Internal, "The audit trail was asked for in the name of another act. Report this to the makers of Coffer.")

// Trail shows events, private parts included. The request's action must be
// access.AuditRead. To have looked is itself an event. The time of a query
// that finds little grows by about 1 ms per 10,000 events of the trail.
func (v *Vault) Trail(ctx context.Context, r access.Request, q TrailQuery) (TrailPage, error) {
	var page TrailPage
	err := v.viewTrail(ctx, r, access.AuditRead, func(tx *Tx) error {
		var err error
		page, err = tx.trail(q)
		tx.Detail("shown", fault.Int(len(page.Events)))
		if !q.Client.IsZero() {
			tx.Detail(factAbout, q.Client)
		}
		return err
	})
	if err != nil {
		return TrailPage{}, err
	}
	return page, nil
}

// factAbout names the client after whom the trail was searched.
const factAbout = "about"

// viewTrail is View for methods of the trail.
func (v *Vault) viewTrail(ctx context.Context, r access.Request, action access.Action, fn func(*Tx) error) error {
	if r.Action != action {
		return errAct
	}
	return v.View(ctx, r, fn)
}

// Consistency proves that the trail of size from is the beginning of that of
// size to (action access.AuditWitness): what a browser asks that kept a
// checkpoint.
func (v *Vault) Consistency(ctx context.Context, r access.Request, from, to uint64) ([]audit.Hash, error) {
	var proof []audit.Hash
	err := v.viewTrail(ctx, r, access.AuditWitness, func(tx *Tx) error {
		if to > tx.state.tree.Size() {
			return audit.ErrNoProof
		}
		var err error
		proof, err = audit.ProveConsistency(from, to, tx.subtrees())
		return err
	})
	return proof, err
}

// subtrees returns the subtree roots of the transaction's trail. It keeps the
// tile that was read last.
func (tx *Tx) subtrees() audit.Subtrees {
	var last *tile
	number := ^uint64(0)
	return tx.state.trail.subtrees(func(n uint64) ([]audit.Hash, error) {
		if n != number {
			t, err := tx.tile(n)
			if err != nil {
				return nil, err
			}
			last, number = t, n
		}
		return last.leaves, nil
	})
}

// tile reads a full tile and compares it with its root.
func (tx *Tx) tile(n uint64) (*tile, error) {
	value, err := tx.pages.value(cacheID, n)
	if err != nil {
		return nil, err
	}
	r, err := openRecord(tilesBucket, tx.key, n, value)
	if err != nil {
		return nil, err
	}
	t := tileOf(r)
	if t == nil || audit.RootOf(t.leaves) != tx.state.trail.roots[n] {
		return nil, recordFault(tilesBucket, n)
	}
	return t, nil
}

// event reads an event as it is stored.
func (tx *Tx) event(seq uint64) (audit.Record, error) {
	value, err := tx.pages.value(auditID, seq)
	if err != nil {
		return audit.Record{}, err
	}
	return storedEvent(tx.key, seq, value)
}

// storedEvent opens a stored event.
func storedEvent(keys keyFinder, seq uint64, value []byte) (audit.Record, error) {
	r, err := openRecord(auditBucket, keys, seq, value)
	if err != nil {
		return audit.Record{}, err
	}
	e := audit.Record{Leaf: r.shared}
	if err := e.Opening.UnmarshalBinary(r.private); err != nil {
		return audit.Record{}, recordFault(auditBucket, seq)
	}
	return e, nil
}

// read opens an event for people.
func readEvent(r audit.Record) (TrailEvent, error) {
	e, err := audit.ParseLeaf(r.Leaf)
	if err != nil {
		return TrailEvent{}, err
	}
	details, err := r.Opening.Details()
	return TrailEvent{e, details}, err
}

// trail finds the events of a query, from the newest.
func (tx *Tx) trail(q TrailQuery) (TrailPage, error) {
	page := TrailPage{Head: tx.state.tree.Head()}
	limit := min(q.Limit, pageEventsMax)
	if limit <= 0 {
		limit = pageEvents
	}
	top := page.Head.Size
	if q.Before != 0 {
		top = min(top, q.Before)
	}
	err := tx.backward(q, top, func(e TrailEvent) bool {
		if len(page.Events) == limit {
			page.Next = page.Events[limit-1].Seq
			return false
		}
		page.Events = append(page.Events, e)
		return true
	})
	return page, err
}

// backward calls yield for the events of a query below top, the newest first,
// until it returns false. It passes over tiles whose summary says no.
func (tx *Tx) backward(q TrailQuery, top uint64, yield func(TrailEvent) bool) error {
	full := uint64(len(tx.state.trail.roots)) * tileLeaves
	for seq := top; seq > q.From; {
		seq--
		if n := seq / tileLeaves; seq < full && (seq+1 == top || seq%tileLeaves == tileLeaves-1) {
			t, err := tx.tile(n)
			if err != nil {
				return err
			}
			if !q.may(t.summary) {
				seq = n * tileLeaves
				continue
			}
		}
		r, err := tx.event(seq)
		if err != nil {
			return err
		}
		e, err := readEvent(r)
		if err != nil {
			return err
		}
		if q.matches(e) && !yield(e) {
			return nil
		}
	}
	return nil
}

// may reports whether a tile may hold an event of the query.
func (q TrailQuery) may(s *summary) bool {
	switch {
	case !q.Since.IsZero() && s.last < q.Since.UnixMicro(), !q.Until.IsZero() && s.first >= q.Until.UnixMicro():
		return false
	case q.Actor != "" && !s.may(termActor, q.Actor), q.Act != "" && !s.may(termAct, q.Act):
		return false
	case q.Object != "" && !s.may(termObject, q.Object), q.Outcome != "" && !s.may(termOutcome, string(q.Outcome)):
		return false
	case !q.Client.IsZero() && !s.may(termClient, q.Client.String()) && !s.may(termBulk, ""):
		return false
	}
	return true
}

// matches reports whether an event is one of the query, its number apart.
func (q TrailQuery) matches(e TrailEvent) bool {
	switch {
	case !q.Since.IsZero() && e.Time.Before(q.Since), !q.Until.IsZero() && !e.Time.Before(q.Until):
		return false
	case q.Actor != "" && e.Actor != q.Actor, q.Outcome != "" && e.Outcome != q.Outcome:
		return false
	case q.Act != "" && e.Act != q.Act && stem(e.Act, '.') != q.Act:
		return false
	case q.Object != "" && e.Object != q.Object && stem(e.Object, ':') != q.Object:
		return false
	case !q.Client.IsZero() && !concerns(e, q.Client.String()):
		return false
	}
	return q.Also == nil || q.Also(e)
}

// concerns reports whether the event concerns the client.
func concerns(e TrailEvent, client string) bool {
	clients, bulk := clientsOf(e.Event, e.Details)
	for _, c := range clients {
		if strings.EqualFold(c, client) {
			return true
		}
	}
	return bulk
}

// NoteRestore records that this store was restored from a backup (action
// access.StoreRestore): the event holds the backup's head, which must be the
// beginning of this trail (else ErrAuditFork), and the last head that is known
// of the box from elsewhere (the zero Head: none is).
func (v *Vault) NoteRestore(ctx context.Context, r access.Request, backup, last audit.Head) error {
	if r.Action != access.StoreRestore {
		return errAct
	}
	return v.Update(ctx, r, func(tx *Tx) error {
		if backup.Size > tx.state.tree.Size() {
			return ErrAuditTruncated
		}
		root, err := audit.RootAt(backup.Size, tx.subtrees())
		if err != nil {
			return err
		}
		if root != backup.Root {
			return ErrAuditFork
		}
		tx.noteHead("backup", backup)
		if last != (audit.Head{}) {
			tx.noteHead("last", last)
		}
		return nil
	})
}

// noteHead adds a head to the details of the event.
func (tx *Tx) noteHead(name string, h audit.Head) {
	tx.Detail(name+".size", fault.Int(h.Size))
	tx.Detail(name+".root", h.Root)
}
