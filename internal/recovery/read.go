package recovery

import "errors"

// Read reads a recovery sheet that somebody typed: the text of one seed, or
// the texts of enough shares. Empty texts are passed over. Beside the errors
// of Parse, ParseShare and Join: ErrIsSeed when a whole seed is not alone.
func Read(texts ...string) (*Seed, error) {
	var whole []string
	var shares []Share
	given := 0
	for i, text := range texts {
		typed := fields(text)
		if len(typed) == 0 {
			continue
		}
		given++
		if !looksLikeShare(typed) {
			whole = append(whole, text)
			if _, err := Parse(text); err != nil {
				return nil, numbered(err, i+1)
			}
			continue
		}
		s, err := ParseShare(text)
		if err != nil {
			return nil, numbered(err, i+1)
		}
		shares = append(shares, s)
	}
	switch {
	case len(whole) == 1 && given == 1:
		return Parse(whole[0])
	case len(whole) > 0:
		return nil, ErrIsSeed
	}
	return Join(shares...)
}

// looksLikeShare reports whether a text is nearer to a share than to a seed:
// by its length, or by its groups where the length is neither's.
func looksLikeShare(typed [][]byte) bool {
	chars := 0
	for _, f := range typed {
		chars += len(f)
	}
	switch {
	case chars == seedForm.chars() || chars == shareForm.chars():
		return chars == shareForm.chars()
	case len(typed) == seedForm.groups() || len(typed) == shareForm.groups():
		return len(typed) == shareForm.groups()
	}
	return chars > (seedForm.chars()+shareForm.chars())/2
}

// numbered says of a typo on which of several sheets it is.
func numbered(err error, sheet int) error {
	var typo *TypoError
	if errors.As(err, &typo) {
		return &TypoError{Group: typo.Group, Sheet: sheet}
	}
	return err
}
