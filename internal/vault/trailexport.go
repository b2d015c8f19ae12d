package vault

import (
	"bytes"
	"cmp"
	"context"
	"io"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// ExportTrail writes an export of the trail up to its last checkpoint, for an
// auditor (action access.AuditExport); cofferverify reads it. Events that q
// does not ask for are given by their hash alone. With openings, private parts
// are given, if the agent may read the trail; else they are withheld. Before
// and Limit of q are not looked at.
//
// The export is on record before its first byte is written; an error while
// writing doesn't take that back.
func (v *Vault) ExportTrail(ctx context.Context, r access.Request, w io.Writer, q TrailQuery, openings bool) (audit.Head, error) {
	if r.Action != access.AuditExport {
		return audit.Head{}, errAct
	}
	openings = openings && r.Agent.May(access.AuditRead)
	err := v.Update(ctx, r, func(tx *Tx) error {
		if tx.state.trail.head == nil {
			return ErrNoCheckpoint
		}
		tx.Detail("size", fault.Int(tx.state.trail.head.signed.Size))
		if openings {
			tx.Detail("with", fault.Code("openings"))
		}
		if !q.Client.IsZero() {
			tx.Detail(factAbout, q.Client)
		}
		return nil
	})
	if err != nil {
		return audit.Head{}, err
	}
	p, s, err := v.snapshot()
	if err != nil {
		return audit.Head{}, err
	}
	tx := &Tx{request: r, state: s, pages: p}
	err = tx.export(ctx, v.origin(), audit.NewExporter(w, v.origin()), q, openings)
	return s.trail.head.signed.Head, cmp.Or(err, p.close())
}

// export writes the events up to the last checkpoint, and each checkpoint
// behind its events.
func (tx *Tx) export(ctx context.Context, origin string, w *audit.Exporter, q TrailQuery, openings bool) error {
	signing := tx.key(tx.state.trail.signID)
	var keys audit.Keys
	var seq uint64
	for n := range tx.state.trail.heads {
		value, err := tx.pages.value(headsID, n)
		if err != nil {
			return err
		}
		r, err := openRecord(headsBucket, tx.key, n, value)
		if err != nil {
			return err
		}
		h, err := headOf(r, origin, signingKey(signing))
		if err != nil {
			return err
		}
		if err := tx.exportEvents(ctx, w, q, openings, seq, h.signed.Size); err != nil {
			return err
		}
		if n == 0 || !bytes.Equal(keys.Attestation, h.keys.Attestation) {
			keys = h.keys
			w.Keys(keys)
		}
		w.Checkpoint(h.signed.Note)
		seq = h.signed.Size
	}
	return w.End()
}

// exportEvents writes the events from seq to, but not including, end.
func (tx *Tx) exportEvents(ctx context.Context, w *audit.Exporter, q TrailQuery, openings bool, seq, end uint64) error {
	for ; seq < end; seq++ {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Unavailable, "The export was given up before it was complete. Start it again.")
		}
		r, err := tx.event(seq)
		if err != nil {
			return err
		}
		e, err := readEvent(r)
		if err != nil {
			return err
		}
		if seq < q.From || !q.matches(e) {
			w.Withheld(audit.LeafHash(r.Leaf))
			continue
		}
		if !openings {
			r.Opening = audit.Opening{}
		}
		w.Leaf(r)
	}
	return nil
}
