// Package upa speaks the protocol of terminals that run the Unified Payments
// Application, over TCP: the terminal talks to the bank by itself, Coffer sends
// an amount and a reference and gets the result.
//
// A message is JSON in an envelope, STX LF … LF ETX LF. The flow and the names
// of fields follow the public client kits of Global Payments
// (globalpayments/go-sdk, java-sdk, dotnet-sdk, php-sdk, below terminals/upa);
// the vendor's own specification is not public. What no public source states is
// in the profile, not here: timers, the meaning of error codes, and whether a
// listing of the batch proves anything.
//
// Our reference goes out twice: as requestId, which the answer echoes, and as
// invoiceNbr, which stays with the payment in the batch. A money command is
// written once and never again: on TCP what was written arrives, late perhaps,
// but it arrives.
//
// Messages go both ways, because the terminal in software uses them too. The
// driver (New) is the till's side of every conversation, as protocol.Machine.
// Everything is pure.
//
// A message is read in place, byte for byte, within fixed bounds. What may be
// kept of it is an allow-list: fields that are not named here are dropped
// unread. Every value, kept or not, is searched for card numbers first; one hit
// empties the buffer, ends the attempt in doubt and locks the terminal. Requests
// have no card field.
package upa
