package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const testOrigin = "coffer.01jqzz3v5y8x7w6t5r4q3p2n1m/audit"

// pretendTPM signs quotes as a TPM does, with a key that it has in memory.
// Quotes of a real (software) TPM are verified by the vault's tests.
type pretendTPM struct {
	key    *ecdsa.PrivateKey
	clock  uint64
	starts uint32
}

// newPretendTPM returns the TPM of a number: the same in each run, so that
// corpora of fuzz targets stay signed.
func newPretendTPM(t testing.TB, number byte) *pretendTPM {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{number}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &pretendTPM{key: key, starts: 0xfffffffe}
}

func (p *pretendTPM) attest(extra [32]byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, attestMagic)
	b = be.AppendUint16(b, attestQuote)
	b = append(be.AppendUint16(b, 34), make([]byte, 34)...)
	b = append(be.AppendUint16(b, 32), extra[:]...)
	b = be.AppendUint64(b, p.clock)
	b = be.AppendUint32(b, p.starts)
	b = append(be.AppendUint32(b, 0), 1)
	b = be.AppendUint64(b, 42)
	b = append(be.AppendUint32(b, 1), 0, 0x0b, 3, 0x80, 8, 0)
	return append(be.AppendUint16(b, 32), make([]byte, 32)...)
}

func (p *pretendTPM) quote(extra [32]byte) ([]byte, []byte, error) {
	p.clock += 1000
	attest := p.attest(extra)
	digest := sha256.Sum256(attest)
	signature, err := ecdsa.SignASN1(nil, p.key, digest[:])
	return attest, signature, err
}

func (p *pretendTPM) signer(key ed25519.PrivateKey) Signer {
	public, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		panic(err) // the key was made above
	}
	return Signer{testOrigin, key, p.quote, public}
}

// specimen is a made-up trail: its records, and the signed heads at some sizes.
type specimen struct {
	tpm     *pretendTPM
	key     ed25519.PrivateKey
	records []Record
	sizes   []uint64
	heads   map[uint64]Signed
}

func newSpecimen(t testing.TB, events, every int) *specimen {
	t.Helper()
	w := &specimen{tpm: newPretendTPM(t, 1), key: ed25519.NewKeyFromSeed(make([]byte, 32)), heads: map[uint64]Signed{}}
	for i := range events {
		e := sampleEvent(uint64(i))
		o := NewOpening([32]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}, Detail{"purpose", "treatment"}, Detail{"n", fmt.Sprint(i)})
		e.Commit = o.Commit()
		w.records = append(w.records, Record{e.AppendLeaf(nil), o})
		if (i+1)%every == 0 {
			w.sizes = append(w.sizes, uint64(i+1))
		}
	}
	w.sign(t, w.tpm.signer(w.key))
	return w
}

// sign signs the heads of the records as they are.
func (w *specimen) sign(t testing.TB, s Signer) {
	t.Helper()
	var tree Tree
	for _, r := range w.records {
		tree.grow(LeafHash(r.Leaf))
		if slices.Contains(w.sizes, tree.size) {
			signed, err := s.Sign(tree.Head())
			if err != nil {
				t.Fatal(err)
			}
			w.heads[tree.size] = signed
		}
	}
}

func (w *specimen) keys() Keys { return w.tpm.signer(w.key).Keys() }

func (w *specimen) trust() Trust {
	signing, attestation := w.keys().Fingerprints()
	return Trust{Keys: []string{signing, attestation}}
}

