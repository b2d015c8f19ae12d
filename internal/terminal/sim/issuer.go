package sim

import (
	"time"

	"coffer/internal/money"
)

// Ruling is what the issuer decides.
type Ruling string

// The rulings.
const (
	Approve   Ruling = "approve"   // host code 00
	Decline   Ruling = "decline"   // host code 05, do not honour
	NoFunds   Ruling = "funds"     // host code 51, insufficient funds
	Stolen    Ruling = "stolen"    // host code 43, stolen card: it must never be tried again
	Half      Ruling = "half"      // host code 10: half of the amount is approved
	Slow      Ruling = "slow"      // host code 00, after Options.SlowHost
	Unreached Ruling = "host-down" // no host answers: device code 100007, nothing is charged
)

// Rule is one of the issuer's rules: it decides every amount with these cents.
type Rule struct {
	Cents int    `json:"cents"` // 0 to 99
	Do    Ruling `json:"do"`
}

// DefaultRules decide by cents that no fee list has: .41 is declined, .43 is
// declined for ever, .51 has no funds, .61 is approved in half, .68 is slow, .91 does not reach the host.
func DefaultRules() []Rule {
	return []Rule{{41, Decline}, {43, Stolen}, {51, NoFunds}, {61, Half}, {68, Slow}, {91, Unreached}}
}

// NoRules lets every amount pass.
func NoRules() []Rule { return []Rule{} }

// Card is a test card.
type Card struct {
	Brand    string
	LastFour string
	number   string // a brand's published test number; leaves only by the fault pan-leak
	typ      string // card type in the account group
	aid      string
	label    string
	expiry   string       // MMYY
	ruling   Ruling       // what the issuer decides for this card
	balance  money.Amount // of a prepaid card: no more than this is approved; 0 is no limit
}

func testCard(brand, number, typ, aid, label string) Card {
	return Card{Brand: brand, LastFour: number[len(number)-4:], number: number, typ: typ, aid: aid, label: label,
		expiry: "1230", ruling: Approve}
}

// Cards returns the test cards by the name under which Tap and Insert know
// them: five brands, one that is declined, one without funds, a prepaid one
// that holds 50.00 dollars, and one whose bank is slow (Options.SlowHost).
func Cards() map[string]Card {
	visa := func(number string) Card {
		return testCard("Visa", number, "01", "A0000000031010", "VISA CREDIT")
	}
	declined, poor, prepaid := visa("4000000000000002"), visa("4000000000009995"), visa("4000056655665556")
	slow := visa("4012888888881881")
	declined.ruling, poor.ruling, slow.ruling, prepaid.balance = Decline, NoFunds, Slow, 5000
	return map[string]Card{
		"visa":       visa("4111111111111111"),
		"mastercard": testCard("Mastercard", "5555555555554444", "02", "A0000000041010", "Debit MasterCard"),
		"amex":       testCard("American Express", "378282246310005", "03", "A00000002501", "AMERICAN EXPRESS"),
		"discover":   testCard("Discover", "6011111111111117", "04", "A0000001523010", "DISCOVER"),
		"jcb":        testCard("JCB", "3530111333300000", "07", "A0000000651010", "JCB CREDIT"),
		"declined":   declined,
		"poor":       poor,
		"prepaid":    prepaid,
		"slow":       slow,
	}
}

// LeakedNumber is the test number that the fault pan-leak sends.
func LeakedNumber() string { return Cards()["visa"].number }

// ending is how a transaction ended; each protocol has its own code for it.
type ending uint8

const (
	approved       ending = iota
	partly                // less than was asked for
	declined              // do not honour
	noFunds               // insufficient funds
	stolen                // stolen card
	noOriginal            // the issuer knows nothing of what the void or refund names
	alreadyVoided         // what the void names does not stand any more
	overOriginal          // the refund is more than what stands of the original
	localDuplicate        // the terminal says that it repeats a command
	hostDuplicate         // the issuer says so
	unreached             // no host answered
	timedOut              // nobody presented a card
	aborted               // somebody pressed the red key
)

// endingWords say an ending to the person in front of the device.
var endingWords = map[ending]string{
	approved: "Approved", partly: "Approved in part", declined: "Declined", noFunds: "Declined: no funds", stolen: "Declined: do not use this card again",
	noOriginal: "Not found", alreadyVoided: "Voided already", overOriginal: "More than was paid",
	localDuplicate: "Duplicate", hostDuplicate: "Duplicate at the bank", unreached: "The bank cannot be reached",
	timedOut: "No card was presented", aborted: "Cancelled",
}

