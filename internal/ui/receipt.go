package ui

import (
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/ident"
	"coffer/internal/till"
)

// receiptView is a receipt as the screen, the paper and the PDF show it. It
// names the client by account number alone.
type receiptView struct {
	ID                string
	Number            uint64
	Clinic, Heading   string
	Copy              bool
	TotalWords, Total string
	Facts, Chip       []fact
	Foot              string
	Payment           string // path of the payment that it is of
}

var receiptHeadings = map[till.Kind]struct{ heading, total string }{
	till.KindSale:   {"Receipt", "Paid"},
	till.KindVoid:   {"Receipt of a voided payment", "Given back"},
	till.KindRefund: {"Receipt of a refund", "Given back"},
}

// GET /receipts/:id is the receipt of a payment on the screen; it prints
// as a page too.
func (s *server) receipt(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	r, err := s.Till.Receipt(c.Request().Context(), c.agent, id)
	if err != nil {
		return err
	}
	return render(c, receiptPage, http.StatusOK, s.receiptOf(r))
}

// POST /receipts/:id/print gives the receipt out as a PDF, which is recorded:
// from the second time on it says that it is a copy.
func (s *server) receiptPDF(c *call) error {
	id, err := ident.Parse[ident.Attempt](c.Param("id"))
	if err != nil {
		return err
	}
	r, err := s.Till.Print(c.Request().Context(), c.agent, id)
	if err != nil {
		return err
	}
	pdf, err := printReceipt(s.receiptOf(r), r.At)
	if err != nil {
		return err
	}
	name := "receipt-" + fault.Int(r.Number).SafeString() + ".pdf"
	c.Response().Header().Set("Content-Disposition", `inline; filename="`+name+`"`)
	return c.Blob(http.StatusOK, "application/pdf", pdf)
}

func (s *server) receiptOf(r till.Receipt) receiptView {
	words, foot := receiptHeadings[r.Kind], "Thank you. Please keep this receipt with your records."
	if r.Voided {
		words.heading, words.total = "VOIDED receipt", "Paid, and given back"
		foot = "This payment was voided: the whole amount was given back."
	}
	return receiptView{
		ID: r.Attempt.String(), Number: r.Number, Clinic: r.Clinic, Heading: words.heading, Copy: r.Copy,
		TotalWords: words.total, Total: "$" + r.Amount.String(), Facts: s.receiptFacts(r), Chip: chipFacts(r.Card),
		Foot:    foot,
		Payment: "/payments/" + r.Attempt.String(),
	}
}

func (s *server) receiptFacts(r till.Receipt) []fact {
	facts := []fact{
		{Name: "Date and time", Value: r.At.In(s.Zone).Format("2006-01-02 15:04")},
		{Name: "Account", Value: r.Account},
	}
	add := func(when bool, name, value string) {
		if when {
			facts = append(facts, fact{Name: name, Value: value})
		}
	}
	add(r.Original != 0, "Of receipt", "No. "+fault.Int(r.Original).SafeString())
	add(r.Requested > r.Amount, "Asked for", "$"+r.Requested.String())
	add(r.Tender == till.TenderCash, "Means", "Cash")
	add(r.Check != "", "Check number", r.Check)
	add(r.Tendered > 0, "Cash handed over", "$"+r.Tendered.String())
	add(r.Tendered > 0, "Change", "$"+r.Change.String())
	add(r.Card.LastFour != "", "Card", r.Card.Brand+" ending "+r.Card.LastFour)
	add(r.Card.Entry != "", "Read by", r.Card.Entry)
	add(r.Card.AuthCode != "", "Approval code", r.Card.AuthCode)
	add(true, "Balance after", "$"+balance(r.Balance))
	add(r.Cashier != "", "Served by", r.Cashier)
	return facts
}

// chipFacts are the EMV terms that card brands require on a receipt.
func chipFacts(card till.Card) []fact {
	var facts []fact
	for _, f := range []fact{
		{Name: "Application", Value: card.Label}, {Name: "AID", Value: card.AID}, {Name: "TVR", Value: card.TVR},
		{Name: "TSI", Value: card.TSI}, {Name: "IAD", Value: card.IAD}, {Name: "ARC", Value: card.ARC},
		{Name: "TC", Value: card.Cryptogram}, {Name: "Verified by", Value: card.CVM},
		{Name: "Reference", Value: card.HostRef}, {Name: "Terminal", Value: card.Terminal}, {Name: "Batch", Value: card.Batch},
	} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}
