package vault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
	"coffer/internal/phi"
	"coffer/internal/seal/sealtest"
	"coffer/internal/vault"
)

// Names of buckets on the disk.
var (
	metaName    = []byte{2, 0, 1}
	keyringName = []byte{2, 0, 2}
	auditName   = []byte{2, 0, 0xA0}
	clientsName = []byte{2, 0, 0x12}
	entriesName = []byte{2, 0, 0x31}
)

func rowKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// specimen is a closed store with a few records, two versions of one of them.
type specimen struct {
	options vault.Options
	file    string
	bytes   []byte
	last    []byte // coffer.last
	oldRow  []byte // ciphertext of client row 1 before it was replaced
}

func newSpecimen(t *testing.T) *specimen {
	t.Helper()
	s := &specimen{options: vault.Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t),
		Tables: []vault.AnyTable{clients, entries}, MapBytes: 1 << 30}}
	s.file = filepath.Join(s.options.Dir, "coffer.db")
	v, err := vault.Create(t.Context(), accesstest.System("test"), s.options)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		update(t, v, func(tx *vault.Tx) error {
			row := vault.Row[note, person]{Client: people[i%3], Shared: note{Tag: "t", Count: int64(i)}, Private: person{phi.NewText("Ada Example")}}
			if _, err := clients.Insert(tx, row); err != nil {
				return err
			}
			_, err := entries.Insert(tx, vault.Row[note, vault.None]{Shared: row.Shared})
			return err
		})
	}
	s.close(t, v)
	s.raw(t, func(tx *bolt.Tx) error {
		s.oldRow = bytes.Clone(tx.Bucket(clientsName).Get(rowKey(1)))
		return nil
	})
	v = s.open(t)
	update(t, v, func(tx *vault.Tx) error {
		row, err := clients.At(tx, 1)
		if err != nil {
			return err
		}
		row.Shared.Count = 99
		return clients.Replace(tx, row)
	})
	s.close(t, v)
	if s.bytes, err = os.ReadFile(s.file); err != nil {
		t.Fatal(err)
	}
	if s.last, err = os.ReadFile(s.lastFile()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *specimen) close(t testing.TB, v *vault.Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func (s *specimen) open(t testing.TB) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), accesstest.System("test"), s.options)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s *specimen) lastFile() string { return filepath.Join(s.options.Dir, "coffer.last") }

// restore puts the files back as they were.
func (s *specimen) restore(t testing.TB) {
	t.Helper()
	bare(t, s.options.Dir)
	if err := os.WriteFile(s.file, s.bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.lastFile(), s.last, 0o600); err != nil {
		t.Fatal(err)
	}
}

