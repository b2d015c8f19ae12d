package till

import (
	"strings"
	"testing"

	"coffer/internal/terminal/protocol"
)

// A card that its bank will never approve is not offered again; a code that
// means something else at a gateway, or another decline, changes nothing.
func TestCardsThatAreNotTriedAgain(t *testing.T) {
	for _, c := range []struct {
		host   string
		reason protocol.Reason
		want   bool
	}{
		{"04", protocol.ReasonPickUp, true}, {"07", protocol.ReasonPickUp, true}, {"14", protocol.ReasonCard, true},
		{"41", protocol.ReasonPickUp, true}, {"43", protocol.ReasonPickUp, true}, {"46", protocol.ReasonDeclined, true},
		{"R0", protocol.ReasonDeclined, true}, {"R1", protocol.ReasonDeclined, true},
		{"43", protocol.ReasonAmount, false}, {"05", protocol.ReasonDeclined, false}, {"51", protocol.ReasonFunds, false}, {"", protocol.ReasonDeclined, false},
	} {
		a := attempt{Kind: KindSale, Tender: TenderCard, State: Closed, Result: Declined, Host: c.host, Reason: string(c.reason)}
		_, what, next := words(&a, StageDeclined)
		if got := strings.Contains(what, "never") && strings.Contains(next, "Do not try this card again"); got != c.want || a.barred() != c.want {
			t.Errorf("%s, %s: barred %v, %q", c.host, c.reason, a.barred(), what)
		}
	}
	if a := (attempt{Kind: KindSale, Result: Approved, Host: "41", Reason: string(protocol.ReasonPickUp)}); a.barred() {
		t.Error("an approved card is barred")
	}
}
