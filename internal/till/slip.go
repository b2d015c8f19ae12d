package till

import (
	"time"

	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/vault"
)

// receiptHead is the part of a receipt that the books may know.
type receiptHead struct {
	Number    uint64                  `cbor:"1,keyasint"`
	Attempt   ident.ID[ident.Attempt] `cbor:"2,keyasint"`
	Client    ident.ID[ident.Client]  `cbor:"3,keyasint"`
	Kind      Kind                    `cbor:"4,keyasint"`
	Tender    Tender                  `cbor:"5,keyasint"`
	At        time.Time               `cbor:"6,keyasint"`
	Date      civil.Date              `cbor:"7,keyasint"`
	Amount    money.Amount            `cbor:"8,keyasint"`
	Requested money.Amount            `cbor:"9,keyasint"`
	Balance   money.Amount            `cbor:"10,keyasint"`
	Tendered  money.Amount            `cbor:"11,keyasint,omitempty"`
	Change    money.Amount            `cbor:"12,keyasint,omitempty"`
	Original  uint64                  `cbor:"13,keyasint,omitempty"`
	Clinic    string                  `cbor:"14,keyasint"`
	Account   string                  `cbor:"15,keyasint"`
	Cashier   string                  `cbor:"16,keyasint"`
}

// receiptBody is what a receipt says of the client's card. It is sealed under
// the client's key.
type receiptBody struct {
	Card Card `cbor:"1,keyasint"`
}

// copied records one reprint.
type copied struct {
	Receipt uint64    `cbor:"1,keyasint"`
	At      time.Time `cbor:"2,keyasint"`
	By      string    `cbor:"3,keyasint"`
}

var receipts = vault.NewJournal(vault.BucketReceipts,
	vault.NewIndex(indexAttempt, func(r receiptRow) []string { return []string{r.Shared.Attempt.String()} }),
	vault.NewIndex(indexNumber, func(r receiptRow) []string { return []string{vault.Uint64Key(r.Shared.Number)} }),
)

var copies = vault.NewJournal(vault.BucketReceiptCopies,
	vault.NewIndex(indexNumber, func(r vault.Row[copied, vault.None]) []string {
		return []string{vault.Uint64Key(r.Shared.Receipt)}
	}),
)

// indexNumber finds by a receipt's number.
const indexNumber = "number"
