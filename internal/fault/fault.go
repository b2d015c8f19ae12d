// Package fault is the closed set of ways in which Coffer fails.
//
// A Kind answers the one question a caller has: what can I do about it. The
// text of a fault is a constant of the program, and its arguments are Safe
// (identifiers, amounts, dates, codes), so a fault can be logged and shown
// without ever carrying a client's name: text that was built from data does
// not compile. A fault may wrap a cause; the cause is for the journal of the
// programmer and is never part of what a person sees (see Message).
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about a failure.
type Kind uint8

// The kinds, each with what it asks of the caller.
const (
	Internal        Kind = iota // a defect or broken machine: report the reference
	Invalid                     // the input is wrong: correct it and send it again
	Denied                      // this person may not do this
	NotFound                    // no such thing, or none that this person may know of
	Conflict                    // the state has moved on: read again, then decide
	Unavailable                 // something outside does not answer: try again later
	Sealed                      // the box is sealed: IT and the officers must open it
	Corrupt                     // stored data is not what was written: stop, call IT
	Exhausted                   // a limit is reached (rate, descriptors): wait, or raise it
	Unauthenticated             // nobody is signed in, or the session has ended
)

var kindNames = [...]string{
	"internal", "invalid", "denied", "not_found", "conflict",
	"unavailable", "sealed", "corrupt", "exhausted", "unauthenticated",
}

// String returns the kind's stable name, as used in logs and JSON.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// HTTPStatus returns the status code that tells a browser the same thing.
func (k Kind) HTTPStatus() int {
	switch k {
	case Invalid:
		return 422
	case Denied:
		return 403
	case NotFound:
		return 404
	case Conflict:
		return 409
	case Unavailable, Sealed:
		return 503
	case Exhausted:
		return 429
	case Unauthenticated:
		return 401
	}
	return 500
}

// ExitCode returns the exit status of a command that failed so:
// 1 failed, 2 usage, 4 not allowed, 5 sealed, 6 not found, 7 a check failed.
func (k Kind) ExitCode() int {
	switch k {
	case Invalid:
		return 2
	case Denied, Unauthenticated:
		return 4
	case Sealed:
		return 5
	case NotFound:
		return 6
	case Corrupt:
		return 7
	}
	return 1
}

// constant is the type of a fault's text. It is not exported, so only an
// untyped string constant of the program fits: text built at run time does
// not compile.
type constant string

// Safe is what may stand in an error, a log line or a page for anybody:
// identifiers, amounts, dates and codes. Types that identify a client must
// not implement it.
type Safe interface {
	// SafeString returns the value as text that identifies no client.
	SafeString() string
}

// Error is a failure with a kind, a constant text and safe arguments.
type Error struct {
	kind  Kind
	text  constant
	args  []Safe
	cause error
}

// New returns a fault. Each %v in text is replaced by one argument.
func New(kind Kind, text constant, args ...Safe) *Error {
	return &Error{kind: kind, text: text, args: args}
}

// Wrap returns a fault whose cause is err. The cause is kept for errors.Is
// and for Detail; it is never part of Message. Wrap(nil, …) is a defect.
func Wrap(err error, kind Kind, text constant, args ...Safe) *Error {
	return &Error{kind: kind, text: text, args: args, cause: err}
}

// Message returns the sentence a person may read: the constant text with its
// safe arguments and nothing of the cause.
func (e *Error) Message() string {
	if len(e.args) == 0 {
		return string(e.text)
	}
	var b strings.Builder
	rest, n := string(e.text), 0
	for {
		i := strings.Index(rest, "%v")
		if i < 0 || n == len(e.args) {
			b.WriteString(rest)
			return b.String()
		}
		b.WriteString(rest[:i])
		b.WriteString(e.args[n].SafeString())
		rest, n = rest[i+2:], n+1
	}
}

// Error returns Message, followed by the text of a cause that is itself a
// fault. A cause of any other kind is withheld: its text may hold anything.
func (e *Error) Error() string {
	var inner *Error
	if errors.As(e.cause, &inner) {
		return e.Message() + ": " + inner.Error()
	}
	return e.Message()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Kind returns the fault's kind.
func (e *Error) Kind() Kind { return e.kind }

// Is reports whether target is the same fault: same kind and same text. It
// makes a package-level fault usable as a sentinel after being given args.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.kind == e.kind && t.text == e.text
}

// KindOf returns the kind of the outermost fault in err's chain; an error that
// holds no fault is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.kind
	}
	return Internal
}

// Message returns what a person may read of err: the outermost fault's
// Message, or a sentence that gives nothing away.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return "Something went wrong inside Coffer. Nothing was lost; please try again."
}

// Int is a Safe count, position or code.
type Int int64

// SafeString returns the number in decimal.
func (n Int) SafeString() string { return fmt.Sprintf("%d", int64(n)) }

// Code is a Safe word of the program's own vocabulary (a state, a message
// name, an account code). It must never hold text that somebody typed.
type Code string

// SafeString returns the code itself.
func (c Code) SafeString() string { return string(c) }
