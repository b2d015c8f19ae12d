// Package pan judges whether a text holds a card number (the primary account
// number of PCI DSS), so that no form field, frame of a terminal, log line or
// record keeps one. No type of Coffer can hold a card number; this package is
// for where somebody, or some device, puts one nevertheless.
//
// What it finds: 13 to 19 digits that begin like those of a card scheme, have a
// length that the scheme uses, and a good check digit (ISO/IEC 7812-1, Luhn).
// The digits may be of any script, and may stand in groups of one size, as cards
// print them or as people type them, with one to three spaces, dashes, dots,
// slashes, commas or underscores between them (groups of 8 at most). In a group of more than 19 digits
// a number may begin anywhere; what is glued behind one of 15 or 16 (the code of
// its back) does not hide it. It also finds what stands on a card's magnetic
// stripe by its form alone (ISO/IEC 7813, tracks 1 and 2).
//
// What it does not find: a number in irregular groups, or with other text among
// its digits. One in ten random numbers has a good check digit, so a longer
// number that is no card's may be taken for one: a test states how often
// ordinary text is.
//
// Nothing is on disk. It trusts nothing and keeps nothing of what it judges.
package pan

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"coffer/internal/fault"
)

// Err is the refusal of a text that holds a card number. It repeats no digit.
// Keeps PCI DSS 3.2: such a number is not stored, nor accepted.
var Err = fault.New(fault.Invalid, "This looks like a card number. Coffer never takes one: let the client use the terminal.")

// Bytes is text, or what may be text.
type Bytes interface{ ~string | ~[]byte }

// In reports whether s holds a card number. It makes no copy of s.
func In[T Bytes](s T) bool {
	_, _, found := find(s)
	return found
}

// Mask returns s with an asterisk in the place of each digit of each card number.
func Mask(s string) string {
	for {
		from, to, found := find(s)
		if !found {
			return s
		}
		stars := strings.Map(func(r rune) rune {
			if _, ok := digit(r); ok {
				return '*'
			}
			return r
		}, s[from:to])
		s = s[:from] + stars + s[to:]
	}
}

// The digits of a card number, ISO/IEC 7812-1; 13 is the shortest in use.
const (
	digitsMin = 13
	digitsMax = 19
)

// separatorsMax is how many separators may stand between two groups.
const separatorsMax = 3

// find returns where the first card number begins and ends, in bytes.
func find[T Bytes](s T) (from, to int, found bool) {
	var space [64]one
	r := run(space[:0])
	apart := separatorsMax + 1 // how far the last digit is away, in separators
	for at := 0; at < len(s); {
		c, width := decode(s, at)
		switch value, isDigit := digit(c); {
		case isDigit:
			r = append(r, one{value, apart > 0, at, at + width})
			apart = 0
		case apart < separatorsMax && separates(c):
			apart++
		default:
			if from, to, found = card(s, r); found {
				clear(r)
				return from, to, true
			}
			clear(r)
			r, apart = r[:0], separatorsMax+1
		}
		at += width
	}
	from, to, found = card(s, r)
	clear(r)
	return from, to, found
}

// decode returns the character at a position, and its width in bytes.
func decode[T Bytes](s T, at int) (rune, int) {
	if s[at] < utf8.RuneSelf {
		return rune(s[at]), 1
	}
	return utf8.DecodeRuneInString(string(s[at:min(at+utf8.UTFMax, len(s))]))
}

// digit returns the value of a decimal digit of any script.
func digit(r rune) (byte, bool) {
	switch {
	case r >= '0' && r <= '9':
		return byte(r - '0'), true
	case r < utf8.RuneSelf:
		return 0, false
	}
	// Each script's digits stand together, zero first (The Unicode Standard, 4.6).
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	return 0, false
}

// separates reports whether a character may stand between the groups of a
// number: also one that nobody sees.
func separates(r rune) bool {
	switch r {
	case ' ', '-', '.', '/', ',', '_':
		return true
	}
	return r == '\t' || r == '\n' || r == '\r' || r >= utf8.RuneSelf && (unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf))
}
