package vault

import (
	"cmp"

	"coffer/internal/audit"
)

// trailScan is what a pass over the file knows of the trail. Opening a store
// reads the tiles and the few events after them; a check reads every event.
type trailScan struct {
	events   uint64
	verifier audit.Verifier
	roots    []audit.Hash // of tiles, computed from events, in a check
	leaves   []audit.Hash // of the tile in the making, in a check
	stale    bool         // the tiles are not those of the trail: to be made again
	strays   []uint64     // keys of what is no tile
	last     record       // the last checkpoint
}

// takeEvent counts the events. To read all of them would make each start
// slower from year to year; Check does it.
func (s *scanner) takeEvent(key uint64, value []byte) error {
	t := &s.trail
	if key != t.events {
		return damage("audit", t.events, "an event is missing")
	}
	t.events++
	atEdge := key >= s.meta.AuditSize/tileLeaves*tileLeaves && key < s.meta.AuditSize
	if s.expected == nil && !atEdge {
		return nil
	}
	r, err := storedEvent(s.key, key, value)
	if err != nil {
		return located(err, auditBucket, key)
	}
	if s.expected != nil {
		if p := t.verifier.Add(r); p != nil {
			return damage("audit", p.Position, "an event is not what was written ("+p.What+")")
		}
		t.addLeaf(audit.LeafHash(r.Leaf))
	}
	if !atEdge {
		return nil
	}
	e, err := readEvent(r)
	if err != nil {
		return damage("audit", key, "an event is not what was written (leaf)")
	}
	s.state.trail.add(audit.LeafHash(r.Leaf), e.Event, e.Details)
	return nil
}

// addLeaf takes in the next leaf for the comparison with the tiles.
func (t *trailScan) addLeaf(leaf audit.Hash) {
	if t.leaves = append(t.leaves, leaf); len(t.leaves) == tileLeaves {
		t.roots = append(t.roots, audit.RootOf(t.leaves))
		t.leaves = t.leaves[:0]
	}
}

// takeTile takes in a tile. One that does not fit makes all of them stale when
// the file is being opened, and is a finding of a check.
func (s *scanner) takeTile(key uint64, value []byte) error {
	st := &s.state.trail
	r, err := openRecord(tilesBucket, s.key, key, value)
	var t *tile
	if err == nil {
		t = tileOf(r)
	}
	fits := t != nil && key == uint64(len(st.roots)) && key < s.meta.AuditSize/tileLeaves
	var root audit.Hash
	if fits {
		root = audit.RootOf(t.leaves)
	}
	if s.expected != nil {
		if !fits || key >= uint64(len(s.trail.roots)) || root != s.trail.roots[key] {
			return damage("audit tiles", key, "a tile of the audit tree is not that of its events")
		}
	}
	if !fits {
		s.trail.stale, s.trail.strays = true, append(s.trail.strays, key)
		return nil
	}
	st.roots = append(st.roots, root)
	return nil
}

// takeHead takes in a checkpoint.
func (s *scanner) takeHead(key uint64, value []byte) error {
	if key != s.state.trail.heads {
		return damage("checkpoints", s.state.trail.heads, "a checkpoint is missing")
	}
	r, err := openRecord(headsBucket, s.key, key, value)
	if err != nil {
		return located(err, headsBucket, key)
	}
	s.state.trail.heads++
	s.trail.last = r
	if s.expected == nil {
		return nil
	}
	return s.openHead()
}

// openHead opens the checkpoint that was read last.
func (s *scanner) openHead() error {
	if s.signKey == nil {
		return damage("keyring", 0, "the key that signs the audit trail is missing")
	}
	h, err := headOf(s.trail.last, audit.Origin(s.keys.storeID.String()), signingKey(s.signKey))
	if err != nil {
		return damage("checkpoints", s.trail.last.key, "a checkpoint is not signed as it should be")
	}
	s.state.trail.head = h
	return nil
}

