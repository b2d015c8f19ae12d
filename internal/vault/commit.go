package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// The committer is one goroutine that owns the working state. It takes what
// is queued, stages each request on its own, and makes all of them durable
// with one bbolt commit; there is no timer, so a single writer waits for
// nothing but its own commit.

// batch is one commit in the making.
type batch struct {
	calls   []*call
	next    int     // first call that is not settled
	pages   *pages  // the writing bbolt transaction
	changed bool    // though there may be no event
	writes  []write // what was put into pages
	state   *state  // after the calls settled so far
	err     error   // why the batch as a whole can't be committed
}

// commitLoop runs the committer until the queue is closed and empty. A
// function that ends its goroutine (testing's FailNow does) ends only its own
// request: the loop goes on in a new goroutine where it stopped.
func (v *Vault) commitLoop() {
	finished := false
	defer func() {
		if !finished {
			go v.commitLoop()
		}
	}()
	for {
		if v.batch == nil {
			runtime.Gosched() // let those that were just answered queue their next request
			calls := v.queue.take()
			if len(calls) == 0 {
				break
			}
			v.batch = v.beginBatch(calls)
		}
		for b := v.batch; b.next < len(b.calls); b.next++ {
			v.settle(b, b.calls[b.next])
		}
		v.finishBatch(v.batch)
		v.batch = nil
	}
	finished = true
	close(v.ended)
}

func (v *Vault) beginBatch(calls []*call) *batch {
	b := &batch{calls: calls, state: v.state.copy()}
	b.state.seq = max(b.state.seq, b.state.lost) + 1 // the number of a lost commit is not given again
	if b.err = v.stopped(); b.err == nil {
		b.pages, b.err = beginPages(v.db, true)
	}
	return b
}

// settle stages one call and its event, or decides that it failed. Called
// again for a call whose function ended the goroutine, it settles that one as
// failed.
func (v *Vault) settle(b *batch, c *call) {
	switch {
	case b.err != nil:
		return
	case c.alone != nil:
		return
	case c.change != nil:
		c.change(b.state)
		b.changed = true
		return
	case !c.ran && c.ctx.Err() != nil:
		c.err = fault.Wrap(c.ctx.Err(), fault.Unavailable, "The request was given up before it was done. Nothing was saved.")
		return
	case !c.ran:
		v.stage(b, c)
	}
	c.tx.done = true
	outcome := outcomeOf(c)
	if c.err == nil && c.fn != nil {
		if b.err = b.apply(c.tx.staged.writes); b.err != nil {
			return
		}
		b.state = c.tx.state
	}
	b.err = v.event(b, c, outcome)
}

// errEnded is the failure of a function that ended its goroutine.
var errEnded = fault.New(fault.Internal, "A transaction ended without a result. Report this to the makers of Coffer.")

// stage runs the call's function on a copy of the state.
func (v *Vault) stage(b *batch, c *call) {
	c.ran = true
	c.tx = &Tx{
		request: c.request, now: v.clock(), state: b.state.copy(), pages: b.pages,
		staged:  &staging{hasher: v.hasher},
		touched: make([]bool, len(b.state.slots)),
	}
	if c.fn == nil {
		return
	}
	c.err = errEnded // stands if the function ends the goroutine
	defer func() {
		if p := recover(); p != nil {
			c.panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
		}
	}()
	if err := v.decide(c.tx); err != nil {
		c.err = err
		return
	}
	c.err = c.fn(c.tx)
}

// outcomeOf returns what the event says of a call.
func outcomeOf(c *call) audit.Outcome {
	switch {
	case c.fn == nil:
		return c.outcome
	case c.err == nil:
		return audit.OK
	case isDenial(c.err):
		return audit.Denied
	case c.panicked != nil, c.err == error(errEnded):
		return audit.Failed
	}
	return audit.Refused
}

// apply puts staged writes into the bbolt transaction.
func (b *batch) apply(writes []write) error {
	for _, w := range writes {
		if err := b.pages.write(w); err != nil {
			return diskFault(err)
		}
	}
	b.writes = append(b.writes, writes...)
	return nil
}

// event appends the call's event to the audit trail, and before it that of a
// step of the clock.
func (v *Vault) event(b *batch, c *call, outcome audit.Outcome) error {
	if err := v.noteStep(b); err != nil {
		return err
	}
	details := append(slices.Clone(c.details), c.tx.facts()...)
	if c.err != nil {
		details = append(details, audit.Detail{Key: factFault, Value: fault.KindOf(c.err).String()})
	}
	return v.append(b, c.request, outcome, c.tx.now, details)
}

