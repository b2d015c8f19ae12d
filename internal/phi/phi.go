// Package phi holds values that identify a client (45 CFR 160.103: protected
// health information). Such a value prints redacted wherever Go prints by
// itself: fmt verbs of every kind, slog, JSON, text marshalling, errors. The
// one way to the content is Reveal, and the house test lists who may call it.
// MarshalBinary is the storage form, for the vault alone: it encrypts what it
// gets.
package phi

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Redacted is what stands in place of a value.
const Redacted = "[client data]"

// Text is a name, a contact detail, or any other words that identify a
// client. The zero value is the empty text.
type Text struct{ s string }

// NewText takes s in, with white space around it removed.
func NewText(s string) Text { return Text{strings.TrimSpace(s)} }

// Reveal returns the content, for the eyes of someone who was allowed to see
// it. Only the packages that the house rules list may call it.
func (t Text) Reveal() string { return t.s }

// Length returns how many characters the text has.
func (t Text) Length() int { return utf8.RuneCountInString(t.s) }

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.s == "" }

// String returns Redacted.
func (Text) String() string { return Redacted }

// GoString returns Redacted (the %#v verb).
func (Text) GoString() string { return Redacted }

// Format writes Redacted for every verb.
func (Text) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// LogValue returns Redacted to slog.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON returns Redacted: JSON is never a storage form here.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText returns Redacted.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalBinary returns the content, for the vault, which encrypts it.
func (t Text) MarshalBinary() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalBinary sets the content from its storage form.
func (t *Text) UnmarshalBinary(b []byte) error { t.s = string(b); return nil }
