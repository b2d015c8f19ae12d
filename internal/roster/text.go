package roster

import (
	"unicode"
	"unicode/utf8"

	"coffer/internal/fault"
)

// ErrCardNumber is returned when a text holds what looks like the number of a
// payment card. Keeps PCI DSS 3.2: such a number is not stored, nor accepted.
var ErrCardNumber = fault.New(fault.Invalid, "This looks like a card number. Take it out: cards are only ever used at the card terminal.")

// checkText refuses text longer than max letters (with the fault long), text
// with control characters, and text that holds a card number.
func checkText(s string, max int, long *fault.Error) error {
	if utf8.RuneCountInString(s) > max {
		return long
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Invalid, "The text holds characters that cannot be kept. Type it again.")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fault.New(fault.Invalid, "Use a single line of plain text.")
		}
	}
	if holdsCardNumber(s) {
		return ErrCardNumber
	}
	return nil
}

const (
	cardDigitsMin = 13 // ISO/IEC 7812-1: 19 at most; 13 is the shortest in use
	cardDigitsMax = 19
)

// holdsCardNumber reports whether s holds 13 to 19 digits that pass the check
// of ISO/IEC 7812-1 (Luhn) and begin with 2 to 6, as every payment card does.
// Spaces, dots and dashes between digits are ignored. The number may begin at
// the start of a group of digits, or anywhere in a group longer than a card's.
func holdsCardNumber(s string) bool {
	var digits []byte
	var starts []bool // whether a card number may begin at this digit
	flush := func() bool {
		found := anyCard(digits, starts)
		digits, starts = digits[:0], starts[:0]
		return found
	}
	fresh := true
	for _, r := range s {
		d, ok := digit(r)
		switch {
		case ok:
			digits, starts = append(digits, d), append(starts, fresh)
			fresh = false
		case r == '-' || r == '.' || r == '–' || unicode.IsSpace(r):
			fresh = true
		default:
			if flush() {
				return true
			}
			fresh = true
		}
	}
	return flush()
}

// digit returns the value of an ordinary or a full-width decimal digit.
func digit(r rune) (byte, bool) {
	switch {
	case r >= '0' && r <= '9':
		return byte(r - '0'), true
	case r >= '０' && r <= '９':
		return byte(r - '０'), true
	}
	return 0, false
}

func anyCard(digits []byte, starts []bool) bool {
	group := 0 // where the current group of digits began
	for i := range digits {
		if starts[i] {
			group = i
		}
		inside := longGroup(starts[group+1:])
		if !(starts[i] || inside) || digits[i] < 2 || digits[i] > 6 {
			continue
		}
		for n := cardDigitsMin; n <= cardDigitsMax && i+n <= len(digits); n++ {
			if luhn(digits[i : i+n]) {
				return true
			}
		}
	}
	return false
}

// longGroup reports whether the group whose further digits come first in rest
// is longer than any card number.
func longGroup(rest []bool) bool {
	for n, start := range rest {
		if start {
			return false
		}
		if n+2 > cardDigitsMax {
			return true
		}
	}
	return false
}

// luhn reports whether the digits end in the right check digit.
func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
