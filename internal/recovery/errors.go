package recovery

import "coffer/internal/fault"

// The ways in which a sheet does not serve. All are of kind Invalid and say
// what to do; none carries a character of the sheet.
var (
	// ErrTypo: a group is mistyped. It comes as a *TypoError that names it.
	ErrTypo = fault.New(fault.Invalid, textTypo)
	// ErrText: a text whose groups are each right and which is wrong as a whole.
	ErrText = fault.New(fault.Invalid, "The text of the sheet is wrong in several places. Compare it with the paper group by group and type it again (SHEET-002).")
	// ErrNoText: nothing was typed.
	ErrNoText = fault.New(fault.Invalid, "No text of a sheet was given. Type the groups of letters and digits that stand on the paper (SHEET-003).")
	// ErrIsShare: a share where a whole seed is due.
	ErrIsShare = fault.New(fault.Invalid, "This is one share of a divided sheet, not a whole sheet. Give it together with the others (SHEET-004).")
	// ErrIsSeed: a whole seed where a share is due.
	ErrIsSeed = fault.New(fault.Invalid, "This is a whole sheet, not a share of one. Give it alone (SHEET-005).")
	// ErrFewShares: fewer different shares than are needed. It is returned
	// with the number that is needed and the number that was given.
	ErrFewShares = fault.New(fault.Invalid, textFewShares)
	// ErrMixedShares: the shares come from different splittings.
	ErrMixedShares = fault.New(fault.Invalid, "These shares do not belong together: they are of different sheets. Give shares of one sheet (SHEET-007).")
	// ErrFalseShare: more shares than needed were given and contradict each other.
	ErrFalseShare = fault.New(fault.Invalid, "One of these shares is not genuine: together they contradict each other. Keep them all, and try each pair alone (SHEET-008).")
	// ErrWrongSeed: the seed does not open what was sealed, or that was changed.
	ErrWrongSeed = fault.New(fault.Invalid, "This recovery sheet does not open this store or backup: it belongs to another one, or was replaced by a newer sheet. Look for the sheet whose fingerprint cofferctl seal status shows (SHEET-009).")
	// ErrPublic: bytes that are no public half.
	ErrPublic = fault.New(fault.Invalid, "This is not the public half of a recovery sheet, or it is damaged. Take it from the box again (SHEET-010).")
	// ErrSplit: a splitting that cannot be.
	ErrSplit = fault.New(fault.Invalid, "A sheet is divided into 2 to 16 shares, of which 2 or more are needed. Choose other numbers (SHEET-011).")
)

// The texts of the errors that are returned with numbers.
const (
	textTypo      = "Group %v of sheet %v is mistyped. Compare this group with the paper and correct it (SHEET-001)."
	textFewShares = "A divided sheet needs %v different shares and %v were given. Give the shares that are missing (SHEET-006)."
)

// TypoError says which group of a text is mistyped. errors.Is(err, ErrTypo)
// holds for it, and its kind is Invalid.
type TypoError struct {
	Group int // 1 is the first; one after the last where the text ends too early
	Sheet int // which of the texts given to Read; 1 for Parse and ParseShare
}

// Error returns the sentence a person may read.
func (e *TypoError) Error() string { return e.sentence().Error() }

// Unwrap returns the fault that the error is.
func (e *TypoError) Unwrap() error { return e.sentence() }

func (e *TypoError) sentence() *fault.Error {
	return fault.New(fault.Invalid, textTypo, fault.Int(e.Group), fault.Int(e.Sheet))
}
