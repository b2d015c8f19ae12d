package audit

import (
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/fault"
)

// vectors are the leaves and roots that the implementations of Certificate
// Transparency test with.
var vectorLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}

var vectorRoots = []string{
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

func TestRootsOfRFC6962(t *testing.T) {
	var tree Tree
	for i, want := range vectorRoots {
		if got := tree.Root(); hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d leaves is %x, want %s", i, got, want)
		}
		if i < len(vectorLeaves) {
			leaf, err := hex.DecodeString(vectorLeaves[i])
			if err != nil {
				t.Fatal(err)
			}
			tree = tree.Append(LeafHash(leaf))
		}
	}
}

// rootOf is the definition of RFC 6962 section 2.1, word for word.
func rootOf(leaves []Hash) Hash {
	switch n := len(leaves); n {
	case 0:
		return Tree{}.Root()
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		return nodeHash(rootOf(leaves[:k]), rootOf(leaves[k:]))
	}
}

func TestCompactRangeAgreesWithTheDefinition(t *testing.T) {
	var leaves []Hash
	var tree Tree
	for i := range 300 {
		before, root := tree, tree.Root()
		leaf := LeafHash([]byte{byte(i), byte(i >> 8)})
		leaves = append(leaves, leaf)
		tree = tree.Append(leaf)
		if before.Root() != root {
			t.Fatalf("Append changed the tree of %d leaves that it was called on", i)
		}
		if tree.Root() != rootOf(leaves) {
			t.Fatalf("the root of %d leaves is wrong", i+1)
		}
		again, err := NewTree(tree.Size(), tree.Hashes())
		if err != nil || again.Root() != tree.Root() {
			t.Fatalf("the tree of %d leaves does not survive storing: %v", i+1, err)
		}
	}
	if _, err := NewTree(3, make([]Hash, 1)); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("NewTree with a missing hash = %v", err)
	}
}

// trail returns n good records and their head.
func trail(n int) ([]Record, Tree) {
	var head Tree
	records := make([]Record, n)
	for i := range records {
		o := NewOpening([32]byte{byte(i), 1}, Detail{"purpose", "payment"})
		e := Event{Seq: uint64(i), Actor: "desk", Act: "payment.take", Object: "none", Outcome: OK, Commit: o.Commit()}
		records[i] = Record{e.AppendLeaf(nil), o}
		head = head.Append(LeafHash(records[i].Leaf))
	}
	return records, head
}

func sequence(records []Record) func(func(Record, error) bool) {
	return func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestVerifyFindsEveryChange(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(r, "events")
		records, head := trail(n)
		if p, err := Verify(head, sequence(records)); p != nil || err != nil {
			r.Fatalf("good trail: %v, %v", p, err)
		}
		at := rapid.IntRange(0, n-2).Draw(r, "at")
		what := rapid.SampledFrom([]string{"delete", "swap", "repeat", "cut", "edit", "opening", "rewrite"}).Draw(r, "attack")
		switch what {
		case "delete":
			records = append(records[:at], records[at+1:]...)
		case "swap":
			records[at], records[at+1] = records[at+1], records[at]
		case "repeat":
			records = append(records, records[n-1])
		case "cut":
			records = records[:n-1]
		case "edit":
			b := append([]byte(nil), records[at].Leaf...)
			b[rapid.IntRange(0, len(b)-1).Draw(r, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
			records[at].Leaf = b
		case "opening":
			records[at].Opening.Private = []byte(`{"purpose":"treatment"}`)
		case "rewrite":
			e, err := ParseLeaf(records[at].Leaf)
			if err != nil {
				r.Fatal(err)
			}
			e.Actor = "somebody"
			records[at].Leaf = e.AppendLeaf(nil)
		}
		if p, err := Verify(head, sequence(records)); p == nil || err != nil {
			r.Fatalf("%s at %d was not found: %v", what, at, err)
		}
	})
}

func TestWithheldOpeningsVerify(t *testing.T) {
	records, head := trail(9)
	for i := range records {
		records[i].Opening = Opening{}
	}
	if p, err := Verify(head, sequence(records)); p != nil || err != nil {
		t.Errorf("redacted trail: %v, %v", p, err)
	}
}

func TestVerifyPassesAnIteratorsErrorOn(t *testing.T) {
	broken := fault.New(fault.Corrupt, "Broken.")
	p, err := Verify(Tree{}, func(yield func(Record, error) bool) { yield(Record{}, broken) })
	if p == nil || err != error(broken) {
		t.Errorf("Verify = %v, %v", p, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	records, head := trail(1000)
	for b.Loop() {
		if p, err := Verify(head, sequence(records)); p != nil || err != nil {
			b.Fatal(p, err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}
