package vault

import (
	"errors"
	"os"
	"testing"

	bolt "go.etcd.io/bbolt"

	"coffer/internal/access/accesstest"
	"coffer/internal/audit"
	"coffer/internal/seal/sealtest"
)

// rewrite opens a closed store with its keys, as somebody could who has the
// root key, lets fn change the state in memory, and stores what fn returns.
func rewrite(t *testing.T, o Options, fn func(v *Vault) []write) {
	t.Helper()
	v, err := Open(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	v.endKeeper()
	writes := fn(v)
	if err := commitPlain(v.db, v.state, writes); err != nil {
		t.Fatal(err)
	}
	v.queue.close()
	<-v.ended
	if err := v.closeFiles(); err != nil {
		t.Fatal(err)
	}
}

// forge writes the trail anew with other events, up to size, in the state and
// on the disk: all that the root key allows.
func forge(v *Vault, size uint64) []write {
	old := v.state.tree.Size()
	v.state.tree = audit.Tree{}
	v.state.trail = trailState{heads: v.state.trail.heads, head: v.state.trail.head, signID: v.state.trail.signID}
	var writes []write
	for seq := range max(size, old) {
		if seq >= size {
			writes = append(writes, write{place{auditID, seq}, nil})
			continue
		}
		o := audit.NewOpening([32]byte{1})
		e := audit.Event{Seq: seq, Actor: "nobody", Outcome: audit.OK, Commit: o.Commit()}
		private, _ := o.AppendBinary(nil) // never fails
		value, err := sealRecord(auditBucket, v.auditKey, v.openingKey, record{key: seq, shared: e.AppendLeaf(nil), private: private})
		if err != nil {
			panic(err)
		}
		v.state.tree = v.state.tree.Append(audit.LeafHash(e.AppendLeaf(nil)))
		writes = append(writes, write{place{auditID, seq}, value})
	}
	return append(writes, write{place{cacheID, 0}, nil})
}

// TestForgedTrails: whoever has the root key but not the TPM can write a trail
// that fits itself; it does not fit what was signed.
func TestForgedTrails(t *testing.T) {
	for name, c := range map[string]struct {
		size uint64
		want error
	}{"rewritten": {400, ErrAuditFork}, "cut off": {100, ErrAuditTruncated}, "emptied": {0, ErrAuditTruncated}} {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30}
			v, err := Create(t.Context(), accesstest.System("test"), o)
			if err != nil {
				t.Fatal(err)
			}
			for range 300 {
				if err := v.Record(t.Context(), v.clockRequest(), audit.OK); err != nil {
					t.Fatal(err)
				}
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			rewrite(t, o, func(v *Vault) []write { return forge(v, c.size) })
			v, err = Open(t.Context(), accesstest.System("test"), o)
			if !errors.Is(err, c.want) {
				t.Errorf("Open = %v, want %v", err, c.want)
			}
			if err == nil {
				t.Error(v.Close())
			}
		})
	}
}

// TestOlderStoresGetTiles: a store that was written before there were tiles,
// checkpoints and the key that signs them gets all of them at its next start.
func TestOlderStoresGetTiles(t *testing.T) {
	o := Options{Dir: t.TempDir() + "/store", Key: sealtest.Key(t), MapBytes: 1 << 30}
	v, err := Create(t.Context(), accesstest.System("test"), o)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := v.Record(t.Context(), v.clockRequest(), audit.OK); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, o, func(v *Vault) []write {
		k := v.state.trail.signID
		v.state.keys.Delete(k)
		writes := []write{{place{keyringID, uint64(k)}, nil}, {place{cacheID, 0}, nil}}
		for n := range v.state.trail.heads {
			writes = append(writes, write{place{headsID, n}, nil})
		}
		v.state.trail.heads = 0
		return writes
	})
	db, err := bolt.Open(o.Dir+"/"+fileName, 0o600, boltOptions(o))
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket(bucketName(cacheID)), tx.DeleteBucket(bucketName(headsID)))
	})
	if err := errors.Join(err, db.Close(), os.Remove(o.Dir+"/"+cleanName)); err != nil {
		t.Fatal(err)
	}
	if v, err = Open(t.Context(), accesstest.System("test"), o); err != nil {
		t.Fatal(err)
	}
	v.checkpointIfNew()
	if s, _ := v.LatestCheckpoint(); s.Size < 300 || len(v.published.Load().durable.trail.roots) != 1 {
		t.Errorf("the last checkpoint is of %d events", s.Size)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err = Open(t.Context(), accesstest.System("test"), o); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}
