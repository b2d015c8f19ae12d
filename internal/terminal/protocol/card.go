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

// HasCardNumber reports whether a field holds what looks like a card number: 13
// to 19 digits with the first digits of a card scheme and a good check digit
// (ISO/IEC 7812). A single space or dash between digits does not end a run.
func HasCardNumber(field []byte) bool {
	var run [32]byte
	n := 0
	for i := 0; i <= len(field); i++ {
		switch {
		case i < len(field) && isDigit(field[i]):
			if n == len(run) {
				copy(run[:], run[1:])
				n--
			}
			run[n] = field[i]
			n++
			if n == len(run) && cardInside(run[:n]) {
				return true
			}
		case i+1 < len(field) && n > 0 && (field[i] == ' ' || field[i] == '-') && isDigit(field[i+1]):
		default:
			if cardInside(run[:n]) {
				return true
			}
			n = 0
		}
	}
	return false
}

// cardInside reports whether a run of digits is a card number. In a run that
// is longer than any card number, it may start anywhere.
func cardInside(run []byte) bool {
	if len(run) <= 19 {
		return len(run) >= 13 && issuer(run) && luhn(run)
	}
	for from := range len(run) - 15 {
		if w := run[from : from+16]; issuer(w) && luhn(w) {
			return true
		}
	}
	return false
}

// issuer reports whether the first digits are those of a card scheme.
func issuer(run []byte) bool {
	switch run[0] {
	case '4', '5', '6':
		return true
	case '3':
		return run[1] == '0' || run[1] >= '4'
	case '2':
		n := int(run[1]-'0')*100 + int(run[2]-'0')*10 + int(run[3]-'0')
		return n >= 221 && n <= 720
	}
	return false
}

func luhn(run []byte) bool {
	sum := 0
	for i := range run {
		d := int(run[len(run)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// LastFour returns the four digits at the end of a masked account, or "".
func LastFour(s string) string {
	if len(s) < 4 || !isDigits(s[len(s)-4:]) || !Masked([]byte(s)) {
		return ""
	}
	return s[len(s)-4:]
}
