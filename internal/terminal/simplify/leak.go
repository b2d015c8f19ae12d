package simplify

import (
	"bytes"

	"coffer/internal/pan"
	"coffer/internal/terminal/protocol"
)

// tokenPrefix stands before the token of an account.
const tokenPrefix = "ID:"

// whitelist is the PIN pad's own verdict that comes with account data in the
// clear ("Simplify-Generated Messages").
const whitelist = "*SLR WHITELIST"

// leaks reports whether a payload holds something that looks like a card number
// where none may be, or that Simplify sends with account data in the clear. It
// works on the bytes, so that a hit can be wiped before anything has become
// text. A line that cannot be read is searched whole.
//
// The account fields must be empty, masked, or a token, which is of the
// gateway's making and may look like a card number. Fields of numbers that the
// gateway or the chip made and that are kept only in a form that excludes card
// numbers, or not at all, are exempt.
func leaks(payload []byte) bool {
	for line := range bytes.Lines(payload) {
		f, value, ok := cutLine(line)
		if !ok {
			f, value = 0, line
		}
		switch {
		case f == FieldAccount || f == FieldMasked:
			if unmasked(value) {
				return true
			}
		case f == FieldText && bytes.HasPrefix(bytes.ToUpper(value), []byte(whitelist)):
			return true
		case knownNumber(f):
		case pan.In(value):
			return true
		}
	}
	return false
}

// digitsMax is how many digits an account field that is neither masked nor a
// token may show: one less than the shortest card number has.
const digitsMax = 11

// unmasked reports whether an account field is neither a token nor masked, and
// shows so many digits that they may be a card's: in one run, or, where nothing
// else but signs of masking stands there, in all. Encrypted data passes, and is
// dropped.
func unmasked(value []byte) bool {
	if token, ok := bytes.CutPrefix(value, []byte(tokenPrefix)); ok {
		return bytes.ContainsAny(token, "=^;")
	}
	if protocol.Masked(value) {
		return false
	}
	run, longest, all, others := 0, 0, 0, 0
	for _, c := range value {
		switch {
		case c >= '0' && c <= '9':
			run, all = run+1, all+1
			longest = max(longest, run)
			continue
		case !bytes.ContainsRune([]byte("*XxE -"), rune(c)):
			others++
		}
		run = 0
	}
	return longest > digitsMax || others == 0 && all > digitsMax
}

// knownNumber reports whether a field holds a number of the host or hexadecimal
// chip data.
func knownNumber(f Field) bool {
	switch f {
	case FieldHostRef, FieldRetrieval, FieldCryptogram, FieldIAD:
		return true
	}
	return false
}
