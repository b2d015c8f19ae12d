package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/access"
	"coffer/internal/access/accesstest"
	"coffer/internal/fault"
)

var compacting = access.Request{Agent: accesstest.Agent(access.IT), Action: access.StoreCompact, Entity: access.Entity{Kind: access.KindStore}, Purpose: access.Operations}

// TestCompactLeavesNoResidue shreds a client, has the store compacted at its
// next opening, and looks in the file for the key that was destroyed and for a
// record that was deleted.
func TestCompactLeavesNoResidue(t *testing.T) {
	v, ids := canaries(t, 40)
	crowd(t, v, 3000)
	var residue [][]byte
	for _, r := range storedOf(t, v) {
		if r.Bucket == keyringID {
			if k, _ := v.state.keys.Get(uint32(r.Key)); k.client() == ids[3] {
				residue = append(residue, r.Value)
			}
		}
		if r.Bucket == BucketClients.ID && r.Key == 5 {
			residue = append(residue, r.Value)
		}
	}
	if _, err := v.Snapshot(t.Context(), canaryBackup); err != nil { // keeps the pages from being used again; Close ends it
		t.Fatal(err)
	}
	if err := v.Shred(t.Context(), shredding(ids[3]), ids[3]); err != nil {
		t.Fatal(err)
	}
	if err := v.Update(t.Context(), canaryWriting, func(tx *Tx) error { return canaryClients.Delete(tx, 5) }); err != nil {
		t.Fatal(err)
	}
	if err := v.Compact(t.Context(), checking); fault.KindOf(err) != fault.Internal {
		t.Errorf("in another's name: %v", err)
	}
	if err := v.Compact(t.Context(), compacting); err != nil {
		t.Fatal(err)
	}
	o, before := v.Options(), v.Status()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if n := found(t, o.Dir, residue); n == 0 {
		t.Fatal("nothing is left before: the search is blind")
	}
	v, err := Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatalf("%v %s", err, Detail(err))
	}
	if n := found(t, o.Dir, residue); n != 0 {
		t.Errorf("%d values of %d are left in the file", n, len(residue))
	}
	s := v.Status()
	if s.Records != before.Records || s.Lost != 0 || s.Torn || s.Witness != WitnessKnown || s.Journal != JournalKnown {
		t.Errorf("compacted: %+v, before: %+v", s, before)
	}
	if _, err := v.Check(t.Context(), checking); err != nil {
		t.Error(err)
	}
	erasedReads(t, v, ids[:4:4], 3)
	if left, err := filepath.Glob(o.Dir + "/coffer.compact*"); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func found(t *testing.T, dir string, values [][]byte) (n int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if bytes.Contains(b, value) {
			n++
		}
	}
	return n
}

// TestCompactLeavesDamageToOpen: a mark beside a damaged file changes nothing
// of it.
func TestCompactLeavesDamageToOpen(t *testing.T) {
	v, _ := canaries(t, 1)
	if err := v.Compact(t.Context(), compacting); err != nil {
		t.Fatal(err)
	}
	o := v.Options()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.Dir, fileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2 * pageBytes; i < len(b); i++ {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), accesstest.System("test"), o); fault.KindOf(err) != fault.Corrupt {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
		t.Error("the damaged file was changed")
	}
}