// export writes records as they are, with the heads as they were signed.
func (w *specimen) export(records []Record) []byte {
	var b bytes.Buffer
	e := NewExporter(&b, testOrigin)
	e.Keys(w.keys())
	for _, r := range records {
		e.Leaf(r)
		if s, ok := w.heads[e.events]; ok {
			e.Checkpoint(s.Note)
		}
	}
	if err := e.End(); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

func findings(t testing.TB, export []byte, trust Trust) []Fault {
	t.Helper()
	r, err := VerifyExport(bytes.NewReader(export), trust)
	if err != nil {
		t.Fatal(err)
	}
	var found []Fault
	for _, f := range r.Findings {
		found = append(found, f.What)
		if f.What.Text() == "" {
			t.Errorf("the fault %s has no text", f.What)
		}
	}
	return found
}

func TestSoundExport(t *testing.T) {
	w := newSpecimen(t, 300, 50)
	records := slices.Clone(w.records)
	for i := 0; i < 300; i += 3 {
		records[i].Opening = Opening{} // withheld
	}
	trust := w.trust()
	trust.Against = w.heads[150].Note
	r, err := VerifyExport(bytes.NewReader(w.export(records)), trust)
	if err != nil || len(r.Findings) != 0 {
		t.Fatalf("findings %v, %v", r.Findings, err)
	}
	if r.Events != 300 || r.Opened != 200 || r.Checkpoints != 6 || r.Quoted != 6 || !r.Against || r.Last.Head != w.heads[300].Head || r.Origin != testOrigin {
		t.Errorf("report %+v", r)
	}
	trust.Against = []byte(w.heads[150].Text())
	if found := findings(t, w.export(records), trust); found != nil {
		t.Errorf("against the text alone: %v", found)
	}
}

func TestEventsCanBeWithheldWhole(t *testing.T) {
	w := newSpecimen(t, 10, 5)
	var b bytes.Buffer
	e := NewExporter(&b, testOrigin)
	e.Keys(w.keys())
	for i, r := range w.records {
		if i%2 == 0 {
			e.Withheld(LeafHash(r.Leaf))
		} else {
			e.Leaf(r)
		}
		if s, ok := w.heads[e.events]; ok {
			e.Checkpoint(s.Note)
		}
	}
	if err := e.End(); err != nil {
		t.Fatal(err)
	}
	r, err := VerifyExport(&b, w.trust())
	if err != nil || len(r.Findings) != 0 || r.Withheld != 5 || r.Events != 10 {
		t.Errorf("report %+v, %v", r, err)
	}
}

// renumber gives the records the numbers of their places, as a forger would.
func renumber(records []Record) []Record {
	out := slices.Clone(records)
	for i, r := range out {
		e, err := ParseLeaf(r.Leaf)
		if err != nil {
			panic(err) // made by this test
		}
		e.Seq = uint64(i)
		out[i].Leaf = e.AppendLeaf(nil)
	}
	return out
}

// edited returns records with another actor in one event.
func edited(records []Record, at int) []Record {
	out := slices.Clone(records)
	out[at].Leaf = bytes.Replace(out[at].Leaf, []byte("dana"), []byte("omar"), 1)
	return out
}

// TestSevenAttacks is seven attacks at a hundred positions each. The forger
// renumbers what he changed, so that only the tree can tell.
func TestSevenAttacks(t *testing.T) {
	const events, every = 200, 40
	w := newSpecimen(t, events, every)
	last := w.heads[events].Note
	forged := &specimen{tpm: w.tpm, key: w.key, sizes: w.sizes, heads: map[uint64]Signed{}}
	attacks := []struct {
		name  string
		want  []Fault // one of these must be found
		trust Trust
		do    func(at int) []byte
	}{
		{"edit", []Fault{BadRoot}, w.trust(), func(at int) []byte { return w.export(edited(w.records, at)) }},
		{"delete", []Fault{BadRoot, Unsigned}, w.trust(), func(at int) []byte {
			return w.export(renumber(slices.Delete(slices.Clone(w.records), at, at+1)))
		}},
		{"insert", []Fault{BadRoot, Unsigned}, w.trust(), func(at int) []byte {
			return w.export(renumber(slices.Insert(slices.Clone(w.records), at, w.records[events-1-at])))
		}},
		{"reorder", []Fault{BadRoot}, w.trust(), func(at int) []byte {
			r := slices.Clone(w.records)
			r[at], r[at+1] = r[at+1], r[at]
			return w.export(renumber(r))
		}},
		{"truncate", []Fault{Unsigned, SetBack}, Trust{Keys: w.trust().Keys, Against: last}, func(at int) []byte { return w.export(w.records[:at]) }},
		{"roll back", []Fault{SetBack}, Trust{Keys: w.trust().Keys, Against: last}, func(at int) []byte {
			return w.export(w.records[:at/every*every]) // whole, as it was then
		}},
		{"sign again with the stolen Ed25519 key", []Fault{BadQuote}, w.trust(), func(at int) []byte {
			forged.records = edited(w.records, at)
			forged.sign(t, Signer{Origin: testOrigin, Key: w.key})
			for size, s := range forged.heads { // with the TPM's word on the old head, the best he has
				lines := strings.SplitAfter(string(w.heads[size].Note), "\n")
				s.Note = append(s.Note, lines[len(lines)-2]...)
				forged.heads[size] = s
			}
			return forged.export(forged.records)
		}},
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			for i := range 100 {
				at := 1 + i*197/100
				found := findings(t, a.do(at), a.trust)
				if !slices.ContainsFunc(a.want, func(f Fault) bool { return slices.Contains(found, f) }) {
					t.Errorf("at %d: found %v, want one of %v", at, found, a.want)
				}
			}
		})
	}
}