// finishTrail compares the trail with the meta record and its own parts.
func (s *scanner) finishTrail() error {
	st := &s.state.trail
	switch {
	case s.trail.events < s.meta.AuditSize:
		return damage("audit", s.trail.events, "events are missing at the end")
	case s.trail.events > s.meta.AuditSize:
		return damage("audit", s.meta.AuditSize, "an event was added")
	case st.heads != s.meta.Heads:
		return damage("checkpoints", st.heads, "checkpoints are missing or added at the end")
	}
	if st.size() != s.meta.AuditSize || !fitsTree(st, s.state.tree) {
		s.trail.stale = true
	}
	if st.heads > 0 && st.head == nil {
		if err := s.openHead(); err != nil {
			return err
		}
	}
	if s.expected == nil {
		return nil
	}
	if p := s.trail.verifier.End(s.state.tree); p != nil {
		return damage("audit", p.Position, "the events don't add up to the head of the trail ("+p.What+")")
	}
	if s.trail.stale {
		return damage("audit tiles", uint64(len(st.roots)), "tiles of the audit tree are missing")
	}
	return nil
}

// fitsTree reports whether the tiles and the edge add up to the tree.
func fitsTree(st *trailState, tree audit.Tree) bool {
	t := audit.TreeOf(tileLevel, st.roots)
	for _, h := range st.edge {
		t = t.Append(h)
	}
	return t.Size() == tree.Size() && t.Root() == tree.Root()
}

// mendTrail makes stale tiles again, from the events, and a signing key where
// the store has none yet, before the store takes its first request.
func (v *Vault) mendTrail(found *scanned) error {
	var writes []write
	if v.state.trail.signID == 0 {
		k := newDataKey(v.state.nextKey, useSign, Audit, bucketOwner(auditID))
		v.state.nextKey++
		v.state.keys.Set(k.id, k)
		v.state.trail.signID = k.id
		writes = append(writes, write{place{keyringID, uint64(k.id)}, k.wrap(v.state.root)})
	}
	if found.stale {
		tiles, err := v.tilesAgain()
		if err != nil {
			return err
		}
		for _, key := range found.strays {
			writes = append(writes, write{place{cacheID, key}, nil})
		}
		writes = append(writes, tiles...)
	}
	if len(writes) > 0 {
		if err := v.commitMended(writes); err != nil {
			return err
		}
	}
	return v.compareHead()
}

// tilesAgain computes the tiles from the events.
func (v *Vault) tilesAgain() ([]write, error) {
	p, err := beginPages(v.db, false)
	if err != nil {
		return nil, err
	}
	writes, err := v.readTiles(p)
	return writes, cmp.Or(err, p.close())
}

func (v *Vault) readTiles(p *pages) ([]write, error) {
	var writes []write
	tx := &Tx{state: v.state, pages: p}
	again := trailState{heads: v.state.trail.heads, head: v.state.trail.head, signID: v.state.trail.signID}
	for seq := range v.state.tree.Size() {
		r, err := tx.event(seq)
		if err != nil {
			return nil, err
		}
		e, err := readEvent(r)
		if err != nil {
			return nil, err
		}
		if t := again.add(audit.LeafHash(r.Leaf), e.Event, e.Details); t != nil {
			n := seq / tileLeaves
			value, err := sealRecord(tilesBucket, v.auditKey, v.openingKey, t.record(n, v.state.seq))
			if err != nil {
				return nil, err
			}
			writes = append(writes, write{place{cacheID, n}, value})
		}
	}
	if !fitsTree(&again, v.state.tree) {
		return nil, damage("audit", v.state.tree.Size(), "the events don't add up to the head of the trail (root)")
	}
	v.state.trail = again
	return writes, nil
}

// commitMended commits writes, and the present state, before the store takes
// its first request.
func (v *Vault) commitMended(writes []write) error {
	b := &batch{state: v.state.copy()}
	b.state.seq = max(b.state.seq, b.state.lost) + 1
	if b.pages, b.err = beginPages(v.db, true); b.err != nil {
		return b.err
	}
	if err := b.apply(writes); err != nil {
		return cmp.Or(err, b.pages.close())
	}
	return v.commit(b)
}

// compareHead compares the trail with the last checkpoint.
func (v *Vault) compareHead() error {
	h := v.state.trail.head
	if h == nil {
		return nil
	}
	if h.signed.Size > v.state.tree.Size() {
		return ErrAuditTruncated
	}
	p, err := beginPages(v.db, false)
	if err != nil {
		return err
	}
	tx := &Tx{state: v.state, pages: p}
	root, err := audit.RootAt(h.signed.Size, tx.subtrees())
	if err = cmp.Or(err, p.close()); err != nil {
		return err
	}
	if root != h.signed.Root {
		return ErrAuditFork
	}
	return nil
}
