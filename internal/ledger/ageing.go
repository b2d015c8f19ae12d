package ledger

import (
	"coffer/internal/civil"
	"coffer/internal/money"
)

// Open is an amount that has been open since a date.
type Open struct {
	Date   civil.Date
	Amount money.Amount
}

// AgeingDays are the upper bounds, in days, of the first four columns of an
// ageing; the fifth holds what is older.
var AgeingDays = [4]int{30, 60, 90, 120}

// Ageing is open amounts by age: 0–30, 31–60, 61–90, 91–120 days and older.
type Ageing struct {
	Columns [5]money.Amount
	Total   money.Amount
}

// Age sorts open amounts into columns by their age on a day. An amount dated
// later than the day counts as new.
func Age(day civil.Date, open ...Open) (Ageing, error) {
	var a Ageing
	for _, o := range open {
		if err := a.add(day, o); err != nil {
			return Ageing{}, err
		}
	}
	return a, nil
}

func (a *Ageing) add(day civil.Date, o Open) error {
	column := len(AgeingDays)
	for i, bound := range AgeingDays {
		if int(day)-int(o.Date) <= bound {
			column = i
			break
		}
	}
	var err error
	if a.Columns[column], err = a.Columns[column].Add(o.Amount); err != nil {
		return err
	}
	a.Total, err = a.Total.Add(o.Amount)
	return err
}
