package ledger

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/money"
)

// The faults of accounts and entries.
var (
	ErrAccount     = fault.New(fault.Invalid, "An account needs a code of four digits, a name, a class and a kind of sub-ledger. Correct the chart of accounts.")
	ErrPostings    = fault.New(fault.Invalid, "An entry needs at least two postings, and at most one hundred. Add the other side.")
	ErrZero        = fault.New(fault.Invalid, "A posting of 0.00 says nothing. Leave it out.")
	ErrUnbalanced  = fault.New(fault.Invalid, "Debits and credits differ. Correct the amounts, then post again.")
	ErrUnknown     = fault.New(fault.Invalid, "There is no such account in the chart. Choose an account of the chart.")
	ErrSubMissing  = fault.New(fault.Invalid, "This account is kept by sub-ledger and the key is missing or malformed. Name whose account it is.")
	ErrSubUnwanted = fault.New(fault.Invalid, "This account has no sub-ledger. Leave the key out.")
	ErrKind        = fault.New(fault.Invalid, "An entry of this kind must say which entry it resolves or reverses, and others must not.")
	ErrEvent       = fault.New(fault.Invalid, "The entry names no known event. Choose an event of the books.")
	ErrSource      = fault.New(fault.Invalid, "The source reference of the entry is malformed. Use at most 80 letters, digits and -._:/ signs.")
	ErrReason      = fault.New(fault.Invalid, "Give the reason as one of the short codes, in lower case.")
	ErrNotPending  = fault.New(fault.Conflict, "Only a pending entry can be posted or released. Read the entry again.")
	ErrTooMuch     = fault.New(fault.Invalid, "This is more than was pended. Post at most the pended amount.")
	ErrPartial     = fault.New(fault.Invalid, "Only an entry of one debit and one credit can be posted for less. Release it and post the right amounts.")
	ErrNotPosted   = fault.New(fault.Conflict, "Only an entry that was posted can be reversed. Read the entry again.")
)

// Kind says how an entry acts on balances.
type Kind string

// The kinds of entries.
const (
	Posted      Kind = "posted"       // changes posted balances
	Pending     Kind = "pending"      // changes pending balances only
	PostPending Kind = "post_pending" // resolves the pending entry Ref: its own postings become posted
	VoidPending Kind = "void_pending" // resolves the pending entry Ref: nothing becomes posted
	Reversal    Kind = "reversal"     // changes posted balances, takes the posted entry Ref back
)

// IsPosted reports whether entries of this kind change posted balances.
func (k Kind) IsPosted() bool { return k == Posted || k == PostPending || k == Reversal }

func (k Kind) known() bool { return k.IsPosted() || k == Pending || k == VoidPending }

func (k Kind) hasRef() bool { return k == PostPending || k == VoidPending || k == Reversal }

// Reason is a short code that says why an entry was reversed or released,
// such as "declined". Free text has no place in the books.
type Reason string

// SafeString returns the code.
func (r Reason) SafeString() string { return string(r) }

// Validate gives ErrReason for anything but 1 to 40 lower-case letters,
// digits, dots, dashes and underscores.
func (r Reason) Validate() error {
	if r == "" || len(r) > 40 {
		return ErrReason
	}
	for _, c := range r {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return ErrReason
		}
	}
	return nil
}

// Posting is one debit (positive) or credit (negative) of an entry.
type Posting struct {
	Account Code         `cbor:"1,keyasint"`
	Sub     Sub          `cbor:"2,keyasint,omitempty"`
	Amount  money.Amount `cbor:"3,keyasint"`
}

// Draft is an entry before it is recorded.
type Draft struct {
	Event     Event
	Effective civil.Date // business date; the zero Date means the day of recording
	// Source names the recorded fact that causes the entry, such as
	// "attempt/" and its identifier. A Source is posted once: the same draft
	// again gives the same entry. Empty for an entry without one.
	Source string
	// Against names the charge that a credit to a receivable settles. Zero
	// settles the oldest charges first.
	Against  ident.ID[ident.Entry]
	Postings []Posting
}

// Entry is a dated, balanced set of postings of the journal.
type Entry struct {
	ID        ident.ID[ident.Entry]
	Kind      Kind
	Ref       ident.ID[ident.Entry] // what this entry resolves or reverses; else zero
	Effective civil.Date            // business date
	Recorded  time.Time             // when it entered the journal
	Event     Event
	Source    string
	Reason    Reason // of a reversal or a release
	Postings  []Posting
}

