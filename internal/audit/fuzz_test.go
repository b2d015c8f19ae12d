package audit

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzCheckpoint: what is read is exactly what would be written, and no note
// is accepted that the keys have not signed.
func FuzzCheckpoint(f *testing.F) {
	w := newSpecimen(f, 4, 2)
	keys := w.keys()
	f.Add(w.heads[2].Note)
	f.Add([]byte(w.heads[2].Text()))
	f.Add(bytes.ReplaceAll(w.heads[2].Note, []byte("\n"), []byte("\r\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCheckpoint(string(b)); err == nil && c.Text() != string(b) {
			t.Errorf("%q was accepted and is not canonical", b)
		}
		s, err := OpenCheckpoint(b, keys)
		if err == nil && (s.Head != w.heads[s.Size].Head || s.Quote == nil) {
			t.Errorf("%q was accepted", b)
		}
		if k, err := ParseKeys(string(b)); err == nil && k.Text() != string(b) {
			t.Errorf("keys %q were accepted and are not canonical", b)
		}
	})
}

// FuzzQuote: no attestation makes the reader fail otherwise than by ErrQuote.
func FuzzQuote(f *testing.F) {
	p := newPretendTPM(f, 1)
	extra := LeafHash(nil)
	f.Add(p.attest(extra))
	f.Add(binary.BigEndian.AppendUint32(nil, attestMagic))
	f.Fuzz(func(t *testing.T, attest []byte) {
		q, err := parseQuote(attest, extra)
		if err == nil && (!bytes.Contains(attest, extra[:]) || len(q.PCRDigest) > len(attest)) {
			t.Errorf("%x was read as %+v", attest, q)
		}
		if err != nil && err != ErrQuote {
			t.Errorf("%x: %v", attest, err)
		}
		if _, err := openQuote(&p.key.PublicKey, attest, attest); err == nil {
			t.Errorf("%x was taken for a signed quote", attest)
		}
	})
}

// FuzzExport: a verification ends, and finds something wrong with whatever is
// not the export that was made.
func FuzzExport(f *testing.F) {
	w := newSpecimen(f, 4, 2)
	trust := w.trust()
	var texts [][]byte
	for _, r := range w.records {
		texts = append(texts, r.Leaf)
	}
	f.Add(w.export(w.records))
	f.Add(w.export(w.records[:2]))
	f.Add([]byte(lineExport + `"` + testOrigin + `"}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := VerifyExport(bytes.NewReader(b), trust)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) > findingsMax {
			t.Errorf("%d findings", len(r.Findings))
		}
		if len(r.Findings) > 0 {
			return
		}
		if r.Last.Head != w.heads[r.Events].Head {
			t.Errorf("an export was accepted that was never signed: %q", b)
		}
		for i := range texts[:r.Events-r.Withheld] {
			if r.Withheld == 0 && !bytes.Contains(b, texts[i]) {
				t.Errorf("event %d was changed: %q", i, b)
			}
		}
	})
}

// FuzzProof: no bytes prove what is not so.
func FuzzProof(f *testing.F) {
	var tree Tree
	var heads []Head
	for i := range 20 {
		heads = append(heads, tree.Head())
		tree.grow(LeafHash([]byte{byte(i)}))
	}
	f.Add(uint8(3), uint8(7), []byte{})
	f.Add(uint8(8), uint8(16), bytes.Repeat([]byte{1}, 64))
	f.Fuzz(func(t *testing.T, old, size uint8, b []byte) {
		o, s := int(old)%20, int(size)%20
		var proof []Hash
		for len(b) >= 32 {
			proof = append(proof, Hash(b[:32]))
			b = b[32:]
		}
		forged := heads[o]
		forged.Root[0] ^= 1
		if CheckConsistency(proof, forged, heads[s]) == nil {
			t.Errorf("a forged head of %d events is in %d by %x", o, s, proof)
		}
	})
}
