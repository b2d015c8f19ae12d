package vault

import (
	"bytes"
	"encoding/binary"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal/sealtest"
)

// canary is a row of the tests of compartments: one text in each layer.
type canary struct {
	Text string `cbor:"1,keyasint"`
}

// bucketNotes is a bucket of the compartment that no table of Coffer uses yet.
var bucketNotes = Bucket{0x0070, "notes", Chart, D3, 1}

var (
	canaryClients = NewTable[canary, canary](BucketClients, NewIndex("word", func(r Row[canary, canary]) []string { return []string{r.Private.Text} }))
	canaryNotes   = NewJournal[canary, canary](bucketNotes)
	canarySlips   = NewJournal[canary, canary](BucketReceipts)
	canaryEntries = NewJournal[canary, None](BucketEntries)
	canaryTables  = []AnyTable{canaryClients, canaryNotes, canarySlips, canaryEntries}
)

// canaries opens a store with a canary of each client in each layer of each
// bucket, and returns it with the clients. It is not closed by the test's end.
func canaries(t *testing.T, clients int) (*Vault, []ident.ID[ident.Client]) {
	t.Helper()
	o := Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: canaryTables, MapBytes: 1 << 30}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	var ids []ident.ID[ident.Client]
	for i := range clients {
		id := ident.ID[ident.Client]{1, byte(i >> 8), byte(i), 1}
		ids = append(ids, id)
		err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error { return plantCanaries(tx, id) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return v, ids
}

var canaryWriting = access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None, Purpose: access.Operations}

var canaryBackup = access.Request{Agent: accesstest.Agent(access.IT), Action: access.BackupWrite, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}

func plantCanaries(tx *Tx, id ident.ID[ident.Client]) error {
	text := id.String()
	if _, err := canaryClients.Insert(tx, Row[canary, canary]{Client: id, Shared: canary{"identity-shared-" + text}, Private: canary{"identity-private-" + text}}); err != nil {
		return err
	}
	if _, err := canaryNotes.Insert(tx, Row[canary, canary]{Client: id, Shared: canary{"chart-shared-" + text}, Private: canary{"chart-private-" + text}}); err != nil {
		return err
	}
	if _, err := canarySlips.Insert(tx, Row[canary, canary]{Client: id, Shared: canary{"ledger-shared-" + text}, Private: canary{"ledger-private-" + text}}); err != nil {
		return err
	}
	_, err := canaryEntries.Insert(tx, Row[canary, None]{Shared: canary{"ledger-entry-" + text}})
	return err
}

