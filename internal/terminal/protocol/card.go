package protocol

import "bytes"

// Masked reports whether an account field shows four digits at its end at
// most, and at most six at its start when signs of masking stand between.
func Masked(field []byte) bool {
	if len(field) > 19 {
		return false
	}
	lead := 0
	for lead < len(field) && isDigit(field[lead]) {
		lead++
	}
	tail := 0
	for tail < len(field)-lead && isDigit(field[len(field)-1-tail]) {
		tail++
	}
	middle := field[lead : len(field)-tail]
	if len(middle) == 0 {
		return lead <= 4
	}
	return lead <= 6 && tail <= 4 && len(bytes.Trim(middle, "*XxE")) == 0
}

// LastFour returns the four digits at the end of a masked account, or "".
func LastFour(s string) string {
	if len(s) < 4 || !isDigits(s[len(s)-4:]) || !Masked([]byte(s)) {
		return ""
	}
	return s[len(s)-4:]
}
