package ui_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/chromedp/chromedp"

	"coffer/internal/audit"
	"coffer/internal/terminal/sim"
)

// growth is one case for the browser's check of a consistency proof.
type growth struct {
	A     uint64   `json:"a"`
	B     uint64   `json:"b"`
	One   string   `json:"one"`
	Two   string   `json:"two"`
	Proof []string `json:"proof"`
	Want  bool     `json:"want"`
}

// leaves is a log of numbered leaves, of any size.
func leaves(level int, n uint64) (audit.Hash, error) {
	var t audit.Tree
	for i := n << level; i < (n+1)<<level; i++ {
		t = t.Append(audit.LeafHash(binary.BigEndian.AppendUint64(nil, i)))
	}
	return t.Root(), nil
}

// growths returns every growth between trees of up to max leaves, each with
// its proof, and the same with one thing wrong.
func growths(t *testing.T, max uint64) []growth {
	t.Helper()
	var roots []string
	for size := range max + 1 {
		root, err := audit.RootAt(size, leaves)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, base64.StdEncoding.EncodeToString(root[:]))
	}
	var all []growth
	for b := uint64(2); b <= max; b++ {
		for a := uint64(1); a < b; a++ {
			hashes, err := audit.ProveConsistency(a, b, leaves)
			if err != nil {
				t.Fatal(err)
			}
			proof := []string{}
			for _, h := range hashes {
				proof = append(proof, base64.StdEncoding.EncodeToString(h[:]))
			}
			good := growth{a, b, roots[a], roots[b], proof, true}
			all = append(all, good, good.with(func(g *growth) { g.One = roots[b] }), good.with(func(g *growth) { g.Two = roots[a] }),
				good.with(func(g *growth) { g.Proof = g.Proof[:len(g.Proof)-1] }),
				good.with(func(g *growth) { g.Proof = append(g.Proof, roots[1]) }),
				good.with(func(g *growth) { g.Proof[len(g.Proof)/2] = roots[0] }),
				good.with(func(g *growth) { g.A, g.B = b, a }))
		}
	}
	return all
}

// with returns the growth with something wrong.
func (g growth) with(wrong func(*growth)) growth {
	g.Proof, g.Want = append([]string{}, g.Proof...), false
	wrong(&g)
	return g
}

// The browser's own check of consistency proofs agrees with the auditor's for
// every growth of a small trail, and refuses each of them with one thing wrong.
func TestBrowserChecksConsistency(t *testing.T) {
	c := newClinic(t, sim.Options{})
	b := c.openTab()
	b.enter("/sign-in")
	cases := growths(t, 17)
	text, err := json.Marshal(cases)
	c.must(err)
	wrong := evaluate[[]int](b, `(async (cases) => {
		const wrong = [];
		for (const [i, g] of cases.entries()) if (await consistent(g.a, g.b, g.one, g.two, g.proof) !== g.want) wrong.push(i);
		return wrong;
	})(`+string(text)+`)`, chromedp.EvalAwaitPromise)
	for _, i := range wrong {
		t.Errorf("%d of %d to %d: want %v with proof %v", i, cases[i].A, cases[i].B, cases[i].Want, cases[i].Proof)
	}
}
