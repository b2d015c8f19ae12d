package audit

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"coffer/internal/fault"
)

// ErrLeaf is returned for a leaf that is not in canonical form.
var ErrLeaf = fault.New(fault.Corrupt, "An event of the audit trail can't be read. Stop, and call IT.")

// leafBytesMax bounds what ParseLeaf looks at.
const leafBytesMax = 16 << 10

// ParseLeaf reads a leaf. It accepts exactly what AppendLeaf writes: it reads
// the fields in their order, then writes the event again and compares.
func ParseLeaf(leaf []byte) (Event, error) {
	if len(leaf) > leafBytesMax {
		return Event{}, ErrLeaf
	}
	r := reader{rest: string(leaf)}
	var e Event
	r.skip(`{"v":1,"seq":`)
	e.Seq = r.number()
	r.skip(`,"time":`)
	e.Time = r.time()
	e.Boot = r.field(`,"boot":`)
	e.Actor = r.field(`,"actor":`)
	e.Via = r.field(`,"via":`)
	e.Session = r.field(`,"session":`)
	e.Act = r.field(`,"act":`)
	e.Object = r.field(`,"obj":`)
	e.Outcome = Outcome(r.field(`,"outcome":`))
	e.Commit = r.hash(`,"commit":`)
	r.skip(`}`)
	var again [512]byte // a leaf is seldom longer
	if r.failed || len(r.rest) != 0 || !bytes.Equal(e.AppendLeaf(again[:0]), leaf) {
		return Event{}, ErrLeaf
	}
	return e, nil
}

// reader takes canonical JSON apart from the front; the first thing that
// does not fit makes it fail, and everything after is zero.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) fail() { r.failed, r.rest = true, "" }

// skip takes exactly text off.
func (r *reader) skip(text string) {
	rest, ok := strings.CutPrefix(r.rest, text)
	if !ok {
		r.fail()
		return
	}
	r.rest = rest
}

func (r *reader) number() uint64 {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(r.rest[:n], 10, 64)
	if err != nil {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// time takes off a time in exactly timeForm.
func (r *reader) time() time.Time {
	s := r.text()
	if len(s) != len(timeForm) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != '.' || s[26] != 'Z' {
		r.fail()
		return time.Time{}
	}
	year, month, day := r.digits(s[:4]), r.digits(s[5:7]), r.digits(s[8:10])
	hour, minute, second := r.digits(s[11:13]), r.digits(s[14:16]), r.digits(s[17:19])
	return time.Date(year, time.Month(month), day, hour, minute, second, 1000*r.digits(s[20:26]), time.UTC)
}

// digits returns the value of text that is all digits. A date that does not
// exist becomes another one, which is then not written back the same.
func (r *reader) digits(text string) int {
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			r.fail()
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func (r *reader) hash(name string) Hash {
	var h Hash
	text := r.field(name)
	if len(text) != hex.EncodedLen(len(h)) {
		r.fail()
		return h
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil {
		r.fail()
	}
	return h
}

func (r *reader) field(name string) string {
	r.skip(name)
	return r.text()
}

// text takes a string off.
func (r *reader) text() string {
	r.skip(`"`)
	if end := strings.IndexByte(r.rest, '"'); end >= 0 && strings.IndexByte(r.rest[:end], '\\') < 0 { // no escapes, as nearly always
		s := r.rest[:end]
		r.rest = r.rest[end+1:]
		return s
	}
	var b []byte
	for !r.failed && len(r.rest) > 0 && r.rest[0] != '"' {
		b = r.char(b)
	}
	r.skip(`"`)
	return string(b)
}

// char takes one character off and appends it to b.
func (r *reader) char(b []byte) []byte {
	if r.rest[0] != '\\' {
		c, n := utf8.DecodeRuneInString(r.rest)
		r.rest = r.rest[n:]
		return utf8.AppendRune(b, c)
	}
	if len(r.rest) >= 2 && r.rest[1] != 'u' {
		b = append(b, r.rest[1])
		r.rest = r.rest[2:]
		return b
	}
	r.skip(`\u00`)
	if len(r.rest) < 2 {
		r.fail()
		return b
	}
	b, err := hex.AppendDecode(b, []byte(r.rest[:2]))
	if err != nil {
		r.fail()
		return b
	}
	r.rest = r.rest[2:]
	return b
}
