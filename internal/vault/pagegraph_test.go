package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/access/accesstest"
)

// openWithin is how long a store with a hostile page graph may take to be refused.
const openWithin = 5 * time.Second

// pageGraph is a store file in the hands of somebody who knows bbolt's format.
type pageGraph struct {
	b    []byte
	head heads
}

var le = binary.LittleEndian

func (g *pageGraph) page(id uint64) []byte { return g.b[id*pageBytes:][:pageBytes] }

// element returns where element i of a page begins.
func (g *pageGraph) element(id uint64, i int) []byte { return g.page(id)[pageHead+i*leafElem:] }

// seal writes the checksum of a head page.
func (g *pageGraph) seal(page uint64) {
	m := g.page(page)[pageHead:]
	sum := fnv.New64a()
	sum.Write(m[:56])
	le.PutUint64(m[56:], sum.Sum64())
}

// both changes both head pages and their checksums.
func (g *pageGraph) both(change func(m []byte)) {
	for page := range uint64(2) {
		change(g.page(page)[pageHead:])
		g.seal(page)
	}
}

// find returns the first page of a kind, with at least two elements, that the
// newest commit uses.
func (g *pageGraph) find(t *testing.T, flag uint16) uint64 {
	t.Helper()
	w := &walk{file: bytes.NewReader(g.b), top: g.head.newest.top, seen: make([]uint64, g.head.newest.top/64+1),
		take: func(uint16, uint64, []byte) error { return nil }}
	if err := w.tree(g.head.newest.root, span{}, 0, w.bucket); err != nil {
		t.Fatal(err)
	}
	for id := uint64(2); id < w.top; id++ {
		live := w.seen[id/64]&(1<<(id%64)) != 0 && le.Uint64(g.page(id)) == id && id != g.head.newest.root
		if live && le.Uint16(g.page(id)[8:]) == flag && le.Uint16(g.page(id)[10:]) >= 2 {
			return id
		}
	}
	t.Fatalf("the store has no page of kind %d", flag)
	return 0
}

// link makes the first child of a branch another page.
func (g *pageGraph) link(branch, child uint64) { le.PutUint64(g.element(branch, 0)[8:], child) }

// grow appends n pages to the file.
func (g *pageGraph) grow(n int) (first uint64) {
	first = uint64(len(g.b)) / pageBytes
	g.b = append(g.b, make([]byte, n*pageBytes)...)
	g.both(func(m []byte) { le.PutUint64(m[40:], first+uint64(n)) })
	return first
}

// freelist makes a page that lists others as free, as bbolt stores them, and
// names it in the given head pages.
func (g *pageGraph) freelist(live []uint64, heads ...uint64) {
	id := g.grow(1)
	p := g.page(id)
	le.PutUint64(p, id)
	le.PutUint16(p[8:], 0x10)
	le.PutUint16(p[10:], uint16(len(live)))
	for i, n := range live {
		le.PutUint64(p[pageHead+8*i:], n)
	}
	for _, page := range heads {
		le.PutUint64(g.page(page)[pageHead+32:], id)
		g.seal(page)
	}
}

