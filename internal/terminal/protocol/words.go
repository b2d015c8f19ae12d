package protocol

// Reason is why a command ended as it did: a code for the journal, with words
// for the person at the counter in Words.
type Reason string

// The reasons that arise on our side of the wire.
const (
	ReasonNone         Reason = ""
	ReasonUnplugged    Reason = "unplugged"          // the line is gone
	ReasonQuarantined  Reason = "quarantined"        // the terminal may not be used
	ReasonSubstitute   Reason = "substitution"       // the serial number is not the expected one
	ReasonLeak         Reason = "pan_leak"           // the terminal sent something that looks like a card number
	ReasonBusy         Reason = "busy"               // the terminal refused the command: it is doing something else
	ReasonNoAck        Reason = "no_ack"             // nothing answered the command
	ReasonRefused      Reason = "line_noise"         // the terminal asked again and again for the command
	ReasonNoAnswer     Reason = "no_answer"          // the command was taken, and no answer came in time
	ReasonDamaged      Reason = "damaged"            // the answer could not be read
	ReasonEnded        Reason = "ended"              // the terminal took the command and ended without an answer
	ReasonMismatch     Reason = "mismatch"           // the answer does not agree with the command
	ReasonNotKept      Reason = "not_kept"           // our own journal did not take the event
	ReasonClosed       Reason = "closed"             // Coffer itself was stopped
	ReasonWithdrawn    Reason = "withdrawn"          // withdrawn here before it was sent
	ReasonUnproven     Reason = "unproven"           // the terminal does not know it, and its records prove nothing
	ReasonUnknownCode  Reason = "unknown_code"       // the answer bears a code that Coffer does not know
	ReasonVoided       Reason = "voided"             // the record says that it was voided at the terminal itself
	ReasonNoEOT        Reason = "no_eot"             // the terminal did not end the conversation; the result stands
	ReasonForbidden    Reason = "forbidden"          // the profile's allow-list does not have the message
	ReasonUnregistered Reason = "not_registered"     // no device is registered at this connection
	ReasonFirmware     Reason = "firmware"           // it states versions that nobody has accepted
	ReasonInspection   Reason = "inspection_overdue" // and the clinic's policy refuses payments then
	ReasonUnchecked    Reason = "not_compared"       // the register could not be asked
	ReasonTampered     Reason = "inspection_failed"
	ReasonDefect       Reason = "defect" // a defect of this program broke the conversation
)

// The reasons that a terminal or a bank states.
const (
	ReasonApproved       Reason = "approved"
	ReasonPartial        Reason = "partial"
	ReasonTimeout        Reason = "card_timeout"
	ReasonAborted        Reason = "aborted"
	ReasonLocalDuplicate Reason = "duplicate_terminal"
	ReasonHostDuplicate  Reason = "duplicate_host"
	ReasonDeclined       Reason = "declined"
	ReasonCallBank       Reason = "call_bank"
	ReasonFunds          Reason = "no_funds"
	ReasonExpired        Reason = "card_expired"
	ReasonPIN            Reason = "wrong_pin"
	ReasonPINTries       Reason = "pin_locked"
	ReasonLimit          Reason = "over_limit"
	ReasonCard           Reason = "card_refused"
	ReasonPickUp         Reason = "card_retained"
	ReasonNotAllowed     Reason = "card_not_allowed"
	ReasonAmount         Reason = "bad_amount"
	ReasonHostDown       Reason = "bank_unreachable"
	ReasonHostLost       Reason = "bank_lost"
	ReasonMerchant       Reason = "merchant_setup"
	ReasonUnsupported    Reason = "unsupported"
	ReasonCardRead       Reason = "card_unread"
	ReasonAlreadyVoided  Reason = "already_voided"
	ReasonNoOriginal     Reason = "original_unknown"
	ReasonBatch          Reason = "batch"
	ReasonTerminalError  Reason = "terminal_error"
	ReasonNotFound       Reason = "record_not_found"
	ReasonRepeat         Reason = "try_again"
)

