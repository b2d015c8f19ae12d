// Package sim is a card terminal in software: it speaks the semi-integrated
// protocol of PAX terminals, Elavon's Simplify or UPA to whoever drives it,
// through a pseudo-terminal, a TCP socket or a connection in memory, with one
// engine behind all three doors.
//
// # What it promises
//
// The layers are those of a real device. The link answers each frame with ACK
// or NAK, sends a reply until it is acknowledged, and ends an exchange with
// EOT, as far as the protocol has that. The personality is the protocol: PAX
// answers A00, A14, A16, A26, T00, R00, R02 and B00; Simplify the types 02, 09,
// 11, 13, 17, 22, 73 and 80; UPA the commands Ping, GetAppInfo, Sale, Void,
// Refund, CancelTransaction, GetBatchDetails, EODProcessing, ReturnToIdle and
// Reboot. Everything else is the same for all: the device
// shows one transaction at a time: present card, PIN, processing, remove
// card. The issuer approves or declines by simple rules. The truth is what the
// issuer did: every charge, void, refund and batch close is one line of JSON in
// the ledger file, made durable before the reply leaves, and read back when the
// terminal is started again. Whatever goes wrong on the wire, the ledger is
// what the card holder's bank would say.
//
// Faults (see Protocol.Kinds) are what makes it useful: given one by one, as a script,
// or drawn by a seeded generator. They disturb what the other side sees and
// when the power fails; they never edit the ledger.
//
// Most kinds exist for every protocol. What has no place in one is left out of
// its Kinds:
//
//	                                    PAX  Simplify  UPA
//	damaged bytes, wrong check byte      x    x         -   UPA has no check byte, and TCP damages none
//	EOT missing, or in place of a reply  x    -         x   Simplify ends no exchange
//	a reply in several packets           x    -         x   of UPA the listing of a batch
//	keys in another case                 x    -         x   Simplify's fields have numbers
//	status reports                       x    x         -
//	ACK lost, repetition refused         x    -         -   no driver of the others repeats a command
//	local duplicate                      x    -         x   a gateway has one list of what it knows
//
// A script reaches a batch close by its name: power-before and power-after of
// B00, of type 13 or of EODProcessing are the power failing on either side of
// the issuer's answer.
//
// # What it is not
//
// No real card number, key or PIN exists here. The only card numbers are the
// card brands' published test numbers, of which the last four digits go on the
// wire; the one exception is the fault pan-leak, which sends a whole test
// number where none belongs.
//
// # Clock and goroutines
//
// Time is read and waited for through package time alone, so that a Sim with
// Pipe works in a testing/synctest bubble. One goroutine owns all state; each
// connection adds a reader and a writer. Close ends all of them.
package sim
