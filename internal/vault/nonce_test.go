package vault

import (
	"slices"
	"testing"
)

// TestNoncesOfOneKey seals equal records over and over, under one key and one
// client's key: no nonce of either layer comes twice.
func TestNoncesOfOneKey(t *testing.T) {
	outer, inner := newDataKey(7, useBucket, Identity, bucketOwner(0x10)), newDataKey(8, useClient, Identity, [16]byte{1})
	n := 50_000
	if *Full {
		n = 10_000_000
	}
	outside, inside := make([][nonceBytes]byte, n), make([][nonceBytes]byte, n)
	var plain []byte
	for i := range n {
		value, err := sealRecord(fuzzBucket, outer, inner, record{key: 1})
		if err != nil {
			t.Fatal(err)
		}
		if plain, err = outer.aead().Open(plain[:0], nil, value[valueHead:], aadOf(fuzzBucket.ID, outer.id, 1)); err != nil {
			t.Fatal(err)
		}
		outside[i], inside[i] = [nonceBytes]byte(value[valueHead:]), [nonceBytes]byte(plain[plainHead+4:])
	}
	for layer, nonces := range map[string][][nonceBytes]byte{"outer": outside, "inner": inside} {
		slices.SortFunc(nonces, func(a, b [nonceBytes]byte) int { return slices.Compare(a[:], b[:]) })
		if unique := slices.Compact(nonces); len(unique) != n {
			t.Errorf("%s layer: %d of %d nonces were drawn again", layer, n-len(unique), n)
		}
	}
}
