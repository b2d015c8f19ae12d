package vault

import (
	"cmp"
	"context"
	"errors"

	"coffer/internal/access"
	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/ident"
)

// Faults of a decision. errAbsent reads like the fault of an address that
// names nothing.
var (
	errDenied = fault.New(fault.Denied, "Your sign-in doesn't allow this. Ask the practice manager if you need it.")
	errAbsent = ident.ErrFormat
)

// denial marks the fault of a request that the policy denied.
type denial struct{ shown *fault.Error }

func (d denial) Error() string { return d.shown.Error() }

// Unwrap returns the fault that the agent may see.
func (d denial) Unwrap() error { return d.shown }

// isDenial reports whether the policy denied a request, or a rule that keeps
// duties apart.
func isDenial(err error) bool {
	var d denial
	return errors.As(err, &d) || fault.KindOf(err) == fault.Denied
}

// decide answers the transaction's request: nil, or the fault that the agent
// may see.
func (v *Vault) decide(tx *Tx) error {
	switch access.Decide(tx.request) {
	case access.Allow:
		return nil
	case access.IfRelated:
		return v.relate(tx)
	}
	return denial{errDenied}
}

func (v *Vault) relate(tx *Tx) error {
	if v.options.Relation == nil {
		return denial{errAbsent}
	}
	related, err := v.options.Relation(tx, tx.request.Agent.StaffID(), tx.request.Entity)
	switch {
	case err != nil:
		return err
	case !related:
		return denial{errAbsent}
	}
	return nil
}

// eventOf returns the event of a request without what the committer adds.
func eventOf(r access.Request, outcome audit.Outcome) audit.Event {
	e := audit.Event{Actor: r.Agent.Name(), Act: string(r.Action), Object: string(r.Entity.Kind), Outcome: outcome}
	if r.Agent.IsNobody() {
		e.Actor = "nobody"
	}
	origin := r.Agent.Origin()
	e.Via = origin.Via
	if origin.Address != "" {
		e.Via += ":" + origin.Address
	}
	if s := r.Agent.SessionID(); !s.IsZero() {
		e.Session = s.String()
	}
	if r.Entity.ID != [16]byte{} {
		e.Object += ":" + ident.ID[access.Entity](r.Entity.ID).String()
	}
	return e
}

// do queues the call and waits for its end. A call that is queued is seen
// through: it is either given up before it is staged, or decided.
func (v *Vault) do(c *call) error {
	if err := v.queue.add(c); err != nil {
		return err
	}
	<-c.done
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// Update decides the request and runs fn. When it returns nil, what fn wrote
// and the event that records it are durable, in one commit. When fn fails,
// nothing of it remains except the event. A request that the policy denies is
// recorded and gives a Denied fault, or NotFound when the only way in would
// have been a relation, so that what the agent may not know of looks absent.
//
// fn runs alone, on another goroutine; it must not call the vault, and should
// not wait for anything. A panic in fn is raised again in the caller, after
// the event of the failure is durable.
func (v *Vault) Update(ctx context.Context, r access.Request, fn func(*Tx) error) error {
	return v.do(newCall(ctx, r, fn))
}

// View decides the request and runs fn on the latest commit. It returns nil
// only after the event that records the reading is durable: no audit, no
// data. Denials are as in Update. fn should copy what it needs and return;
// pages that it could still read are kept from reuse meanwhile.
func (v *Vault) View(ctx context.Context, r access.Request, fn func(*Tx) error) error {
	c := newCall(ctx, r, nil)
	c.outcome = audit.Failed // stands if fn panics
	recorded := false
	defer func() {
		if !recorded {
			c.ctx = context.WithoutCancel(ctx)
			_ = v.do(c) // the panic that brought us here matters more
		}
	}()
	tx, err := v.read(r, fn)
	recorded = true
	if tx == nil {
		return err
	}
	c.details = tx.facts()
	c.outcome = viewOutcome(err)
	if err != nil {
		c.details = append(c.details, audit.Detail{Key: "fault", Value: fault.KindOf(err).String()})
		c.ctx = context.WithoutCancel(ctx)
	}
	return cmp.Or(err, v.do(c))
}

func viewOutcome(err error) audit.Outcome {
	switch {
	case err == nil:
		return audit.OK
	case isDenial(err):
		return audit.Denied
	}
	return audit.Refused
}

// read decides the request and runs fn on a snapshot. The transaction it
// returns has ended; it is nil when there was none.
func (v *Vault) read(r access.Request, fn func(*Tx) error) (tx *Tx, err error) {
	p, s, err := v.snapshot()
	if err != nil {
		return nil, err
	}
	tx = &Tx{request: r, now: v.clock(), state: s, pages: p}
	defer func() {
		tx.done = true
		err = cmp.Or(err, p.close())
	}()
	if err := v.decide(tx); err != nil {
		return tx, err
	}
	return tx, fn(tx)
}

// published are the states that a reading transaction may meet: the last one
// that is durable and, while a commit is under way, the one it makes.
type published struct{ durable, coming *state }

// snapshot begins a reading transaction and returns the state it belongs to.
func (v *Vault) snapshot() (*pages, *state, error) {
	for {
		if err := v.stopped(); err != nil { // the file may be at a commit that nobody will publish
			return nil, nil, err
		}
		if v.Closed() {
			return nil, nil, errClosed
		}
		p, err := beginPages(v.db, false)
		if err != nil {
			return nil, nil, err
		}
		now, id := v.published.Load(), p.tx.ID()
		if now.durable.txid == id {
			return p, now.durable, nil
		}
		if now.coming != nil && now.coming.txid == id {
			return p, now.coming, nil
		}
		if err := p.close(); err != nil { // a commit came between; look again
			return nil, nil, err
		}
	}
}

// Record makes an event durable that comes with no data, such as a failed
// sign-in. It asks no policy.
func (v *Vault) Record(ctx context.Context, r access.Request, outcome audit.Outcome, details ...audit.Detail) error {
	c := newCall(ctx, r, nil)
	c.outcome, c.details = outcome, details
	return v.do(c)
}
