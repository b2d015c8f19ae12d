package till

import (
	"context"

	"coffer/internal/access"
	"coffer/internal/ident"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// Accounts returns the account numbers of clients: what people may know of a
// client who decide about open payments and are not shown names.
func (t *Till) Accounts(ctx context.Context, agent access.Agent, clients ...ident.ID[ident.Client]) (map[ident.ID[ident.Client]]roster.Account, error) {
	numbers := map[ident.ID[ident.Client]]roster.Account{}
	err := t.vault.View(ctx, reviewRequest(agent), func(tx *vault.Tx) error {
		for _, id := range clients {
			client, err := roster.Read(tx, id)
			if err != nil {
				return err
			}
			numbers[id] = client.Account
		}
		return nil
	})
	return numbers, err
}

// ClientOf returns the client of an account number, or roster.ErrNoClient: for
// people who say whose a stray approval is (Resolution.Client).
func (t *Till) ClientOf(ctx context.Context, agent access.Agent, number roster.Account) (ident.ID[ident.Client], error) {
	var id ident.ID[ident.Client]
	err := t.vault.View(ctx, reviewRequest(agent), func(tx *vault.Tx) error {
		client, err := roster.ByAccount(tx, number)
		id = client.ID
		return err
	})
	return id, err
}

func reviewRequest(agent access.Agent) access.Request {
	return access.Request{Agent: agent, Action: access.PaymentReview, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
}
