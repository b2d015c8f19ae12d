package ui_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
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

// The browser keeps the last checkpoint over sign-outs and restarts, is content
// while the trail grows, and alarms when an older state of the store was put
// back behind the server's back; only the privacy officer, with the evidence
// saved, goes on from there, and that is on record.
func TestBrowserWitnessesTheTrail(t *testing.T) {
	c := newClinic(t, sim.Options{})
	it := accesstest.Agent(access.IT)
	sign := func() {
		t.Helper()
		_, err := c.ops.SignCheckpoint(t.Context(), it)
		c.must(err)
	}
	older := t.TempDir() + "/older"
	sign()
	c.restart(sim.Options{}, func(dir string) { c.must(os.CopyFS(older, os.DirFS(dir))) })
	sign()
	b := c.openTab()
	kept := func(more int) int {
		t.Helper()
		b.until(fmt.Sprintf(`JSON.parse(localStorage.getItem('coffer-witness'))?.size > %d`, more))
		return evaluate[int](b, `JSON.parse(localStorage.getItem('coffer-witness')).size`)
	}
	b.signIn(c, "desk")
	first := kept(0)
	sign()
	b.signIn(c, "rivera")
	second := kept(first)
	if found := evaluate[string](b, `JSON.stringify({...localStorage, ...sessionStorage})`); strings.Contains(found, "Quintanar") || strings.Count(found, "coffer-") < 1 {
		t.Errorf("the browser keeps %s", found)
	}
	b.do(chromedp.Navigate("about:blank"))
	c.restart(sim.Options{}, func(string) {})
	sign()
	b.signIn(c, "rivera")
	kept(second)
	if evaluate[bool](b, `!!document.querySelector('#witness')`) {
		t.Fatal("the browser alarms at a trail that has only grown")
	}

	b.do(chromedp.Navigate("about:blank"))
	c.restart(sim.Options{}, func(dir string) {
		c.must(os.RemoveAll(dir))
		c.must(os.CopyFS(dir, os.DirFS(older)))
		c.must(os.Chmod(dir, 0o700))
	})
	from := c.vault.Status().Events
	c.restored("the old disk broke, the owner agreed")
	b.signIn(c, "rivera")
	b.until(`document.querySelector('#witness')?.innerText.includes('The audit trail has become shorter')`)
	b.until(`document.querySelector('#witness').innerText.includes('The box itself says that an earlier state was put in place on purpose')`)
	b.accessible("witness-alarm")
	b.fitsPhone("witness-alarm")
	c.awaitEvent(from, access.AuditWitness, "witness", "back")
	b.enter("/help") // on every page
	b.until(`!!document.querySelector('#witness') && !document.querySelector('#witness button')`)
	if !evaluate[bool](b, `(({href, download}) => href.startsWith('blob:') && download.endsWith('.json'))(document.querySelector('#witness a'))`) {
		t.Error("the evidence is no file to save")
	}
	evidence := evaluate[string](b, `localStorage.getItem('coffer-alarm')`)
	for _, want := range []string{`"why":"back"`, `"kept"`, `"shown"`, `"proof"`, `"note"`} {
		if !strings.Contains(evidence, want) {
			t.Errorf("the evidence lacks %s: %s", want, evidence)
		}
	}
	b.signIn(c, "privacy")
	b.until(`!!document.querySelector('#witness button')`)
	evaluate[any](b, `document.querySelector('#witness button').click(); 0`)
	b.until(`document.querySelector('#witness button').innerText.includes('Save the evidence first')`)
	evaluate[any](b, `document.querySelector('#witness a').click(); document.querySelector('#witness button').click(); 0`)
	b.until(`!document.querySelector('#witness') && !localStorage.getItem('coffer-alarm')`)
	c.awaitEvent(from, access.AuditWitness, "kept", "")
	b.do(chromedp.Navigate("about:blank")) // the last server closes before the window does
}

