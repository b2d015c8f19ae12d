package vault_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/phi"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

var backingUp = request(access.IT, access.BackupWrite, access.Entity{Kind: access.KindStore})

// plant inserts n clients and n entries in commits of 500.
func plant(t testing.TB, v *vault.Vault, n int) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		err := v.Update(t.Context(), writing, func(tx *vault.Tx) error {
			for i := from; i < min(n, from+500); i++ {
				row := vault.Row[note, person]{Shared: note{Tag: fmt.Sprint("c", i), Count: int64(i), At: tx.Now()}, Private: person{phi.NewText("Ada Example")}}
				row.Client[0], row.Client[1], row.Client[2] = 1, byte(i>>8), byte(i)
				if _, err := clients.Insert(tx, row); err != nil {
					return err
				}
				if _, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: fmt.Sprint("e", i)}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func snapshot(t testing.TB, v *vault.Vault) *vault.Snapshot {
	t.Helper()
	s, err := v.Snapshot(t.Context(), backingUp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the snapshot: %v", err)
		}
	})
	return s
}

// stored returns all records of a snapshot.
func stored(t testing.TB, s *vault.Snapshot) []vault.Stored {
	t.Helper()
	var all []vault.Stored
	for r, err := range s.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func seqOf(records []vault.Stored) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestSnapshotIsOneCommit writes on while a snapshot is read, and builds a
// store of what it yields: it must be the store as it was.
func TestSnapshotIsOneCommit(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	plant(t, v, 1200)
	s := snapshot(t, v)
	var all []vault.Stored
	for r, err := range s.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if len(all)%500 == 0 {
			plant(t, v, 10)
			update(t, v, func(tx *vault.Tx) error {
				row, err := clients.At(tx, 1)
				if err != nil {
					return err
				}
				row.Shared.Count++
				return clients.Replace(tx, row)
			})
		}
		r.Value = slices.Clone(r.Value)
		all = append(all, r)
	}
	if got := v.Status().Sequence; got <= s.Seq || len(s.Counts) != 2 || s.Counts[0].Count != 1200 {
		t.Fatalf("sequence %d, snapshot of %d with %v", got, s.Seq, s.Counts)
	}
	o := v.Options()
	o.Dir = t.TempDir() + "/copy"
	if err := vault.Build(o.Dir, seqOf(all)); err != nil {
		t.Fatal(err)
	}
	if err := vault.Build(o.Dir, seqOf(all)); !errors.Is(err, vault.ErrExists) {
		t.Fatalf("built over a store: %v", err)
	}
	c, err := vault.Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if st := c.Status(); st.Sequence != s.Seq+1 || st.StoreID != s.StoreID || st.Records != 2400 || st.Witness != vault.WitnessMissing || st.Torn {
		t.Fatalf("the copy is %+v, its snapshot was of %d", st, s.Seq)
	}
	view(t, c, func(tx *vault.Tx) error {
		row, err := clients.At(tx, 1)
		if err == nil && (row.Shared.Count != 0 || row.Private.Name.Reveal() != "Ada Example") {
			t.Errorf("row 1 is %+v", row.Shared)
		}
		return err
	})
	if _, err := c.Check(t.Context(), verify); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotEnds ends one by its consumer, by itself, and by the store.
func TestSnapshotEnds(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	plant(t, v, 600)
	s := snapshot(t, v)
	for range s.Records() {
		break
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Records() {
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("after Close: %v", err)
		}
	}
	s = snapshot(t, v)
	n := 0
	for _, err := range s.Records() {
		if n++; n == 100 {
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n == 101 && fault.KindOf(err) != fault.Unavailable || n > 101 {
			t.Fatalf("record %d of a closed store: %v", n, err)
		}
	}
	if _, err := v.Snapshot(t.Context(), backingUp); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("snapshot of a closed store: %v", err)
	}
}

func TestSnapshotIsDecided(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	r := request(access.Therapist, access.BackupWrite, access.Entity{Kind: access.KindStore})
	if _, err := v.Snapshot(t.Context(), r); fault.KindOf(err) != fault.Denied {
		t.Fatalf("a therapist's snapshot: %v", err)
	}
}

// TestBuildRefuses builds from sequences that no snapshot yields: nothing is
// left of them.
func TestBuildRefuses(t *testing.T) {
	broken := errors.New("broken off")
	for name, records := range map[string]iter.Seq2[vault.Stored, error]{
		"order of keys":    seqOf([]vault.Stored{{Bucket: 1, Key: 2, Value: []byte{1}}, {Bucket: 1, Key: 1, Value: []byte{1}}}),
		"order of buckets": seqOf([]vault.Stored{{Bucket: 2, Key: 1, Value: []byte{1}}, {Bucket: 1, Key: 2, Value: []byte{1}}}),
		"twice":            seqOf([]vault.Stored{{Bucket: 1, Key: 1, Value: []byte{1}}, {Bucket: 1, Key: 1, Value: []byte{1}}}),
		"empty value":      seqOf([]vault.Stored{{Bucket: 1, Key: 1}}),
		"long value":       seqOf([]vault.Stored{{Bucket: 1, Key: 1, Value: make([]byte, 2<<20)}}),
		"broken off": func(yield func(vault.Stored, error) bool) {
			if yield(vault.Stored{Bucket: 1, Key: 1, Value: []byte{1}}, nil) {
				yield(vault.Stored{}, broken)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/store"
			if err := vault.Build(dir, records); err == nil {
				t.Fatal("built")
			}
			left, err := filepath.Glob(dir + "/coffer.db*")
			if err != nil || len(left) != 0 {
				t.Fatalf("left: %v %v", left, err)
			}
		})
	}
}

// TestBuildIsVerified opens a store that was built from records of which one
// was changed, left out, or taken from another place.
func TestBuildIsVerified(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	plant(t, v, 50)
	all := stored(t, snapshot(t, v))
	last := len(all) - 1
	for name, change := range map[string]func(r []vault.Stored) []vault.Stored{
		"a bit":     func(r []vault.Stored) []vault.Stored { r[last/2].Value[20] ^= 1; return r },
		"left out":  func(r []vault.Stored) []vault.Stored { return slices.Delete(r, last/2, last/2+1) },
		"cut":       func(r []vault.Stored) []vault.Stored { return r[:last] },
		"without":   func(r []vault.Stored) []vault.Stored { return nil },
		"exchanged": func(r []vault.Stored) []vault.Stored { r[60].Value, r[61].Value = r[61].Value, r[60].Value; return r },
		"added": func(r []vault.Stored) []vault.Stored {
			return append(r, vault.Stored{Bucket: 0xFFFF, Key: 1, Value: r[60].Value})
		},
		"other meta": func(r []vault.Stored) []vault.Stored { r[0].Value = r[1].Value; return r },
	} {
		t.Run(name, func(t *testing.T) {
			o := v.Options()
			o.Dir = t.TempDir() + "/copy"
			records := make([]vault.Stored, len(all))
			for i, r := range all {
				records[i] = vault.Stored{Bucket: r.Bucket, Key: r.Key, Value: slices.Clone(r.Value)}
			}
			if err := vault.Build(o.Dir, seqOf(change(records))); err != nil {
				t.Fatal(err)
			}
			if c, err := vault.Open(t.Context(), accesstest.System("test"), o); fault.KindOf(err) != fault.Corrupt {
				t.Fatalf("opened: %v %v", c, err)
			}
		})
	}
}

// BenchmarkSnapshot reads the raw values of a store of 200,000 records.
func BenchmarkSnapshot(b *testing.B) {
	v := benchVault(b, true)
	defer v.Close()
	plant(b, v, 100_000)
	var bytes, records int
	b.ResetTimer()
	for range b.N {
		s := snapshot(b, v)
		for r, err := range s.Records() {
			if err != nil {
				b.Fatal(err)
			}
			bytes += len(r.Value)
			records++
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkBuild makes a store file of 200,000 records.
func BenchmarkBuild(b *testing.B) {
	v := benchVault(b, true)
	defer v.Close()
	plant(b, v, 100_000)
	all := stored(b, snapshot(b, v))
	b.ResetTimer()
	for range b.N {
		dir := b.TempDir()
		if err := vault.Build(dir, seqOf(all)); err != nil {
			b.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(all))/b.Elapsed().Seconds(), "records/s")
}
