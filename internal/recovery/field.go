package recovery

// times multiplies in GF(256), x^8+x^4+x^3+x+1, in the same steps whatever
// its operands are.
func times(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= a & -(b & 1)
		a, b = a<<1^0x1b&-(a>>7), b>>1
	}
	return p
}

// inverse is 1/a, as a^254; 0 for 0.
func inverse(a byte) byte {
	r, square := byte(1), a
	for range 7 { // 254 = 2+4+8+16+32+64+128
		square = times(square, square)
		r = times(r, square)
	}
	return r
}

// along evaluates a polynomial, constant term first, at x.
func along(curve []byte, x byte) byte {
	var y byte
	for i := len(curve) - 1; i >= 0; i-- {
		y = times(y, x) ^ curve[i]
	}
	return y
}

// at evaluates the curves through shares of different numbers at x
// (Lagrange). Only the numbers, which are no secret, steer it.
func at(shares []Share, x byte) (out [seedBytes]byte) {
	for i, s := range shares {
		weight := byte(1)
		for j, o := range shares {
			if i != j {
				weight = times(weight, times(x^o.number, inverse(s.number^o.number)))
			}
		}
		for b := range out {
			out[b] ^= times(weight, s.y[b])
		}
	}
	return out
}
