// Package money counts US cents in whole numbers. An Amount is an int64 of
// cents: no float stands anywhere in a money path, arithmetic that would
// overflow is an error and not a wrong sum, and a split loses no cent.
package money

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"coffer/internal/fault"
)

// Amount is a sum of money in US cents. Whether it stands for a debit or a
// credit is said by the context; in a posting a positive Amount is a debit.
type Amount int64

// Max is the largest amount that a person may enter: 10,000,000.00 dollars.
const Max Amount = 1_000_000_000

// The faults of this package.
var (
	ErrOverflow = fault.New(fault.Invalid, "The amount is too large to add up. Check the figures.")
	ErrFormat   = fault.New(fault.Invalid, "Enter an amount in dollars and cents, such as 25.00.")
)

// Add returns a+b, or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	s := a + b
	if (s > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return s, nil
}

// Sub returns a-b, or ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	d := a - b
	if (d < a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return d, nil
}

// Neg returns -a. The one amount without a negative gives ErrOverflow.
func (a Amount) Neg() (Amount, error) {
	if a == math.MinInt64 {
		return 0, ErrOverflow
	}
	return -a, nil
}

// Mul returns a times n, or ErrOverflow.
func (a Amount) Mul(n int64) (Amount, error) {
	if a == 0 || n == 0 {
		return 0, nil
	}
	p := int64(a) * n
	if p/n != int64(a) || (int64(a) == -1 && n == math.MinInt64) || (n == -1 && int64(a) == math.MinInt64) {
		return 0, ErrOverflow
	}
	return Amount(p), nil
}

// Sum adds all amounts, or gives ErrOverflow.
func Sum(amounts ...Amount) (Amount, error) {
	var total Amount
	for _, a := range amounts {
		var err error
		if total, err = total.Add(a); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Split divides a into one part per weight, in proportion, so that the parts
// sum to a exactly. The cents that do not divide go one each to the parts
// with the largest remainder, the earlier part first. Weights must not be
// negative and must not all be zero.
func (a Amount) Split(weights ...uint32) ([]Amount, error) {
	var total uint64
	for _, w := range weights {
		total += uint64(w)
	}
	if total == 0 {
		return nil, fault.New(fault.Invalid, "A split needs at least one part with a share.")
	}
	if a == math.MinInt64 {
		return nil, ErrOverflow
	}
	sign, abs := Amount(1), uint64(a)
	if a < 0 {
		sign, abs = -1, uint64(-a)
	}
	parts := make([]Amount, len(weights))
	remainders := make([]uint64, len(weights))
	left := abs
	for i, w := range weights {
		hi, lo := bits.Mul64(abs, uint64(w))
		quotient, remainder := bits.Div64(hi, lo, total)
		parts[i], remainders[i] = Amount(quotient), remainder
		left -= quotient
	}
	for ; left > 0; left-- {
		best := -1
		for i, r := range remainders {
			if r > 0 && (best < 0 || r > remainders[best]) {
				best = i
			}
		}
		parts[best]++
		remainders[best] = 0
	}
	for i := range parts {
		parts[i] *= sign
	}
	return parts, nil
}

// Percent returns basisPoints/10000 of a (4000 is 40 %), rounded half away
// from zero to a whole cent, or ErrOverflow.
func (a Amount) Percent(basisPoints uint16) (Amount, error) {
	p, err := a.Mul(int64(basisPoints))
	if err != nil {
		return 0, err
	}
	half := Amount(5000)
	if p < 0 {
		half = -half
	}
	p, err = p.Add(half)
	return p / 10000, err
}

// String returns the amount in dollars with two decimals and a leading minus
// sign when negative: "-1234.50".
func (a Amount) String() string {
	sign, abs := "", uint64(a)
	if a < 0 {
		sign, abs = "-", -uint64(a)
	}
	cents := strconv.FormatUint(abs%100, 10)
	if len(cents) == 1 {
		cents = "0" + cents
	}
	return sign + strconv.FormatUint(abs/100, 10) + "." + cents
}

// SafeString returns String: an amount alone identifies nobody.
func (a Amount) SafeString() string { return a.String() }

// Parse reads an amount as people type it: "25", "25.5", "25.00", "$1,250.00".
// It refuses signs, more than two decimals, misplaced commas and anything
// above Max with ErrFormat.
func Parse(s string) (Amount, error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "$")
	whole, frac, dotted := strings.Cut(s, ".")
	if strings.Contains(whole, ",") {
		groups := strings.Split(whole, ",")
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || len(g) == 0 || len(g) > 3) {
				return 0, ErrFormat
			}
		}
		whole = strings.Join(groups, "")
	}
	if whole == "" && frac == "" || dotted && len(frac) > 2 || len(whole) > 12 {
		return 0, ErrFormat
	}
	for _, r := range whole + frac {
		if r < '0' || r > '9' {
			return 0, ErrFormat
		}
	}
	frac = (frac + "00")[:2]
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil || Amount(n) > Max {
		return 0, ErrFormat
	}
	return Amount(n), nil
}
