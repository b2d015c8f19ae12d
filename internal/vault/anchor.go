package vault

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Counter is a counter in the TPM that can only rise.
type Counter interface {
	// Value returns the present value.
	Value(ctx context.Context) (uint64, error)
	// Advance raises it by one.
	Advance(ctx context.Context) error
}

// To anchor is to commit the counter's next value in the meta record, and then
// to raise the counter. Cut off in between, the store is one ahead, and the
// next opening raises the counter. A store that is behind the counter is an
// older copy.
const (
	anchorEvery  = 10 * time.Minute  // when there was a commit
	anchorSoon   = 5 * time.Second   // after a commit that moves money or rights, and at most so often
	anchorWait   = 10 * time.Second  // bounds an anchor that nobody asked for
	anchorWear   = 526 * time.Second // one in so long is 60,000 a year
	anchorCredit = 1200 * anchorWear // anchors that may come sooner, then every ten minutes again
)

// anchoring is the anchor of an open store. It belongs to who holds the lock.
type anchoring struct {
	value   uint64 // of the counter, as last seen
	pending bool   // the store names the next value already
	seq     uint64 // of the commit that named the last value
	healed  bool   // the opening raised the counter
	found   uint64 // value of the counter that the opening accepted, when it did not fit
}

// checkAnchor compares the store with the counter when it is opened.
func (v *Vault) checkAnchor(ctx context.Context) error {
	stored, counter := v.state.anchor, v.options.Anchor
	if counter == nil {
		if stored != 0 && v.options.AcceptRollback == "" {
			return ErrUnanchored
		}
		return nil
	}
	value, err := counter.Value(ctx)
	if err != nil {
		return err
	}
	v.anchored.value, v.anchored.found = value, value
	switch {
	case value == stored:
		return nil
	case v.options.AcceptRollback != "":
		return nil
	case value+1 == stored:
		v.anchored.healed = true
		if err := counter.Advance(ctx); err != nil {
			return err
		}
		v.anchored.value++
		return nil
	case value > stored:
		return fault.New(fault.Corrupt, textRollback, fault.Int(stored), fault.Int(value))
	}
	return fault.New(fault.Corrupt, textAhead, fault.Int(stored), fault.Int(value))
}

// Anchor ties the present commit to the counter in the TPM: from then on an
// older copy of the store is refused (ErrRollback). It asks the policy for
// access.StoreAnchor, and records only a refusal: an anchor changes nothing
// that anybody could see. Without a counter it gives ErrUnanchored.
func (v *Vault) Anchor(ctx context.Context, agent access.Agent) error {
	if v.options.Anchor == nil {
		return ErrUnanchored
	}
	r := access.Request{Agent: agent, Action: access.StoreAnchor, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	if access.Decide(r) != access.Allow {
		return cmp.Or[error](v.Record(ctx, r, audit.Denied), denial{errDenied})
	}
	return v.anchor(ctx)
}

// anchor names the counter's next value in a commit, and then raises it.
func (v *Vault) anchor(ctx context.Context) error {
	v.anchoring.Lock()
	defer v.anchoring.Unlock()
	a := &v.anchored
	value, err := v.options.Anchor.Value(ctx)
	switch {
	case err != nil:
		return err
	case a.pending && value == a.value+1: // raised, though the answer was lost
		a.value, a.pending = value, false
	case value != a.value:
		return fault.New(fault.Corrupt, textRollback, fault.Int(a.value), fault.Int(value))
	}
	if !a.pending {
		if a.seq, err = v.intend(ctx, a.value+1); err != nil {
			return err
		}
		a.pending = true
	}
	if err := v.options.Anchor.Advance(ctx); err != nil {
		return err
	}
	a.value, a.pending = a.value+1, false
	v.anchoredAt.Store(v.options.Now().UnixMicro())
	return nil
}

// Anchored returns when the store was last tied to the counter in the TPM; the
// zero time: not since it was opened.
func (v *Vault) Anchored() time.Time {
	if at := v.anchoredAt.Load(); at != 0 {
		return time.UnixMicro(at)
	}
	return time.Time{}
}

// intend commits the value that the counter is about to have.
func (v *Vault) intend(ctx context.Context, value uint64) (seq uint64, err error) {
	c := newCall(ctx, access.Request{}, nil)
	c.change = func(s *state) { s.anchor = value; seq = s.seq }
	return seq, v.do(c)
}

// anchorIfDirty anchors when there was a commit since the last anchor.
func (v *Vault) anchorIfDirty() bool {
	v.anchoring.Lock()
	dirty := v.published.Load().durable.seq > v.anchored.seq
	v.anchoring.Unlock()
	if !dirty || v.stopped() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), anchorWait)
	defer cancel()
	if err := v.anchor(ctx); err != nil {
		v.options.Log.LogAttrs(ctx, slog.LevelError, "the store could not be anchored in the TPM",
			slog.String("kind", fault.KindOf(err).String()), slog.String("code", Code(err)))
	}
	return true
}

