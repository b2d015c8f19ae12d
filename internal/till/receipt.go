package till

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/money"
)

// Receipt is everything that a receipt shows, on the screen, on paper and in a
// PDF. It is written with the outcome and never changes, but for Voided and the
// count of copies; it names the client by account number only. Amounts are positive.
type Receipt struct {
	Number  uint64 // of this box, counted from 1 without gaps
	Attempt ident.ID[ident.Attempt]
	Client  ident.ID[ident.Client]
	Clinic  string // the clinic's name at the time
	Account string // the client's account number, "P-004217"
	Kind    Kind
	Tender  Tender
	At      time.Time
	Date    civil.Date // business date

	Amount    money.Amount // moved
	Requested money.Amount // asked for; more than Amount after a partial approval
	Balance   money.Amount // the client's balance after it; negative is a credit
	Tendered  money.Amount // cash
	Change    money.Amount // cash

	Card     Card   // zero for cash and checks
	Check    string // number of the check
	Original uint64 // of a void or refund: the number of the receipt it takes back
	Cashier  string // sign-in name of the person who began it
	Voided   bool   // the payment was taken back since: mark it "VOIDED"
	Copy     bool   // this is a reprint: mark it "COPY"
	Copies   uint64 // reprints so far, this one included
}

// Card is what may stand on a receipt about a card and its chip: the terms that
// card brands require, in an allow-list. Nothing in it can charge a card.
type Card struct {
	Brand       string // "Visa"
	LastFour    string // "0119"
	Entry       string // "chip", "contactless", "swipe", …
	AuthCode    string
	HostRef     string // the processor's reference
	Terminal    string // serial number of the terminal
	Batch       string
	AID         string // EMV 4F
	Label       string // EMV 50
	TVR         string // EMV 95
	TSI         string // EMV 9B
	IAD         string // EMV 9F10
	ARC         string // EMV 8A
	Cryptogram  string // EMV 9F26, the TC of an approval
	CVM         string // how the holder was verified: "PIN", "none", …
	TerminalRef string // the terminal's own transaction number
}
