package vault

import (
	"encoding/binary"
	"hash/fnv"
	"io"
)

// bbolt keeps its root in two meta pages that are written in turn; each names
// a root page and carries a checksum. bbolt opens the older one without a
// word when the newer is damaged, and so loses a commit silently. These
// functions read both before bbolt does.

const (
	pageBytes   = 4096
	pageHead    = 16 // id u64 | flags u16 | count u16 | overflow u32
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)

	branchFlag = 0x01
	leafFlag   = 0x02
	metaFlag   = 0x04
)

// headPage is the content of one bbolt meta page.
type headPage struct {
	root uint64 // page of the root bucket
	top  uint64 // first page number never used
	txid uint64
}

// heads is what the two meta pages say together.
type heads struct {
	newest headPage
	older  headPage // of the commit before; zero when its page is damaged
	torn   bool     // one page is damaged: the last commit may be the one before
}

// readHeads reads both meta pages of a file of the given size. Both must be
// sound and of consecutive commits; with one sound page the result is torn.
func readHeads(f io.ReaderAt, size int64) (heads, error) {
	if size < 2*pageBytes {
		return heads{}, damage("file", uint64(size), "the file ends before its head pages do")
	}
	var sound []headPage
	scratched := false
	for i := range uint64(2) {
		var b [pageBytes]byte
		if _, err := f.ReadAt(b[:], int64(i)*pageBytes); err != nil && err != io.EOF {
			return heads{}, diskFault(err)
		}
		h, ok := parseHead(b[:], i)
		if ok && h.top > uint64(size)/pageBytes {
			return heads{}, damage("file", uint64(size), "the file is shorter than its head pages say: its end is missing")
		}
		if ok {
			sound = append(sound, h)
		}
		scratched = scratched || !isHead(b[:], i)
	}
	switch {
	case len(sound) == 0:
		return heads{}, damage("head", 0, "both head pages are damaged")
	case len(sound) == 1:
		return heads{newest: sound[0], torn: true}, nil
	}
	newest, other := sound[0], sound[1]
	if other.txid > newest.txid {
		newest, other = other, newest
	}
	return heads{newest, other, scratched || newest.txid-other.txid != 1}, nil
}

// parseHead reads the content of meta page number i. The first bytes of the
// page, before the content, are not asked for: bbolt does not look at them
// when it chooses the page to begin with.
func parseHead(b []byte, i uint64) (headPage, bool) {
	le := binary.LittleEndian
	m := b[pageHead:]
	sum := fnv.New64a()
	sum.Write(m[:56])
	h := headPage{root: le.Uint64(m[16:]), top: le.Uint64(m[40:]), txid: le.Uint64(m[48:])}
	ok := le.Uint32(m) == boltMagic && le.Uint32(m[4:]) == boltVersion && le.Uint32(m[8:]) == pageBytes && le.Uint32(m[12:]) == 0 &&
		le.Uint64(m[32:]) == noFreelist && le.Uint64(m[56:]) == sum.Sum64() &&
		h.txid%2 == i && h.root >= 2 && h.root < h.top
	return h, ok
}

// isHead reports whether the first bytes of a page are those of meta page i.
func isHead(b []byte, i uint64) bool {
	le := binary.LittleEndian
	return le.Uint64(b) == i && le.Uint16(b[8:]) == metaFlag && le.Uint16(b[10:]) == 0 && le.Uint32(b[12:]) == 0
}