// postingsMax bounds an entry.
const postingsMax = 100

// sourceLengthMax is the most bytes in a source reference.
const sourceLengthMax = 80

// Validate returns the first fault of an entry's form: kind and reference,
// event, source, postings.
func (e Entry) Validate(chart Chart) error {
	if !e.Kind.known() || e.Kind.hasRef() == e.Ref.IsZero() || e.Kind.hasRef() && e.Ref == e.ID {
		return ErrKind
	}
	if !e.Event.Known() {
		return ErrEvent
	}
	if e.Source != "" && (len(e.Source) > sourceLengthMax || !plain(e.Source)) {
		return ErrSource
	}
	if e.Kind == Reversal || e.Kind == VoidPending {
		if err := e.Reason.Validate(); err != nil {
			return err
		}
	}
	return ValidatePostings(e.Postings, chart)
}

func plain(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

// ValidatePostings returns the first fault of a set of postings: too few or
// too many, a zero, an unknown account, a sub-ledger key that is missing,
// malformed or unwanted, a sum that overflows or is not zero.
func ValidatePostings(postings []Posting, chart Chart) error {
	if len(postings) < 2 || len(postings) > postingsMax {
		return ErrPostings
	}
	var sum money.Amount
	for _, p := range postings {
		if p.Amount == 0 {
			return ErrZero
		}
		if _, err := p.Amount.Neg(); err != nil {
			return err
		}
		account, ok := chart.Account(p.Account)
		if !ok {
			return ErrUnknown
		}
		if err := account.accepts(p.Sub); err != nil {
			return err
		}
		var err error
		if sum, err = sum.Add(p.Amount); err != nil {
			return err
		}
	}
	if sum != 0 {
		return ErrUnbalanced
	}
	_, err := Total(postings)
	return err
}

// Total returns the sum of the debits, or money.ErrOverflow.
func Total(postings []Posting) (money.Amount, error) {
	var total money.Amount
	for _, p := range postings {
		if p.Amount > 0 {
			var err error
			if total, err = total.Add(p.Amount); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// Negate returns the postings with debits and credits exchanged.
func Negate(postings []Posting) ([]Posting, error) {
	out := make([]Posting, len(postings))
	for i, p := range postings {
		amount, err := p.Amount.Neg()
		if err != nil {
			return nil, err
		}
		out[i] = Posting{p.Account, p.Sub, amount}
	}
	return out, nil
}

// Reverse returns the entry that takes e back: the same postings with debits
// and credits exchanged. Identifier, dates and reason are the caller's.
func Reverse(e Entry) (Entry, error) {
	if !e.Kind.IsPosted() {
		return Entry{}, ErrNotPosted
	}
	postings, err := Negate(e.Postings)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Kind: Reversal, Ref: e.ID, Event: EventReversal, Postings: postings}, nil
}

// Post returns the entry that posts amount of the pending entry e. For less
// than the pended amount e must have one debit and one credit. Identifier
// and dates are the caller's.
func Post(e Entry, amount money.Amount) (Entry, error) {
	if e.Kind != Pending {
		return Entry{}, ErrNotPending
	}
	total, err := Total(e.Postings)
	if err != nil {
		return Entry{}, err
	}
	out := Entry{Kind: PostPending, Ref: e.ID, Event: e.Event}
	switch {
	case amount <= 0:
		return Entry{}, ErrZero
	case amount > total:
		return Entry{}, ErrTooMuch
	case amount == total:
		out.Postings = append([]Posting(nil), e.Postings...)
		return out, nil
	case len(e.Postings) != 2:
		return Entry{}, ErrPartial
	}
	for _, p := range e.Postings {
		p.Amount = amount * sign(p.Amount)
		out.Postings = append(out.Postings, p)
	}
	return out, nil
}

// Void returns the entry that releases the pending entry e. Identifier, dates
// and reason are the caller's.
func Void(e Entry) (Entry, error) {
	if e.Kind != Pending {
		return Entry{}, ErrNotPending
	}
	return Entry{Kind: VoidPending, Ref: e.ID, Event: e.Event, Postings: append([]Posting(nil), e.Postings...)}, nil
}

func sign(a money.Amount) money.Amount {
	if a < 0 {
		return -1
	}
	return 1
}
