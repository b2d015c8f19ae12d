// Package simplify speaks Elavon's Simplify protocol with a PIN pad, over a
// serial line, USB or TCP: the PIN pad talks to Elavon's gateway (Fusebox) by
// itself, Coffer sends an amount and a reference and gets the result.
//
// Messages, fields and the rules of recovery follow Elavon's public developer
// guides (developer.elavon.com, Simplify 1.0.0: "Message and Communications
// Protocols", "Message Details", "Simplify-Generated Messages", "EMV",
// appendices C and D; Fusebox 1.0.0: "Transaction Inquiry", "Gateway Response
// Codes", "HSA Cards"). What they leave open is in the profile, not here: time
// limits, the words by which the gateway says that it has no record, and
// whether partial approval is asked for. The check byte of the serial frame and
// the device's serial number in the reply to an inquiry are assumed, and to be
// confirmed in Elavon's certification.
//
// Messages go both ways, because the terminal in software uses them too:
// Message is the bare list of fields, Decoder takes a TCP stream apart. The
// driver (New) is the till's side of every conversation, as protocol.Machine.
// Everything is pure.
//
// What a reply may carry is an allow-list: fields that are not named here are
// dropped. A reply is searched for card numbers before anything of it becomes
// text; one hit empties the buffer, ends the attempt in doubt and locks the
// terminal. Encrypted account data, which Simplify sends with a stand-in, is
// dropped with its buffer. Requests never carry an account number, only the
// token that the gateway gave for it.
package simplify