// raw edits the closed file through bbolt, as somebody with the disk could.
func (s *specimen) raw(t testing.TB, fn func(tx *bolt.Tx) error) {
	t.Helper()
	bare(t, s.options.Dir)
	db, err := bolt.Open(s.file, 0o600, &bolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// verdict opens the store and, if that works, checks it and reads every row.
// It returns the fault of whichever found something.
func (s *specimen) verdict(t testing.TB) error {
	t.Helper()
	v, err := vault.Open(t.Context(), accesstest.System("test"), s.options)
	if err != nil {
		return err
	}
	_, err = v.Check(t.Context(), verify)
	_ = v.View(t.Context(), reading, func(tx *vault.Tx) error { // what it returns was checked above; here it must not be wrong
		for row, err := range clients.All(tx) {
			if err == nil && (row.Private.Name.Reveal() != "Ada Example" || row.Shared.Tag != "t") {
				t.Errorf("row %d came back wrong", row.Key)
			}
		}
		return nil
	})
	if e := v.Close(); err == nil {
		err = e
	}
	return err
}

func move(tx *bolt.Tx, from, to []byte, key uint64) error {
	return tx.Bucket(to).Put(rowKey(key), bytes.Clone(tx.Bucket(from).Get(rowKey(key))))
}

func flip(tx *bolt.Tx, bucket []byte, key uint64, at int) error {
	v := bytes.Clone(tx.Bucket(bucket).Get(rowKey(key)))
	v[(at+len(v))%len(v)] ^= 1
	return tx.Bucket(bucket).Put(rowKey(key), v)
}

// tampering is the exact fault of each attack.
var tampering = map[string]error{
	"bucket added":              vault.ErrMeta,
	"meta deleted":              vault.ErrMeta,
	"meta flipped":              vault.ErrMeta,
	"meta generation changed":   vault.ErrMeta,
	"second meta":               vault.ErrMeta,
	"key of odd length":         vault.ErrCorrupt,
	"nested bucket":             vault.ErrCorrupt,
	"bit flipped in ciphertext": vault.ErrRecordAuth,
	"bit flipped in nonce":      vault.ErrRecordAuth,
	"bit flipped in tag":        vault.ErrRecordAuth,
	"copied to another key":     vault.ErrRecordAuth,
	"event flipped":             vault.ErrRecordAuth,
	"events swapped":            vault.ErrRecordAuth,
	"format byte changed":       vault.ErrRecordAuth,
	"record emptied":            vault.ErrRecordAuth,
	"record shortened":          vault.ErrRecordAuth,
	"records swapped":           vault.ErrRecordAuth,
	"key flipped":               vault.ErrUnknownKey,
	"key id changed":            vault.ErrUnknownKey,
	"key removed":               vault.ErrUnknownKey,
	"keys swapped":              vault.ErrUnknownKey,
	"moved to another bucket":   vault.ErrUnknownKey,
	"bucket dropped":            vault.ErrSetMismatch,
	"last record deleted":       vault.ErrSetMismatch,
	"old version replayed":      vault.ErrSetMismatch,
	"record deleted":            vault.ErrSetMismatch,
	"event deleted":             vault.ErrAuditTruncated,
	"first event deleted":       vault.ErrAuditTruncated,
	"last event deleted":        vault.ErrAuditTruncated,
	"event added":               vault.ErrAuditFork,
}

func TestTamperingIsFound(t *testing.T) {
	s := newSpecimen(t)
	if err := s.verdict(t); err != nil {
		t.Fatalf("the untouched store: %v", err)
	}
	attacks := map[string]func(tx *bolt.Tx) error{
		"bit flipped in ciphertext": func(tx *bolt.Tx) error { return flip(tx, clientsName, 3, 40) },
		"bit flipped in tag":        func(tx *bolt.Tx) error { return flip(tx, clientsName, 3, -1) },
		"bit flipped in nonce":      func(tx *bolt.Tx) error { return flip(tx, clientsName, 3, 6) },
		"key id changed":            func(tx *bolt.Tx) error { return flip(tx, clientsName, 3, 4) },
		"format byte changed":       func(tx *bolt.Tx) error { return flip(tx, clientsName, 3, 0) },
		"record emptied":            func(tx *bolt.Tx) error { return tx.Bucket(clientsName).Put(rowKey(3), nil) },
		"record shortened": func(tx *bolt.Tx) error {
			return tx.Bucket(clientsName).Put(rowKey(3), bytes.Clone(tx.Bucket(clientsName).Get(rowKey(3))[:60]))
		},
		"record deleted":          func(tx *bolt.Tx) error { return tx.Bucket(entriesName).Delete(rowKey(5)) },
		"last record deleted":     func(tx *bolt.Tx) error { return tx.Bucket(entriesName).Delete(rowKey(20)) },
		"old version replayed":    func(tx *bolt.Tx) error { return tx.Bucket(clientsName).Put(rowKey(1), s.oldRow) },
		"moved to another bucket": func(tx *bolt.Tx) error { return move(tx, entriesName, clientsName, 3) },
		"copied to another key": func(tx *bolt.Tx) error {
			return tx.Bucket(entriesName).Put(rowKey(21), bytes.Clone(tx.Bucket(entriesName).Get(rowKey(3))))
		},
		"bucket dropped":          func(tx *bolt.Tx) error { return tx.DeleteBucket(entriesName) },
		"bucket added":            func(tx *bolt.Tx) error { return added(tx) },
		"meta flipped":            func(tx *bolt.Tx) error { return flip(tx, metaName, 0, 30) },
		"meta generation changed": func(tx *bolt.Tx) error { return flip(tx, metaName, 0, 4) },
		"meta deleted":            func(tx *bolt.Tx) error { return tx.Bucket(metaName).Delete(rowKey(0)) },
		"second meta": func(tx *bolt.Tx) error {
			return tx.Bucket(metaName).Put(rowKey(1), bytes.Clone(tx.Bucket(metaName).Get(rowKey(0))))
		},
		"key removed":         func(tx *bolt.Tx) error { return tx.Bucket(keyringName).Delete(rowKey(5)) },
		"key flipped":         func(tx *bolt.Tx) error { return flip(tx, keyringName, 5, 30) },
		"keys swapped":        func(tx *bolt.Tx) error { return swap(tx, keyringName, 5, 6) },
		"records swapped":     func(tx *bolt.Tx) error { return swap(tx, entriesName, 5, 6) },
		"event flipped":       func(tx *bolt.Tx) error { return flip(tx, auditName, 3, 40) },
		"event deleted":       func(tx *bolt.Tx) error { return tx.Bucket(auditName).Delete(rowKey(3)) },
		"last event deleted":  func(tx *bolt.Tx) error { return tx.Bucket(auditName).Delete(rowKey(lastKey(tx, auditName))) },
		"first event deleted": func(tx *bolt.Tx) error { return tx.Bucket(auditName).Delete(rowKey(0)) },
		"events swapped":      func(tx *bolt.Tx) error { return swap(tx, auditName, 3, 4) },
		"event added": func(tx *bolt.Tx) error {
			return tx.Bucket(auditName).Put(rowKey(lastKey(tx, auditName)+1), bytes.Clone(tx.Bucket(auditName).Get(rowKey(3))))
		},
		"key of odd length": func(tx *bolt.Tx) error { return tx.Bucket(entriesName).Put([]byte{1}, []byte{1}) },
		"nested bucket":     func(tx *bolt.Tx) error { _, err := tx.Bucket(entriesName).CreateBucket(rowKey(99)); return err },
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			s.restore(t)
			s.raw(t, attack)
			err := s.verdict(t)
			if fault.KindOf(err) != fault.Corrupt || !errors.Is(err, tampering[name]) || vault.Code(err) != vault.Code(tampering[name]) {
				t.Errorf("verdict = %v, want %v", err, tampering[name])
			}
		})
	}
}

