package recovery

import (
	"crypto/rand"
	"log/slog"
	"strings"
)

const (
	seedBytes = 32
	seedUse   = "coffer/1/recovery/seed"
)

// Seed is the secret of a recovery sheet. It prints as a constant.
type Seed struct{ b [seedBytes]byte }

// New draws a seed. crypto/rand.Read does not fail.
func New() *Seed {
	s := new(Seed)
	rand.Read(s.b[:])
	return s
}

// Text returns the seed as it stands on paper: 75 characters.
func (s *Seed) Text() string { return strings.Join(s.Groups(), "-") }

// Groups returns the ten groups of Text, each with its check character.
func (s *Seed) Groups() []string {
	return seedForm.spell(symbolCode.EncodeToString(checked(seedUse, nil, s.b[:])))
}

// Parse reads a seed that somebody typed. Its errors are a *TypoError, which
// names the group; ErrText; ErrNoText; and ErrIsShare.
func Parse(text string) (*Seed, error) {
	typed := fields(text)
	if len(typed) == 0 {
		return nil, ErrNoText
	}
	symbols, err := seedForm.read(typed)
	if err != nil {
		if _, other := shareForm.read(typed); other == nil {
			return nil, ErrIsShare
		}
		return nil, err
	}
	secret, err := unchecked(seedUse, nil, symbols)
	if err != nil {
		return nil, err
	}
	return &Seed{[seedBytes]byte(secret)}, nil
}

// Wipe overwrites the seed.
func (s *Seed) Wipe() { clear(s.b[:]) }

// String returns a constant, so that a seed cannot be printed by accident.
func (s *Seed) String() string { return "recovery.Seed" }

// GoString returns a constant, for the same reason.
func (s *Seed) GoString() string { return "recovery.Seed" }

// LogValue returns a constant, for the same reason.
func (s *Seed) LogValue() slog.Value { return slog.StringValue("recovery.Seed") }
