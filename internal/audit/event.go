package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

// Outcome says how an act ended.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"      // done, or shown
	Denied  Outcome = "denied"  // the policy said no
	Refused Outcome = "refused" // allowed, but the act itself said no; nothing changed
	Failed  Outcome = "failed"  // a defect stopped it; nothing changed
	Torn    Outcome = "torn"    // the store opened, but one of its two head pages was damaged
)

// SafeString returns the outcome's word.
func (o Outcome) SafeString() string { return string(o) }

// DurableKey is the key under which the context of a request may hold a func()
// that the vault calls when an event of the request is durable.
type DurableKey struct{}

// Version is the version of the leaf's form.
const Version = 1

// Event is the public part of one event. Texts are identifiers and words of
// the program, and the sign-in name of the actor; none identifies a client.
type Event struct {
	Seq     uint64    // number of the leaf, from 0
	Time    time.Time // wall clock, to the microsecond
	Boot    string    // the opening of the store during which it happened
	Actor   string    // sign-in name, "system:<part>", or "nobody"
	Via     string    // origin, such as "lan:192.0.2.7"
	Session string    // session identifier, or empty
	Act     string    // the action, as the policy matrix spells it
	Object  string    // kind and identifier, such as "client:01h…"
	Outcome Outcome
	Commit  Hash // SHA-256(salt || private JSON)
}

// timeForm is RFC 3339 in UTC with microseconds always written.
const timeForm = "2006-01-02T15:04:05.000000Z"

// AppendLeaf appends the canonical JSON of the event to dst: the fields in
// this order, no white space, shortest escapes.
func (e Event) AppendLeaf(dst []byte) []byte {
	dst = append(dst, `{"v":1,"seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = appendTime(dst, e.Time.UTC())
	dst = append(dst, '"')
	dst = appendField(dst, "boot", e.Boot)
	dst = appendField(dst, "actor", e.Actor)
	dst = appendField(dst, "via", e.Via)
	dst = appendField(dst, "session", e.Session)
	dst = appendField(dst, "act", e.Act)
	dst = appendField(dst, "obj", e.Object)
	dst = appendField(dst, "outcome", string(e.Outcome))
	dst = append(dst, `,"commit":"`...)
	dst = hex.AppendEncode(dst, e.Commit[:])
	return append(dst, `"}`...)
}

// appendTime appends t in timeForm. It is time.AppendFormat at a fifth of the
// cost, for the verification of a million leaves.
func appendTime(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, timeForm)
	}
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	dst = append(appendDigits(dst, second, 2), '.')
	return append(appendDigits(dst, t.Nanosecond()/1000, 6), 'Z')
}

// appendDigits appends n in the given number of decimal digits.
func appendDigits(dst []byte, n, digits int) []byte {
	for range digits {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0 && digits > 0; i, digits = i-1, digits-1 {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return appendString(dst, value)
}

// appendString appends s as a JSON string: quotation mark, reverse solidus
// and control characters escaped, everything else as it is; bytes that are
// not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if plain(s) {
		return append(append(dst, s...), '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, `\u00`...)
			dst = hex.AppendEncode(dst, []byte{byte(r)})
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// plain reports whether s stands for itself: ASCII without anything that is
// escaped.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Detail is one fact of an event's private part.
type Detail struct {
	Key   string
	Value string
}

// Opening is the private part of an event with the salt that hides it: it
// opens the commitment of the leaf.
type Opening struct {
	Salt    [32]byte
	Private []byte // a JSON object of strings, in the order they were given
}

// NewOpening returns the opening of the details under salt, which must be
// random and used once.
func NewOpening(salt [32]byte, details ...Detail) Opening {
	b := []byte{'{'}
	for i, d := range details {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, d.Key)
		b = append(b, ':')
		b = appendString(b, d.Value)
	}
	return Opening{salt, append(b, '}')}
}

// IsZero reports whether there is no opening: it was withheld.
func (o Opening) IsZero() bool { return o.Salt == [32]byte{} && len(o.Private) == 0 }

// Commit returns the commitment that the leaf carries.
func (o Opening) Commit() Hash {
	h := sha256.New()
	h.Write(o.Salt[:])
	h.Write(o.Private)
	return Hash(h.Sum(nil))
}

// AppendBinary appends the storage form: the salt, then the private JSON.
func (o Opening) AppendBinary(dst []byte) ([]byte, error) {
	return append(append(dst, o.Salt[:]...), o.Private...), nil
}

// UnmarshalBinary reads the storage form.
func (o *Opening) UnmarshalBinary(b []byte) error {
	if len(b) < len(o.Salt) {
		return ErrLeaf
	}
	copy(o.Salt[:], b)
	o.Private = bytes.Clone(b[len(o.Salt):])
	return nil
}
