package vault

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"testing"

	"coffer/internal/fault"
)

// TestBucketNumbersAreUnique reads the declarations, so that a new one can't
// be left out.
func TestBucketNumbersAreUnique(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "bucket.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{uint64(metaID): true, uint64(keyringID): true, uint64(auditID): true, uint64(cacheID): true, uint64(headsID): true}
	names := map[string]bool{"audit": true, "head": true, "file": true, "page": true, "meta": true, "keyring": true, "set": true, "index": true, "bbolt": true}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok || len(lit.Elts) != 5 {
			return true
		}
		id, isLit := lit.Elts[0].(*ast.BasicLit)
		if !isLit { // the audit bucket names its constant
			return true
		}
		number, err := strconv.ParseUint(id.Value, 0, 16)
		name := lit.Elts[1].(*ast.BasicLit).Value
		if err != nil || number < 0x10 || seen[number] || names[name] {
			t.Errorf("bucket %s %s: %v, or its number or name is taken", id.Value, name, err)
		}
		seen[number], names[name] = true, true
		n++
		return true
	})
	if n < 20 {
		t.Errorf("only %d buckets found", n)
	}
}

// TestJournalHasNoWayToChange lists what a Journal can do.
func TestJournalHasNoWayToChange(t *testing.T) {
	may := map[string]bool{"Insert": true, "At": true, "All": true, "Newest": true, "Count": true, "Find": true, "First": true, "Between": true, "Backward": true}
	j := reflect.TypeFor[*Journal[string, None]]()
	for m := range j.Methods() {
		if !may[m.Name] {
			t.Errorf("a Journal has the method %s", m.Name)
		}
	}
	if j.NumMethod() != len(may) {
		t.Errorf("a Journal has %d methods", j.NumMethod())
	}
}

func TestOrderKeys(t *testing.T) {
	if !(Uint64Key(9) < Uint64Key(10) && Uint64Key(255) < Uint64Key(256) && Uint64Key(1<<40) < Uint64Key(1<<41)) {
		t.Error("numbers don't sort")
	}
	if !(DateKey(-2) < DateKey(-1) && DateKey(-1) < DateKey(0) && DateKey(0) < DateKey(20000)) {
		t.Error("dates don't sort")
	}
}

func TestSetSum(t *testing.T) {
	h := newSetHasher([32]byte{1})
	value := bytes.Repeat([]byte{1}, 100)
	a, b := h.term(1, 1, value), h.term(1, 2, value)
	if a == b || a.add(b) != b.add(a) || a.add(b).sub(a) != b || (setSum{}).sub(a).add(a) != (setSum{}) {
		t.Error("the sum is no sum")
	}
	max := ^uint64(0)
	if (setSum{max, max, max, max}).add(setSum{1}) != (setSum{}) || (setSum{}).sub(setSum{1}) != (setSum{max, max, max, max}) {
		t.Error("no carry from word to word")
	}
}

// TestDecodingIsStrict feeds forms that the encoder never writes.
func TestDecodingIsStrict(t *testing.T) {
	type form struct {
		A int64 `cbor:"1,keyasint"`
	}
	for name, b := range map[string][]byte{
		"unknown field":     {0xa2, 1, 1, 2, 2},
		"repeated field":    {0xa2, 1, 1, 1, 2},
		"indefinite length": {0xbf, 1, 1, 0xff},
		"tag":               {0xa1, 1, 0xc2, 0x41, 1},
		"trailing byte":     {0xa1, 1, 1, 0},
		"wrong type":        {0xa1, 1, 0x61, 'a'},
		"huge map":          {0xbb, 0, 0, 0, 1, 0, 0, 0, 0},
		"cut":               {0xa1, 1},
		"nothing":           {},
	} {
		var f form
		if err := decode(b, &f); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecordsOfOtherVersions: a newer schema is not damage, and says what to do.
func TestRecordsOfOtherVersions(t *testing.T) {
	b := Bucket{ID: 0x10, Name: "staff", Scope: Identity, Schema: 2}
	k := newDataKey(7, useBucket, b.Scope, bucketOwner(b.ID))
	keys := func(id uint32) *dataKey { return map[uint32]*dataKey{7: k}[id] }
	value, err := sealRecord(b, k, nil, record{key: 1, shared: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := openRecord(b, keys, 1, value); err != nil || string(r.shared) != "x" {
		t.Errorf("own version: %v", err)
	}
	b.Schema = 1
	if _, err := openRecord(b, keys, 1, value); fault.KindOf(err) != fault.Conflict {
		t.Errorf("newer version: %v", err)
	}
	if _, err := sealRecord(b, k, nil, record{shared: make([]byte, recordBytesMax)}); !errors.Is(err, errTooLong) {
		t.Errorf("a record of more than a mebibyte: %v", err)
	}
}

// TestValuesHideLengths: texts that differ by a few letters have values of
// one size.
func TestValuesHideLengths(t *testing.T) {
	b := Bucket{ID: 0x10, Name: "staff", Scope: Identity, Schema: 1}
	k := newDataKey(7, useBucket, b.Scope, bucketOwner(b.ID))
	sizes := map[int]bool{}
	for n := range 200 {
		value, err := sealRecord(b, k, nil, record{shared: make([]byte, n)})
		if err != nil {
			t.Fatal(err)
		}
		sizes[len(value)] = true
	}
	if len(sizes) != 4 {
		t.Errorf("%d sizes for 200 lengths", len(sizes))
	}
}
