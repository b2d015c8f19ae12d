package books

import (
	"errors"
	"fmt"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"

	"pgregory.net/rapid"
)

// model is what a client's account should be, told in the plainest way: each
// receipt is a purse, and each charge knows from which purses it was paid.
type model struct {
	charges  []*modelCharge
	purses   []*modelPurse
	waivers  []*modelWaiver
	pendings []*modelPending
	clearing money.Amount // on 1060
}

type modelCharge struct {
	id     ident.ID[ident.Entry]
	amount money.Amount
	paid   map[*modelPurse]money.Amount
	waived money.Amount
	refund bool // due again because of a refund
}

type modelPurse struct {
	id       ident.ID[ident.Entry]
	left     money.Amount
	refunded money.Amount
	amount   money.Amount
}

type modelWaiver struct {
	id    ident.ID[ident.Entry]
	parts map[*modelCharge]money.Amount
}

type modelPending struct {
	id     ident.ID[ident.Entry]
	amount money.Amount
}

func (c *modelCharge) open() money.Amount {
	open := c.amount - c.waived
	for _, p := range c.paid {
		open -= p
	}
	return open
}

func (m *model) due() (sum money.Amount) {
	for _, c := range m.charges {
		sum += c.open()
	}
	return sum
}

func (m *model) credit() (sum money.Amount) {
	for _, p := range m.purses {
		sum += p.left
	}
	return sum
}

// pay settles the oldest charges from a purse.
func (m *model) pay(p *modelPurse) {
	for _, c := range m.charges {
		part := min(c.open(), p.left)
		if part > 0 {
			c.paid[p] += part
			p.left -= part
		}
	}
}

func (m *model) receive(id ident.ID[ident.Entry], amount money.Amount) {
	p := &modelPurse{id: id, left: amount, amount: amount}
	m.purses = append(m.purses, p)
	m.pay(p)
}

// refund takes from the oldest purses; the rest is due again.
func (m *model) refund(id ident.ID[ident.Entry], amount money.Amount) {
	for _, p := range m.purses {
		part := min(p.left, amount)
		p.left -= part
		p.refunded += part
		amount -= part
	}
	if amount > 0 {
		m.charges = append(m.charges, &modelCharge{id: id, amount: amount, paid: map[*modelPurse]money.Amount{}, refund: true})
	}
}

func (m *model) waive(id ident.ID[ident.Entry], amount money.Amount) {
	w := &modelWaiver{id: id, parts: map[*modelCharge]money.Amount{}}
	for _, c := range m.charges {
		if part := min(c.open(), amount); part > 0 {
			c.waived += part
			w.parts[c] = part
			amount -= part
		}
	}
	m.waivers = append(m.waivers, w)
}

func (m *model) dropCharge(i int) {
	for p, part := range m.charges[i].paid {
		p.left += part
	}
	m.charges = append(m.charges[:i], m.charges[i+1:]...)
}

func (m *model) dropPurse(i int) {
	for _, c := range m.charges {
		delete(c.paid, m.purses[i])
	}
	m.clearing -= m.purses[i].amount
	m.purses = append(m.purses[:i], m.purses[i+1:]...)
}

func (m *model) dropWaiver(i int) {
	for c, part := range m.waivers[i].parts {
		c.waived -= part
	}
	m.waivers = append(m.waivers[:i], m.waivers[i+1:]...)
}

// trial is one account under test beside its model.
type trial struct {
	*rapid.T
	c   *clinic
	sub ledger.Sub
	m   model
}

func (r *trial) amount(name string) money.Amount {
	return money.Amount(rapid.Int64Range(1, 20000).Draw(r.T, name))
}

// act commits fn and returns its entry; a conflict has to be foreseen.
func (r *trial) act(want error, fn func(*vault.Tx) (ledger.Entry, error)) (ledger.Entry, bool) {
	var e ledger.Entry
	err := r.c.do(func(tx *vault.Tx) (err error) { e, err = fn(tx); return err })
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		r.Fatalf("got %v (%v), want %v", err, fault.KindOf(err), want)
	}
	return e, err == nil
}

func (r *trial) pick(name string, n int) int {
	if n == 0 {
		r.Skip("nothing to choose from")
	}
	return rapid.IntRange(0, n-1).Draw(r.T, name)
}

func (r *trial) Charge(*rapid.T) {
	amount := r.amount("charge")
	e, _ := r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, charge(r.sub, amount)) })
	r.m.charges = append(r.m.charges, &modelCharge{id: e.ID, amount: amount, paid: map[*modelPurse]money.Amount{}})
}

func (r *trial) Pay(*rapid.T) {
	amount := r.amount("payment")
	e, _ := r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) {
		d, err := card(tx, r.sub, amount)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Post(tx, d)
	})
	r.m.clearing += amount
	r.m.receive(e.ID, amount)
}

func (r *trial) Pend(*rapid.T) {
	amount := r.amount("pended")
	e, _ := r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) {
		d, err := card(tx, r.sub, amount)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Pend(tx, d)
	})
	r.m.pendings = append(r.m.pendings, &modelPending{e.ID, amount})
}

