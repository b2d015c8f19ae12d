package upa

import (
	"unicode/utf8"

	"coffer/internal/fault"
)

// ErrFormat is returned for bytes that are no message.
var ErrFormat = fault.New(fault.Invalid, "The terminal sent something that is not a message of its protocol.")

// Bounds of a message: a batch listing is four objects and a list deep.
const (
	depthMax = 8
	keyMax   = 64
	keysMax  = 256 // of one object
)

// walker reads a JSON text (RFC 8259) in place, from its first byte to its
// last. Nothing of the text becomes a string here: the buffer can be wiped.
// It is stricter than the RFC: a name twice in one object, whatever its case, is
// refused, and so is one with escapes.
type walker struct {
	b     []byte
	at    int
	depth int
	path  []byte // the names down to here in lower case, joined by dots; a list is "[]"
	text  []byte // the value now read, without escapes
	keys  []span // names of the objects that are open
	bad   bool

	object func(path []byte)        // an object begins
	value  func(path, value []byte) // a string, number or truth value; null is none
}

type span struct{ from, to int }

// walk reads the whole text and reports whether it is one object.
func (w *walker) walk() bool {
	w.space()
	if w.peek() != '{' {
		return false
	}
	w.any()
	w.space()
	return !w.bad && w.at == len(w.b)
}

// wipe overwrites what was copied out of the text.
func (w *walker) wipe() {
	clear(w.text[:cap(w.text)])
	clear(w.path[:cap(w.path)])
}

func (w *walker) fail() { w.bad = true }

// peek returns the next byte, or 0 at the end.
func (w *walker) peek() byte {
	if w.bad || w.at >= len(w.b) {
		return 0
	}
	return w.b[w.at]
}

func (w *walker) take(c byte) bool {
	if w.peek() != c {
		return false
	}
	w.at++
	return true
}

func (w *walker) space() {
	for c := w.peek(); c == ' ' || c == '\t' || c == lf || c == cr; c = w.peek() {
		w.at++
	}
}

// any reads a value.
func (w *walker) any() {
	switch c := w.peek(); {
	case c == '{':
		w.nested(w.members)
	case c == '[':
		w.nested(w.elements)
	case c == '"':
		if w.string() {
			w.value(w.path, w.text)
		}
	case c == '-' || isDigit(c):
		w.number()
	default:
		w.word()
	}
}

func (w *walker) nested(read func()) {
	w.at++
	if w.depth++; w.depth > depthMax {
		w.fail()
		return
	}
	read()
	w.depth--
}

// members reads an object after its brace.
func (w *walker) members() {
	w.object(w.path)
	first, length := len(w.keys), len(w.path)
	w.space()
	if w.take('}') {
		return
	}
	for !w.bad {
		w.space()
		w.name(first)
		w.space()
		if !w.take(':') {
			w.fail()
			return
		}
		w.space()
		w.any()
		w.path = w.path[:length]
		w.space()
		if w.take('}') {
			w.keys = w.keys[:first]
			return
		}
		if !w.take(',') {
			w.fail()
		}
	}
}

// name reads a member's name and puts it at the end of the path.
func (w *walker) name(first int) {
	from := w.at + 1
	if w.peek() != '"' || !w.string() {
		w.fail()
		return
	}
	to := w.at - 1
	if to-from != len(w.text) || len(w.text) > keyMax || len(w.keys)-first == keysMax {
		w.fail()
		return
	}
	for _, k := range w.keys[first:] {
		if equalFold(w.b[k.from:k.to], w.text) {
			w.fail()
			return
		}
	}
	w.keys = append(w.keys, span{from, to})
	if len(w.path) > 0 {
		w.path = append(w.path, '.')
	}
	for _, c := range w.text {
		w.path = append(w.path, lower(c))
	}
}

// elements reads a list after its bracket.
func (w *walker) elements() {
	length := len(w.path)
	w.path = append(w.path, '[', ']')
	w.space()
	if w.take(']') {
		w.path = w.path[:length]
		return
	}
	for !w.bad {
		w.space()
		w.any()
		w.space()
		if w.take(']') {
			w.path = w.path[:length]
			return
		}
		if !w.take(',') {
			w.fail()
		}
	}
}

// string reads a string into text.
func (w *walker) string() bool {
	w.at++
	w.text = w.text[:0]
	for w.at < len(w.b) {
		c := w.b[w.at]
		w.at++
		switch {
		case c == '"':
			return true
		case c < 0x20:
			w.fail()
			return false
		case c != '\\':
			w.text = append(w.text, c)
		case !w.escape():
			w.fail()
			return false
		}
	}
	w.fail()
	return false
}

// escape reads what follows a backslash.
func (w *walker) escape() bool {
	if w.at >= len(w.b) {
		return false
	}
	c := w.b[w.at]
	w.at++
	switch c {
	case '"', '\\', '/':
	case 'b', 'f', 'n', 'r', 't':
		c = ' '
	case 'u':
		return w.codePoint()
	default:
		return false
	}
	w.text = append(w.text, c)
	return true
}

// codePoint reads the four digits of \u. Halves of a pair stay what they are:
// no text that is kept has one.
func (w *walker) codePoint() bool {
	var r rune
	for range 4 {
		if w.at >= len(w.b) {
			return false
		}
		c := lower(w.b[w.at])
		w.at++
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		default:
			return false
		}
	}
	w.text = utf8.AppendRune(w.text, r)
	return true
}

// number reads a number. Its text is its value.
func (w *walker) number() {
	from := w.at
	w.take('-')
	if !w.take('0') && !w.digits() {
		w.fail()
		return
	}
	if w.take('.') && !w.digits() {
		w.fail()
		return
	}
	if w.take('e') || w.take('E') {
		if !w.take('-') {
			w.take('+')
		}
		if !w.digits() {
			w.fail()
			return
		}
	}
	w.value(w.path, w.b[from:w.at])
}

func (w *walker) digits() bool {
	from := w.at
	for isDigit(w.peek()) {
		w.at++
	}
	return w.at > from
}

// word reads true, false or null.
func (w *walker) word() {
	for _, word := range []string{"true", "false", "null"} {
		if rest := w.b[w.at:]; !w.bad && len(rest) >= len(word) && string(rest[:len(word)]) == word {
			if word != "null" {
				w.value(w.path, rest[:len(word)])
			}
			w.at += len(word)
			return
		}
	}
	w.fail()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
