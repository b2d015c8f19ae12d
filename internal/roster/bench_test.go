package roster_test

import (
	"fmt"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/phi"
	"coffer/internal/roster"
	"coffer/internal/vault"
)

// fill adds n clients, 500 to a commit.
func (w *world) fill(n int) {
	w.t.Helper()
	first := []string{"Ana", "Ben", "Carla", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas"}
	last := []string{"Duarte", "Ito", "Smith", "Okafor", "Lindqvist", "Álvarez", "Novak", "Brandt"}
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}
	for done := 0; done < n; done += 500 {
		err := w.vault.Update(w.t.Context(), r, func(tx *vault.Tx) error {
			for k := done; k < min(done+500, n); k++ {
				name := fmt.Sprintf("%s %s%c%c", first[k%10], last[k/10%8], 'a'+k/80%26, 'a'+k/2080%26)
				if _, err := roster.Create(tx, roster.Details{Name: phi.NewText(name)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// BenchmarkFind is one key press of a search among 10,000 clients: with its
// audit event made durable, and without the wait for the disk.
func BenchmarkFind(b *testing.B) {
	for name, noSync := range map[string]bool{"durable": false, "memory": true} {
		w := openWorld(b, noSync)
		w.fill(10_000)
		for _, text := range []string{"ana", "smith", "ana smi", "ana smithab", "smithab", "p-0042"} {
			b.Run(name+"/"+text, func(b *testing.B) {
				for b.Loop() {
					if hits, err := w.Find(b.Context(), w.desk, text); err != nil || len(hits.Clients) == 0 {
						b.Fatalf("%d hits, %v", len(hits.Clients), err)
					}
				}
			})
		}
	}
}