func (r *trial) Settle(*rapid.T) {
	i := r.pick("pending", len(r.m.pendings))
	p := r.m.pendings[i]
	amount := p.amount
	if rapid.Bool().Draw(r.T, "partial") {
		amount = money.Amount(rapid.Int64Range(1, int64(p.amount)).Draw(r.T, "approved"))
	}
	e, _ := r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) { return Settle(tx, p.id, amount) })
	r.act(ErrResolved, func(tx *vault.Tx) (ledger.Entry, error) { return Settle(tx, p.id, amount) })
	r.m.clearing += amount
	r.m.receive(e.ID, amount)
	r.m.pendings = append(r.m.pendings[:i], r.m.pendings[i+1:]...)
}

func (r *trial) Release(*rapid.T) {
	i := r.pick("pending", len(r.m.pendings))
	p := r.m.pendings[i]
	r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) { return Release(tx, p.id, "declined") })
	r.act(ErrResolved, func(tx *vault.Tx) (ledger.Entry, error) { return Settle(tx, p.id, p.amount) })
	r.m.pendings = append(r.m.pendings[:i], r.m.pendings[i+1:]...)
}

func (r *trial) Waive(*rapid.T) {
	amount := r.amount("waiver")
	var want error
	if amount > r.m.due() {
		want = ErrNotOpen
	}
	if e, ok := r.act(want, func(tx *vault.Tx) (ledger.Entry, error) { return Post(tx, waiver(r.sub, amount)) }); ok {
		r.m.waive(e.ID, amount)
	}
}

func (r *trial) Refund(*rapid.T) {
	amount := r.amount("refund")
	e, _ := r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) {
		rest, err := Refund(tx, r.sub, amount)
		if err != nil {
			return ledger.Entry{}, err
		}
		return Post(tx, ledger.Draft{Event: ledger.EventRefund, Postings: append(rest, ledger.Posting{Account: CardClearing, Sub: "T1", Amount: -amount})})
	})
	r.m.clearing -= amount
	r.m.refund(e.ID, amount)
}

func (r *trial) ApplyCredit(*rapid.T) {
	want := min(r.m.due(), r.m.credit())
	r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) {
		got, err := ApplyCredit(tx, r.sub)
		if got != want {
			r.Errorf("applied %v, want %v", got, want)
		}
		return ledger.Entry{}, err
	})
	for _, p := range r.m.purses {
		r.m.pay(p)
	}
}

func (r *trial) ReverseCharge(*rapid.T) {
	i := r.pick("charge", len(r.m.charges))
	ch := r.m.charges[i]
	var want error
	switch {
	case ch.refund:
		r.Skip("a refund stays")
	case ch.waived > 0:
		want = ErrAdjusted
	}
	if _, ok := r.act(want, func(tx *vault.Tx) (ledger.Entry, error) { return Reverse(tx, ch.id, "mistake") }); ok {
		r.m.dropCharge(i)
	}
}

func (r *trial) ReverseReceipt(*rapid.T) {
	i := r.pick("receipt", len(r.m.purses))
	p := r.m.purses[i]
	var want error
	if p.refunded > 0 {
		want = ErrRefunded
	}
	if _, ok := r.act(want, func(tx *vault.Tx) (ledger.Entry, error) { return Reverse(tx, p.id, "voided") }); ok {
		r.m.dropPurse(i)
		r.act(ErrReversed, func(tx *vault.Tx) (ledger.Entry, error) { return Reverse(tx, p.id, "voided") })
	}
}

func (r *trial) ReverseWaiver(*rapid.T) {
	i := r.pick("waiver", len(r.m.waivers))
	r.act(nil, func(tx *vault.Tx) (ledger.Entry, error) { return Reverse(tx, r.m.waivers[i].id, "mistake") })
	r.m.dropWaiver(i)
}

// Check compares the account with its model after every step.
func (r *trial) Check(*rapid.T) {
	err := r.c.do(func(tx *vault.Tx) error {
		got, err := Client(tx, r.sub)
		if want := (ClientBalance{r.m.due(), r.m.credit()}); got != want {
			r.Fatalf("the account stands at %+v, want %+v", got, want)
		}
		return errors.Join(err, r.checkItems(tx))
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *trial) checkItems(tx *vault.Tx) error {
	items, err := OpenItems(tx, r.sub)
	if err != nil {
		return err
	}
	open := map[ident.ID[ident.Entry]]money.Amount{}
	for _, c := range r.m.charges {
		if c.open() > 0 {
			open[c.id] = c.open()
		}
	}
	for _, item := range items {
		if open[item.Entry] != item.Open {
			r.Fatalf("item open at %v, want %v", item.Open, open[item.Entry])
		}
		delete(open, item.Entry)
	}
	if len(open) > 0 {
		r.Fatalf("%d open charges are missing", len(open))
	}
	credits, err := OpenCredits(tx, r.sub)
	for _, item := range credits {
		for _, p := range r.m.purses {
			if p.id == item.Entry && p.left != -item.Open {
				r.Fatalf("credit of %v, want %v", -item.Open, p.left)
			}
		}
	}
	return err
}

// Random work on an account, against the model; then the whole of the books
// is checked.
func TestAccountFollowsItsModel(t *testing.T) {
	c := open(t)
	var clients int
	var clearing money.Amount
	rapid.Check(t, func(rt *rapid.T) {
		clients++
		r := &trial{T: rt, c: c, sub: ledger.Sub(fmt.Sprintf("P-%06d", clients))}
		rt.Repeat(rapid.StateMachineActions(r))
		clearing += r.m.clearing
		err := c.do(func(tx *vault.Tx) error {
			got, err := Balance(tx, CardClearing, "")
			if got != clearing {
				rt.Fatalf("card clearing is %v, want %v", got, clearing)
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
