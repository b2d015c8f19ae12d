package till

import "coffer/internal/ident"

// text is what a stage says to the cashier.
type text struct{ title, words, next string }

// stageWords says each stage of a card sale in plain words, with the next step.
// Those of a decline are in protocol.Words instead.
var stageWords = map[Stage]text{
	StageWaiting: {"Waiting for the terminal",
		"Coffer is sending the amount to the terminal.",
		"Wait until the terminal asks for the card."},
	StagePresent: {"Present card",
		"The terminal shows the amount and waits for the card.",
		"Ask for the card: tap, insert or swipe."},
	StageProcessing: {"Processing",
		"The card was read, and the bank is being asked.",
		"Wait for the result. Leave the card in until the terminal says otherwise."},
	StageCancelling: {"Cancelling",
		"The terminal was asked to cancel and has not answered yet.",
		"Wait for the result. If the card was faster, the payment may still be approved."},
	StageApproved: {"Approved",
		"The payment was approved and is in the books.",
		"Print the receipt or go on."},
	StagePartial: {"Partly approved",
		"The bank approved less than the amount asked for. What was approved is in the books.",
		"Take the rest with another card or in cash."},
	StageDeclined: {"Declined",
		"The payment was declined. Nothing was charged.",
		"Ask for another card, or take cash."},
	StageCancelled: {"Cancelled",
		"The payment was cancelled. Nothing was charged.",
		"Start again, or go on."},
	StageTimeout: {"No card in time",
		"No card was presented in time. Nothing was charged.",
		"Start again when the card is at hand."},
	StageNotSent: {"Not sent",
		"The terminal did not get the amount. Nothing was charged.",
		"Check the terminal's cable and power, then start again."},
	StageBusy: {"Terminal busy",
		"The terminal was busy and refused the payment. Nothing was charged.",
		"Wait until the terminal shows its idle screen, then start again."},
	StageNotCharged: {"Not charged",
		"The terminal gave no result, but its records show that it took no money. Nothing was charged.",
		"Start again."},
	StageUnknown: {"Not known yet",
		"The terminal gave no result, or the connection was lost before it came. Coffer is asking the terminal what happened. It never charges twice.",
		"Do not take the payment again. Wait here: the result appears by itself."},
	StageUnplugged: {"Terminal unplugged",
		"The terminal went away before the result came. Coffer asks it as soon as it is back. It never charges twice.",
		"Plug the terminal in and switch it on. Do not take the payment again."},
	StageQuarantined: {"Terminal blocked",
		"The terminal behaved in a way that is not allowed, so it was blocked before the result was known.",
		"Do not use this terminal and do not take the payment again. Call IT."},
	StageDuplicate: {"Paid twice?",
		"The terminal says that this card has already paid the same amount, and charged nothing now.",
		"Ask the card holder: is it the same payment, or really a second one?"},
	StageSame: {"Same payment",
		"It was the same payment, so nothing was charged again.",
		"Look at the client's payments for the first one, or go on."},
	StageSecond: {"Asked again",
		"Nothing was charged here. The second payment was started as one of its own.",
		"Look at the client's payments for it."},
	StageManual: {"Needs a decision",
		"What the terminal says does not match what Coffer sent, so Coffer does not guess.",
		"Do not take the payment again. Two people look at the terminal's report and decide."},
	StageStray: {"Unknown approval",
		"The terminal reported an approved payment that Coffer knows nothing of.",
		"Two people look at the terminal's report and say whose payment it was."},
}

// straySecond replaces the words of a stray that bears the reference of a
// payment which another approval had ended; strayEnded those of one that waits
// for nobody any more.
var (
	straySecond = text{"Second approval",
		"The terminal reported a second approval for a payment that had ended already. The card may have been charged twice.",
		"Two people look at the terminal's report and decide. If it was charged, it becomes a payment that can be voided."}
	strayEnded = text{"Settled", "It is known what became of this approval.", "Look at the client's payments, or go on."}
)

