package recovery

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"
)

const (
	alphabet      = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's: without I, L, O and U
	groupSymbols  = 6                                  // without the check character
	checkBytes    = 3
	seedSymbols   = (seedBytes + checkBytes) * 8 / 5
	shareSymbols  = 2 + setBytes*8/5 + seedSymbols
	seedFirst     = 1  // what the check character of a seed's first group adds
	shareFirst    = 17 // the same of a share
	symbolInvalid = 0xff
	textCharsMax  = 1024 // of a text that somebody typed
)

// form is how one kind of text is spelled.
type form struct {
	symbols int  // without check characters
	first   byte // what the first group's check character adds
}

var (
	seedForm  = form{seedSymbols, seedFirst}
	shareForm = form{shareSymbols, shareFirst}
)

var symbolCode = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// groups is how many groups a text has.
func (f form) groups() int { return (f.symbols + groupSymbols - 1) / groupSymbols }

// chars is how many characters a text has, without separators.
func (f form) chars() int { return f.symbols + f.groups() }

// width is how many characters group g, counted from 0, has.
func (f form) width(g int) int { return min(groupSymbols, f.symbols-g*groupSymbols) + 1 }

// spell returns the groups of a text.
func (f form) spell(text string) []string {
	var out []string
	for g := range f.groups() {
		group := text[g*groupSymbols : g*groupSymbols+f.width(g)-1]
		symbols, _ := symbolsOf(group) // of our own alphabet
		out = append(out, group+string(alphabet[checkOf(symbols, f.first+byte(g))]))
	}
	return out
}

// read returns the symbols of a text, without check characters, as text of
// the alphabet; or which group is wrong.
func (f form) read(fields [][]byte) (string, error) {
	groups := f.divide(fields)
	var out strings.Builder
	for g := range f.groups() {
		if g >= len(groups) || !f.right(g, groups[g]) {
			return "", &TypoError{Group: g + 1, Sheet: 1}
		}
		for _, s := range groups[g][:f.width(g)-1] {
			out.WriteByte(alphabet[s])
		}
	}
	if len(groups) > f.groups() {
		return "", &TypoError{Group: f.groups() + 1, Sheet: 1}
	}
	return out.String(), nil
}

// divide returns the text's groups: as it was separated when that makes the
// right number of groups and too few or too many characters, which the group
// at fault then shows; otherwise by counting.
func (f form) divide(fields [][]byte) [][]byte {
	var all []byte
	for _, field := range fields {
		all = append(all, field...)
	}
	if len(all) != f.chars() && len(fields) == f.groups() {
		return fields
	}
	var out [][]byte
	for g := 0; len(all) > 0; g++ {
		n := len(all)
		if g < f.groups() {
			n = min(n, f.width(g))
		}
		out, all = append(out, all[:n]), all[n:]
	}
	return out
}

// right reports whether group g has its width and its check character.
func (f form) right(g int, group []byte) bool {
	if len(group) != f.width(g) {
		return false
	}
	for _, s := range group {
		if s == symbolInvalid {
			return false
		}
	}
	last := len(group) - 1
	return group[last] == checkOf(group[:last], f.first+byte(g))
}

// checkOf is the check character of a group at a place. The weights of the
// symbols differ from each other, from zero and from the check's own one: a
// wrong symbol and two swapped neighbours always show.
func checkOf(symbols []byte, place byte) byte {
	sum, weight := place, byte(1)
	for _, s := range symbols {
		weight = times32(weight, 2)
		sum ^= times32(weight, s)
	}
	return sum
}

// times32 multiplies in GF(32), x^5+x^2+1.
func times32(a, b byte) byte {
	var p byte
	for range 5 {
		p ^= a * (b & 1)
		a, b = a<<1^a>>4*0b100101, b>>1
	}
	return p
}

// fields reads what was typed: symbols, in the pieces that were separated.
func fields(text string) [][]byte {
	text = text[:min(len(text), textCharsMax)]
	var out [][]byte
	for _, piece := range strings.FieldsFunc(text, separates) {
		symbols, _ := symbolsOf(piece) // what is none makes its group wrong
		out = append(out, symbols)
	}
	return out
}

// separates reports whether r only separates: spaces, and the hyphens that
// keyboards and word processors make.
func separates(r rune) bool {
	return r <= ' ' || r == '-' || r == '\u00a0' || r >= '\u2010' && r <= '\u2015'
}

// symbolsOf returns the symbols of text and whether each is one.
func symbolsOf(text string) ([]byte, bool) {
	out, ok := []byte{}, true
	for _, r := range text {
		s := symbolOf(r)
		out, ok = append(out, s), ok && s != symbolInvalid
	}
	return out, ok
}

// symbolOf is the value of a character.
func symbolOf(r rune) byte {
	switch {
	case r >= 'a' && r <= 'z':
		r -= 'a' - 'A'
	case r > 'z':
		return symbolInvalid
	}
	switch r {
	case 'O':
		r = '0'
	case 'I', 'L':
		r = '1'
	}
	if i := strings.IndexRune(alphabet, r); i >= 0 {
		return byte(i)
	}
	return symbolInvalid
}

// checked appends the check bytes to a secret, for one use.
func checked(use string, about, secret []byte) []byte {
	h := sha256.New()
	h.Write([]byte(use))
	h.Write(about)
	h.Write(secret)
	return append(secret[:len(secret):len(secret)], h.Sum(nil)[:checkBytes]...)
}

// unchecked decodes text and takes the check bytes off.
func unchecked(use string, about []byte, text string) ([]byte, error) {
	b, err := symbolCode.DecodeString(text)
	if err != nil || len(b) != seedBytes+checkBytes {
		return nil, ErrText
	}
	secret := b[:seedBytes]
	if subtle.ConstantTimeCompare(checked(use, about, secret), b) != 1 {
		return nil, ErrText
	}
	return secret, nil
}
