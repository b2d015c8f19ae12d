package vault_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/audit"
	"coffer/internal/phi"
	"coffer/internal/vault"
	"coffer/internal/vault/vaulttest"
)

// TestNothingStandsInClear plants 200 words in every place that could hold
// one and looks for them in the files of the store.
func TestNothingStandsInClear(t *testing.T) {
	v := vaulttest.Open(t, nil, clients, entries)
	dir := v.Options().Dir
	var words [][]byte
	for i := range 50 {
		w := func(kind string) string {
			s := fmt.Sprintf("canary-%s-%03d", kind, i)
			words = append(words, []byte(s))
			return s
		}
		update(t, v, func(tx *vault.Tx) error {
			row := vault.Row[note, person]{Client: client(t), Shared: note{Tag: w("shared")}, Private: person{phi.NewText(w("private"))}}
			_, err := clients.Insert(tx, row)
			return err
		})
		update(t, v, func(tx *vault.Tx) error {
			_, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: w("index")}})
			return err
		})
		if err := v.Record(t.Context(), writing, audit.Refused, audit.Detail{Key: "name", Value: w("detail")}); err != nil {
			t.Fatal(err)
		}
	}
	if len(words) != 200 {
		t.Fatalf("%d words planted", len(words))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, w := range append(words, []byte("system:test"), []byte(`"actor"`)) {
			if bytes.Contains(b, w) {
				t.Errorf("%s stands in %s", w, d.Name())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoncesDiffer looks at every nonce of a store with a few thousand
// records, equal ones among them.
func TestNoncesDiffer(t *testing.T) {
	v := vaulttest.Open(t, nil, entries)
	for range 4 {
		update(t, v, func(tx *vault.Tx) error {
			for range 500 {
				if _, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: note{Tag: "same"}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	o := v.Options()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(o.Dir, "coffer.db"), 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seen, sum := map[[12]byte]bool{}, [96]int{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return b.ForEach(func(_, v []byte) error {
				n := [12]byte(v[5:17])
				if seen[n] {
					t.Errorf("nonce %x was used twice", n)
				}
				seen[n] = true
				for i := range sum {
					sum[i] += int(n[i/8]>>(i%8)) & 1
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, ones := range sum { // 2,000 throws: beyond 40% to 60% is one in 10^18
		if ones < len(seen)*2/5 || ones > len(seen)*3/5 {
			t.Errorf("bit %d of the nonce was set %d times of %d", i, ones, len(seen))
		}
	}
	if len(seen) < 2000 {
		t.Errorf("%d nonces seen", len(seen))
	}
}
