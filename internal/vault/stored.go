package vault

import (
	"iter"

	"github.com/tidwall/btree"

	"coffer/internal/audit"
	"coffer/internal/ident"
	"coffer/internal/seal"
)

// Summary says what the stored values of one commit are. It holds no client's
// data; the set hash is as secret as the records are.
type Summary struct {
	StoreID    ident.ID[ident.Store]
	Seq        uint64 // number of the commit
	Generation uint32 // of the root that opens the values
	Records    uint64 // of all buckets but the vault's own
	Set        []byte // the set hash, 32 bytes
	Head       audit.Head
}

// VerifyStored decrypts every value with the root key and compares the set
// hash, the counts, the keyring and every event of the audit trail with the
// meta record among them, as Open and Check do with a file. The values must
// come in the order of Snapshot.Records; a value is not used after the next.
func VerifyStored(key *seal.Key, records iter.Seq2[Stored, error]) (Summary, error) {
	v := &storedVerifier{scanner: scanner{
		keys:  deriveKeys(key),
		state: &state{keys: new(btree.Map[uint32, *dataKey]), clients: new(btree.Map[string, uint32])},
	}}
	defer v.state.keys.Scan(func(_ uint32, k *dataKey) bool { clear(k.raw[:]); return true })
	for r, err := range records {
		if err == nil {
			err = v.add(r)
		}
		if err != nil {
			return Summary{}, err
		}
	}
	if err := v.finish(); err != nil {
		return Summary{}, err
	}
	if p := v.events.End(v.state.tree); p != nil {
		return Summary{}, damage("audit", p.Position, "the events don't add up to the head of the trail ("+p.What+")")
	}
	s := v.state
	return Summary{v.keys.storeID, s.seq, v.keys.generation, s.records(), s.set.bytes(), s.tree.Head()}, nil
}

// storedVerifier is a scanner of values that come one by one.
type storedVerifier struct {
	scanner
	last   place
	events audit.Verifier
}

func (v *storedVerifier) add(r Stored) error {
	here := place{r.Bucket, r.Key}
	if !v.last.before(here) {
		return damage("stored", r.Key, "the values are not in order")
	}
	v.last = here
	if err := v.take(r.Bucket, r.Key, r.Value); err != nil {
		return err
	}
	if r.Bucket != auditID {
		return nil
	}
	e, err := storedEvent(v.key, r.Key, r.Value)
	if err != nil {
		return located(err, auditBucket, r.Key)
	}
	if p := v.events.Add(e); p != nil {
		return damage("audit", p.Position, "an event is not what was written ("+p.What+")")
	}
	return nil
}
