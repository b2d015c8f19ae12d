package recovery

import (
	"crypto/rand"
	"crypto/subtle"
	"log/slog"
	"strings"

	"coffer/internal/fault"
)

const (
	setBytes  = 5
	sharesMax = 16
	shareUse  = "coffer/1/recovery/share"
)

// Share is one of the parts that a seed was split into. It prints as a
// constant.
type Share struct {
	number byte // 1 is the first
	need   byte
	set    [setBytes]byte // the same for all shares of one splitting, random
	y      [seedBytes]byte
}

// Split divides the seed into shares of which need give it back: 2 <= need <=
// of <= 16. ErrSplit otherwise.
func (s *Seed) Split(need, of int) ([]Share, error) {
	if need < 2 || of < need || of > sharesMax {
		return nil, ErrSplit
	}
	shares := make([]Share, of)
	var set [setBytes]byte
	rand.Read(set[:])
	for i := range shares {
		shares[i] = Share{number: byte(i + 1), need: byte(need), set: set}
	}
	curve := make([]byte, need) // one for each byte of the seed; the byte itself first
	defer clear(curve)
	for at, secret := range s.b {
		rand.Read(curve)
		curve[0] = secret
		for i := range shares {
			shares[i].y[at] = along(curve, shares[i].number)
		}
	}
	return shares, nil
}

// Join gives back the seed of which shares are parts. ErrFewShares,
// ErrMixedShares; ErrFalseShare when there are more than needed and they
// contradict each other.
func Join(shares ...Share) (*Seed, error) {
	if len(shares) == 0 {
		return nil, ErrNoText
	}
	first, distinct := shares[0], []Share{}
	var seen [sharesMax + 1]*Share
	for _, s := range shares {
		if s.set != first.set || s.need != first.need {
			return nil, ErrMixedShares
		}
		if twin := seen[s.number]; twin == nil {
			seen[s.number] = &s
			distinct = append(distinct, s)
		} else if subtle.ConstantTimeCompare(twin.y[:], s.y[:]) != 1 {
			return nil, ErrFalseShare
		}
	}
	need := int(first.need)
	if len(distinct) < need {
		return nil, fault.New(fault.Invalid, textFewShares, fault.Int(need), fault.Int(len(distinct)))
	}
	for _, s := range distinct[need:] {
		if y := at(distinct[:need], s.number); subtle.ConstantTimeCompare(y[:], s.y[:]) != 1 {
			return nil, ErrFalseShare
		}
	}
	return &Seed{at(distinct[:need], 0)}, nil
}

// Text returns the share as it stands on paper: 87 characters, of which the
// first is the share's number and the second how many are needed.
func (s Share) Text() string { return strings.Join(s.Groups(), "-") }

// Groups returns the eleven groups of Text, each with its check character.
func (s Share) Groups() []string {
	return shareForm.spell(string([]byte{alphabet[s.number], alphabet[s.need]}) +
		symbolCode.EncodeToString(s.set[:]) +
		symbolCode.EncodeToString(checked(shareUse, s.about(), s.y[:])))
}

// Number returns which of the shares this is; the first is 1.
func (s Share) Number() int { return int(s.number) }

// about is what the check bytes cover beside the share itself.
func (s Share) about() []byte { return append([]byte{s.number, s.need}, s.set[:]...) }

// ParseShare reads a share that somebody typed. Its errors are a *TypoError,
// which names the group; ErrText; ErrNoText; and ErrIsSeed.
func ParseShare(text string) (Share, error) {
	typed := fields(text)
	if len(typed) == 0 {
		return Share{}, ErrNoText
	}
	symbols, err := shareForm.read(typed)
	if err != nil {
		if _, other := seedForm.read(typed); other == nil {
			return Share{}, ErrIsSeed
		}
		return Share{}, err
	}
	s := Share{number: symbolOf(rune(symbols[0])), need: symbolOf(rune(symbols[1]))}
	set, err := symbolCode.DecodeString(symbols[2 : shareSymbols-seedSymbols])
	if err != nil || s.number < 1 || s.number > sharesMax || s.need < 2 || s.need > sharesMax {
		return Share{}, ErrText
	}
	s.set = [setBytes]byte(set)
	y, err := unchecked(shareUse, s.about(), symbols[shareSymbols-seedSymbols:])
	if err != nil {
		return Share{}, err
	}
	s.y = [seedBytes]byte(y)
	return s, nil
}

// String returns a constant, so that a share cannot be printed by accident.
func (s Share) String() string { return "recovery.Share" }

// GoString returns a constant, for the same reason.
func (s Share) GoString() string { return "recovery.Share" }

// LogValue returns a constant, for the same reason.
func (s Share) LogValue() slog.Value { return slog.StringValue("recovery.Share") }
