package billing

import (
	"cmp"
	"context"
	"slices"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/ledger"
	"coffer/internal/money"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// ChargeLine is a charge in the list of a client, or another amount that
// became due, such as a refund that took back a payment.
type ChargeLine struct {
	ID       ident.ID[ident.Charge] // zero when it is not a charge for a session
	Entry    ident.ID[ident.Entry]
	Day      civil.Date
	Label    string
	Amount   money.Amount // charged, after any reduction
	Open     money.Amount // still due
	Reversed bool
	Warning  Warning
}

// ChargesMax is how many of a client's latest charges are listed. What is
// still open is listed in any case.
const ChargesMax = 100

// Due returns where a client's account stands.
func Due(tx *vault.Tx, client ident.ID[ident.Client]) (books.ClientBalance, error) {
	c, err := roster.Read(tx, client)
	if err != nil {
		return books.ClientBalance{}, err
	}
	return books.Client(tx, ledger.Sub(c.Account))
}

// DuesMax is how many clients may be asked for at once.
const DuesMax = 500

// Dues returns what each of the clients of a day's list owes; negative is a
// credit.
func (b *Billing) Dues(ctx context.Context, agent access.Agent, clients []ident.ID[ident.Client]) (map[ident.ID[ident.Client]]money.Amount, error) {
	dues := make(map[ident.ID[ident.Client]]money.Amount, len(clients))
	if len(clients) == 0 {
		return dues, nil
	}
	if len(clients) > DuesMax {
		return nil, fault.New(fault.Invalid, "This list is too long. Ask for fewer clients at once.")
	}
	err := b.v.View(ctx, request(agent, access.ChargeRead, access.Entity{Kind: access.KindDay}), func(tx *vault.Tx) error {
		for _, id := range clients {
			balance, err := Due(tx, id)
			if err != nil {
				return err
			}
			dues[id] = balance.Net()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dues, nil
}

// Charges returns a client's charges, the latest session first, and where the
// account stands. What is open of the lines comes to the balance's Due.
func (b *Billing) Charges(ctx context.Context, agent access.Agent, client ident.ID[ident.Client]) ([]ChargeLine, books.ClientBalance, error) {
	var lines []ChargeLine
	var balance books.ClientBalance
	err := b.v.View(ctx, request(agent, access.ChargeRead, access.Client(client)), func(tx *vault.Tx) error {
		var err error
		if balance, err = Due(tx, client); err != nil {
			return err
		}
		lines, err = Charges(tx, client)
		return err
	})
	if err != nil {
		return nil, books.ClientBalance{}, err
	}
	return lines, balance, nil
}

// Charges returns a client's latest charges and all that is open, the latest
// day first.
func Charges(tx *vault.Tx, client ident.ID[ident.Client]) ([]ChargeLine, error) {
	lines, err := latest(tx, client)
	if err != nil {
		return nil, err
	}
	c, err := roster.Read(tx, client)
	if err != nil {
		return nil, err
	}
	open, err := books.OpenItems(tx, ledger.Sub(c.Account))
	if err != nil {
		return nil, err
	}
	for _, item := range open {
		if slices.ContainsFunc(lines, func(l ChargeLine) bool { return l.Entry == item.Entry }) {
			continue
		}
		l, err := lineOfItem(tx, item)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(x, y ChargeLine) int { return cmp.Compare(y.Day, x.Day) })
	return lines, nil
}

func latest(tx *vault.Tx, client ident.ID[ident.Client]) ([]ChargeLine, error) {
	var lines []ChargeLine
	prefix := string(client[:])
	for row, err := range charges.Between(tx, "client", prefix, prefix+"\xff\xff\xff\xff\xff") {
		if err != nil {
			return nil, err
		}
		if len(lines) == ChargesMax {
			break
		}
		l, err := lineOf(tx, row.Shared)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func lineOf(tx *vault.Tx, c Charge) (ChargeLine, error) {
	l := ChargeLine{ID: c.ID, Entry: c.Entry, Day: c.Day, Label: c.Label, Amount: c.Amount(), Warning: c.Warning}
	item, _, err := books.Charge(tx, c.Entry, ledger.Sub(c.Account))
	if err != nil {
		return ChargeLine{}, err
	}
	l.Open = item.Open
	_, l.Reversed, err = books.Resolution(tx, c.Entry)
	return l, err
}

// lineOfItem returns the line of an open item: an old charge, or what became
// due without one.
func lineOfItem(tx *vault.Tx, item books.Item) (ChargeLine, error) {
	row, ok, err := charges.First(tx, "entry", string(item.Entry[:]))
	if err != nil {
		return ChargeLine{}, err
	}
	if ok {
		return lineOf(tx, row.Shared)
	}
	return ChargeLine{
		Entry: item.Entry, Day: item.Effective, Label: item.Event.Label() + ", due again",
		Amount: item.Amount, Open: item.Open,
	}, nil
}