// append appends an event to the trail.
func (v *Vault) append(b *batch, r access.Request, outcome audit.Outcome, now time.Time, details []audit.Detail) error {
	details = append([]audit.Detail{{Key: factPurpose, Value: string(r.Purpose)}, {Key: factRole, Value: rolesOf(r.Agent)}}, details...)
	var salt [32]byte
	rand.Read(salt[:])
	opening := audit.NewOpening(salt, details...)
	private, err := opening.AppendBinary(nil)
	if err != nil {
		return err
	}
	e := eventOf(r, outcome)
	e.Seq, e.Time, e.Boot, e.Commit = b.state.tree.Size(), now, v.boot, opening.Commit()
	leaf := e.AppendLeaf(nil)
	value, err := sealRecord(auditBucket, v.auditKey, v.openingKey, record{key: e.Seq, seq: b.state.seq, shared: leaf, private: private})
	if err != nil {
		return err
	}
	hash := audit.LeafHash(leaf)
	b.state.tree = b.state.tree.Append(hash)
	b.state.lastWall = max(b.state.lastWall, e.Time.UnixMicro())
	writes := []write{{place{auditID, e.Seq}, value}}
	if t := b.state.trail.add(hash, e, details); t != nil {
		n := e.Seq / tileLeaves
		if value, err = sealRecord(tilesBucket, v.auditKey, v.openingKey, t.record(n, b.state.seq)); err != nil {
			return err
		}
		writes = append(writes, write{place{cacheID, n}, value})
	}
	return b.apply(writes)
}

// finishBatch commits and answers every call.
func (v *Vault) finishBatch(b *batch) {
	if b.err == nil && (b.changed || b.state.tree.Size() != v.state.tree.Size()) {
		b.err = v.commit(b)
	} else if b.pages != nil {
		b.err = cmp.Or(b.err, b.pages.close())
	}
	if b.err != nil {
		v.options.Log.LogAttrs(context.Background(), slog.LevelError, "nothing could be saved: a commit failed",
			slog.String("code", Code(b.err)), slog.String("detail", Detail(b.err)))
	}
	if fault.KindOf(b.err) == fault.Corrupt {
		v.stop(errDamaged)
	}
	for _, c := range b.calls {
		if b.err == nil && c.ran {
			tell(c)
		}
		switch {
		case b.err != nil && c.err == nil:
			c.err = b.err
		case b.err == nil && c.alone != nil:
			c.err = c.alone()
		}
		close(c.done)
	}
}

// tell lets who made a request know that its event is durable.
func tell(c *call) {
	if durable, ok := c.ctx.Value(audit.DurableKey{}).(func()); ok {
		durable()
	}
}

// commit makes the batch durable and publishes its state. Before, it lets
// readers know the state that is about to appear in bbolt, so that a reading
// transaction always finds the state it belongs to.
func (v *Vault) commit(b *batch) error {
	value, err := b.state.root.sealMeta(metaOf(b.state))
	if err == nil {
		err = b.apply([]write{{place{metaID, metaKey}, value}})
	}
	if err != nil {
		return cmp.Or(err, b.pages.close())
	}
	b.state.txid = b.pages.tx.ID()
	b.state.metaTag = tagOf(value)
	if err := v.note(b.state.seq, b.writes); err != nil {
		return cmp.Or(err, b.pages.close())
	}
	v.published.Store(&published{v.state, b.state})
	if err := v.persist(b.pages); err != nil {
		return v.afterFailure(err)
	}
	rotated := b.state.root != v.state.root
	v.state = b.state
	if rotated {
		v.last.follow(v.state.root)
	}
	v.confirm()
	v.turn()
	if rotated {
		v.followRoot()
	}
	v.hurry(b)
	v.published.Store(&published{v.state, nil})
	return nil
}

// afterFailure finds out what a failed commit left on the disk. If it is the
// state before, work goes on from there; whatever else it is, the store stops.
func (v *Vault) afterFailure(cause error) error {
	v.published.Store(&published{v.state, nil})
	if fault.KindOf(cause) == fault.Corrupt { // bbolt panicked: it can't be asked any more
		v.stop(errDamaged)
		return cause
	}
	if err := v.unchanged(); err != nil || v.forget() != nil {
		v.stop(errDisk)
		return fault.Wrap(errors.Join(cause, err), fault.Corrupt, "The disk of the box failed, so the store has stopped. Call IT, and restart Coffer after the disk was examined.")
	}
	return diskFault(cause)
}

// newestHead returns the newer head page of the file, and whether it is that
// of the state in memory and the other one is sound.
func (v *Vault) newestHead() (h headPage, current bool, err error) {
	size, err := v.fileBytes()
	if err != nil {
		return headPage{}, false, err
	}
	both, err := readHeads(v.file, size)
	return both.newest, !both.torn && both.newest.txid == uint64(v.state.txid), err
}

// unchanged verifies that the disk holds the state in memory.
func (v *Vault) unchanged() error {
	_, current, err := v.newestHead()
	if err != nil {
		return err
	}
	if !current {
		return errDisk
	}
	p, err := beginPages(v.db, false)
	if err != nil {
		return err
	}
	value, err := p.value(metaID, metaKey)
	if err := cmp.Or(err, p.close()); err != nil {
		return err
	}
	m, err := v.state.root.openMeta(value)
	if err == nil && m.Seq != v.state.seq {
		err = errDisk
	}
	return err
}
