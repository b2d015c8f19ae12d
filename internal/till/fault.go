package till

import "coffer/internal/fault"

// The faults of this package. Those that stop a payment before anything was
// recorded come with the identifier of the payment that stands in the way,
// where there is one.
var (
	// ErrAmount: the amount is zero, negative or above money.Max.
	ErrAmount = fault.New(fault.Invalid, "Enter the amount to pay, more than 0.00.")
	// ErrTooMuch: the amount is above AmountMax.
	ErrTooMuch = fault.New(fault.Invalid, "One payment may be at most %v. Check the amount; split it if it is right.", AmountMax)
	// ErrOverDue: Sale.DueOnly, and the client owes less than the amount now.
	ErrOverDue = fault.New(fault.Conflict, "This is more than the client owes now. Check the amount, or take the rest as credit.")
	// ErrTendered: less cash was handed over than is to be paid.
	ErrTendered = fault.New(fault.Invalid, "The cash handed over is less than the amount. Correct one of the two.")
	// ErrCommand: the request carries no command identifier, or one that was used
	// for something else.
	ErrCommand = fault.New(fault.Invalid, "This form is incomplete, or was used before for another payment. Reload the page and send it again.")
	// ErrDuplicate: the same client paid the same amount a moment ago.
	// Asking again with ConfirmDuplicate takes it a second time.
	ErrDuplicate = fault.New(fault.Conflict, "The same amount was paid for this client less than 10 minutes ago. Confirm that this is really a second payment.")
	// ErrLocked: a payment of this client runs or is not known yet.
	ErrLocked = fault.New(fault.Conflict, "Another payment for this client is not finished. Wait for its result before taking one more.")
	// ErrBusy: the terminal is in use by another payment.
	ErrBusy = fault.New(fault.Conflict, "The terminal is busy with another payment. Wait until it has ended, or use another terminal.")
	// ErrRecovering: the outcome of an earlier payment at the terminal is not known yet.
	ErrRecovering = fault.New(fault.Conflict, "Coffer is still asking this terminal about an earlier payment. Wait a moment, or use another terminal.")
	// ErrUnplugged: the terminal does not answer.
	ErrUnplugged = fault.New(fault.Unavailable, "The terminal does not answer. Check its cable and power, or use another terminal.")
	// ErrQuarantined: the terminal may not be used.
	ErrQuarantined = fault.New(fault.Unavailable, "This terminal is blocked. Do not use it, call IT, and use another terminal.")
	// ErrInspection: the clinic's policy wants the terminal inspected first.
	ErrInspection = fault.New(fault.Unavailable, "The inspection of this terminal is overdue, and the clinic's policy takes no payment at it until then. Use another terminal, and ask IT to inspect it (page Terminals).")
	// ErrNoTerminal: no such terminal is set up.
	ErrNoTerminal = fault.New(fault.NotFound, "There is no such terminal. Choose one from the list.")
	// ErrNotFound: no such payment.
	ErrNotFound = fault.New(fault.NotFound, "There is no such payment.")
	// ErrNoReceipt: the payment has no receipt.
	ErrNoReceipt = fault.New(fault.NotFound, "There is no receipt: no money has moved, or its payment is not finished.")
	// ErrTooLate: the payment can no longer be cancelled.
	ErrTooLate = fault.New(fault.Conflict, "It is too late to cancel. Wait for the result; an approved payment can be voided.")
	// ErrNotPayment: only an approved payment can be voided or refunded.
	ErrNotPayment = fault.New(fault.Conflict, "Only an approved payment that was not voided can be given back.")
	// ErrVoidPart: a void is of the whole payment.
	ErrVoidPart = fault.New(fault.Invalid, "A void takes the whole payment back. To give back a part of it, choose the refund.")
	// ErrRefundTooMuch: more than what is left of the payment.
	ErrRefundTooMuch = fault.New(fault.Invalid, "That is more than what is left of this payment. Enter a smaller amount.")
	// errNotYours: a proposal of what its proposer may not do at all.
	errNotYours = fault.New(fault.Denied, "You can't ask for this. A colleague of the front desk can.")
	// ErrReason: money is given back for one of the reasons; another one is said.
	ErrReason = fault.New(fault.Invalid, "Choose why the money is given back. With another reason, write a few words in the note.")
	// ErrOtherDrawer: cash is voided by who took it.
	ErrOtherDrawer = fault.New(fault.Conflict, "This cash is in the drawer of a colleague. Ask that colleague to void it, or refund it out of your own drawer.")
	// ErrCheckHere: a check that was not deposited is given back itself.
	ErrCheckHere = fault.New(fault.Conflict, "This check has not gone to the bank yet. Void the payment and give the check itself back.")
	// ErrDrawer: the cash to give back was taken out of its drawer.
	ErrDrawer = fault.New(fault.Conflict, "The drawer does not hold this money any more: it was taken out for the bank. Ask the accountant to give it back another way.")
	// ErrCheck: a check needs its number.
	ErrCheck = fault.New(fault.Invalid, "Enter the number printed on the check, in digits.")
	// ErrDeposited: a check that is at the bank cannot be given back.
	ErrDeposited = fault.New(fault.Conflict, "This check was taken to the bank already. If the bank returns it, record that.")
	// ErrNotDeposited: only a check at the bank can be returned, once.
	ErrNotDeposited = fault.New(fault.Conflict, "Only a check that was taken to the bank can be returned by it, and only once.")
	// ErrNoChecks: a deposit names no check, too many, or one that is not waiting.
	ErrNoChecks = fault.New(fault.Conflict, "Choose the checks to deposit among those that are waiting, at most 50 for one slip.")
	// ErrFee: the fee is negative or above FeeMax.
	ErrFee = fault.New(fault.Invalid, "The fee for a returned check may be at most %v. Correct it, or enter 0.00.", FeeMax)
	// ErrTookToday: rule 2 of the separation of duties.
	ErrTookToday = fault.New(fault.Denied, "You took a payment of this account today, so another person must record this.")
	// ErrNoChoice: the payment asks no question (any more).
	ErrNoChoice = fault.New(fault.Conflict, "This payment waits for no answer any more. Reload the page.")
	// ErrNotManual: the payment needs no decision by people.
	ErrNotManual = fault.New(fault.Conflict, "This payment needs no decision by hand. Reload the page.")
	// ErrSecondPerson: the second signature is the first person's, or says otherwise.
	ErrSecondPerson = fault.New(fault.Conflict, "A second person must confirm the same decision.")
	// ErrResolution: a decision by hand lacks its reason or amount.
	ErrResolution = fault.New(fault.Invalid, "Choose what happened, the amount, and the evidence for it.")
	// ErrReferences: every reference has been used.
	ErrReferences = fault.New(fault.Exhausted, "The references for card payments are used up. Take cash and call IT.")
	// ErrClosed: the till is stopping.
	ErrClosed = fault.New(fault.Unavailable, "Coffer is stopping. Try again in a minute.")
)
