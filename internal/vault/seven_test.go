package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/seal"
	"coffer/internal/seal/sealtest"
)

// sevenPositions is where each of the seven attacks is tried.
const sevenPositions = 100

// sevenStore makes an anchored and attested store with some more events than
// positions, and what its files were after each of them. They hold no journal.
func sevenStore(t *testing.T) (Options, []map[string][]byte) {
	t.Helper()
	key, device := sealtest.Key(t), sealtest.TPM(t)
	o := Options{Dir: t.TempDir() + "/store", Key: key, Tables: []AnyTable{flipTable}, MapBytes: 1 << 30,
		Attestor: seal.NewAttestor(device, key), Anchor: seal.NewAnchor(device, key)}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	var moments []map[string][]byte
	for range sevenPositions + 10 {
		if err := v.Record(t.Context(), v.clockRequest(), audit.OK); err != nil {
			t.Fatal(err)
		}
		moments = append(moments, map[string][]byte{fileName: usedPages(t, o.Dir), lastName: fileOf(t, o.Dir, lastName)})
	}
	if err := v.Close(); err != nil { // it signs, and anchors
		t.Fatal(err)
	}
	return o, moments
}

func fileOf(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// usedPages returns the pages of the store file that its heads name.
func usedPages(t *testing.T, dir string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHeads(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, max(h.newest.top, h.older.top)*pageBytes)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSevenAttacksOnTheStore is seven attacks on the trail at a hundred
// positions each, by somebody with the disk; the last also has the key that
// signs checkpoints. (TestSevenAttacks of package audit does it to exports.)
func TestSevenAttacksOnTheStore(t *testing.T) {
	o, moments := sevenStore(t)
	b := usedPages(t, o.Dir)
	keys := deriveKeys(o.Key)
	whole, _, err := verifyBytes(b, keys, o.Tables, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, NoSync: true, NoGrowSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	events := eventsOf(t, db)
	for _, a := range []struct {
		name string
		want error
		do   func(at int) [][]byte
	}{
		{"edit", ErrRecordAuth, func(at int) [][]byte {
			e := slices.Clone(events)
			e[at] = bytes.Clone(e[at])
			e[at][len(e[at])/2] ^= 1
			return e
		}},
		{"delete", ErrRecordAuth, func(at int) [][]byte { return slices.Delete(slices.Clone(events), at, at+1) }},
		{"delete and leave a gap", ErrAuditTruncated, func(at int) [][]byte {
			e := slices.Clone(events)
			e[at] = nil
			return e
		}},
		{"insert", ErrRecordAuth, func(at int) [][]byte { return slices.Insert(slices.Clone(events), at, events[at/2]) }},
		{"reorder", ErrRecordAuth, func(at int) [][]byte {
			e := slices.Clone(events)
			e[at], e[at+1] = e[at+1], e[at]
			return e
		}},
		{"truncate", ErrAuditTruncated, func(at int) [][]byte { return events[:at] }},
	} {
		t.Run(a.name, func(t *testing.T) {
			for at := 1; at <= sevenPositions; at++ {
				putEvents(t, db, a.do(at))
				if err := verifyFile(t, path, keys, o.Tables, whole.state); !errors.Is(err, a.want) || Code(err) != Code(a.want) {
					t.Errorf("at %d: %v, want %v", at, err, a.want)
				}
			}
		})
	}
	putEvents(t, db, events)
	if err := verifyFile(t, path, keys, o.Tables, whole.state); err != nil {
		t.Errorf("what was put back: %v", err)
	}
	t.Run("roll back", func(t *testing.T) {
		for at, m := range moments[:sevenPositions] {
			layBare(t, o, m[fileName])
			if err := os.WriteFile(filepath.Join(o.Dir, lastName), m[lastName], 0o600); err != nil {
				t.Fatal(err)
			}
			if v, err := Open(t.Context(), accesstest.System("test"), o); !errors.Is(err, ErrRollback) || Code(err) != "STORE-013" {
				t.Fatalf("at %d: %v, %v", at, v != nil, err)
			}
		}
	})
	t.Run("sign again with the stolen Ed25519 key", func(t *testing.T) {
		layBare(t, o, b)
		v, err := Open(t.Context(), accesstest.System("test"), o)
		if err != nil {
			t.Fatal(err)
		}
		thief := v.signer(t.Context(), v.state)
		_, attestation := thief.Keys().Fingerprints()
		real := thief.Keys()
		thief.Quote, thief.Attestation = nil, nil
		for at := range uint64(sevenPositions) {
			if _, found := examined(t, resigned(t, v, thief, real, at), audit.Trust{Keys: []string{attestation}}); !slices.Contains(found, audit.BadQuote) {
				t.Errorf("at %d: found %v", at, found)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// eventsOf returns the stored values of the trail.
func eventsOf(t *testing.T, db *bolt.DB) (events [][]byte) {
	t.Helper()
	err := db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketName(auditID)).ForEach(func(_, v []byte) error {
			events = append(events, bytes.Clone(v))
			return nil
		})
	})
	if err != nil || len(events) <= sevenPositions+1 {
		t.Fatal(len(events), err)
	}
	return events
}

// putEvents makes the trail these values; nil leaves a gap.
func putEvents(t *testing.T, db *bolt.DB, events [][]byte) {
	t.Helper()
	err := db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketName(auditID))
		for seq := range uint64(2 * sevenPositions) {
			var err error
			if seq < uint64(len(events)) && events[seq] != nil {
				err = b.Put(keyBytes(seq), events[seq])
			} else {
				err = b.Delete(keyBytes(seq))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// verifyFile does what Check does to a file.
func verifyFile(t *testing.T, path string, keys *rootKeys, tables []AnyTable, expected *state) error {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = verifyBytes(b, keys, tables, expected)
	return err
}
