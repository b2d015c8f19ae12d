// Package simpage is the face of a simulated card terminal: a page on loopback
// that is drawn like the device, where a guest taps, inserts and swipes test
// cards, presses the red key, pulls cable and power, and reads what the bank
// would say.
//
// It belongs to the terminal in software, not to Coffer: it is served by the
// program terminalsim, knows nothing of clients or staff, and holds no card
// number, as the ledger has last digits only. Nobody signs in; therefore it
// listens on loopback alone, answers no other host name, and takes no form
// from another site's page.
//
// Without JavaScript every button is a form that is posted, and the page reads
// itself again every few seconds; with it, the screen and the ledger follow the
// terminal at once.
package simpage