// TestOwnTPMOfTheForger: who makes keys of his own is found by whoever knows
// the fingerprint of the real one.
func TestOwnTPMOfTheForger(t *testing.T) {
	w := newSpecimen(t, 20, 10)
	other := newPretendTPM(t, 2)
	forged := &specimen{tpm: other, key: w.key, records: edited(w.records, 5), sizes: w.sizes, heads: map[uint64]Signed{}}
	forged.sign(t, other.signer(w.key))
	export := forged.export(forged.records)
	if found := findings(t, export, Trust{}); found != nil {
		t.Errorf("the forgery is not even sound: %v", found)
	}
	if found := findings(t, export, w.trust()); !slices.Equal(found, []Fault{BadKey}) {
		t.Errorf("found %v, want the key", found)
	}
	if found := findings(t, export, Trust{Against: w.heads[10].Note}); !slices.Equal(found, []Fault{Fork}) {
		t.Errorf("found %v, want the fork", found)
	}
}

func TestOpeningsBelongToTheirEvents(t *testing.T) {
	w := newSpecimen(t, 10, 5)
	swapped := slices.Clone(w.records)
	swapped[3].Opening, swapped[6].Opening = swapped[6].Opening, swapped[3].Opening
	if found := findings(t, w.export(swapped), w.trust()); !slices.Equal(found, []Fault{BadOpening, BadOpening}) {
		t.Errorf("swapped openings: %v", found)
	}
	changed := slices.Clone(w.records)
	changed[4].Opening.Private = bytes.Replace(changed[4].Opening.Private, []byte("treatment"), []byte("operations"), 1)
	if found := findings(t, w.export(changed), w.trust()); !slices.Equal(found, []Fault{BadOpening}) {
		t.Errorf("changed opening: %v", found)
	}
	redacted := slices.Clone(w.records) // one hides a field of an event that is redacted
	redacted[4].Opening = Opening{}
	redacted[4].Leaf = bytes.Replace(redacted[4].Leaf, []byte(`"outcome":"ok"`), []byte(`"outcome":"denied"`), 1)
	if found := findings(t, w.export(redacted), w.trust()); !slices.Equal(found, []Fault{BadRoot}) {
		t.Errorf("changed field of a redacted event: %v", found)
	}
}

func TestTPMClockGoesForward(t *testing.T) {
	w := newSpecimen(t, 30, 10)
	w.tpm.clock = 0 // as after a restart: the count of starts went up, over its end
	w.tpm.starts += 2
	s, err := w.tpm.signer(w.key).Sign(w.heads[30].Head)
	if err != nil {
		t.Fatal(err)
	}
	w.heads[30] = s
	if found := findings(t, w.export(w.records), w.trust()); found != nil {
		t.Errorf("a restart: %v", found)
	}
	w.tpm.starts -= 1
	if s, err = w.tpm.signer(w.key).Sign(w.heads[20].Head); err != nil {
		t.Fatal(err)
	}
	w.heads[20] = s
	if found := findings(t, w.export(w.records), w.trust()); found != nil {
		t.Errorf("two restarts: %v", found)
	}
	w.tpm.starts += 5
	if s, err = w.tpm.signer(w.key).Sign(w.heads[20].Head); err != nil {
		t.Fatal(err)
	}
	w.heads[20] = s
	if found := findings(t, w.export(w.records), w.trust()); !slices.Equal(found, []Fault{BadClock}) {
		t.Errorf("a checkpoint that was signed after its successor: %v", found)
	}
}

