package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// proposalAge is how long a first person's statement binds: after that the
// next statement takes its place, so that nobody's absence locks a client.
const proposalAge = 12 * time.Hour

// Resolve states what became of a payment that Payment.MayResolve offers: one
// in the manual stage, one whose outcome is not known and whose terminal is
// gone, away or locked, or a stray approval. It takes effect when a second
// person states the same; until then done is false. A second person who says
// otherwise gets ErrSecondPerson, and the first statement stands.
func (t *Till) Resolve(ctx context.Context, agent access.Agent, r Resolution) (done bool, err error) {
	var now attempt
	var made *event
	req := access.Request{Agent: agent, Action: access.PaymentResolve, Entity: access.Of(access.KindAttempt, r.Attempt), Purpose: access.Payment}
	err = t.vault.Update(ctx, req, func(tx *vault.Tx) error {
		row, ok, err := strays.First(tx, indexID, r.Attempt.String())
		if err != nil {
			return err
		}
		if ok {
			now = attempt{ID: r.Attempt}
			made, done, err = t.resolveStray(tx, row, r)
			return err
		}
		now, made, err = alter(tx, r.Attempt, func(tx *vault.Tx, a *attempt) (*event, error) { return t.resolveAttempt(tx, a, r) })
		done = now.State == Closed
		return err
	})
	if err != nil {
		return false, err
	}
	t.tell(now, made)
	if l := t.lanes[now.Terminal]; l != nil && done {
		l.reread(now.ID)
	}
	return done, nil
}

// resolveAttempt takes a statement about an attempt.
func (t *Till) resolveAttempt(tx *vault.Tx, a *attempt, r Resolution) (*event, error) {
	if !t.resolvable(a) {
		return nil, ErrNotManual
	}
	if !r.Client.IsZero() {
		return nil, ErrResolution
	}
	if err := r.check(a.Kind, a.Amount); err != nil {
		return nil, err
	}
	agreed, err := agree(tx, &a.Proposal, r)
	if err != nil {
		return nil, err
	}
	if !agreed {
		return &event{Name: "proposed", Amount: r.Approved, Evidence: string(r.Evidence)}, nil
	}
	return t.resolveByPeople(tx, a, r)
}

// resolvable reports whether people may say what became of an attempt: the
// terminal contradicts it, or cannot be asked.
func (t *Till) resolvable(a *attempt) bool {
	if a.State != InDoubt {
		return a.State == Manual
	}
	l := t.lanes[a.Terminal]
	if l == nil || a.Reason == string(protocol.ReasonSubstitute) {
		return true
	}
	s := l.terminal.Status()
	return !s.Attached || s.Quarantined
}

// agree reports whether r is the second person's word that makes the first
// one's take effect. The first person's word is kept in p.
func agree(tx *vault.Tx, p **proposal, r Resolution) (bool, error) {
	said := proposal{
		Staff: tx.Agent().StaffID(), By: tx.Agent().Name(), At: tx.Now(),
		Charged: r.Charged, Approved: r.Approved, Evidence: r.Evidence, Client: r.Client,
	}
	first := *p
	if first == nil || first.Staff == said.Staff || tx.Now().Sub(first.At) > proposalAge {
		*p = &said
		return false, nil
	}
	if first.Charged != said.Charged || first.Approved != said.Approved || first.Client != said.Client {
		return false, ErrSecondPerson
	}
	return true, nil
}

// shown returns what a page shows of a first person's statement.
func (p *proposal) shown(loc *time.Location) *Proposal {
	if p == nil {
		return nil
	}
	return &Proposal{
		By: p.By, At: p.At.In(loc), Charged: p.Charged, Approved: p.Approved,
		Client: p.Client, Evidence: p.Evidence, Staff: p.Staff,
	}
}

func (t *Till) resolveByPeople(tx *vault.Tx, a *attempt, r Resolution) (*event, error) {
	v := verdict{state: NotCharged, result: ProvenNever, reason: reasonPeople}
	if r.Charged {
		v = verdict{state: Resulted, result: Approved, approved: r.Approved, reason: reasonPeople}
		if r.Approved < a.Amount {
			v.result = Partial
		}
	}
	e, err := t.enact(tx, a, v, protocol.Outcome{
		AuthCode: a.AuthCode, HostRef: a.HostRef, TerminalRef: a.TermRef, Batch: a.Batch,
		Serial: a.Serial, Evidence: string(r.Evidence),
	})
	a.State = Closed
	return e, err
}

// check returns the fault of a statement that cannot be carried out for a
// payment of this kind and amount.
func (r Resolution) check(k Kind, amount money.Amount) error {
	switch r.Evidence {
	case EvidenceSlip, EvidenceBatch, EvidenceProcessor, EvidenceBank:
	default:
		return ErrResolution
	}
	switch {
	case !r.Charged && r.Approved != 0,
		r.Charged && (r.Approved <= 0 || r.Approved > amount),
		r.Charged && k == KindVoid && r.Approved != amount:
		return ErrResolution
	}
	return nil
}

// Unresolved returns everything that needs a person or is not known yet: what
// two people may resolve, duplicate questions, payments whose outcome Coffer
// still asks for, and approvals that belong to no attempt. A payment that runs
// normally is among them for as long as it runs; Payment.MayResolve, Choice and
// Unknown tell them apart.
func (t *Till) Unresolved(ctx context.Context, agent access.Agent) ([]Payment, error) {
	var list []Payment
	req := access.Request{Agent: agent, Action: access.PaymentReview, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) error {
		for _, s := range []State{Manual, Resulted, InDoubt, Acked, Sent, Created} {
			for row, err := range attempts.Find(tx, indexState, string(s)) {
				if err != nil {
					return err
				}
				if !row.Shared.unresolved() {
					continue
				}
				p, err := t.view(tx, &row.Shared)
				if err != nil {
					return err
				}
				list = append(list, p)
			}
		}
		return t.openStrays(tx, func(p Payment) { list = append(list, p) })
	})
	return list, err
}
