package ui

import (
	"bytes"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"coffer/internal/fault"
	"coffer/web"
)

// The measures of a printed receipt, in millimetres: a slip of A5 width that
// prints on Letter and A4 as well.
const (
	slipWidth   = 148.0
	slipHeight  = 210.0
	slipMargin  = 16.0
	slipName    = 46.0
	slipLine    = 6.0
	slipValue   = slipWidth - 2*slipMargin - slipName
	slipContent = slipWidth - 2*slipMargin
)

// slip is a receipt being written.
type slip struct{ *fpdf.Fpdf }

// printReceipt returns the receipt as a PDF. The same receipt gives the same
// bytes: its dates are those of the receipt.
func printReceipt(v receiptView, at time.Time) ([]byte, error) {
	p := newSlip(at)
	p.line("bold", 15, v.Clinic)
	heading := v.Heading + " No. " + fault.Int(v.Number).SafeString()
	if v.Copy {
		heading += " – COPY"
	}
	p.line("", 11, heading)
	p.Ln(3)
	p.total(v.TotalWords, v.Total)
	for _, f := range v.Facts {
		p.fact(9.5, f)
	}
	if len(v.Chip) > 0 {
		p.Ln(3)
		p.line("bold", 9.5, "Card and chip")
		for _, f := range v.Chip {
			p.fact(8.5, f)
		}
	}
	p.Ln(4)
	p.line("", 9, v.Foot)
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "The receipt could not be made into a PDF. Print the page instead.")
	}
	return out.Bytes(), nil
}

func newSlip(at time.Time) slip {
	p := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: slipWidth, Ht: slipHeight}})
	p.SetCatalogSort(true)
	p.SetCreationDate(at.UTC())
	p.SetModificationDate(at.UTC())
	p.SetTitle("Receipt", true)
	p.SetProducer("Coffer", true)
	p.SetLang("en-US")
	p.SetMargins(slipMargin, slipMargin, slipMargin)
	p.AddUTF8FontFromBytes("sans", "", web.Sans)
	p.AddUTF8FontFromBytes("sans", "B", web.SansBold)
	p.AddPage()
	return slip{p}
}

func (p slip) style(weight string, points float64) {
	style := ""
	if weight == "bold" {
		style = "B"
	}
	p.SetFont("sans", style, points)
}

func (p slip) line(weight string, points float64, text string) {
	p.style(weight, points)
	p.MultiCell(slipContent, slipLine+1, text, "", "L", false)
}

// total writes the amount between two rules, so that it is found at a glance.
func (p slip) total(words, amount string) {
	p.style("", 12)
	p.CellFormat(slipContent/2, 12, words, "TB", 0, "L", false, 0, "")
	p.style("bold", 17)
	p.CellFormat(slipContent/2, 12, amount, "TB", 1, "R", false, 0, "")
	p.Ln(3)
}

func (p slip) fact(points float64, f fact) {
	p.style("", points)
	p.CellFormat(slipName, slipLine, f.Name, "", 0, "L", false, 0, "")
	p.MultiCell(slipValue, slipLine, f.Value, "", "L", false)
}
