package vault

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// attested makes a store whose checkpoints a software TPM signs, with two
// checkpoints and some events between.
func attested(t *testing.T) *Vault {
	t.Helper()
	key := sealtest.Key(t)
	o := Options{Dir: t.TempDir() + "/store", Key: key, MapBytes: 1 << 30, Attestor: seal.NewAttestor(sealtest.TPM(t), key)}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		for range 40 {
			if err := v.Record(t.Context(), v.clockRequest(), audit.OK); err != nil {
				t.Fatal(err)
			}
		}
		v.checkpointIfNew()
	}
	return v
}

func exported(t *testing.T, v *Vault) []byte {
	t.Helper()
	r := access.Request{Agent: accesstest.Agent(access.Officer), Action: access.AuditExport, Entity: access.None, Purpose: access.Operations}
	var b bytes.Buffer
	if _, err := v.ExportTrail(t.Context(), r, &b, TrailQuery{}, true); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func examined(t *testing.T, export []byte, trust audit.Trust) (audit.Report, []audit.Fault) {
	t.Helper()
	r, err := audit.VerifyExport(bytes.NewReader(export), trust)
	if err != nil {
		t.Fatal(err)
	}
	var found []audit.Fault
	for _, f := range r.Findings {
		found = append(found, f.What)
	}
	return r, found
}

func TestTPMSignsCheckpoints(t *testing.T) {
	v := attested(t)
	s, _ := v.LatestCheckpoint()
	if s.Quote == nil || s.Quote.Clock == 0 || len(s.Quote.PCRDigest) != 32 {
		t.Fatalf("the quote is %+v", s.Quote)
	}
	signing, attestation := v.AuditKeys().Fingerprints()
	r, found := examined(t, exported(t, v), audit.Trust{Keys: []string{signing, attestation}})
	if len(found) != 0 || r.Quoted != 2 || r.Checkpoints != 2 {
		t.Errorf("report %+v", r)
	}
	if _, err := audit.OpenCheckpoint(bytes.Replace(s.Note, []byte("\n82\n"), []byte("\n83\n"), 1), v.AuditKeys()); err == nil {
		t.Error("a changed checkpoint was accepted")
	}
}

// TestStolenSigningKey rewrites one event and signs all again with the store's
// own Ed25519 key. Without the TPM that made the quotes nothing helps: not the
// old quotes, not none, not those of another TPM.
func TestStolenSigningKey(t *testing.T) {
	v := attested(t)
	signer := v.signer(t.Context(), v.state)
	_, attestation := signer.Keys().Fingerprints()
	trust := audit.Trust{Keys: []string{attestation}}
	noTPM := signer
	noTPM.Quote, noTPM.Attestation = nil, nil
	device := sealtest.Another(t)
	otherKey, err := seal.Provision(t.Context(), device, t.TempDir()+"/coffer.seal", seal.Setup{Now: v.clock()})
	if err != nil {
		t.Fatal(err)
	}
	defer otherKey.Wipe()
	other := seal.NewAttestor(device, otherKey)
	foreign := signer
	foreign.Attestation = other.Public()
	foreign.Quote = func(extra [32]byte) ([]byte, []byte, error) { return other.Quote(t.Context(), extra) }
	stale := func(extra [32]byte) ([]byte, []byte, error) { // the TPM's word on another head
		return v.options.Attestor.Quote(t.Context(), [32]byte{})
	}
	old := signer
	old.Quote = stale
	if _, err := old.Sign(audit.Head{Size: 1}); !errors.Is(err, audit.ErrQuote) {
		t.Errorf("a note with the quote of another: %v", err)
	}
	for name, c := range map[string]struct {
		signer audit.Signer
		keys   audit.Keys
		want   audit.Fault
	}{
		"no quote":              {noTPM, signer.Keys(), audit.BadQuote},
		"no quote and no key":   {noTPM, noTPM.Keys(), audit.BadKey},
		"quote of another TPM":  {foreign, signer.Keys(), audit.BadQuote},
		"another TPM's key too": {foreign, foreign.Keys(), audit.BadKey},
	} {
		if _, found := examined(t, resigned(t, v, c.signer, c.keys, 20), trust); !slices.Contains(found, c.want) {
			t.Errorf("%s: found %v, want %v", name, found, c.want)
		}
	}
}

// resigned exports the trail with event at changed and each checkpoint made
// anew.
func resigned(t *testing.T, v *Vault, s audit.Signer, keys audit.Keys, at uint64) []byte {
	t.Helper()
	p, st, err := v.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	tx := &Tx{state: st, pages: p}
	var b bytes.Buffer
	w := audit.NewExporter(&b, s.Origin)
	w.Keys(keys)
	var tree audit.Tree
	for seq := range st.trail.head.signed.Size {
		r, err := tx.event(seq)
		if err != nil {
			t.Fatal(err)
		}
		if seq == at {
			r.Leaf = bytes.Replace(r.Leaf, []byte(`"outcome":"ok"`), []byte(`"outcome":"denied"`), 1)
		}
		w.Leaf(r)
		tree = tree.Append(audit.LeafHash(r.Leaf))
	}
	signed, err := s.Sign(tree.Head())
	if err != nil {
		t.Fatal(err)
	}
	w.Checkpoint(signed.Note)
	if err := errors.Join(w.End(), p.close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