func added(tx *bolt.Tx) error {
	b, err := tx.CreateBucket([]byte{2, 0, 0x77})
	if err != nil {
		return err
	}
	return b.Put(rowKey(1), bytes.Clone(tx.Bucket(entriesName).Get(rowKey(3))))
}

func swap(tx *bolt.Tx, bucket []byte, a, b uint64) error {
	va, vb := bytes.Clone(tx.Bucket(bucket).Get(rowKey(a))), bytes.Clone(tx.Bucket(bucket).Get(rowKey(b)))
	if err := tx.Bucket(bucket).Put(rowKey(a), vb); err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(rowKey(b), va)
}

func lastKey(tx *bolt.Tx, bucket []byte) uint64 {
	k, _ := tx.Bucket(bucket).Cursor().Last()
	return binary.BigEndian.Uint64(k)
}

func TestWrongRootKey(t *testing.T) {
	s := newSpecimen(t)
	t.Run("other", func(t *testing.T) {
		o := s.options
		o.Key = sealtest.Key(t)
		if _, err := vault.Open(t.Context(), accesstest.System("test"), o); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("Open under another root = %v", err)
		}
	})
}

func TestTruncatedFile(t *testing.T) {
	s := newSpecimen(t)
	for _, n := range []int64{0, 1, 4095, 4096, 8191, 8192, 3 * 4096, 5*4096 + 17} {
		s.restore(t)
		if err := os.Truncate(s.file, n); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(t); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("file of %d bytes: %v", n, err)
		}
	}
}

// TestTornHeadPage destroys either head page. With the older one gone nothing
// is lost; with the newer one gone the last commit is, and is said to be, by
// Check too.
func TestTornHeadPage(t *testing.T) {
	s := newSpecimen(t)
	losses := map[uint64]bool{}
	for page := range 2 {
		s.restore(t)
		b := bytes.Clone(s.bytes)
		clear(b[page*4096 : (page+1)*4096])
		if err := os.WriteFile(s.file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		v := s.open(t)
		if !v.Status().Torn {
			t.Errorf("page %d: the damage was not noticed", page)
		}
		losses[v.Status().Lost] = true
		_, err := v.Check(t.Context(), verify) // the next commit wrote the other page anew
		if lost := v.Status().Lost; (lost == 0) != (err == nil) || lost != 0 && lost+1 != v.Status().Sequence-1 {
			t.Errorf("page %d: lost %d, at %d: %v", page, lost, v.Status().Sequence, err)
		}
		s.close(t, v)
	}
	if len(losses) != 2 {
		t.Errorf("both openings came to the same commit: %v", losses)
	}
	b := bytes.Clone(s.bytes)
	clear(b[:8192])
	if err := os.WriteFile(s.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.verdict(t); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("both pages gone: %v", err)
	}
}

// TestReplayUnderTheRunningStore writes an old ciphertext into the file while
// the store is open: reading it must fail, and Check must name it.
func TestReplayUnderTheRunningStore(t *testing.T) {
	s := newSpecimen(t)
	v := s.open(t)
	var now []byte
	view(t, v, func(*vault.Tx) error { return nil })
	file, err := os.OpenFile(s.file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	copyFile := t.TempDir() + "/copy"
	if err := os.WriteFile(copyFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c := *s
	c.file = copyFile
	c.raw(t, func(tx *bolt.Tx) error { now = bytes.Clone(tx.Bucket(clientsName).Get(rowKey(1))); return nil })
	at := bytes.Index(b, now)
	if at < 0 || len(now) != len(s.oldRow) {
		t.Fatalf("ciphertext at %d, %d and %d bytes", at, len(now), len(s.oldRow))
	}
	for ; at >= 0; at = bytes.Index(b, now) {
		if _, err := file.WriteAt(s.oldRow, int64(at)); err != nil {
			t.Fatal(err)
		}
		b[at]++
	}
	err = v.View(t.Context(), reading, func(tx *vault.Tx) error { _, err := clients.At(tx, 1); return err })
	if fault.KindOf(err) != fault.Corrupt {
		t.Errorf("reading the replayed record = %v", err)
	}
	check, err := v.Check(t.Context(), verify)
	if fault.KindOf(err) != fault.Corrupt || check.Finding == nil || check.Finding.Where != "clients" || check.Finding.Position != 1 {
		t.Errorf("Check = %+v, %v", check.Finding, err)
	}
	s.close(t, v)
}
