package roster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/civil"
	"coffer/internal/fault"
	"coffer/internal/phi"
)

func TestCardNumbers(t *testing.T) {
	table := []struct {
		text string
		card bool
	}{
		{"4111111111111111", true},
		{"4111 1111 1111 1111", true},
		{"4111-1111-1111-1111", true},
		{"4111.1111.1111.1111", true},
		{"card 4111 1111 1111 1111 exp 12/27", true},
		{"4111 1111 1111 1111 123", true}, // with the code of its back
		{"41111111111111111227", true},    // with its date, run together
		{"no 12 4111111111111111", true},
		{"４１１１１１１１１１１１１１１１", true}, // full width
		{"x4111111111111111x", true},
		{"378282246310005", true},     // 15 digits
		{"4222222222222", true},       // 13 digits
		{"6304000000000000000", true}, // 19 digits
		{"4111111111111112", false},   // wrong check digit
		{"1111111111111117", false},   // begins with 1
		{"+1 555 010 4477", false},
		{"555-0104", false},
		{"P-004217", false},
		{"2026-03-31 10:00", false},
		{"411111111111", false}, // 12 digits
		{"", false},
	}
	for _, row := range table {
		if got := holdsCardNumber(row.text); got != row.card {
			t.Errorf("holdsCardNumber(%q) = %v", row.text, got)
		}
	}
}

// withCheckDigit returns digits with the digit appended that makes them pass.
func withCheckDigit(digits []byte) []byte {
	for d := byte(0); d < 10; d++ {
		if all := append(digits[:len(digits):len(digits)], d); luhn(all) {
			return all
		}
	}
	return nil
}

// TestCardNumberInAnyDress draws a number, groups and separators, and words
// around it: it is found every time.
func TestCardNumberInAnyDress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(cardDigitsMin-2, cardDigitsMax-2).Draw(t, "n")
		digits := []byte{byte(rapid.IntRange(2, 6).Draw(t, "first"))}
		for range n {
			digits = append(digits, byte(rapid.IntRange(0, 9).Draw(t, "digit")))
		}
		digits = withCheckDigit(digits)
		separator := rapid.SampledFrom([]string{"", " ", "-", ".", " - ", "  "}).Draw(t, "separator")
		group := rapid.IntRange(1, 6).Draw(t, "group")
		var b strings.Builder
		b.WriteString(rapid.SampledFrom([]string{"", "card ", "№", "tel 12, "}).Draw(t, "before"))
		for i, d := range digits {
			if i > 0 && i%group == 0 {
				b.WriteString(separator)
			}
			fmt.Fprint(&b, d)
		}
		b.WriteString(rapid.SampledFrom([]string{"", " thanks", "/12"}).Draw(t, "after"))
		if !holdsCardNumber(b.String()) {
			t.Fatalf("not found in %q", b.String())
		}
	})
}

// TestLuhnSeesEverySingleError states what the check digit is for.
func TestLuhnSeesEverySingleError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := withCheckDigit(rapid.SliceOfN(rapid.ByteRange(0, 9), 12, 18).Draw(t, "digits"))
		at := rapid.IntRange(0, len(digits)-1).Draw(t, "at")
		digits[at] = (digits[at] + byte(rapid.IntRange(1, 9).Draw(t, "by"))) % 10
		if luhn(digits) {
			t.Fatal("a wrong digit passes")
		}
	})
}

func FuzzCardNumber(f *testing.F) {
	for _, s := range []string{"", "4111 1111 1111 1111", "call after five", "４１１１", strings.Repeat("9", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digits := 0
		for _, r := range s {
			if _, ok := digit(r); ok {
				digits++
			}
		}
		if holdsCardNumber(s) && digits < cardDigitsMin {
			t.Errorf("found a card in %d digits", digits)
		}
		if holdsCardNumber(s) && !holdsCardNumber("memo: "+s) {
			t.Error("words in front hide the number")
		}
		if !holdsCardNumber(s + " /4111111111111111") {
			t.Error("a card behind other text is not found")
		}
	})
}

func details(change func(*Details)) Details {
	d := Details{Name: phi.NewText("Ana Duarte"), Born: phi.NewText("1987-05-30"), Phone: phi.NewText("555-0104"),
		Email: phi.NewText("ana@example.org"), Address: phi.NewText("1 Quay Street"), Memo: phi.NewText("calls back after five")}
	change(&d)
	return d
}

var today = civil.New(2026, 3, 31)

func TestDetailsCheck(t *testing.T) {
	long := strings.Repeat("ä", 201)
	card := phi.NewText("4111 1111 1111 1111")
	table := []struct {
		name   string
		change func(*Details)
		ok     bool
	}{
		{"all filled", func(d *Details) {}, true},
		{"name alone", func(d *Details) { *d = Details{Name: d.Name} }, true},
		{"memo of 140 letters", func(d *Details) { d.Memo = phi.NewText(strings.Repeat("ä", 140)) }, true},
		{"no name", func(d *Details) { d.Name = phi.NewText("  ") }, false},
		{"memo of 141 letters", func(d *Details) { d.Memo = phi.NewText(strings.Repeat("ä", 141)) }, false},
		{"long name", func(d *Details) { d.Name = phi.NewText(long) }, false},
		{"long phone", func(d *Details) { d.Phone = phi.NewText(long) }, false},
		{"long email", func(d *Details) { d.Email = phi.NewText(long) }, false},
		{"long address", func(d *Details) { d.Address = phi.NewText(long) }, false},
		{"two lines", func(d *Details) { d.Memo = phi.NewText("one\ntwo") }, false},
		{"not UTF-8", func(d *Details) { d.Memo = phi.NewText("a\xffb") }, false},
		{"born tomorrow", func(d *Details) { d.Born = phi.NewText("2026-04-01") }, false},
		{"born in 1850", func(d *Details) { d.Born = phi.NewText("1850-01-01") }, false},
		{"born as words", func(d *Details) { d.Born = phi.NewText("May 30") }, false},
		{"card in name", func(d *Details) { d.Name = card }, false},
		{"card in phone", func(d *Details) { d.Phone = card }, false},
		{"card in email", func(d *Details) { d.Email = card }, false},
		{"card in address", func(d *Details) { d.Address = card }, false},
		{"card in memo", func(d *Details) { d.Memo = card }, false},
	}
	for _, row := range table {
		err := details(row.change).check(today)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: kind %v, want invalid", row.name, fault.KindOf(err))
		}
		if strings.HasPrefix(row.name, "card") && !errors.Is(err, ErrCardNumber) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
