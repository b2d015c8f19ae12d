// Package till takes payments at the desk: by card at a terminal, in cash, and
// by check, which it follows to the bank and, if it must be, back.
//
// Its promise: money that moved at a terminal stands in the books exactly once,
// whatever fails in between. It keeps it with a journal. Every attempt to take
// (or give back) money is one record with an append-only list of events, and
// each event is one durable commit of the vault, together with its ledger
// postings and its audit event:
//
//	created → sent → acked → resulted{approved|partial|declined|cancelled|duplicate|not_sent} → closed
//
// with the side states in_doubt (the outcome is not known yet), not_charged
// (the terminal proved that nothing was charged) and manual (terminal and
// journal contradict each other; two people decide).
//
// An attempt is created with a pending ledger entry before the terminal is
// spoken to; "sent" is durable before the first byte leaves; the outcome, the
// ledger settlement and the receipt are durable, in one commit, before the
// terminal gets its acknowledgement. An end that is not known makes the attempt
// in_doubt, which locks the client's account at every terminal until recovery
// has asked the terminal (by a message that never charges) what happened.
// Recovery runs at start and at every re-attach, before any new command.
//
// On disk are the attempts, their events, the receipts and the counter of
// references, all in the vault. The terminal is trusted for what it says about
// its own transactions and for nothing else: an outcome counts only if
// reference, amount and kind agree. No card number reaches this package; the
// terminal layer has no type for one.
package till
