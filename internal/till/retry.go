package till

import "coffer/internal/terminal/protocol"

// neverAgain are the host codes after which the bank will never approve the
// same card, so that trying it again is a breach of the card brands' rules. They
// are Visa's decline category 1, as checkout.com ("Visa response codes
// categories") and support.forte.net ("Visa Decline Response Code Rules and
// Integrity Fees") publish it; 03, 62, 78 and 93, in which they differ, are left
// out: trying once more is allowed by one of them.
var neverAgain = map[string]bool{
	"04": true, // pick up card
	"07": true, // pick up card, special conditions
	"12": true, // invalid transaction
	"14": true, // invalid card number
	"15": true, // no such issuer
	"41": true, // lost card
	"43": true, // stolen card
	"46": true, // closed account
	"57": true, // not permitted to the holder
	"R0": true, // stop of one payment
	"R1": true, // revocation of the authorization
	"R3": true, // revocation of all authorizations
}

// neverWords replaces the words of such a decline.
const (
	neverWhat = "The bank declined this card and will never approve it. Nothing was charged."
	neverNext = "Do not try this card again. Ask for another card, or take cash or a check."
)

// barred reports whether the card of a declined sale must not be tried again. A
// gateway may use a code's digits for something else, so the reason that the
// protocol has read must be one that a bank gives for a card.
func (a *attempt) barred() bool {
	switch protocol.Reason(a.Reason) {
	case protocol.ReasonDeclined, protocol.ReasonCard, protocol.ReasonPickUp, protocol.ReasonNotAllowed, protocol.ReasonUnsupported:
		return a.Kind == KindSale && a.Result == Declined && neverAgain[a.Host]
	}
	return false
}
