package money

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func amounts() *rapid.Generator[Amount] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) Amount { return Amount(n) }),
		rapid.SampledFrom([]Amount{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}),
	)
}

// checked compares an operation with the same one on unbounded integers: it
// must give the same number, or ErrOverflow exactly when that does not fit.
func checked(t *rapid.T, got Amount, err error, want *big.Int) {
	if want.IsInt64() {
		if err != nil || int64(got) != want.Int64() {
			t.Fatalf("got %d, %v; want %d", got, err, want)
		}
	} else if !errors.Is(err, ErrOverflow) {
		t.Fatalf("got %d, %v; want overflow", got, err)
	}
}

func TestArithmeticIsExactOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts().Draw(t, "a"), amounts().Draw(t, "b")
		x, y := big.NewInt(int64(a)), big.NewInt(int64(b))
		sum, err := a.Add(b)
		checked(t, sum, err, new(big.Int).Add(x, y))
		diff, err := a.Sub(b)
		checked(t, diff, err, new(big.Int).Sub(x, y))
		product, err := a.Mul(int64(b))
		checked(t, product, err, new(big.Int).Mul(x, y))
		neg, err := a.Neg()
		checked(t, neg, err, new(big.Int).Neg(x))
	})
}

func TestSplitLosesNoCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "amount"))
		weights := rapid.SliceOfN(rapid.Uint32(), 1, 20).Draw(t, "weights")
		weights[0] = max(weights[0], 1)
		parts, err := a.Split(weights...)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := Sum(parts...); err != nil || sum != a {
			t.Fatalf("%v split into %v, which is %v", a, parts, sum)
		}
		var total uint64
		for _, w := range weights {
			total += uint64(w)
		}
		for i, p := range parts {
			exact := new(big.Rat).SetFrac(
				new(big.Int).Mul(big.NewInt(int64(a)), new(big.Int).SetUint64(uint64(weights[i]))),
				new(big.Int).SetUint64(total))
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(int64(p)))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("part %d is %v, a cent or more from its share", i, p)
			}
		}
	})
}

func TestSplitRefuses(t *testing.T) {
	for _, weights := range [][]uint32{nil, {0}, {0, 0, 0}} {
		if _, err := Amount(100).Split(weights...); err == nil {
			t.Errorf("split by %v should be refused", weights)
		}
	}
	if _, err := Amount(math.MinInt64).Split(1, 1); !errors.Is(err, ErrOverflow) {
		t.Error("the one amount without a negative should be refused")
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		a    Amount
		bp   uint16
		want Amount
	}{
		{15000, 4000, 6000}, {1, 5000, 1}, {1, 4999, 0}, {-1, 5000, -1}, {333, 3333, 111}, {0, 10000, 0}, {12345, 10000, 12345},
	} {
		if got, err := c.a.Percent(c.bp); err != nil || got != c.want {
			t.Errorf("%d of %v is %v, want %v (%v)", c.bp, c.a, got, c.want, err)
		}
	}
	if _, err := Amount(math.MaxInt64).Percent(2); !errors.Is(err, ErrOverflow) {
		t.Error("overflow should be refused")
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]Amount{
		"25": 2500, "25.5": 2550, "25.05": 2505, " $1,250.00 ": 125000, ".5": 50, "0": 0, "10,000,000.00": Max, "1,234,567": 123456700, "7.": 700,
	} {
		if got, err := Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "$", ".", "-5", "+5", "1.234", "1,23", ",123", "1,2345", "1e3", "0x10", "٣", "10,000,000.01", "25 00", "1.2.3", "99999999999999999999"} {
		if got, err := Parse(in); !errors.Is(err, ErrFormat) {
			t.Errorf("Parse(%q) = %v, %v; want a refusal", in, got, err)
		}
	}
}

func TestStringParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(rapid.Int64Range(0, int64(Max)).Draw(t, "amount"))
		if back, err := Parse(a.String()); err != nil || back != a {
			t.Fatalf("%d prints as %s and reads as %d, %v", a, a, back, err)
		}
	})
	for a, want := range map[Amount]string{-5: "-0.05", 0: "0.00", -123450: "-1234.50", math.MinInt64: "-92233720368547758.08"} {
		if a.String() != want {
			t.Errorf("%d prints as %s, want %s", int64(a), a, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"25.00", "$1,250", "1,,000", "..", "9999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err == nil && (a < 0 || a > Max) {
			t.Errorf("Parse(%q) = %v, which nobody may enter", s, a)
		}
	})
}
