package ledger

// Event is what happened in the clinic that an entry records.
type Event string

// SafeString returns the event's name.
func (e Event) SafeString() string { return string(e) }

// The events.
const (
	EventChargeSession Event = "charge.session"
	EventChargeNoShow  Event = "charge.noshow"
	EventPaymentCard   Event = "payment.card"
	EventPaymentCash   Event = "payment.cash"
	EventPaymentCheck  Event = "payment.check"
	EventCheckDeposit  Event = "check.deposit"
	EventCheckReturn   Event = "check.return"
	EventChargeReturn  Event = "charge.return"
	EventDrawerFloat   Event = "drawer.float"
	EventDrawerDrop    Event = "drawer.drop"
	EventDrawerCount   Event = "drawer.count"
	EventCreditApply   Event = "credit.apply"
	EventCreditRelease Event = "credit.release"
	EventRefund        Event = "refund"
	EventWaiver        Event = "adjustment.waiver"
	EventWriteOff      Event = "adjustment.writeoff"
	EventReversal      Event = "reversal"
)

var events = map[Event]string{
	EventChargeSession: "Session charged",
	EventChargeNoShow:  "No-show fee",
	EventPaymentCard:   "Card payment",
	EventPaymentCash:   "Cash payment",
	EventPaymentCheck:  "Check payment",
	EventCheckDeposit:  "Checks deposited",
	EventCheckReturn:   "Deposited check taken back by the bank",
	EventChargeReturn:  "Returned-check fee",
	EventDrawerFloat:   "Float put into a drawer",
	EventDrawerDrop:    "Cash taken out for the bank",
	EventDrawerCount:   "Drawer over or short",
	EventCreditApply:   "Credit applied",
	EventCreditRelease: "Payment moved to credit",
	EventRefund:        "Refund",
	EventWaiver:        "Adjustment",
	EventWriteOff:      "Write-off",
	EventReversal:      "Reversal",
}

// Known reports whether the event is one of the vocabulary.
func (e Event) Known() bool { return events[e] != "" }

// Label returns the event in the words of a page, such as "Card payment".
func (e Event) Label() string { return events[e] }

// IsReceipt reports whether the event is money received from a client.
func (e Event) IsReceipt() bool {
	return e == EventPaymentCard || e == EventPaymentCash || e == EventPaymentCheck
}

// Events returns the vocabulary, for filters; the order is not defined.
func Events() []Event {
	out := make([]Event, 0, len(events))
	for e := range events {
		out = append(out, e)
	}
	return out
}
