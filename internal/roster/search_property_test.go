package roster_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/roster"
)

// TestFindIsPrefixSearch compares with the plain reading of what Find
// promises, over words of few letters so that hits are many.
func TestFindIsPrefixSearch(t *testing.T) {
	w := newWorld(t)
	words := rapid.StringMatching(`[ab]{1,4}c?`)
	var everybody []string
	rapid.Check(t, func(t *rapid.T) {
		if len(everybody) < 60 {
			name := strings.Join(rapid.SliceOfN(words, 1, 3).Draw(t, "name"), " ")
			w.create(name)
			everybody = append(everybody, name)
		}
		text := rapid.SliceOfN(words, 1, 2).Draw(t, "text")
		if len(strings.Join(text, "")) < roster.LettersMin {
			return
		}
		want := 0
		for _, name := range everybody {
			if allBegin(strings.Fields(name), text) {
				want++
			}
		}
		hits, err := w.Find(w.t.Context(), w.desk, strings.Join(text, " "))
		if err != nil {
			t.Fatal(err)
		}
		if len(hits.Clients) != min(want, roster.HitsMax) || hits.More != (want > roster.HitsMax) {
			t.Fatalf("%q: %d hits, more %v, want %d", text, len(hits.Clients), hits.More, want)
		}
		seen := map[roster.Account]bool{}
		for _, c := range hits.Clients {
			if seen[c.Account] {
				t.Fatalf("%q: %s comes twice", text, c.Account)
			}
			seen[c.Account] = true
			if !allBegin(strings.Fields(c.Name.Reveal()), text) {
				t.Fatalf("%q: a hit does not fit", text)
			}
		}
	})
}

func allBegin(name, text []string) bool {
	for _, word := range text {
		if !slices.ContainsFunc(name, func(n string) bool { return strings.HasPrefix(n, word) }) {
			return false
		}
	}
	return true
}
