package till

import (
	"errors"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
	"coffer/internal/vault"
)

// waiting returns the one stray that waits for people.
func (b *bench) waiting(want int) (p Payment) {
	b.t.Helper()
	list, err := b.Unresolved(b.t.Context(), accesstest.Agent(access.Accountant))
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for _, q := range list {
		if q.Stage == StageStray {
			p, n = q, n+1
		}
	}
	if n != want {
		b.t.Errorf("%d strays wait, want %d", n, want)
	}
	return p
}

func (b *bench) net() (net money.Amount) {
	b.t.Helper()
	if err := b.vault.View(b.t.Context(), b.request(access.PaymentRead, attempt{}.ID), func(tx *vault.Tx) (err error) {
		net, err = Net(tx)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return net
}

func (b *bench) keep(o protocol.Outcome) {
	b.t.Helper()
	if err := b.lane.stray(o); err != nil {
		b.t.Fatal(err)
	}
}

// A second approval for a payment that has ended is not swallowed: two people
// look at it, and then it is a payment that can be voided.
func TestSecondApprovalWaitsForPeople(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.apply(a, approval(a))
	b.keep(approval(a)) // the same one again
	b.waiting(0)
	second := approval(a)
	second.HostRef = "7777"
	b.keep(second)
	b.keep(second)
	p := b.waiting(1)
	if _, found := b.now(a); len(found) != 1 || found[0].Attempt != p.ID {
		t.Errorf("Check finds %v", found)
	}
	if !p.MayResolve || p.Original != a.ID || p.Client != a.Client || p.Amount != 9000 || p.Final || p.Words == "" || p.Next == "" {
		t.Errorf("got %+v", p)
	}
	one, two := accesstest.Agent(access.FrontDesk), accesstest.Agent(access.Accountant)
	yes := Resolution{Attempt: p.ID, Charged: true, Approved: 9000, Evidence: EvidenceProcessor}
	part := yes
	part.Approved--
	if _, err := b.Resolve(t.Context(), one, part); !errors.Is(err, ErrResolution) {
		t.Errorf("another amount: %v", err)
	}
	if done, err := b.Resolve(t.Context(), one, yes); done || err != nil {
		t.Errorf("the first person: %v, %v", done, err)
	}
	if p = b.waiting(1); p.Proposal == nil || p.Proposal.By != one.Name() || !p.Proposal.Charged || p.Proposal.Evidence != EvidenceProcessor {
		t.Errorf("the statement is not shown: %+v", p.Proposal)
	}
	if done, err := b.Resolve(t.Context(), two, yes); !done || err != nil {
		t.Errorf("the second person: %v, %v", done, err)
	}
	b.waiting(0)
	b.ok(a, Resulted, Approved)
	if net := b.net(); net != 18000 {
		t.Errorf("the journal has %v", net)
	}
	list, err := b.Payments(t.Context(), one, a.Client, 1)
	if err != nil || len(list) != 1 || !list[0].MayVoid || list[0].Receipt != 2 {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err := b.Resolve(t.Context(), two, yes); !errors.Is(err, ErrNotManual) {
		t.Errorf("resolved again: %v", err)
	}
}

// An approval with a reference that this journal does not know is kept until
// two people say whose it was.
func TestUnknownApprovalWaitsForPeople(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.apply(a, protocol.Outcome{Result: protocol.Declined})
	lost := approval(a)
	lost.Ref, lost.HostRef = "100000000777", "5555"
	b.keep(lost)
	other := lost
	other.HostRef = "6666"
	b.keep(other)
	p := b.waiting(2)
	one, two := accesstest.Agent(access.FrontDesk), accesstest.Agent(access.FrontDesk)
	yes := Resolution{Attempt: p.ID, Charged: true, Approved: 9000, Evidence: EvidenceSlip}
	if _, err := b.Resolve(t.Context(), one, yes); !errors.Is(err, ErrResolution) {
		t.Errorf("nobody's payment: %v", err)
	}
	yes.Client = a.Client
	for _, who := range []access.Agent{one, two} {
		if _, err := b.Resolve(t.Context(), who, yes); err != nil {
			t.Fatal(err)
		}
	}
	p = b.waiting(1)
	no := Resolution{Attempt: p.ID, Evidence: EvidenceSlip}
	for _, who := range []access.Agent{one, two} {
		if _, err := b.Resolve(t.Context(), who, no); err != nil {
			t.Fatal(err)
		}
	}
	b.waiting(0)
	if net := b.net(); net != 9000 {
		t.Errorf("the journal has %v", net)
	}
	b.ok(a, Resulted, Declined)
	if got, err := b.Payment(t.Context(), one, p.ID); err != nil || !got.Final || got.MayResolve {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A terminal that says an approval under a wrong reference, and the right one
// when it is asked, leaves no riddle.
func TestWrongReferenceIsExplained(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.apply(a, protocol.Outcome{Result: protocol.InDoubt, Reason: protocol.ReasonEnded})
	wrong := approval(a)
	wrong.Ref = "100000000777"
	b.keep(wrong)
	b.waiting(1)
	b.apply(a, approval(a))
	b.waiting(0)
	b.ok(a, Resulted, Approved)
}

// A second statement that differs does not bind for ever: nobody's absence
// locks a client.
func TestAnOldStatementGivesWay(t *testing.T) {
	b := newBench(t)
	a := b.sale()
	b.apply(a, protocol.Outcome{Result: protocol.InDoubt, Reason: protocol.ReasonEnded})
	gone, one, two := accesstest.Agent(access.FrontDesk), accesstest.Agent(access.FrontDesk), accesstest.Agent(access.FrontDesk)
	if _, err := b.Resolve(t.Context(), gone, Resolution{Attempt: a.ID, Charged: true, Approved: 9000, Evidence: EvidenceSlip}); err != nil {
		t.Fatal(err)
	}
	no := Resolution{Attempt: a.ID, Evidence: EvidenceSlip}
	if _, err := b.Resolve(t.Context(), one, no); !errors.Is(err, ErrSecondPerson) {
		t.Errorf("the second person: %v", err)
	}
	b.spoil(a, func(a *attempt) { a.Proposal.At = a.Proposal.At.Add(-proposalAge - 1) })
	for _, who := range []access.Agent{one, two} {
		if _, err := b.Resolve(t.Context(), who, no); err != nil {
			t.Error(err)
		}
	}
	b.ok(a, Closed, ProvenNever)
}
