package protocol

import (
	"strings"

	"coffer/internal/pan"
)

// Clean returns s in printable ASCII and at most sizeMax bytes long; every
// other byte becomes a space, and spaces at the ends go.
func Clean(s string, sizeMax int) string {
	b := make([]byte, 0, min(len(s), sizeMax))
	for i := 0; i < len(s) && len(b) < sizeMax; i++ {
		c := s[i]
		if c < 0x20 || c > 0x7e {
			c = ' '
		}
		if c == ' ' && len(b) == 0 {
			continue
		}
		b = append(b, c)
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return string(b)
}

// Text returns the words of a bank: printable ASCII, without anything that
// could be a card number.
func Text(s string, sizeMax int) string {
	s = Clean(s, sizeMax)
	if pan.In(s) {
		return ""
	}
	return s
}

// Word returns s when it is one of letters, digits and dashes, not longer than
// sizeMax and without anything that could be a card number, else "".
func Word(s string, sizeMax int) string {
	s = strings.TrimSpace(s)
	if len(s) > sizeMax || !isID(s) || pan.In(s) {
		return ""
	}
	return s
}

// Digits returns s when it is of exactly that many digits, else "".
func Digits(s string, size int) string {
	if len(s) == size && isDigits(s) {
		return s
	}
	return ""
}

// Hexadecimal returns s in upper case when it is of hexadecimal digits, not
// longer than sizeMax and without anything that could be a card number, else "".
// Chip data has that by chance, once in some thousand payments: a receipt without
// it is better than a search for card numbers that is taught to overlook some.
func Hexadecimal(s string, sizeMax int) string {
	if len(s) > sizeMax || pan.In(s) {
		return ""
	}
	s = strings.ToUpper(s)
	for _, c := range []byte(s) {
		if !isDigit(c) && (c < 'A' || c > 'F') {
			return ""
		}
	}
	return s
}

// Ref returns s when it has the form of our own reference, 1 to 12 digits,
// else "".
func Ref(s string) string {
	if len(s) > refMax || !isDigits(s) {
		return ""
	}
	return s
}

// refMax is how many digits a reference has at most.
const refMax = 12

// OlderRef reports whether a is a reference given out before b. References
// count upwards and are never used twice.
func OlderRef(a, b string) bool {
	if !isDigits(a) || !isDigits(b) {
		return false
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isID reports whether s is empty or up to 40 letters, digits and dashes.
func isID(s string) bool {
	if len(s) > 40 {
		return false
	}
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c != '-' && !isDigit(c) {
			return false
		}
	}
	return true
}