// storedOf returns every stored value of the latest commit.
func storedOf(t *testing.T, v *Vault) []Stored {
	t.Helper()
	s, err := v.Snapshot(t.Context(), canaryBackup)
	if err != nil {
		t.Fatal(err)
	}
	var all []Stored
	for r, err := range s.Records() {
		if err != nil {
			t.Fatal(err)
		}
		r.Value = bytes.Clone(r.Value)
		all = append(all, r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// thief has some keys of the keyring and tries each of them on everything.
type thief struct{ keys []*dataKey }

// steal unwraps what a root's keys of the given compartments unwrap.
func steal(root *rootKeys, all []Stored, scopes ...Scope) *thief {
	t := &thief{}
	for _, r := range all {
		for _, scope := range scopes {
			only := &rootKeys{generation: root.generation}
			for i := range only.ring { // each key tried on each entry, whatever the entry says of itself
				only.ring[i] = root.ring[scope]
			}
			if r.Bucket != keyringID {
				continue
			}
			if k, err := unwrap(only, uint32(r.Key), r.Value); err == nil {
				t.keys = append(t.keys, k)
			}
		}
	}
	return t
}

// loot returns all plaintext that the keys open, of both layers.
func (t *thief) loot(all []Stored) []byte {
	var out []byte
	for _, r := range all {
		if len(r.Value) < valueOverhead {
			continue
		}
		for _, k := range t.keys {
			plain, err := k.aead().Open(nil, nil, r.Value[valueHead:], aadOf(r.Bucket, binary.BigEndian.Uint32(r.Value[1:]), r.Key))
			if err == nil {
				out = append(append(out, plain...), t.inner(r, plain)...)
			}
		}
	}
	return out
}

// inner opens the client's layer of a record with any key.
func (t *thief) inner(r Stored, plain []byte) (out []byte) {
	from := plainHead + binary.BigEndian.Uint32(plain[10:])
	n := binary.BigEndian.Uint32(plain[14:])
	if n == 0 {
		return nil
	}
	private := plain[from : from+n]
	for _, k := range t.keys {
		got, err := k.aead().Open(nil, nil, private[4:], aadOf(r.Bucket, binary.BigEndian.Uint32(private), r.Key))
		if err == nil {
			out = append(out, got...)
		}
	}
	return out
}

// TestOneCompartmentOpensNothingOfTheOthers: the key of one compartment, tried
// on every stored value with all that it unwraps, opens that one alone.
func TestOneCompartmentOpensNothingOfTheOthers(t *testing.T) {
	v, ids := canaries(t, 5)
	defer v.Close()
	all := storedOf(t, v)
	words := map[string]Scope{"identity-": Identity, "chart-": Chart, "ledger-": Ledger, `"act":`: Audit}
	for _, scope := range []Scope{Identity, Service, Tokens, Ledger, Audit, Box, Chart} {
		loot := steal(v.state.root, all, scope).loot(all)
		for word, of := range words {
			if n := bytes.Count(loot, []byte(word)); (n > 0) != (scope == of) {
				t.Errorf("compartment %d: %d times %q", scope, n, word)
			}
		}
	}
	loot := steal(v.state.root, all, Identity, Ledger, Chart).loot(all)
	for _, id := range ids {
		for _, word := range []string{"identity-private-", "chart-private-", "ledger-private-", "identity-shared-"} {
			if !bytes.Contains(loot, []byte(word+id.String())) {
				t.Errorf("with all keys %s is not found: the search is blind", word)
			}
		}
	}
}

// TestKeyringEntriesStayInTheirPlaces exchanges and removes entries of the
// keyring in what a store is built from.
func TestKeyringEntriesStayInTheirPlaces(t *testing.T) {
	v, _ := canaries(t, 2)
	all := storedOf(t, v)
	o := v.Options()
	root := v.state.root
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, r := range all {
		if r.Bucket != keyringID {
			continue
		}
		k, err := unwrap(root, uint32(r.Key), r.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case k.use == useClient && k.owner[2] == 0 && k.scope == Identity:
			at["client"] = i
		case k.use == useClient && k.owner[2] == 0 && k.scope == Chart:
			at["chart"] = i
		case k.use == useClient && k.owner[2] == 1 && k.scope == Identity:
			at["other"] = i
		case k.use == useBucket && k.scope == Ledger:
			at["bucket"] = i
		}
	}
	exchange := func(a, b string) func([]Stored) []Stored {
		return func(r []Stored) []Stored {
			r[at[a]].Value, r[at[b]].Value = r[at[b]].Value, r[at[a]].Value
			return r
		}
	}
	for name, c := range map[string]struct {
		change func([]Stored) []Stored
		what   fault.Code
	}{
		"between clients":       {exchange("client", "other"), "a key is damaged"},
		"between compartments":  {exchange("client", "chart"), "a key is damaged"},
		"bucket's and client's": {exchange("bucket", "client"), "a key is damaged"},
		"compartment renamed": {func(r []Stored) []Stored {
			r[at["client"]].Value[valueHead] = byte(Chart)
			return r
		}, "a key is damaged"},
		"no such compartment": {func(r []Stored) []Stored {
			r[at["client"]].Value[valueHead] = byte(scopeEnd)
			return r
		}, "a key is damaged"},
		"moved": {func(r []Stored) []Stored {
			r[at["client"]].Value = r[at["other"]].Value
			return r
		}, "a key is damaged"},
		"removed": {func(r []Stored) []Stored {
			return append(r[:at["client"]:at["client"]], r[at["client"]+1:]...)
		}, "the key of the record is not in the keyring"},
	} {
		t.Run(name, func(t *testing.T) {
			var records []Stored
			for _, r := range all {
				r.Value = bytes.Clone(r.Value)
				records = append(records, r)
			}
			records = c.change(records)
			c := c
			to := o
			to.Dir = t.TempDir() + "/copy"
			err := Build(to.Dir, func(yield func(Stored, error) bool) {
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), accesstest.System("test"), to)
			if f := findingOf(err); f == nil || f.What != c.what {
				t.Fatalf("opened with %v", err)
			}
		})
	}
}
