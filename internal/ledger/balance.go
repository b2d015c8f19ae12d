package ledger

import (
	"slices"
	"strings"

	"coffer/internal/ident"
	"coffer/internal/money"
)

// Key names an account, or one sub-ledger of it.
type Key struct {
	Account Code
	Sub     Sub
}

func (k Key) compare(o Key) int {
	if c := strings.Compare(string(k.Account), string(o.Account)); c != 0 {
		return c
	}
	return strings.Compare(string(k.Sub), string(o.Sub))
}

// Balances is what entries come to, by account and sub-ledger. Entries may be
// added in any order; the result is the same. The zero Balances is empty.
type Balances struct {
	posted   map[Key]money.Amount
	pending  map[ident.ID[ident.Entry]][]Posting
	resolved map[ident.ID[ident.Entry]]bool
}

// Fold returns the balances of a set of entries, or money.ErrOverflow.
func Fold(entries ...Entry) (*Balances, error) {
	b := &Balances{}
	for _, e := range entries {
		if err := b.Add(e); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Add takes one more entry in. After an error the balances are not usable.
func (b *Balances) Add(e Entry) error {
	if b.posted == nil {
		b.posted = map[Key]money.Amount{}
		b.pending = map[ident.ID[ident.Entry]][]Posting{}
		b.resolved = map[ident.ID[ident.Entry]]bool{}
	}
	switch e.Kind {
	case Pending:
		if b.resolved[e.ID] {
			return nil
		}
		b.pending[e.ID] = e.Postings
		return nil
	case PostPending, VoidPending:
		b.resolved[e.Ref] = true
		delete(b.pending, e.Ref)
	}
	if !e.Kind.IsPosted() {
		return nil
	}
	for _, p := range e.Postings {
		k := Key{p.Account, p.Sub}
		sum, err := b.posted[k].Add(p.Amount)
		if err != nil {
			return err
		}
		if b.posted[k] = sum; sum == 0 {
			delete(b.posted, k)
		}
	}
	return nil
}

// Posted returns the posted balance of one sub-ledger (of an account without
// sub-ledgers when the sub is empty). Debit is positive.
func (b *Balances) Posted(account Code, sub Sub) money.Amount {
	return b.posted[Key{account, sub}]
}

// Account returns the posted balance of an account over all its sub-ledgers.
func (b *Balances) Account(account Code) (money.Amount, error) {
	var sum money.Amount
	for k, a := range b.posted {
		if k.Account == account {
			var err error
			if sum, err = sum.Add(a); err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}

// Pending returns what unresolved pending entries would add to one
// sub-ledger.
func (b *Balances) Pending(account Code, sub Sub) (money.Amount, error) {
	var sum money.Amount
	for _, postings := range b.pending {
		for _, p := range postings {
			if p.Account == account && p.Sub == sub {
				var err error
				if sum, err = sum.Add(p.Amount); err != nil {
					return 0, err
				}
			}
		}
	}
	return sum, nil
}

// Keys returns the sub-ledgers whose posted balance is not zero, in order.
func (b *Balances) Keys() []Key {
	keys := make([]Key, 0, len(b.posted))
	for k := range b.posted {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.compare)
	return keys
}

// Unresolved returns the pending entries that nothing resolved, in the order
// of their identifiers.
func (b *Balances) Unresolved() []ident.ID[ident.Entry] {
	ids := make([]ident.ID[ident.Entry], 0, len(b.pending))
	for id := range b.pending {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y ident.ID[ident.Entry]) int { return slices.Compare(x[:], y[:]) })
	return ids
}

// Equal reports whether two sets of balances are the same, posted and pending.
func (b *Balances) Equal(o *Balances) bool {
	if len(b.posted) != len(o.posted) || len(b.pending) != len(o.pending) {
		return false
	}
	for k, a := range b.posted {
		if o.posted[k] != a {
			return false
		}
	}
	for id, postings := range b.pending {
		if !slices.Equal(o.pending[id], postings) {
			return false
		}
	}
	return true
}

// Line is a row of a trial balance. At most one of Debit and Credit is not
// zero.
type Line struct {
	Account Account
	Debit   money.Amount
	Credit  money.Amount
}

// TrialBalance is the list of account balances, whose two columns have the
// same total.
type TrialBalance struct {
	Lines         []Line
	Debit, Credit money.Amount
}

// NewTrialBalance returns the trial balance of account balances (debit
// positive), in the order of the codes, without the accounts at zero. It
// gives ErrUnbalanced when the columns differ and ErrUnknown for a balance
// outside the chart.
func NewTrialBalance(balances map[Code]money.Amount, chart Chart) (TrialBalance, error) {
	var t TrialBalance
	for code, a := range balances {
		account, ok := chart.Account(code)
		if !ok {
			return TrialBalance{}, ErrUnknown
		}
		if a == 0 {
			continue
		}
		line := Line{Account: account, Debit: a}
		if a < 0 {
			credit, err := a.Neg()
			if err != nil {
				return TrialBalance{}, err
			}
			line = Line{Account: account, Credit: credit}
		}
		var err error
		if t.Debit, err = t.Debit.Add(line.Debit); err != nil {
			return TrialBalance{}, err
		}
		if t.Credit, err = t.Credit.Add(line.Credit); err != nil {
			return TrialBalance{}, err
		}
		t.Lines = append(t.Lines, line)
	}
	if t.Debit != t.Credit {
		return TrialBalance{}, ErrUnbalanced
	}
	slices.SortFunc(t.Lines, func(x, y Line) int {
		return strings.Compare(string(x.Account.Code), string(y.Account.Code))
	})
	return t, nil
}

// TrialBalance returns the trial balance of the posted balances.
func (b *Balances) TrialBalance(chart Chart) (TrialBalance, error) {
	sums := map[Code]money.Amount{}
	for k, a := range b.posted {
		sum, err := sums[k.Account].Add(a)
		if err != nil {
			return TrialBalance{}, err
		}
		sums[k.Account] = sum
	}
	return NewTrialBalance(sums, chart)
}
