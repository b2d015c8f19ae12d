package roster

import (
	"context"
	"iter"
	"slices"
	"strings"
	"unicode"

	"coffer/internal/access"
	"coffer/internal/fault"
	"coffer/internal/vault"
)

// HitsMax is the greatest number of clients that one search shows.
const HitsMax = 20

// LettersMin is the least number of letters and digits that a search needs.
const LettersMin = 3

// The greatest size of a search, far above any name.
const (
	textMax  = 200 // bytes
	wordsMax = 8
)

// Hits is the answer to a search: at most HitsMax clients in order of name.
type Hits struct {
	Clients []Client
	More    bool // there were others: ask for another letter
}

// Find returns the clients of whom each word of text begins a word of the
// name, or the account number. The text is not recorded, the number of hits is.
func (r *Roster) Find(ctx context.Context, agent access.Agent, text string) (Hits, error) {
	words := strings.Fields(fold(text))
	if len(text) > textMax || len(words) > wordsMax {
		return Hits{}, fault.New(fault.Invalid, "Type part of one name, or an account number.")
	}
	if lettersIn(words) < LettersMin {
		return Hits{}, fault.New(fault.Invalid, "Type at least three letters of the name, or the account number.")
	}
	var hits Hits
	err := r.vault.View(ctx, request(agent, access.ClientFind, access.None), func(tx *vault.Tx) error {
		var err error
		hits, err = find(tx, words)
		tx.Detail("hits", fault.Int(len(hits.Clients)))
		return err
	})
	if err != nil {
		return Hits{}, err
	}
	slices.SortFunc(hits.Clients, func(a, b Client) int {
		if c := strings.Compare(fold(a.Name.Reveal()), fold(b.Name.Reveal())); c != 0 {
			return c
		}
		return strings.Compare(string(a.Account), string(b.Account))
	})
	return hits, nil
}

// find walks the index from each of the words in turn and keeps the clients
// whom all words fit. Whoever fits is in the range of every word, so the walk
// is over as soon as the shortest range is: a rare word beside a common one
// makes the search quick.
func find(tx *vault.Tx, words []string) (Hits, error) {
	var nexts []func() (clientRow, error, bool)
	for _, w := range words {
		next, stop := iter.Pull2(clients.Between(tx, "word", w, w+lastLetter))
		defer stop()
		nexts = append(nexts, next)
	}
	var hits Hits
	seen := map[uint64]bool{}
	for turn := 0; ; turn++ {
		row, err, ok := nexts[turn%len(nexts)]()
		switch {
		case err != nil:
			return Hits{}, err
		case !ok:
			return hits, nil
		case seen[row.Key] || !fits(searchKeys(row), words):
			continue
		case len(hits.Clients) == HitsMax:
			hits.More = true
			return hits, nil
		}
		seen[row.Key] = true
		hits.Clients = append(hits.Clients, clientOf(row))
	}
}

const lastLetter = "\U0010FFFF"

func fits(keys, words []string) bool {
	for _, w := range words {
		if !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, w) }) {
			return false
		}
	}
	return true
}

// searchKeys returns what a client can be found by: each word of the name and
// each part of a double name, the account number, and its digits without the
// leading zeros.
func searchKeys(r clientRow) []string {
	keys := strings.Fields(fold(r.Private.Name.Reveal()))
	for _, word := range keys {
		if parts := strings.Split(word, "-"); len(parts) > 1 {
			keys = append(keys, parts[1:]...)
		}
	}
	account := strings.ToLower(string(r.Shared.account()))
	keys = append(keys, account, strings.TrimLeft(account, "p-0"))
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" })
}

func lettersIn(words []string) int {
	n := 0
	for _, w := range words {
		for _, r := range w {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				n++
			}
		}
	}
	return n
}
