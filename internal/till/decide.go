package till

import (
	"regexp"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// The reasons that arise in the journal itself; others are the terminal's.
const (
	reasonRef         = "other_reference"
	reasonNoRef       = "no_reference"
	reasonKind        = "other_kind"
	reasonAmount      = "other_amount"
	reasonAbove       = "approved_above_amount"
	reasonNothing     = "approved_nothing"
	reasonPartialVoid = "partial_void"
	reasonEmpty       = "empty_batch_proves_nothing"
	reasonRestart     = "restart"
	reasonNoTerminal  = "no_terminal"
	reasonTaken       = "already_taken"
	reasonPeople      = "two_people"
	reasonDesk        = "desk_answer" // one person at the desk, and the terminal's own record agrees
	evidenceUnsent    = "journal_created_only"
	evidenceRecord    = "terminal_record" // the terminal's own record of the payment
)

// verdict is what an outcome means for an attempt.
type verdict struct {
	state    State
	result   Result
	approved money.Amount
	reason   string
}

// decide returns what a terminal's outcome means for an attempt. An outcome
// moves money in the books only if reference, kind and amount are the
// attempt's; what contradicts them is never guessed at. A Duplicate is decided
// by the caller, who can look for the original.
func decide(a *attempt, o protocol.Outcome) verdict {
	reason := code(string(o.Reason))
	switch o.Result {
	case protocol.Approved, protocol.Partial:
		return decideApproval(a, o, reason)
	case protocol.Declined:
		return decideNothing(a, o, Declined, reason)
	case protocol.Cancelled:
		return decideNothing(a, o, Cancelled, reason)
	case protocol.NotSent:
		return verdict{state: Resulted, result: NotSent, reason: reason}
	case protocol.NotCharged:
		if why := mismatch(a, o); why != "" {
			return verdict{state: Manual, reason: why}
		}
		return verdict{state: NotCharged, result: ProvenNever, reason: reason}
	}
	return verdict{state: InDoubt, reason: reason}
}

func decideApproval(a *attempt, o protocol.Outcome, reason string) verdict {
	if o.Ref == "" {
		return verdict{state: InDoubt, reason: reasonNoRef}
	}
	if why := mismatch(a, o); why != "" {
		return verdict{state: Manual, reason: why}
	}
	switch {
	case o.Approved > a.Amount:
		return verdict{state: Manual, reason: reasonAbove}
	case o.Approved <= 0:
		return verdict{state: Manual, reason: reasonNothing}
	case o.Approved == a.Amount:
		return verdict{state: Resulted, result: Approved, approved: o.Approved, reason: reason}
	case a.Kind == KindVoid:
		return verdict{state: Manual, reason: reasonPartialVoid}
	}
	return verdict{state: Resulted, result: Partial, approved: o.Approved, reason: reason}
}

// decideNothing is for an answer that says that no money moved. An answer that
// names another attempt says nothing of this one.
func decideNothing(a *attempt, o protocol.Outcome, r Result, reason string) verdict {
	if o.Ref != "" && o.Ref != a.Ref {
		return verdict{state: InDoubt, reason: reasonRef}
	}
	return verdict{state: Resulted, result: r, reason: reason}
}

// mismatch returns in what an outcome contradicts the attempt, or "".
func mismatch(a *attempt, o protocol.Outcome) string {
	switch {
	case o.Ref != "" && o.Ref != a.Ref:
		return reasonRef
	case o.Kind != "" && string(o.Kind) != string(a.Kind):
		return reasonKind
	case o.Requested != 0 && o.Requested != a.Amount:
		return reasonAmount
	}
	return ""
}

// emptyAgeMax is how old an attempt may be for an empty terminal to prove that
// it was not charged: a batch that was closed meanwhile looks the same.
const emptyAgeMax = 12 * time.Hour

// emptyProves reports whether a terminal without any record proves that a was
// not charged: a is of the same day and young, and no payment of the day
// stands in the journal that the terminal should have remembered.
func emptyProves(a *attempt, now time.Time, approvedToday bool) bool {
	sameDay := a.At.In(now.Location()).YearDay() == now.YearDay() && a.At.In(now.Location()).Year() == now.Year()
	return sameDay && now.Sub(a.At) < emptyAgeMax && !approvedToday
}

// codeForm is what may enter the journal of a terminal's codes: short words
// that nobody typed and that cannot be a card number.
var codeForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)
var longDigits = regexp.MustCompile(`[1-9][0-9]{12,18}`)

// code returns s if it has the form of a code, else "".
func code(s string) string {
	if !codeForm.MatchString(s) || longDigits.MatchString(s) {
		return ""
	}
	return s
}