// TestHostileExports: none of these may be accepted, take much memory, or
// stop the verification in any way but by a finding.
func TestHostileExports(t *testing.T) {
	w := newSpecimen(t, 4, 2)
	sound := string(w.export(w.records))
	checkpoint := string(w.heads[4].Note)
	quoted := string(appendString(nil, checkpoint))
	replace := func(old, with string) string {
		changed := strings.Replace(sound, old, with, 1)
		if changed == sound {
			t.Fatalf("the export has no %q", old)
		}
		return changed
	}
	body := func(text string) string { return replace(quoted, string(appendString(nil, text))) }
	sig := strings.SplitAfter(checkpoint, "\n")[4]
	for _, c := range []struct {
		name, export string
		want         Fault
	}{
		{"empty", "", Truncated},
		{"not an export", "PK\x03\x04", Truncated},
		{"another format", "{}\n", BadLine},
		{"version 2", replace(`"v":1`, `"v":2`), BadLine},
		{"CRLF", strings.ReplaceAll(sound, "\n", "\r\n"), BadLine},
		{"CRLF in a checkpoint", body(strings.ReplaceAll(checkpoint, "\n", "\r\n")), BadCheckpoint},
		{"huge size", body(strings.Replace(checkpoint, "\n4\n", "\n"+strings.Repeat("9", 1000)+"\n", 1)), BadCheckpoint},
		{"size of 2^63", body(strings.Replace(checkpoint, "\n4\n", "\n9223372036854775808\n", 1)), BadCheckpoint},
		{"negative size", body(strings.Replace(checkpoint, "\n4\n", "\n-4\n", 1)), BadCheckpoint},
		{"size with a plus", body(strings.Replace(checkpoint, "\n4\n", "\n+4\n", 1)), BadCheckpoint},
		{"size with a zero", body(strings.Replace(checkpoint, "\n4\n", "\n04\n", 1)), BadCheckpoint},
		{"duplicate signature", body(checkpoint + sig), BadCheckpoint},
		{"a hundred signatures", body(checkpoint + strings.Repeat("— x AAAAAAAA\n", 100)), BadCheckpoint},
		{"no signature", body(checkpoint[:strings.Index(checkpoint, "\n\n")+2]), BadCheckpoint},
		{"no quote", body(strings.TrimSuffix(checkpoint, strings.SplitAfter(checkpoint, "\n")[5])), BadQuote},
		{"no Ed25519", body(strings.Replace(checkpoint, sig, "", 1)), BadSignature},
		{"trailing bytes in the checkpoint", body(checkpoint + "x"), BadCheckpoint},
		{"extension line", body(strings.Replace(checkpoint, "\n\n", "\nx\n\n", 1)), BadCheckpoint},
		{"other origin", body(strings.Replace(checkpoint, "coffer.01", "coffer.02", 1)), BadSignature},
		{"checkpoint twice", replace(`{"end"`, `{"checkpoint":`+quoted+"}\n"+`{"end"`), BadOrder},
		{"no end", strings.TrimSuffix(sound, "{\"end\":{\"events\":4}}\n"), Truncated},
		{"half a line at the end", strings.TrimSuffix(sound, "}\n"), Truncated},
		{"trailing bytes", sound + "x\n", Trailing},
		{"trailing newline", sound + "\n", Trailing},
		{"end names more", replace(`"events":4`, `"events":5`), BadSequence},
		{"end names nonsense", replace(`"events":4`, `"events":99999999999999999999999`), BadLine},
		{"leaf twice", replace(string(w.records[2].Leaf), string(w.records[1].Leaf)), BadSequence},
		{"leaf is not canonical", replace(`"v":1,"seq"`, `"v": 1,"seq"`), BadLeaf},
		{"opening before its leaf", replace(`{"leaf"`, `{"opening":{"salt":"`+strings.Repeat("00", 32)+`","private":{}}}`+"\n"+`{"leaf"`), BadOpening},
		{"opening with more members", replace(`"private":{"purpose":"treatment"`, `"private":{"purpose":"treatment","x":{}`), BadOpening},
		{"opening of odd salt", replace(`"salt":"01`, `"salt":"1`), BadLine},
		{"a key of another trail", replace(string(appendString(nil, w.keys().Text())), string(appendString(nil, strings.ReplaceAll(w.keys().Text(), "coffer.01", "coffer.02")))), BadLine},
		{"unknown line", replace(`{"end"`, "{\"path\":\"/etc/passwd\"}\n{\"end\""), BadLine},
		{"very long line", replace(`{"end"`, `{"verify":"`+strings.Repeat("a", 3<<20)+"\"}\n{\"end\""), BadLine},
		{"zero bytes", sound[:200] + strings.Repeat("\x00", 4<<20), BadLine},
	} {
		if found := findings(t, []byte(c.export), w.trust()); !slices.Contains(found, c.want) {
			t.Errorf("%s: found %v, want %v", c.name, found, c.want)
		}
	}
	for _, old := range []string{"x", "a\n1\nb\n", strings.Repeat("\n", 1<<20), strings.Replace(checkpoint, "coffer.01", "coffer.02", 1)} {
		if found := findings(t, []byte(sound), Trust{Against: []byte(old)}); !slices.Contains(found, BadAgainst) {
			t.Errorf("against %.20q: found %v", old, found)
		}
	}
}