// A trail that was set back and has grown past what the browser keeps is found
// out by the proof, not by its size; one of another store by its name.
func TestBrowserAlarmsAtARewrittenTrail(t *testing.T) {
	c := newClinic(t, sim.Options{})
	sign := func() {
		t.Helper()
		_, err := c.ops.SignCheckpoint(t.Context(), accesstest.Agent(access.IT))
		c.must(err)
	}
	sign()
	b := c.openTab()
	b.signIn(c, "desk")
	b.until(`!!localStorage.getItem('coffer-witness')`)
	good := evaluate[string](b, `localStorage.getItem('coffer-witness')`)
	for why, change := range map[string]string{
		"rewritten": `kept.root = kept.root.replace(/^./, (x) => x === 'A' ? 'B' : 'A')`, "other": `kept.origin = 'coffer.another/audit'`,
	} {
		sign()
		evaluate[any](b, `(() => { localStorage.removeItem('coffer-alarm'); const kept = `+good+`;
			`+change+`; kept.session = ''; localStorage.setItem('coffer-witness', JSON.stringify(kept)); })(); 0`)
		b.enter("/today")
		b.until(`JSON.parse(localStorage.getItem('coffer-alarm'))?.why === '` + why + `'`)
		b.until(`!!document.querySelector('#witness')`)
	}
}

// restored puts a restore on record as package backup does.
func (c *clinic) restored(reason string) {
	c.t.Helper()
	r := access.Request{Agent: accesstest.System("backup"), Action: access.StoreRestore, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}
	c.must(c.vault.Record(c.t.Context(), r, audit.OK, audit.Detail{Key: "reason", Value: reason}))
}

// What a browser found is shown to IT and to the privacy officer until the
// officer has said what explains it, over a restart too. IT reads no word that
// a person typed.
func TestAlarmOfAWitnessStandsUntilItIsJudged(t *testing.T) {
	const heading, reason = "A browser says that the trail was changed", "Zelda asked for her old disk"
	c := newClinic(t, sim.Options{})
	officer, it := c.signIn("privacy"), c.signIn("boxes")
	if a := officer.get("/audit"); strings.Contains(a.body, heading) {
		t.Error("an alarm before there was any")
	}
	c.signIn("desk").raise("back")
	officer.get("/audit").says(t, http.StatusOK, heading, "the audit trail has become shorter", "knows of no restore")
	it.get("/appliance").says(t, http.StatusOK, "Witness: a browser found, less than an hour ago, that the audit trail has become shorter")

	c.restart(sim.Options{}, func(string) {})
	c.restored(reason)
	page := officer.get("/audit")
	page.says(t, http.StatusOK, heading, reason, "an earlier state was put in place on purpose")
	box := it.get("/appliance")
	box.says(t, http.StatusOK, "Witness: a browser found", "put in place on purpose")
	if strings.Contains(box.body, "Zelda") {
		t.Error("IT reads what a person typed")
	}
	form := page.fill(t, "/audit/alarm", url.Values{"finding": {"all well"}})
	officer.post("/audit/alarm", form).says(t, http.StatusUnprocessableEntity, heading, "Say what you found", `value="all well"`)
	it.post("/audit/alarm", url.Values{"csrf": {box.fill(t, "/lock", nil).Get("csrf")}, "finding": {"I did nothing wrong"}}).says(t, http.StatusForbidden)
	form.Set("finding", "The owner had the box restored this morning.")
	if a := officer.post("/audit/alarm", form); a.url.Path != "/audit" || strings.Contains(a.body, heading) {
		t.Errorf("the alarm goes on:\n%s", a.body)
	}
	if a := it.get("/appliance"); strings.Contains(a.body, "Witness:") {
		t.Error("IT still sees the alarm")
	}
	officer.post("/audit/alarm", form).says(t, http.StatusNotFound, "was judged already")
	c.awaitEvent(0, access.AuditRead, "judged", "back")
}

// raise has the browser complain as witness.js does.
func (b *browser) raise(why string) {
	b.c.t.Helper()
	token := b.get("/help").fill(b.c.t, "/lock", nil).Get("csrf")
	a := b.post("/witness/alarm", url.Values{"csrf": {token}, "why": {why}, "kept": {"120"}, "shown": {"80"}})
	a.says(b.c.t, http.StatusNoContent)
}
