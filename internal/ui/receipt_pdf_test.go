package ui

import (
	"bytes"
	"testing"
	"time"
)

// A clinic's name may hold any letter of the Latin, Greek and Cyrillic
// scripts; the same receipt gives the same bytes.
func TestPrintedReceiptIsTheSameEachTime(t *testing.T) {
	at := time.Date(2026, 11, 25, 13, 2, 0, 0, time.UTC)
	v := receiptView{
		Number: 17, Clinic: "Żółć & Nguyễn Практика", Heading: "Receipt", Copy: true, TotalWords: "Paid", Total: "$150.00",
		Facts: []fact{{Name: "Account", Value: "P-000002"}}, Chip: []fact{{Name: "AID", Value: "A0000000031010"}}, Foot: "Thank you.",
	}
	first, err := printReceipt(v, at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := printReceipt(v, at)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same receipt gives different bytes")
	}
	if len(first) > 100<<10 || !bytes.Contains(first, []byte("/ToUnicode")) {
		t.Errorf("%d bytes; the font is not cut to what is used, or its text cannot be searched", len(first))
	}
	v.Total = "$151.00"
	if other, err := printReceipt(v, at); err != nil || bytes.Equal(first, other) {
		t.Errorf("another receipt gives the same bytes: %v", err)
	}
}