// Sentence is what a person at the counter reads: what has happened, and what
// to do now.
type Sentence struct {
	What, Next string
}

// Words returns the sentence for a reason. An unknown reason gets the words
// of ReasonTerminalError.
func Words(r Reason) Sentence {
	if s, ok := words[r]; ok {
		return s
	}
	return words[ReasonTerminalError]
}

// doNotRepeat is the next step while a payment is in doubt.
const doNotRepeat = "Do not repeat the payment: Coffer asks the terminal what became of it."

// Words returns the sentence for the outcome. While it is in doubt, the next
// step is never to start the payment again.
func (o Outcome) Words() Sentence {
	s := Words(o.Reason)
	if o.Result != InDoubt {
		return s
	}
	switch o.Reason {
	case ReasonLeak, ReasonMismatch, ReasonNotKept, ReasonUnproven, ReasonVoided:
		return s
	}
	s.Next = doNotRepeat
	return s
}

var words = map[Reason]Sentence{
	ReasonUnplugged:    {"The card terminal is not connected.", "Check its cable and power; the payment can then be started again."},
	ReasonQuarantined:  {"This card terminal is locked.", "Use another terminal or take cash, and call IT."},
	ReasonSubstitute:   {"This is not the terminal that belongs here: its serial number or model is not the registered one. It may have been substituted.", "Do not use it. Put it aside and call IT."},
	ReasonUnregistered: {"This terminal is not registered.", "Use another terminal. IT pairs it on the page Terminals: they compare its label with what it says of itself."},
	ReasonFirmware:     {"This terminal runs software that nobody has accepted.", "Use another terminal, and call IT: they look the version up and accept it, or take the terminal away."},
	ReasonInspection:   {"The inspection of this terminal is overdue.", "Use another terminal, and ask IT to inspect it on the page Terminals."},
	ReasonUnchecked:    {"This terminal could not be compared with the register.", "Use another terminal, and call IT: the disk may be full."},
	ReasonTampered:     {"This terminal has failed its inspection.", "Do not use it. IT takes it away and tells the processor."},
	ReasonLeak:         {"The terminal sent data that it must never send, so it was locked.", "Do not repeat the payment. Call IT; the payment is being looked into."},
	ReasonBusy:         {"The terminal is busy with something else.", "Finish or cancel what its screen shows, then start the payment again."},
	ReasonNoAck:        {"The terminal did not answer.", "Do not repeat the payment yet: Coffer asks the terminal what became of it."},
	ReasonRefused:      {"The terminal could not read what it was sent. Nothing was charged.", "Check the cable, then start the payment again."},
	ReasonNoAnswer:     {"The terminal took the payment but gave no answer in time.", "Do not repeat the payment: Coffer asks the terminal what became of it."},
	ReasonDamaged:      {"The terminal's answer could not be read.", "Do not repeat the payment: Coffer asks the terminal what became of it. Check the cable."},
	ReasonEnded:        {"The terminal ended without an answer.", "Do not repeat the payment: Coffer asks the terminal what became of it."},
	ReasonMismatch:     {"The terminal's answer does not fit this payment.", "Do not repeat the payment. Compare with the terminal's own receipt and tell the accountant."},
	ReasonNotKept:      {"Coffer could not write the payment down.", "Do not repeat the payment. Call IT: the disk may be full."},
	ReasonClosed:       {"Coffer was stopped during the payment.", "Do not repeat the payment: Coffer asks the terminal what became of it."},
	ReasonWithdrawn:    {"The payment was withdrawn before the terminal got it. Nothing was charged.", "Start it again when the client is ready."},
	ReasonUnproven:     {"The terminal knows nothing of this payment, but cannot prove that it was not charged.", "Compare with the terminal's batch report, then decide with a second person."},
	ReasonUnknownCode:  {"The terminal's answer bears a code that Coffer does not know.", "Do not repeat the payment: Coffer asks the terminal what became of it."},
	ReasonVoided:       {"The payment was voided at the terminal itself.", "Compare with the terminal's receipts and tell the accountant."},
	ReasonNoEOT:        {"The terminal did not end its message; the result stands.", "Nothing to do."},
	ReasonDefect:       {"Coffer itself failed while it talked to this terminal, so it was locked.", "Do not repeat the payment. Use another terminal, and call IT."},
	ReasonForbidden:    {"This terminal's profile does not allow this.", "Use another terminal, or call IT."},

	ReasonApproved:       {"Approved.", "Give the receipt."},
	ReasonPartial:        {"The card paid only a part.", "Take the rest by another card or in cash, or void this part."},
	ReasonTimeout:        {"No card was presented in time. Nothing was charged.", "Start the payment again when the client is ready."},
	ReasonAborted:        {"Cancelled at the terminal. Nothing was charged.", "Start it again when the client is ready."},
	ReasonLocalDuplicate: {"The terminal says that this payment was already made.", "Choose: it is the same payment, or it is really a second one."},
	ReasonHostDuplicate:  {"The bank says that this payment was already made.", "Choose: it is the same payment, or it is really a second one."},
	ReasonDeclined:       {"Declined by the bank. Nothing was charged.", "Ask for another card or cash."},
	ReasonCallBank:       {"The bank wants to be called. Nothing was charged.", "Ask for another card; the client may call their bank."},
	ReasonFunds:          {"Declined: not enough funds. Nothing was charged.", "Ask for another card, a smaller amount or cash."},
	ReasonExpired:        {"Declined: the card has expired.", "Ask for another card or cash."},
	ReasonPIN:            {"Declined: the PIN was wrong.", "The client may try again, or use another card."},
	ReasonPINTries:       {"Declined: the PIN was wrong too often.", "Ask for another card; the client's bank can unlock this one."},
	ReasonLimit:          {"Declined: over the card's limit. Nothing was charged.", "Ask for another card or a smaller amount."},
	ReasonCard:           {"The bank does not know this card. Nothing was charged.", "Ask for another card or cash."},
	ReasonPickUp:         {"The bank has blocked this card. Nothing was charged.", "Ask for another card; the client should call their bank."},
	ReasonNotAllowed:     {"This card may not be used for this. Nothing was charged.", "Ask for another card or cash."},
	ReasonAmount:         {"The amount was refused. Nothing was charged.", "Check the amount and start again."},
	ReasonHostDown:       {"The bank cannot be reached. Nothing was charged.", "Try again in a minute, or take cash."},
	ReasonHostLost:       {"The terminal lost the bank in the middle of the payment.", "Do not repeat the payment: Coffer asks the terminal what became of it."},
	ReasonMerchant:       {"The bank refuses this terminal's set-up. Nothing was charged.", "Use another terminal or cash, and call the card processor."},
	ReasonUnsupported:    {"The terminal cannot do this. Nothing was charged.", "Use another way to pay, and tell IT."},
	ReasonCardRead:       {"The card could not be read. Nothing was charged.", "Try again, insert the chip instead of tapping, or use another card."},
	ReasonAlreadyVoided:  {"This payment has already been voided.", "Nothing more to do; check the receipt."},
	ReasonNoOriginal:     {"The terminal does not find the original payment. Nothing was moved.", "Refund instead of voiding, or use the terminal that took the payment."},
	ReasonBatch:          {"The terminal is closing its batch, or its batch is full. Nothing was charged.", "Close the batch, then start again."},
	ReasonTerminalError:  {"The terminal reported a fault. Nothing was charged.", "Try again; if it stays, use another terminal and tell IT."},
	ReasonNotFound:       {"The terminal did not take this payment. Nothing was charged.", "Start it again."},
	ReasonRepeat:         {"The bank asks to try again. Nothing was charged.", "Start the payment again."},
}