// TestHostilePageGraphs opens files whose pages lead in circles, out of the
// file or onto each other. Each is refused at once, by the exact fault.
func TestHostilePageGraphs(t *testing.T) {
	o, whole := flipStore(t)
	_, h, err := verifyBytes(whole, deriveKeys(o.Key), o.Tables, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:h.newest.top*pageBytes]
	for name, c := range map[string]struct {
		change func(t *testing.T, g *pageGraph)
		what   string
	}{
		"a branch is its own child": {func(t *testing.T, g *pageGraph) { b := g.find(t, branchFlag); g.link(b, b) }, "a page is used twice"},
		"a branch's child is the root of all": {func(t *testing.T, g *pageGraph) {
			g.link(g.find(t, branchFlag), g.head.newest.root)
		}, "a page is used twice"},
		"two parents have one child": {func(t *testing.T, g *pageGraph) {
			b := g.find(t, branchFlag)
			le.PutUint64(g.element(b, 1)[8:], le.Uint64(g.element(b, 0)[8:]))
		}, "a page is used twice"},
		"a child is a head page":    {func(t *testing.T, g *pageGraph) { g.link(g.find(t, branchFlag), 1) }, "a page outside the file is named"},
		"a child is behind the end": {func(t *testing.T, g *pageGraph) { g.link(g.find(t, branchFlag), g.head.newest.top) }, "a page outside the file is named"},
		"a child is page 2^64-1":    {func(t *testing.T, g *pageGraph) { g.link(g.find(t, branchFlag), ^uint64(0)) }, "a page outside the file is named"},
		"overflow of 2^32-1":        {func(t *testing.T, g *pageGraph) { le.PutUint32(g.page(g.find(t, leafFlag))[12:], ^uint32(0)) }, "the head of the page is damaged"},
		"overflow to the file's end": {func(t *testing.T, g *pageGraph) {
			p := g.find(t, leafFlag)
			le.PutUint32(g.page(p)[12:], uint32(g.head.newest.top-p))
		}, "the head of the page is damaged"},
		"overflow onto live pages": {func(t *testing.T, g *pageGraph) {
			le.PutUint32(g.page(g.head.newest.root)[12:], uint32(g.head.newest.top-1-g.head.newest.root))
		}, "a page is used twice"},
		"65,535 elements":           {func(t *testing.T, g *pageGraph) { le.PutUint16(g.page(g.find(t, leafFlag))[10:], 0xffff) }, "the page has an impossible number of elements"},
		"a branch without elements": {func(t *testing.T, g *pageGraph) { le.PutUint16(g.page(g.find(t, branchFlag))[10:], 0) }, "the page has an impossible number of elements"},
		"a key of 2^32-1 bytes":     {func(t *testing.T, g *pageGraph) { le.PutUint32(g.element(g.find(t, leafFlag), 0)[8:], ^uint32(0)) }, "an element lies outside its page"},
		"a value of 2^32-1 bytes":   {func(t *testing.T, g *pageGraph) { le.PutUint32(g.element(g.find(t, leafFlag), 0)[12:], ^uint32(0)) }, "an element lies outside its page"},
		"an element at 2^32-1":      {func(t *testing.T, g *pageGraph) { le.PutUint32(g.element(g.find(t, leafFlag), 0)[4:], ^uint32(0)) }, "an element lies outside its page"},
		"a leaf is a free list":     {func(t *testing.T, g *pageGraph) { le.PutUint16(g.page(g.find(t, leafFlag))[8:], 0x10) }, "the page is of no known kind"},
		"a page with another's number": {func(t *testing.T, g *pageGraph) {
			p := g.find(t, leafFlag)
			le.PutUint64(g.page(p), p+1)
		}, "the head of the page is damaged"},
		"a chain of forty branches": {func(t *testing.T, g *pageGraph) {
			const links = 40
			first := g.grow(links)
			for i := range uint64(links) {
				p := g.page(first + i)
				le.PutUint64(p, first+i)
				le.PutUint16(p[8:], branchFlag)
				le.PutUint16(p[10:], 1)
				le.PutUint32(p[pageHead:], branchElem)
				le.PutUint32(p[pageHead+4:], 3)
				le.PutUint64(p[pageHead+8:], first+i+1)
				copy(p[pageHead+branchElem:], []byte{2, 0, 1})
			}
			le.PutUint64(g.page(first + links - 1)[pageHead+8:], g.head.newest.root)
			g.both(func(m []byte) { le.PutUint64(m[16:], first) })
		}, "the tree is too deep"},
		"the file has 2^52 pages, say its heads": {func(t *testing.T, g *pageGraph) {
			g.both(func(m []byte) { le.PutUint64(m[40:], 1<<52) })
		}, "the file is shorter than its head pages say: its end is missing"},
		"the heads name a root outside": {func(t *testing.T, g *pageGraph) {
			g.both(func(m []byte) { le.PutUint64(m[16:], ^uint64(0)) })
		}, "both head pages are damaged"},
		"a free list names live pages": {func(t *testing.T, g *pageGraph) {
			g.freelist([]uint64{g.head.newest.root, g.find(t, leafFlag)}, 0, 1)
		}, "both head pages are damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &pageGraph{bytes.Clone(whole), h}
			c.change(t, g)
			v, err := openWithinTime(t, o, g.b)
			if err == nil {
				t.Fatal("it was opened", v.Close())
			}
			if f := findingOf(err); !errors.Is(err, ErrCorrupt) || Code(err) != "STORE-005" || f == nil || string(f.What) != c.what {
				t.Errorf("Open = %v, want %q", err, c.what)
			}
		})
	}
}

// TestFreelistInOneHead: a head page that names a free list is none of this
// store's, but bbolt would begin with it. The store stays shut, even with a
// journal that knows better.
func TestFreelistInOneHead(t *testing.T) {
	o, whole := flipStore(t)
	_, h, err := verifyBytes(whole, deriveKeys(o.Key), o.Tables, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &pageGraph{bytes.Clone(whole), h}
	g.freelist([]uint64{h.newest.root, h.older.root}, h.newest.txid%2)
	err = errors.Join(os.WriteFile(filepath.Join(o.Dir, fileName), g.b, 0o600), os.Remove(filepath.Join(o.Dir, cleanName)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), accesstest.System("test"), o); Code(err) != "STORE-005" || findingOf(err) == nil || findingOf(err).Where != "head" {
		t.Errorf("Open = %v", err)
	}
}

// layBare makes b the store's file, with nothing beside it.
func layBare(t *testing.T, o Options, b []byte) {
	t.Helper()
	err := os.WriteFile(filepath.Join(o.Dir, fileName), b, 0o600)
	for _, name := range []string{lastName, cleanName, journalName} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(o.Dir, name)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// openWithinTime opens a file, and fails the test if that takes long.
func openWithinTime(t *testing.T, o Options, b []byte) (v *Vault, err error) {
	t.Helper()
	layBare(t, o, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		v, err = Open(t.Context(), accesstest.System("test"), o)
	}()
	select {
	case <-done:
		return v, err
	case <-time.After(openWithin):
		t.Fatal("the store hangs")
		return nil, nil
	}
}