// kindWords replaces stageWords where a void or refund reads differently.
var kindWords = map[Kind]map[Stage]text{
	KindVoid: {
		StageApproved:  {"Voided", "The payment was taken back as if it had never been made.", "Print the receipt or go on."},
		StageDeclined:  {"Void declined", "The payment could not be voided and still stands.", "Its batch may be closed already: make a refund instead."},
		StageCancelled: {"Void cancelled", "The void was cancelled, and the payment still stands.", "Start again, or go on."},
		StageNotSent: {"Not sent", "The terminal did not get the void, and the payment still stands.",
			"Check the terminal's cable and power, then start again."},
		StageBusy: {"Terminal busy", "The terminal was busy and refused the void. The payment still stands.",
			"Wait until the terminal shows its idle screen, then start again."},
		StageNotCharged: {"Not voided", "The terminal gave no result, but its records show that it voided nothing. The payment still stands.",
			"Start again, or make a refund instead."},
		StageUnplugged: {"Terminal unplugged", "The terminal went away before the result came. Coffer asks it whether the payment was voided as soon as it is back.",
			"Plug the terminal in and switch it on. Do not void the payment again."},
		StageUnknown: {"Not known yet", "The terminal gave no result, or the connection was lost before it came. Coffer is asking the terminal whether the payment was voided.", "Do not void it again. Wait here: the result appears by itself."},
	},
	KindRefund: {
		StageApproved:  {"Refunded", "The refund was approved and is in the books.", "Print the receipt or go on."},
		StageDeclined:  {"Refund declined", "The refund was declined. Nothing was given back.", "Try again later, or give the money back another way and tell the accountant."},
		StageCancelled: {"Refund cancelled", "The refund was cancelled. Nothing was given back.", "Start again, or go on."},
		StageNotSent: {"Not sent", "The terminal did not get the refund. Nothing was given back.",
			"Check the terminal's cable and power, then start again."},
		StageBusy: {"Terminal busy", "The terminal was busy and refused the refund. Nothing was given back.",
			"Wait until the terminal shows its idle screen, then start again."},
		StageNotCharged: {"Not refunded", "The terminal gave no result, but its records show that it gave nothing back.",
			"Start again."},
		StageUnplugged: {"Terminal unplugged", "The terminal went away before the result came. Coffer asks it whether the refund was made as soon as it is back.",
			"Plug the terminal in and switch it on. Do not refund it again."},
		StageUnknown: {"Not known yet", "The terminal gave no result, or the connection was lost before it came. Coffer is asking the terminal whether the refund was made.", "Do not refund it again. Wait here: the result appears by itself."},
	},
}

// voidedWords replaces the words of an approved payment that was voided.
var voidedWords = text{"Voided", "The payment was approved and then taken back.", "Look at the client's payments, or go on."}

// cashWords says what became of cash; it has only one end.
var cashWords = map[Kind]text{
	KindSale:   {"Paid in cash", "The cash payment is in the books.", "Give the change and the receipt."},
	KindVoid:   {"Cash given back", "The cash payment was taken back.", "Give the money and the receipt."},
	KindRefund: {"Cash given back", "The refund is in the books, out of your drawer.", "Give the money and the receipt."},
}

// checkWords says what became of a check; bouncedWords of one that came back.
var checkWords = map[Kind]text{
	KindSale:   {"Paid by check", "The check is in the books and waits for its deposit.", "Give the receipt. Put the check with those to deposit."},
	KindRefund: {"Refunded by check", "The refund is in the books, as a check of the clinic's own.", "Give the check and the receipt."},
	KindVoid:   {"Check given back", "The check was taken back before its deposit.", "Give the check and the receipt."},
}

var bouncedWords = text{"Check returned", "The bank returned this check. What it had paid is due again.", "Look at the client's account, and ask for another payment."}

// topic is what the doorbell rings when a payment has changed. It carries the
// identifier and nothing else.
func topic(id ident.ID[ident.Attempt]) string { return "payment " + id.String() }

// TopicDay is what the doorbell rings when a payment has ended.
const TopicDay = "day"

// TopicTerminals is what the doorbell rings when a terminal has come, gone or
// changed.
const TopicTerminals = "terminals"
