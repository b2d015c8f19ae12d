package roster

import (
	"strings"
	"unicode"
)

// fold returns s as the search compares it: lower case, without diacritics,
// with anything that is neither letter, digit nor hyphen taken as a space.
// It knows the letters of Latin-1 and Latin Extended-A, and drops combining
// marks, so that "José", "JOSE" and "Jose\u0301" are one.
func fold(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch plain, ok := plainLetters[r]; {
		case ok:
			b.WriteString(plain)
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

var plainLetters = lettersTable(
	"a", "àáâãäåāăą", "ae", "æ", "c", "çćĉċč", "d", "ďđð", "e", "èéêëēĕėęě",
	"g", "ĝğġģ", "h", "ĥħ", "i", "ìíîïĩīĭįı", "ij", "ĳ", "j", "ĵ", "k", "ķĸ",
	"l", "ĺļľŀł", "n", "ñńņňŉŋ", "o", "òóôõöøōŏő", "oe", "œ", "r", "ŕŗř",
	"s", "śŝşšſ", "ss", "ß", "t", "ţťŧ", "th", "þ", "u", "ùúûüũūŭůűų",
	"w", "ŵ", "y", "ýÿŷ", "z", "źżž")

// lettersTable turns pairs of a plain letter and its marked forms into a map.
func lettersTable(pairs ...string) map[rune]string {
	table := map[rune]string{}
	for i := 0; i < len(pairs); i += 2 {
		for _, r := range pairs[i+1] {
			table[r] = pairs[i]
		}
	}
	return table
}
