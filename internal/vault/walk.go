package vault

import (
	"bytes"
	"encoding/binary"
	"io"
)

// A walk reads the tree of pages by positioned reads, not through bbolt's
// map, and believes nothing: each page is read once, stays inside the
// file, has its own number and a known kind, its elements lie inside it, and
// keys rise. A file that passes holds no loop, no shared page and no length
// that could lead bbolt astray.

const (
	walkDepthMax = 32
	overflowMax  = 2 * (recordBytesMax + 2*pageBytes) / pageBytes
	branchElem   = 16 // pos u32 | key length u32 | page u64
	leafElem     = 16 // flags u32 | pos u32 | key length u32 | value length u32
	bucketHead   = 16 // root page u64 | sequence u64
)

// walk is one pass over a file.
type walk struct {
	file  io.ReaderAt
	top   uint64
	seen  []uint64 // bit set of the pages that belong to the tree
	pages uint64
	take  func(bucket uint16, key uint64, value []byte) error
}

// walkPages calls take for every record under the root, bucket by bucket in
// the order of their ids, each in key order. value is valid during the call.
// It returns the number of pages, or the first damage.
func walkPages(f io.ReaderAt, root, top uint64, take func(uint16, uint64, []byte) error) (uint64, error) {
	w := &walk{file: f, top: top, seen: make([]uint64, top/64+1), pages: 2, take: take}
	err := w.tree(root, span{}, 0, w.bucket)
	return w.pages, err
}

// span bounds the keys of a subtree: from ≤ key < to; nil is open.
type span struct{ from, to []byte }

func (s span) holds(key []byte) bool {
	return bytes.Compare(key, s.from) >= 0 && (s.to == nil || bytes.Compare(key, s.to) < 0)
}

// element is one key of a page.
type element struct {
	page  uint64 // of a branch
	flags uint32 // of a leaf
	key   []byte
	value []byte
}

// tree walks the subtree of a page.
func (w *walk) tree(id uint64, keys span, depth int, leaf func(page uint64, e element) error) error {
	b, err := w.read(id)
	if err != nil {
		return err
	}
	if depth > walkDepthMax {
		return damage("page", id, "the tree is too deep")
	}
	elements, branch, err := parsePage(b, id, keys)
	if err != nil {
		return err
	}
	for i, e := range elements {
		if !branch {
			if err := leaf(id, e); err != nil {
				return err
			}
			continue
		}
		below := span{e.key, keys.to}
		if i+1 < len(elements) {
			below.to = elements[i+1].key
		}
		if err := w.tree(e.page, below, depth+1, leaf); err != nil {
			return err
		}
	}
	return nil
}

// read returns the bytes of a page with its overflow, and marks it as seen.
func (w *walk) read(id uint64) ([]byte, error) {
	if id < 2 || id >= w.top {
		return nil, damage("page", id, "a page outside the file is named")
	}
	b := make([]byte, pageBytes)
	if _, err := w.file.ReadAt(b, int64(id)*pageBytes); err != nil {
		return nil, readFault(id, err)
	}
	overflow := uint64(binary.LittleEndian.Uint32(b[12:]))
	if binary.LittleEndian.Uint64(b) != id || overflow > overflowMax || id+overflow >= w.top {
		return nil, damage("page", id, "the head of the page is damaged")
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, damage("page", i, "a page is used twice")
		}
		w.seen[i/64] |= 1 << (i % 64)
	}
	w.pages += overflow + 1
	if overflow > 0 {
		b = make([]byte, (overflow+1)*pageBytes)
		if _, err := w.file.ReadAt(b, int64(id)*pageBytes); err != nil {
			return nil, readFault(id, err)
		}
	}
	return b, nil
}

func readFault(id uint64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return damage("page", id, "the file ends before the page")
	}
	return diskFault(err)
}

// parsePage returns the elements of a branch or leaf page, whose keys must
// rise and lie in the span.
func parsePage(b []byte, id uint64, keys span) (elements []element, branch bool, err error) {
	flags, count := binary.LittleEndian.Uint16(b[8:]), int(binary.LittleEndian.Uint16(b[10:]))
	if flags != leafFlag && flags != branchFlag {
		return nil, false, damage("page", id, "the page is of no known kind")
	}
	branch = flags == branchFlag
	if branch && count == 0 || pageHead+count*leafElem > len(b) {
		return nil, false, damage("page", id, "the page has an impossible number of elements")
	}
	elements = make([]element, count)
	last := []byte(nil)
	for i := range elements {
		e, ok := parseElement(b, pageHead+i*leafElem, branch)
		if !ok {
			return nil, false, damage("page", id, "an element lies outside its page")
		}
		if !keys.holds(e.key) || i > 0 && bytes.Compare(last, e.key) >= 0 {
			return nil, false, damage("page", id, "the keys are out of order")
		}
		elements[i], last = e, e.key
	}
	return elements, branch, nil
}

// parseElement reads the element at an offset of a page.
func parseElement(b []byte, at int, branch bool) (element, bool) {
	le := binary.LittleEndian
	var e element
	var pos, keyLen, valueLen uint64
	if branch {
		pos, keyLen, e.page = uint64(le.Uint32(b[at:])), uint64(le.Uint32(b[at+4:])), le.Uint64(b[at+8:])
	} else {
		e.flags, pos = le.Uint32(b[at:]), uint64(le.Uint32(b[at+4:]))
		keyLen, valueLen = uint64(le.Uint32(b[at+8:])), uint64(le.Uint32(b[at+12:]))
	}
	from := uint64(at) + pos
	if keyLen == 0 || pos < leafElem || from+keyLen+valueLen > uint64(len(b)) {
		return element{}, false
	}
	e.key = b[from : from+keyLen : from+keyLen]
	e.value = b[from+keyLen : from+keyLen+valueLen : from+keyLen+valueLen]
	return e, true
}

// bucket walks one entry of the root: a bucket of records, in pages of its
// own or, while it is small, within the entry.
func (w *walk) bucket(page uint64, e element) error {
	if e.flags != 1 || len(e.key) != 3 || e.key[0] != 0x02 || len(e.value) < bucketHead {
		return damage("page", page, "the root names something that is not a bucket")
	}
	id := binary.BigEndian.Uint16(e.key[1:])
	leaf := func(page uint64, e element) error { return w.record(id, page, e) }
	if root := binary.LittleEndian.Uint64(e.value); root != 0 {
		if len(e.value) != bucketHead {
			return damage("page", page, "a bucket is both inside and outside of its entry")
		}
		return w.tree(root, span{}, 1, leaf)
	}
	inline := e.value[bucketHead:]
	if len(inline) < pageHead || binary.LittleEndian.Uint64(inline) != 0 || binary.LittleEndian.Uint32(inline[12:]) != 0 {
		return damage("page", page, "the head of a small bucket is damaged")
	}
	elements, branch, err := parsePage(inline, page, span{})
	if err != nil {
		return err
	}
	if branch {
		return damage("page", page, "a small bucket has branches")
	}
	for _, e := range elements {
		if err := leaf(page, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) record(bucket uint16, page uint64, e element) error {
	if e.flags != 0 || len(e.key) != 8 {
		return damage("page", page, "an element is not a record")
	}
	return w.take(bucket, binary.BigEndian.Uint64(e.key), e.value)
}
