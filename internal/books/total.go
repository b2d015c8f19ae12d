package books

import (
	"cmp"
	"slices"

	"coffer/internal/civil"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/vault"
)

func dayPeriod(d civil.Date) string { return "d" + d.String() }

func monthPeriod(d civil.Date) string { return "m" + d.String()[:7] }

// addTotals carries an entry to the totals of its day and its month.
func addTotals(tx *vault.Tx, r *entryRecord) error {
	for _, period := range []string{dayPeriod(r.Effective), monthPeriod(r.Effective)} {
		row, ok, err := totals.First(tx, "period", period)
		if err != nil {
			return err
		}
		row.Shared.Period = period
		if err := row.Shared.add(r.Lines); err != nil {
			return err
		}
		if !ok {
			_, err = totals.Insert(tx, row)
		} else {
			err = totals.Replace(tx, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *totalRecord) add(lines []line) error {
	for _, l := range lines {
		i, ok := slices.BinarySearchFunc(t.Totals, l.Account, func(x total, code ledger.Code) int {
			return cmp.Compare(x.Account, code)
		})
		if !ok {
			t.Totals = slices.Insert(t.Totals, i, total{Account: l.Account})
		}
		side, amount := &t.Totals[i].Debit, l.Amount
		if amount < 0 {
			side, amount = &t.Totals[i].Credit, -amount
		}
		var err error
		if *side, err = side.Add(amount); err != nil {
			return err
		}
	}
	return nil
}

// balancesOn returns the balance of each account at the end of a day.
func balancesOn(tx *vault.Tx, day civil.Date) (map[ledger.Code]money.Amount, error) {
	later, err := hasTotals(tx, dayPeriod(day)+"\x00", "e")
	if err != nil {
		return nil, err
	}
	if !later {
		return balancesNow(tx)
	}
	balances := map[ledger.Code]money.Amount{}
	if err := sumTotals(tx, balances, "m", monthPeriod(day)); err != nil {
		return nil, err
	}
	first := civil.MonthOf(day).First
	return balances, sumTotals(tx, balances, dayPeriod(first), dayPeriod(day.AddDays(1)))
}

func hasTotals(tx *vault.Tx, from, to string) (bool, error) {
	for _, err := range totals.Between(tx, "period", from, to) {
		return err == nil, err
	}
	return false, nil
}

func balancesNow(tx *vault.Tx) (map[ledger.Code]money.Amount, error) {
	balances := map[ledger.Code]money.Amount{}
	for row, err := range accounts.All(tx) {
		if err != nil {
			return nil, err
		}
		if balances[row.Shared.Code], err = Balance(tx, row.Shared.Code, ""); err != nil {
			return nil, err
		}
	}
	return balances, nil
}

func sumTotals(tx *vault.Tx, balances map[ledger.Code]money.Amount, from, to string) error {
	for row, err := range totals.Between(tx, "period", from, to) {
		if err != nil {
			return err
		}
		for _, t := range row.Shared.Totals {
			net, err := t.Debit.Sub(t.Credit)
			if err != nil {
				return err
			}
			if balances[t.Account], err = balances[t.Account].Add(net); err != nil {
				return err
			}
		}
	}
	return nil
}
