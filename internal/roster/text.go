package roster

import (
	"unicode"
	"unicode/utf8"

	"coffer/internal/fault"
	"coffer/internal/pan"
)

// checkText refuses text longer than max letters (with the fault long), text
// with control characters, and text that holds a card number.
func checkText(s string, max int, long *fault.Error) error {
	if utf8.RuneCountInString(s) > max {
		return long
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Invalid, "The text holds characters that cannot be kept. Type it again.")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fault.New(fault.Invalid, "Use a single line of plain text.")
		}
	}
	if pan.In(s) {
		return pan.Err
	}
	return nil
}
