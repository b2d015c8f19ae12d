package ui

import (
	"context"
	"net/http"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/phi"
	"coffer/internal/roster"
)

// paymentsShown is how many payments a client's page lists.
const paymentsShown = 50

// clientView is what the desk may see of a client: contact and money.
type clientView struct {
	ID                    string
	Name, Account         string
	Balance, BalanceWords string
	Contact               []fact
	Items                 []itemLine
	Payments              []paymentLine
	MayPay                bool
}

type itemLine struct{ Date, What, Amount, Open string }

type paymentLine struct {
	ID, When, How, Amount string
	State                 pill
	Receipt               uint64
}

// GET /clients/:id
func (s *server) client(c *call) error {
	id, err := ident.Parse[ident.Client](c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	client, err := s.Roster.Client(ctx, c.agent, id)
	if err != nil {
		return err
	}
	v := clientView{
		ID: id.String(), Name: client.Name.Reveal(), Account: string(client.Account),
		Contact: contactOf(client), MayPay: c.agent.May(access.PaymentTake),
	}
	if err := s.addAccount(ctx, c, client, &v); err != nil {
		return err
	}
	if err := s.addPayments(ctx, c, id, &v); err != nil {
		return err
	}
	return render(c, clientPage, http.StatusOK, v)
}

// contactOf lists the contact facts that are written down.
func contactOf(client roster.Client) []fact {
	var facts []fact
	for _, f := range []struct {
		name  string
		value phi.Text
	}{
		{"Born", client.Born}, {"Phone", client.Phone}, {"E-mail", client.Email},
		{"Address", client.Address}, {"Memo", client.Memo},
	} {
		if !f.value.IsZero() {
			facts = append(facts, fact{Name: f.name, Value: f.value.Reveal()})
		}
	}
	return facts
}

// addAccount adds the balance and the charges that are open.
func (s *server) addAccount(ctx context.Context, c *call, client roster.Client, v *clientView) error {
	charges, balance, err := s.Billing.Charges(ctx, c.agent, client.ID)
	if err != nil {
		return err
	}
	v.Balance, v.BalanceWords = balance.Net().String(), balanceWords(balance.Net())
	for _, charge := range charges {
		if charge.Open != 0 {
			v.Items = append(v.Items, itemLine{
				Date: charge.Day.String(), What: charge.Label, Amount: charge.Amount.String(), Open: charge.Open.String(),
			})
		}
	}
	return nil
}

func (s *server) addPayments(ctx context.Context, c *call, id ident.ID[ident.Client], v *clientView) error {
	payments, err := s.Till.Payments(ctx, c.agent, id, paymentsShown)
	if err != nil {
		return err
	}
	for _, p := range payments {
		amount := p.Amount
		if p.Final {
			amount = p.Approved
		}
		v.Payments = append(v.Payments, paymentLine{
			ID: p.ID.String(), When: s.moment(p.Started), How: how(p), Amount: amount.String(),
			State: statePill(p), Receipt: p.Receipt,
		})
	}
	return nil
}

// due returns what a client owes; negative is a credit.
func (s *server) due(ctx context.Context, c *call, client roster.Client) (money.Amount, error) {
	_, balance, err := s.Billing.Charges(ctx, c.agent, client.ID)
	return balance.Net(), err
}
