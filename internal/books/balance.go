package books

import (
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// place is the last line of an account or of a sub-ledger.
type place struct {
	n       uint64
	balance money.Amount
}

// Balance returns the posted balance of one sub-ledger, or of the whole
// account when sub is empty. Debit is positive.
func Balance(tx *vault.Tx, account ledger.Code, sub ledger.Sub) (money.Amount, error) {
	p, err := lastOf(tx, account, sub)
	return p.balance, err
}

func lastOf(tx *vault.Tx, account ledger.Code, sub ledger.Sub) (place, error) {
	if sub == "" {
		return lastLine(tx, account)
	}
	return lastSubLine(tx, account, sub)
}

func lastLine(tx *vault.Tx, account ledger.Code) (place, error) {
	prefix := string(account) + "|"
	for row, err := range entries.Between(tx, "line-down", prefix, after(prefix)) {
		var p place
		for _, l := range row.Shared.Lines {
			if l.Account == account && l.InAccount > p.n {
				p = place{l.InAccount, l.Balance}
			}
		}
		return p, err
	}
	return place{}, nil
}

func lastSubLine(tx *vault.Tx, account ledger.Code, sub ledger.Sub) (place, error) {
	prefix := string(account) + "/" + string(sub) + "|"
	for row, err := range entries.Between(tx, "sub-down", prefix, after(prefix)) {
		var p place
		for _, l := range row.Shared.Lines {
			if l.Account == account && l.Sub == sub && l.InSub > p.n {
				p = place{l.InSub, l.SubBalance}
			}
		}
		return p, err
	}
	return place{}, nil
}

// follow gives each line its place in its account and sub-ledger and the
// balances with it.
func follow(tx *vault.Tx, lines []line) error {
	last := map[ledger.Key]place{}
	next := func(account ledger.Code, sub ledger.Sub, amount money.Amount) (place, error) {
		k := ledger.Key{Account: account, Sub: sub}
		p, ok := last[k]
		if !ok {
			var err error
			if p, err = lastOf(tx, account, sub); err != nil {
				return place{}, err
			}
		}
		balance, err := p.balance.Add(amount)
		last[k] = place{p.n + 1, balance}
		return last[k], err
	}
	for i := range lines {
		l := &lines[i]
		p, err := next(l.Account, "", l.Amount)
		if err != nil {
			return err
		}
		l.InAccount, l.Balance = p.n, p.balance
		if l.Sub == "" {
			continue
		}
		if p, err = next(l.Account, l.Sub, l.Amount); err != nil {
			return err
		}
		l.InSub, l.SubBalance = p.n, p.balance
	}
	return nil
}

// ClientBalance is where a client's account stands. Both amounts are zero or
// more.
type ClientBalance struct {
	Due    money.Amount // open charges (account 1100)
	Credit money.Amount // money received and not yet used (account 2100)
}

// Net returns what the client owes after their credit; it is negative when
// the clinic owes the client.
func (b ClientBalance) Net() money.Amount { return b.Due - b.Credit }

// Client returns where a client's account stands.
func Client(tx *vault.Tx, sub ledger.Sub) (ClientBalance, error) {
	if !sub.IsClient() {
		return ClientBalance{}, ledger.ErrSubMissing
	}
	due, err := Balance(tx, Receivables, sub)
	if err != nil {
		return ClientBalance{}, err
	}
	credit, err := Balance(tx, Credits, sub)
	return ClientBalance{due, -credit}, err
}
