package audit

import (
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// subtreesOf computes subtree roots from leaf hashes.
func subtreesOf(leaves []Hash) Subtrees {
	return func(level int, n uint64) (Hash, error) {
		return RootOf(leaves[n<<level : (n+1)<<level]), nil
	}
}

// TestProofsOfRFC6962 compares with the example of RFC 6962 section 2.1.3 in
// its shape, and with the known roots of the Certificate Transparency test
// tree.
func TestProofsOfRFC6962(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"}
	var leaves []Hash
	for i, in := range inputs {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, LeafHash(b))
		root, err := RootAt(uint64(i+1), subtreesOf(leaves))
		if err != nil || root.SafeString() != roots[i] {
			t.Errorf("root of %d leaves is %s, %v", i+1, root.SafeString(), err)
		}
	}
	p, err := ProveConsistency(6, 8, subtreesOf(leaves)) // CT's proof for the same sizes
	want := []string{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}
	if err != nil || len(p) != 3 {
		t.Fatal(p, err)
	}
	for i := range p {
		if p[i].SafeString() != want[i] {
			t.Errorf("hash %d of the proof is %s", i, p[i].SafeString())
		}
	}
}

// TestProofsHold: every proof that is made is accepted, for its own heads
// alone.
func TestProofsHold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 600).Draw(r, "size")
		leaves := make([]Hash, n)
		for i := range leaves {
			leaves[i] = LeafHash([]byte{byte(i), byte(i >> 8)})
		}
		at := subtreesOf(leaves)
		head := Head{uint64(n), RootOf(leaves)}
		m := rapid.IntRange(0, n).Draw(r, "old")
		old := Head{uint64(m), RootOf(leaves[:m])}
		proof, err := ProveConsistency(old.Size, head.Size, at)
		if err != nil || CheckConsistency(proof, old, head) != nil {
			r.Fatalf("from %d to %d: %v", m, n, err)
		}
		if m > 0 && CheckConsistency(append(proof, Hash{}), old, head) == nil {
			r.Fatal("a proof with a hash too many")
		}
		if old.Root[0]++; CheckConsistency(proof, old, head) == nil {
			r.Fatal("another old head was proven")
		}
	})
}

func TestProofsOutOfRange(t *testing.T) {
	at := subtreesOf(make([]Hash, 8))
	head := Head{8, RootOf(make([]Hash, 8))}
	for name, err := range map[string]error{
		"backwards":           second(ProveConsistency(9, 8, at)),
		"huge trees":          second(ProveConsistency(1, 1<<63, at)),
		"root of a huge tree": second(RootAt(1<<63, at)),
	} {
		if !errors.Is(err, ErrNoProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"old is longer": CheckConsistency(nil, Head{9, head.Root}, head),
		"huge":          CheckConsistency(nil, Head{1, head.Root}, Head{1 << 63, head.Root}),
	} {
		if !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }
