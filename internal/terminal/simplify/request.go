package simplify

import (
	"fmt"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// Merchant is how the processor knows the clinic and this terminal. Elavon
// gives the three names; a name that is empty is not sent, and the PIN pad's own
// stands.
type Merchant struct {
	Terminal string // terminal identifier
	Location string // location name
	Chain    string // chain code
}

// Valid reports whether each name is empty, or up to 32 letters, digits and
// dashes.
func (m Merchant) Valid() bool {
	for _, name := range []string{m.Terminal, m.Location, m.Chain} {
		if protocol.Word(name, 32) != name {
			return false
		}
	}
	return true
}

// sendable reports whether a command may go to a PIN pad. A void names what it
// voids by that one's own reference.
func sendable(c protocol.Command) bool {
	if !c.Sendable() || c.Ref[0] == '0' {
		return false
	}
	return c.Kind != protocol.Void || c.OriginalRef != ""
}

// compose returns the message of a command, with its date and time.
func (d driver) compose(c protocol.Command, now time.Time) Message {
	m := d.stamped(typeOf(c.Kind), c.Ref, now)
	m[FieldAmount] = Dollars(c.Amount)
	m[FieldTender] = tenderCredit
	if c.OriginalToken != "" {
		m[FieldAccount] = tokenPrefix + string(c.OriginalToken)
	}
	switch c.Kind {
	case protocol.Sale:
		m[FieldCashback], m[FieldTip], m[FieldMasked] = Dollars(0), Dollars(0), tokenPrefix
		if d.profile.Capabilities.Partial {
			m[FieldPartial] = "1"
		}
		if d.profile.Capabilities.HSA {
			health(m, c.Health)
		}
	case protocol.Void:
		m[FieldRef] = c.OriginalRef
	}
	return m
}

// health adds what of a sale is healthcare: the sum, then each part that there is
// ("HSA Card API Fields": account type, amount type, currency, sign and amount).
func health(m Message, h protocol.Health) {
	f := FieldHealth
	for _, part := range []struct {
		typ    string
		amount money.Amount
	}{{"4S", h.Sum()}, {"4U", h.Prescription}, {"4V", h.Vision}, {"4W", h.Clinic}, {"4X", h.Dental}} {
		if part.amount > 0 {
			m[f] = fmt.Sprintf("00;%s;840;C;%09d.%02d", part.typ, part.amount/100, part.amount%100)
			f++
		}
	}
}

// tenderCredit is what field 115 says of a credit card.
const tenderCredit = "010"

// inquiry returns the question what became of a command: all its elements, with
// another type ("Inquiry Message").
func (d driver) inquiry(c protocol.Command, now time.Time) Message {
	m := d.compose(c, now)
	m[FieldType] = TypeInquiry
	return m
}

// stamped returns a message with what all of them bear.
func (d driver) stamped(typ, ref string, now time.Time) Message {
	m := Message{FieldType: typ, FieldRef: ref, FieldDate: now.Format("010206"), FieldTime: now.Format("150405")}
	for f, v := range map[Field]string{
		FieldTerminal: d.merchant.Terminal, FieldLocation: d.merchant.Location, FieldChain: d.merchant.Chain,
	} {
		if v != "" && typ != TypeHealth && typ != TypeCancel {
			m[f] = v
		}
	}
	return m
}
