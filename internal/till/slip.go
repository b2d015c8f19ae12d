package till

import (
	"context"
	"time"

	"coffer/internal/access"
	"coffer/internal/books"
	"coffer/internal/civil"
	"coffer/internal/ident"
	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
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
	Check     string                  `cbor:"17,keyasint,omitempty"`
}

// receiptBody is what a receipt says of the client's card. It is sealed under
// the client's key.
type receiptBody struct {
	Card Card `cbor:"1,keyasint"`
	// Token is what the processor wants to hear when money goes back to the card.
	Token protocol.Token `cbor:"2,keyasint,omitempty"`
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

// writeReceipt writes the receipt of money that moved and names it in a. The
// ledger entry must be posted already: the receipt shows the balance after it.
func (t *Till) writeReceipt(tx *vault.Tx, a *attempt, body receiptBody) error {
	number, err := nextReceipt(tx)
	if err != nil {
		return err
	}
	balance, err := books.Client(tx, sub(a))
	if err != nil {
		return err
	}
	head := receiptHead{
		Number: number, Attempt: a.ID, Client: a.Client, Kind: a.Kind, Tender: a.Tender,
		At: tx.Now(), Date: tx.Today(), Amount: a.Approved, Requested: a.Amount,
		Balance: balance.Net(), Clinic: t.clinic, Account: a.Account, Cashier: a.Cashier, Check: a.Check,
	}
	if a.Tender == TenderCash && a.Kind == KindSale {
		head.Tendered, head.Change = a.Tendered, a.Tendered-a.Amount
	}
	if a.Kind != KindSale && !a.Original.IsZero() {
		original, err := rowOf(tx, a.Original)
		if err != nil {
			return err
		}
		head.Original = original.Shared.Receipt
	}
	a.Receipt = number
	_, err = receipts.Insert(tx, receiptRow{Client: a.Client, Shared: head, Private: body})
	return err
}

// cardOf returns what a receipt may show of an outcome.
func cardOf(o protocol.Outcome) Card {
	return Card{
		Brand: o.Card.Brand, LastFour: o.Card.LastFour, Entry: o.Card.EntryMode,
		AuthCode: o.AuthCode, HostRef: o.HostRef, Terminal: o.Serial, Batch: o.Batch,
		AID: o.EMV.AID, Label: o.EMV.Label, TVR: o.EMV.TVR, TSI: o.EMV.TSI, IAD: o.EMV.IAD,
		ARC: o.EMV.ARC, Cryptogram: o.EMV.Cryptogram, CVM: o.EMV.CVM, TerminalRef: o.TerminalRef,
	}
}

// Receipt returns the receipt of a payment to show on the screen, or
// ErrNoReceipt. Copies says how often it was printed so far.
func (t *Till) Receipt(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Receipt, error) {
	var r Receipt
	err := t.vault.View(ctx, receiptRequest(agent, access.ReceiptRead, id), func(tx *vault.Tx) (err error) {
		r, err = receiptOf(tx, id)
		return err
	})
	return r, err
}

// Print returns the receipt of a payment for paper or a PDF and records that it
// was given out: from the second time on it is a copy.
func (t *Till) Print(ctx context.Context, agent access.Agent, id ident.ID[ident.Attempt]) (Receipt, error) {
	var r Receipt
	err := t.vault.Update(ctx, receiptRequest(agent, access.ReceiptPrint, id), func(tx *vault.Tx) (err error) {
		if r, err = receiptOf(tx, id); err != nil {
			return err
		}
		r.Copies++
		r.Copy = r.Copies > 1
		_, err = copies.Insert(tx, vault.Row[copied, vault.None]{Shared: copied{Receipt: r.Number, At: tx.Now(), By: tx.Agent().Name()}})
		return err
	})
	return r, err
}

// ReceiptQuery says which receipts are looked for; what is zero does not count.
type ReceiptQuery struct {
	Number uint64
	Day    civil.Date
	Amount money.Amount
}

// receiptsRead bounds how many receipts a search by amount alone looks through.
const receiptsRead = 5_000

// Receipts returns the receipts that a query asks for, the newest first, at
// most limit. They are without what stands on the card.
func (t *Till) Receipts(ctx context.Context, agent access.Agent, q ReceiptQuery, limit int) ([]Receipt, error) {
	var list []Receipt
	req := access.Request{Agent: agent, Action: access.ReceiptRead, Entity: access.Entity{Kind: access.KindDay}, Purpose: access.Payment}
	err := t.vault.View(ctx, req, func(tx *vault.Tx) error {
		read := 0
		for row, err := range receipts.Newest(tx) {
			h := row.Shared
			if err != nil || len(list) == limit || read == receiptsRead || q.Day != 0 && h.Date < q.Day || h.Number < q.Number {
				return err
			}
			read++
			if q.Number != 0 && h.Number != q.Number || q.Day != 0 && h.Date != q.Day || q.Amount != 0 && h.Amount != q.Amount {
				continue
			}
			list = append(list, Receipt{
				Number: h.Number, Attempt: h.Attempt, Account: h.Account, Kind: h.Kind, Tender: h.Tender,
				At: h.At.In(tx.Now().Location()), Date: h.Date, Amount: h.Amount, Cashier: h.Cashier,
			})
		}
		return nil
	})
	return list, err
}

func receiptRequest(agent access.Agent, action access.Action, id ident.ID[ident.Attempt]) access.Request {
	return access.Request{Agent: agent, Action: action, Entity: access.Of(access.KindAttempt, id), Purpose: access.Payment}
}

// token returns the processor's token of the card whose payment a takes back, if
// there is one.
func (t *Till) token(a *attempt) (token protocol.Token, err error) {
	if a.Original.IsZero() {
		return "", nil
	}
	req := access.Request{Agent: t.agent, Action: access.PaymentRead, Entity: access.Of(access.KindAttempt, a.Original), Purpose: access.Payment}
	err = t.vault.View(context.Background(), req, func(tx *vault.Tx) error {
		row, _, err := receipts.First(tx, indexAttempt, a.Original.String())
		token = row.Private.Token
		return err
	})
	return token, err
}

// receiptOf reads a receipt as it was written, with the count of its prints.
func receiptOf(tx *vault.Tx, id ident.ID[ident.Attempt]) (Receipt, error) {
	attempt, err := rowOf(tx, id)
	if err != nil {
		return Receipt{}, err
	}
	row, ok, err := receipts.First(tx, indexAttempt, id.String())
	if err != nil {
		return Receipt{}, err
	}
	if !ok {
		return Receipt{}, ErrNoReceipt
	}
	h := row.Shared
	r := Receipt{
		Number: h.Number, Attempt: h.Attempt, Client: h.Client, Clinic: h.Clinic, Account: h.Account,
		Kind: h.Kind, Tender: h.Tender, At: h.At.In(tx.Now().Location()), Date: h.Date,
		Amount: h.Amount, Requested: h.Requested, Balance: h.Balance, Tendered: h.Tendered,
		Change: h.Change, Card: row.Private.Card, Original: h.Original, Cashier: h.Cashier, Check: h.Check,
		Voided: attempt.Shared.Voided,
	}
	for _, err := range copies.Find(tx, indexNumber, vault.Uint64Key(h.Number)) {
		if err != nil {
			return Receipt{}, err
		}
		r.Copies++
	}
	return r, nil
}
