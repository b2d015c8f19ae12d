package billing

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// Dues returns what each of the clients owes after their credit, for the list
// of the day; negative is a credit.
func (b *Billing) Dues(ctx context.Context, agent access.Agent, clients []ident.ID[ident.Client]) (map[ident.ID[ident.Client]]money.Amount, error) {
	dues := make(map[ident.ID[ident.Client]]money.Amount, len(clients))
	req := request(agent, access.DayRead, access.Entity{Kind: access.KindDay})
	err := b.v.View(ctx, req, func(tx *vault.Tx) error {
		for _, client := range clients {
			balance, err := Due(tx, client)
			if err != nil {
				return err
			}
			dues[client] = balance.Net()
		}
		return nil
	})
	return dues, err
}
