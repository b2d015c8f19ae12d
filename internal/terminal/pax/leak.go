package pax

import (
	"bytes"

	"coffer/internal/terminal/frame"
)

// leaks reports whether a response's payload holds something that looks like
// a card number where none may be. It works on the bytes, so that a hit can be
// wiped before anything has become text.
//
// The account's own field must be masked, or four digits. Every other field
// must hold no run of 13 to 19 digits that has a card's first digits and a
// good check digit, except the fields of known numbers that may be as long and
// that kept drops when they look like one.
func leaks(payload []byte) bool {
	account, known := -1, map[[2]int]bool(nil)
	head := bytes.SplitN(payload, []byte{frame.FS}, 3)
	if len(head) > 1 {
		account, known = accountOf(string(head[1]))
	}
	group := -5 // the header's fields come first
	for g := range bytes.SplitSeq(payload, []byte{frame.FS}) {
		n := 0
		for field := range bytes.SplitSeq(g, []byte{frame.US}) {
			switch {
			case group == account && n == 0 && group >= 0:
				if !masked(field) {
					return true
				}
			case known[[2]int{group, n}] || knownKey(field):
			case hasCardNumber(field):
				return true
			}
			n++
		}
		group++
	}
	return false
}

// accountOf returns the account's group in a reply and the positions of the
// fields that hold numbers of the processor and of the terminal.
func accountOf(command string) (int, map[[2]int]bool) {
	switch command {
	case "T01", "T03":
		return repAccount, knownFields(repHost, repTrace)
	case "R03":
		return recAccount, knownFields(recHost, recTrace)
	}
	return -1, nil
}

func knownFields(host, trace int) map[[2]int]bool {
	return map[[2]int]bool{
		{host, 3}: true, {host, 4}: true, {host, 6}: true,
		{trace, 0}: true, {trace, 1}: true, {trace, 2}: true,
	}
}

// knownKeys are the KEY=VALUE items whose values may be long numbers. None of
// them is shown as it came: TC, ARQC, AAC and IAD are chip data in hexadecimal,
// the others are dropped. HREF and SN are shown, and so are searched.
var knownKeys = [][]byte{
	[]byte("GLOBALUID"), []byte("TOKEN"),
	[]byte("TC"), []byte("ARQC"), []byte("AAC"), []byte("IAD"),
}

func knownKey(field []byte) bool {
	key, value, ok := bytes.Cut(field, []byte{'='})
	if !ok || bytes.IndexByte(value, '=') >= 0 {
		return false // a second '=' is how a track looks
	}
	for _, k := range knownKeys {
		if bytes.EqualFold(bytes.TrimSpace(key), k) {
			return true
		}
	}
	return false
}

// masked reports whether an account field shows four digits at its end at
// most, and at most six at its start when signs of masking stand between.
func masked(field []byte) bool {
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

// hasCardNumber looks through a field. A single space or dash between digits
// does not end a run.
func hasCardNumber(field []byte) bool {
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

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