// saidOf says how a transaction has ended.
func saidOf(t *tx, v verdict) string {
	words := endingWords[v.end]
	if !v.moves() {
		return words
	}
	acts := map[Act]string{Charge: "payment", Void: "void", Refund: "refund"}
	return words + ": " + acts[t.act] + " of " + v.approved.String()
}

// verdict is the answer to one order.
type verdict struct {
	end      ending
	approved money.Amount
	original *Truth // of a duplicate
}

func (v verdict) moves() bool { return v.end == approved || v.end == partly }

// asked reports whether a host has answered.
func (v verdict) asked() bool { return v.end != unreached && v.end != timedOut && v.end != aborted }

// ruling returns what the rules, the card and a fault make of a sale, and how
// long the host takes to say so.
func (s *Sim) ruling(t *tx) (Ruling, time.Duration) {
	r := Approve
	if t.act == Charge {
		for _, rule := range s.o.Rules {
			if int(t.amount%100) == rule.Cents {
				r = rule.Do
			}
		}
		if t.card.ruling != Approve && t.card.ruling != "" {
			r = t.card.ruling
		}
	}
	switch {
	case s.declineNext:
		r, s.declineNext = Decline, false
	case t.hit(Partial):
		r = Half
	case t.hit(Offline):
		return Approve, 0
	case t.hit(HostDown):
		r = Unreached
	case t.hit(SlowHost):
		r = Slow
	}
	if r == Slow {
		return Approve, s.o.SlowHost
	}
	return r, s.o.HostDelay
}

// judge is the issuer's decision. It changes nothing.
func (s *Sim) judge(t *tx, r Ruling) verdict {
	if o, end, is := s.duplicate(t); is {
		return verdict{end: end, approved: o.Amount, original: &o}
	}
	if t.act != Charge {
		if end, bad := s.refused(t); bad {
			return verdict{end: end}
		}
	}
	switch r {
	case Decline:
		return verdict{end: declined}
	case NoFunds:
		return verdict{end: noFunds}
	case Stolen:
		return verdict{end: stolen}
	case Unreached:
		return verdict{end: unreached}
	}
	sum := t.amount
	if r == Half && t.act == Charge {
		sum = (sum + 1) / 2
	}
	if t.act == Charge && t.card.balance > 0 {
		sum = min(sum, t.card.balance)
	}
	if sum < t.amount {
		return verdict{end: partly, approved: sum}
	}
	return verdict{end: approved, approved: sum}
}

// refused checks a void or refund against what it refers to.
func (s *Sim) refused(t *tx) (ending, bool) {
	switch {
	case t.of == nil && (t.act == Void || t.refersTo()):
		return noOriginal, true
	case t.of == nil:
		return 0, false
	case t.act == Void && s.book.left(*t.of) != t.of.Amount:
		return alreadyVoided, true
	case t.act == Refund && s.book.left(*t.of) < t.amount:
		return overOriginal, true
	}
	return 0, false
}

// duplicate reports whether an order repeats one, and who says so. The
// terminal's own check compares kind, amount and ECR reference; the host's
// compares amount and card within a window of time.
func (s *Sim) duplicate(t *tx) (Truth, ending, bool) {
	if t.override {
		return Truth{}, 0, false
	}
	same := func(o Truth) bool { return o.Act == t.act && o.Requested == t.amount }
	local := func(o Truth) bool { return same(o) && o.Ref != "" && o.Ref == t.ref }
	if o, ok := newest(s.book.open(), local); ok {
		return o, localDuplicate, true
	}
	if t.act != Charge {
		return Truth{}, 0, false
	}
	forced := func(k Kind, end ending) (Truth, ending, bool) {
		o, ok := newest(s.book.open(), func(o Truth) bool { return same(o) && s.book.left(o) == o.Amount })
		return o, end, ok && t.hit(k)
	}
	if o, end, ok := forced(LocalDup, localDuplicate); ok {
		return o, end, true
	}
	if o, end, ok := forced(HostDup, hostDuplicate); ok {
		return o, end, true
	}
	window := func(o Truth) bool {
		return same(o) && o.LastFour == t.card.LastFour && s.now().Sub(o.Time) < s.o.DuplicateWindow
	}
	o, ok := newest(s.book.lines, window)
	return o, hostDuplicate, ok && s.o.DuplicateWindow > 0
}
