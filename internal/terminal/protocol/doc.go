// Package protocol has the words in which Coffer and its card terminals
// speak of a payment, whatever the terminal's make: a Command goes in, an
// Outcome comes out, and in between a Machine holds the conversation.
//
// A Machine is pure: it is told the bytes that have come and the time, and
// answers with the Actions to take. It opens nothing and starts nothing, so
// every branch of a conversation is a row of a table test.
//
// No type here can hold a card number: a Card is a brand, the last four
// digits and the way it was read. Every text of an Outcome that comes from
// outside is printable ASCII of bounded length and holds no run of digits
// that looks like a card number.
package protocol
