package identity

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"coffer/internal/fault"
)

// The length of a password, in letters (NIST SP 800-63B-4, 3.1.1.2; PCI DSS
// 8.3.6 asks for less).
const (
	PasswordMin = 15
	PasswordMax = 128
)

//go:embed blocklist.txt
var blocklistText string

var blocklist = readBlocklist(blocklistText)

func readBlocklist(text string) map[string]bool {
	list := map[string]bool{}
	for line := range strings.Lines(text) {
		if word := strings.TrimSpace(line); word != "" && word[0] != '#' {
			list[squeeze(word)] = true
		}
	}
	return list
}

// CheckPassword refuses a password that is too short or long, holds the
// sign-in name or a word of the clinic, repeats itself, or is on the list of
// passwords that everybody tries first. Any letter of any script is welcome,
// and no mixture is asked for.
func (i *Identity) CheckPassword(name, password string) error {
	n := utf8.RuneCountInString(password)
	plain := squeeze(password)
	switch {
	case !utf8.ValidString(password):
		return fault.New(fault.Invalid, "The password holds bytes that are not text. Type it again.")
	case n < PasswordMin:
		return fault.New(fault.Invalid, "The password needs at least 15 letters. A short sentence works well.")
	case n > PasswordMax:
		return fault.New(fault.Invalid, "The password has more than 128 letters. Choose a shorter one.")
	case name != "" && strings.Contains(plain, squeeze(name)):
		return fault.New(fault.Invalid, "The password holds the sign-in name. Choose another one.")
	case i.holdsClinicWord(plain):
		return fault.New(fault.Invalid, "The password holds a word of the clinic, which is easy to guess. Choose another one.")
	case blocked(plain):
		return fault.New(fault.Invalid, "This password is one that is tried first, or repeats itself. Choose another one.")
	}
	return nil
}

func (i *Identity) holdsClinicWord(plain string) bool {
	for _, w := range i.words {
		if strings.Contains(plain, w) {
			return true
		}
	}
	return false
}

// blocked reports whether a squeezed password is made of words that are tried
// first and digits, is a few letters over and over, or is a run of neighbours
// such as 123456 or abcdef.
func blocked(plain string) bool {
	return repeats(plain) || isRun(plain) || composed(plain, wordsAtOnce, false)
}

// wordsAtOnce is how many words of the blocklist in a row are refused. A
// password of more of them is long enough to be hard to guess.
const wordsAtOnce = 3

// composed reports whether s is at most n words of the blocklist and any
// digits, with one word at least, here or before.
func composed(s string, n int, some bool) bool {
	if s == "" {
		return some
	}
	for end := 1; n > 0 && end <= len(s); end++ {
		if blocklist[s[:end]] && composed(s[end:], n-1, true) {
			return true
		}
	}
	return s[0] >= '0' && s[0] <= '9' && composed(s[1:], n, some)
}

// repeats reports whether s is up to eight letters over and over.
func repeats(s string) bool {
	letters := []rune(s)
	for size := 1; size <= min(8, len(letters)/2); size++ {
		unit := string(letters[:size])
		if strings.HasPrefix(strings.Repeat(unit, len(letters)/size+1), s) {
			return true
		}
	}
	return len(letters) < 2
}

// isRun reports whether most letters of s follow the letter before them.
func isRun(s string) bool {
	letters := []rune(s)
	next := 0
	for i := 1; i < len(letters); i++ {
		if d := letters[i] - letters[i-1]; d == 1 || d == -1 {
			next++
		}
	}
	return next*4 >= (len(letters)-1)*3
}

// squeeze returns s in lower case without spaces and punctuation.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// foldWords squeezes each word of the texts and keeps those of four letters
// and more.
func foldWords(texts []string) []string {
	var words []string
	for _, t := range texts {
		for _, w := range strings.Fields(t) {
			if w = squeeze(w); utf8.RuneCountInString(w) >= 4 {
				words = append(words, w)
			}
		}
	}
	return words
}
