package vault

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/seal/sealtest"
)

type flipRow struct {
	Text string `cbor:"1,keyasint"`
}

var flipTable = NewTable(BucketClients, NewIndex("text", func(r Row[flipRow, flipRow]) []string { return []string{r.Shared.Text} }))

// flipStore makes a store large enough to have branch pages, small buckets
// and records with overflow pages, and returns its directory and content.
func flipStore(t *testing.T) (Options, []byte) {
	t.Helper()
	o := Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), Tables: []AnyTable{flipTable}, MapBytes: 1 << 30}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None}
	for i := range 30 {
		err := v.Update(t.Context(), r, func(tx *Tx) error {
			row := Row[flipRow, flipRow]{Client: ident.ID[ident.Client]{byte(i%2) + 1}, Shared: flipRow{string(bytes.Repeat([]byte("s"), i*i*8))}}
			_, err := flipTable.Insert(tx, row)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(o.Dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return o, b
}

// verifyBytes does what Open and Check do to a file, without bbolt.
func verifyBytes(b []byte, keys *rootKeys, tables []AnyTable, expected *state) (*scanned, heads, error) {
	h, err := readHeads(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, h, err
	}
	s, err := scan(bytes.NewReader(b), h.newest, keys, tables, expected)
	return s, h, err
}

// TestFlippedBytes flips each byte of every page's head and of its first
// elements, and one in 127 of the rest (with -full all of them), one at a time. Each file must be refused
// with a Corrupt fault, be seen as torn, or hold exactly what it held.
func TestFlippedBytes(t *testing.T) {
	o, b := flipStore(t)
	keys := deriveKeys(o.Key)
	whole, h, err := verifyBytes(b, keys, o.Tables, nil)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:h.newest.top*pageBytes]
	harmless, found := 0, 0
	for at := range b {
		if !*Full && at%pageBytes >= 64 && at%127 != 0 {
			continue
		}
		b[at] ^= 1 << (at % 8)
		_, heads, err := verifyBytes(b, keys, o.Tables, whole.state)
		switch {
		case err != nil && fault.KindOf(err) != fault.Corrupt:
			t.Errorf("byte %d: %v", at, err)
		case err != nil || heads.torn:
			found++
		default: // compared with the whole state record by record
			harmless++
		}
		b[at] ^= 1 << (at % 8)
	}
	t.Logf("%d flips: %d found, %d in bytes that nothing uses", found+harmless, found, harmless)
	if found < harmless/4 {
		t.Errorf("only %d of %d flips were found", found, found+harmless)
	}
}

// TestMutatedFilesThroughBbolt gives mutated files to the whole of Open,
// reading and Check, bbolt included.
func TestMutatedFilesThroughBbolt(t *testing.T) {
	o, b := flipStore(t)
	_, h, err := verifyBytes(b, deriveKeys(o.Key), o.Tables, nil)
	if err != nil {
		t.Fatal(err)
	}
	used := int(h.newest.top) * pageBytes
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		m := bytes.Clone(b[:used])
		for range 1 + random.IntN(3) {
			page, at := random.IntN(used/pageBytes), random.IntN(96)
			if i%3 == 0 {
				at = random.IntN(pageBytes)
			}
			m[page*pageBytes+at] ^= byte(1 + random.IntN(255))
		}
		if err := os.WriteFile(filepath.Join(o.Dir, fileName), m, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{lastName, cleanName, journalName} { // they are of the file before
			if err := os.RemoveAll(filepath.Join(o.Dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := openAndCheck(t, o); err != nil && fault.KindOf(err) != fault.Corrupt {
			t.Errorf("file %d: %v", i, err)
		}
	}
}

// openAndCheck opens the store, reads and writes it, and checks it.
func openAndCheck(t *testing.T, o Options) error {
	t.Helper()
	v, err := Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		return err
	}
	r := access.Request{Agent: accesstest.Agent(access.FrontDesk), Action: access.ClientWrite, Entity: access.None}
	err = v.Update(t.Context(), r, func(tx *Tx) error {
		n := 0
		for row, err := range flipTable.All(tx) {
			if err != nil {
				return err
			}
			if i := int(row.Key) - 1; len(row.Shared.Text) != i*i*8 {
				t.Errorf("row %d came back wrong", row.Key)
			}
			n++
		}
		if n < 29 { // a lost head page takes the last commit with it
			t.Errorf("%d rows", n)
		}
		return nil
	})
	if err == nil {
		_, err = v.Check(t.Context(), access.Request{Agent: accesstest.Agent(access.IT), Action: access.StoreVerify, Entity: access.None})
	}
	if e := v.Close(); err == nil {
		err = e
	}
	return err
}
