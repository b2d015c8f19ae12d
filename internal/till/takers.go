package till

import (
	"time"

	"coffer/internal/ident"
	"coffer/internal/vault"
)

// Takers returns the sign-in names of the people who began payments, voids and
// refunds that moved money, from an instant up to another, which is left out.
func Takers(tx *vault.Tx, from, until time.Time) ([]string, error) {
	var names []string
	start := uint64(max(from.UnixMilli(), 0))
	for row, err := range attempts.Between(tx, indexDay, vault.Uint64Key(start), timeKey(until)) {
		if err != nil {
			return nil, err
		}
		if row.Shared.Result.moved() {
			names = append(names, row.Shared.Cashier)
		}
	}
	return names, nil
}

// TakersOf returns the sign-in names of those who took payments of a client
// since an instant, or gave some back.
func TakersOf(tx *vault.Tx, client ident.ID[ident.Client], since time.Time) ([]string, error) {
	var names []string
	for row, err := range attempts.Between(tx, indexClient, clientKey(client, since), client.String()+"0") {
		if err != nil {
			return nil, err
		}
		if row.Shared.Result.moved() {
			names = append(names, row.Shared.Cashier)
		}
	}
	return names, nil
}