// startAnchor anchors the opening and begins to anchor by itself.
func (v *Vault) startAnchor() {
	v.stopAnchor, v.anchorEnd = make(chan struct{}), make(chan struct{})
	if v.options.Anchor == nil {
		close(v.anchorEnd)
		return
	}
	v.anchorIfDirty()
	go v.anchorLoop()
}

// endAnchor anchors a last time, and waits for that.
func (v *Vault) endAnchor() {
	if v.anchorEnd == nil { // Open failed before it was started
		return
	}
	v.endAnchorOnce.Do(func() { close(v.stopAnchor) })
	<-v.anchorEnd
}

// anchorLoop anchors soon after commits that move money or rights, and every
// ten minutes when there was any other.
func (v *Vault) anchorLoop() {
	defer close(v.anchorEnd)
	tick := time.NewTicker(anchorEvery)
	defer tick.Stop()
	credit := anchorCredit
	var soon <-chan time.Time
	for {
		select {
		case <-v.stopAnchor:
			v.anchorIfDirty()
			return
		case <-v.urgent:
			if soon == nil && credit >= anchorWear {
				soon = time.After(anchorSoon)
			}
			continue
		case <-soon:
			soon = nil
		case <-tick.C:
			credit = min(credit+anchorEvery, anchorCredit)
		}
		if v.anchorIfDirty() {
			credit -= anchorWear
		}
	}
}

// hurry asks for an anchor soon, when the writes move money or rights. A
// session comes and goes with every sign-in and is no right of its own.
func (v *Vault) hurry(b *batch) {
	for _, w := range b.writes {
		s := b.state.slot(w.bucket)
		if s == nil || w.bucket == BucketSessions.ID || s.bucket.Scope != Ledger && s.bucket.Scope != Tokens && s.bucket.Scope != Identity {
			continue
		}
		select {
		case v.urgent <- struct{}{}:
		default:
		}
		return
	}
}

// anchorFacts are what the opening's event says of the anchor.
func (v *Vault) anchorFacts(ctx context.Context) []audit.Detail {
	if !v.anchored.healed {
		return nil
	}
	v.options.Log.LogAttrs(ctx, slog.LevelWarn, "an anchor that was cut off was finished", slog.Uint64("value", v.anchored.value))
	return []audit.Detail{{Key: factAnchor, Value: "finished"}}
}

// recordAcceptance records that the store was opened for a reason, whatever
// the counter said.
func (v *Vault) recordAcceptance(ctx context.Context, agent access.Agent) error {
	if v.options.AcceptRollback == "" {
		return nil
	}
	r := access.Request{Agent: agent, Action: access.StoreRestore, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	details := []audit.Detail{
		{Key: factReason, Value: v.options.AcceptRollback},
		{Key: factAnchor, Value: fault.Int(v.state.anchor).SafeString()},
		{Key: factCounter, Value: fault.Int(v.anchored.found).SafeString()},
	}
	if access.Decide(r) != access.Allow {
		return cmp.Or[error](v.Record(ctx, r, audit.Denied, details...), denial{errDenied})
	}
	return v.Record(ctx, r, audit.OK, details...)
}

const (
	factAnchor  = "anchor"  // that the store knew, or "finished"
	factCounter = "counter" // in the TPM
	factReason  = "reason"  // typed by who took the act on himself
)
