// Package pax speaks the semi-integrated protocol of PAX terminals, over a
// serial line, USB or TCP: the terminal talks to the bank by itself, Coffer
// sends an amount and a reference and gets the result.
//
// The layout of messages follows the public client kits of Global Payments
// and Heartland (globalpayments/dotnet-sdk, java-sdk, php-sdk,
// hps/heartland-ios) and frames captured from real terminals; the vendor's
// own specification is not public. What no public source states is in the
// profile, not here: timers, the "not found" codes, record numbering.
//
// Messages go both ways, because the terminal in software uses them too:
// Request and Response are the bare layout, Money, MoneyReply, Device, Find
// and FindReply the typed forms. The driver (New) is the till's side of every
// conversation, as protocol.Machine. Everything is pure.
//
// What a reply may carry is an allow-list: fields that are not named here are
// dropped. A reply is searched for card numbers before anything of it is
// kept; one hit empties the buffer, ends the attempt in doubt and locks the
// terminal. Requests never fill a card field.
package pax
