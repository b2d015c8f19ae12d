package pan

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"coffer/internal/fault"
)

var samples = flag.Int("samples", 20_000, "how many texts to draw for the rates of false alarms and of misses")

func TestIn(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"4111111111111111", "x 4111 1111 1111 1111 y", "4111-1111-1111-1111", "4111.1111.1111.1111", "4111/1111/1111/1111", "4111, 1111, 1111, 1111",
		"4111  1111  1111  1111", "4111 - 1111 - 1111 - 1111", "4111_1111_1111_1111", "4111\n1111\n1111\n1111", "4111\u00a01111\u00a01111\u00a01111",
		"41\u200b11\u200b11\u200b11\u200b11\u200b11\u200b11\u200b11", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "41111 11111 11111 1", "411111 111111 1111",
		"4222222222222", "378282246310005", "3782 822463 10005", "3782-822463-10005", "3056 930902 5904", "30569309025904", "5555555555554444", "5105105105105100",
		"2223000048400011", "2200000000000004", "6011111111111117", "3530111333300000", "6304000000000000000", "6200000000000005",
		"4111111111111111=2512", ";4111111111111111=25121010000000000000?", "4111111111111111D25121010", "%B4111111111111111^DOE/J^2512101?",
		"4111111111111112=2512101", ";4111111111111112D2512101", "%B4111111111111112^DOE/J", // by their form alone
		"0000000000000000000000004111111111111111000000", "41111111111111111227", "4111111111111111123", "4111 1111 1111 1111 123", "card 4111 1111 1111 1111 exp 12/27",
		"no 12 4111111111111111", "x4111111111111111x", "４１１１１１１１１１１１１１１１", "٤١١١١١١١١١١١١١١١", "４１１１ 1111 １１１１ 1111", "4111–1111–1111–1111", "a=4111111111111111&b=1",
	} {
		if !In(s) || !In([]byte(s)) {
			t.Errorf("%q: not noticed", s)
		}
		if masked := Mask(s); In(masked) || strings.Count(masked, "*") < digitsMin {
			t.Errorf("%q: masked as %q", s, masked)
		}
	}
	for _, s := range []string{
		"", "411111111111", "4111111111111112", "1111111111111117", "4111    1111    1111    1111", "2024-04-17T14:16:56", "2026-03-31 10:00", "+1 555 010 4477",
		"555-0104", "P-004217", "4111 1111", "************1111", "651000XXXXXX0216", "411111111111111", "4111111111111112=2513101", "4111111111111112=251210",
		"617 555 0142 617 555 0143", "617-555-0142, 617-555-0143", "B4111111111111112", "c4111111111111112^", "2026-11-25T13:02:00.123456789-05:00",
	} {
		if In(s) || In([]byte(s)) {
			t.Errorf("%q: taken for a card number", s)
		}
		if Mask(s) != s {
			t.Errorf("%q: masked as %q", s, Mask(s))
		}
	}
	if got := Mask("a 4111 1111 1111 1111 b ４１１１１１１１１１１１１１１１ 12"); got != "a **** **** **** **** b **************** 12" {
		t.Errorf("masked as %q", got)
	}
}

// schemes are beginnings and lengths of card numbers.
var schemes = []struct {
	prefix string
	length int
}{
	{"4", 13}, {"4", 16}, {"4", 19}, {"51", 16}, {"55", 16}, {"2221", 16}, {"2720", 16}, {"34", 15}, {"37", 15}, {"6011", 16}, {"644", 16}, {"65", 19}, {"62", 17},
	{"3528", 16}, {"36", 14}, {"305", 14}, {"3095", 19}, {"5018", 13}, {"5893", 18}, {"6304", 19}, {"6759", 16}, {"2200", 16},
}

// number returns a card number of a scheme, drawn by digits.
func number(prefix string, length int, digit func() int) string {
	s := []byte(prefix)
	for len(s) < length-1 {
		s = append(s, byte('0'+digit()))
	}
	for d := byte('0'); d <= '9'; d++ {
		if checks(string(append(s[:len(s):len(s)], d))) {
			return string(append(s, d))
		}
	}
	panic("no check digit fits")
}

// checks is the check of ISO/IEC 7812-1, written as the standard says it.
func checks(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}

var separators = []string{" ", "-", ".", "/", ", ", "_", " - ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2009", "–", "—", "\u200b", "\ufeff"}

// scripts are the zeros of scripts with decimal digits.
var scripts = []rune{'0', '０', '٠', '०', '𝟎', '𝟘', '๐'}

// dressed writes a number in groups, in a script.
func dressed(number string, group int, separator string, zero rune) string {
	var b strings.Builder
	for i, d := range number {
		if group > 0 && i > 0 && i%group == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(zero + d - '0')
	}
	return b.String()
}

// TestInAnyDress draws a number, groups and separators, a script, and words
// around it: it is found every time, and masked.
func TestInAnyDress(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom(schemes).Draw(t, "scheme")
		n := number(scheme.prefix, scheme.length, func() int { return rapid.IntRange(0, 9).Draw(t, "digit") })
		text := dressed(n, rapid.IntRange(0, 8).Draw(t, "group"), rapid.SampledFrom(separators).Draw(t, "separator"), rapid.SampledFrom(scripts).Draw(t, "script"))
		text = rapid.SampledFrom([]string{"", "card ", "№", "tel 12: ", "a\xff", "%B", "="}).Draw(t, "before") + text +
			rapid.SampledFrom([]string{"", " thanks", "\xfe", "^DOE", "=2512101", "x", "\""}).Draw(t, "after")
		if !In(text) || !In([]byte(text)) {
			t.Fatalf("not found in %q", text)
		}
		if masked := Mask(text); In(masked) || len([]rune(masked)) != len([]rune(text)) {
			t.Fatalf("%q masked as %q", text, masked)
		}
	})
}

// TestNoSingleErrorPasses states what the check digit is for.
func TestNoSingleErrorPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := []byte(number("4", 16, func() int { return rapid.IntRange(0, 9).Draw(t, "digit") }))
		at := rapid.IntRange(1, len(n)-1).Draw(t, "at")
		n[at] = '0' + (n[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if In(n) {
			t.Fatal("a wrong digit passes")
		}
	})
}

// plain are kinds of text that a clinic's people type and a box writes, in which
// no card number stands. What follows is the share that may be taken for one.
var plain = map[string]struct {
	most float64
	draw func(*rand.Rand) string
}{
	"phone":         {0, func(r *rand.Rand) string { return phone(r) }},
	"two phones":    {0.0005, func(r *rand.Rand) string { return "home " + phone(r) + ", cell " + phone(r) }},
	"phone list":    {0.001, func(r *rand.Rand) string { return phone(r) + " " + phone(r) + " " + phone(r) }},
	"date and time": {0, func(r *rand.Rand) string { return moment(r).Format("2006-01-02 15:04") }},
	"dates":         {0.0005, func(r *rand.Rand) string { return moment(r).Format("1/2/2006") + ", " + moment(r).Format("1/2/2006") }},
	"instant":       {0, func(r *rand.Rand) string { return moment(r).Format(time.RFC3339Nano) }},
	"HL7 instant":   {0.001, func(r *rand.Rand) string { return moment(r).Format("20060102150405") }},
	"memo": {0.0005, func(r *rand.Rand) string {
		return "call after " + moment(r).Format("3:04 pm on Jan 2") + " at " + phone(r)
	}},
	"client's number": {0, func(r *rand.Rand) string { return fmt.Sprintf("P-%06d", r.IntN(1e6)) }},
	"NPI":             {0, func(r *rand.Rand) string { return "NPI " + digits(r, 10) }},
	"SSN and ZIP": {0, func(r *rand.Rand) string {
		return digits(r, 3) + "-" + digits(r, 2) + "-" + digits(r, 4) + " " + digits(r, 5)
	}},
	"routing, account": {0.015, func(r *rand.Rand) string { return "0" + digits(r, 8) + " " + digits(r, 8+r.IntN(5)) }},
	"member id":        {0, func(r *rand.Rand) string { return "XYZ" + digits(r, 9+r.IntN(4)) }},
	"claim number":     {0.06, func(r *rand.Rand) string { return "claim " + digits(r, 13+r.IntN(4)) }},
	"check":            {0, func(r *rand.Rand) string { return "check " + digits(r, 4+r.IntN(4)) }},
	"money": {0.0005, func(r *rand.Rand) string {
		return fmt.Sprintf("%d.%02d, %d.%02d and %d.%02d", r.IntN(900), r.IntN(100), r.IntN(900), r.IntN(100), r.IntN(900), r.IntN(100))
	}},
	"reference": {0, func(r *rand.Rand) string { return fmt.Sprintf("%02d%010d", 10+r.IntN(90), r.IntN(1e9)) }},
	"address": {0, func(r *rand.Rand) string {
		return fmt.Sprintf("%d Quay Street, Suite %d, Boston, MA 0%s", r.IntN(9999), r.IntN(999), digits(r, 4))
	}},
	"network address": {0.001, func(r *rand.Rand) string {
		return fmt.Sprintf("%d.%d.%d.%d:%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(65536))
	}},
	"SHA-256": {0.003, func(r *rand.Rand) string { return hexadecimal(r, 64) }},
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func hexadecimal(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func phone(r *rand.Rand) string {
	form := []string{"%d-%03d-%04d", "(%d) %03d-%04d", "%d %03d %04d", "+1 %d %03d %04d", "%d.%03d.%04d", "%d%03d%04d"}[r.IntN(6)]
	return fmt.Sprintf(form, 201+r.IntN(788), r.IntN(1000), r.IntN(10_000))
}

func moment(r *rand.Rand) time.Time {
	return time.Unix(1_500_000_000+r.Int64N(1_000_000_000), r.Int64N(1e9)).In(time.FixedZone("", -3600*r.IntN(12)))
}

// TestFalseAlarms states how often ordinary text is taken for a card number,
// kind by kind. -samples 1000000 -v measures it.
func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	for kind, p := range plain {
		r, hits := rand.New(rand.NewPCG(1, uint64(len(kind)))), 0
		for range *samples {
			if In(p.draw(r)) {
				hits++
			}
		}
		rate := float64(hits) / float64(*samples)
		t.Logf("%-17s %d of %d (%.4f %%)", kind, hits, *samples, rate*100)
		if rate > p.most {
			t.Errorf("%s: %.5f, more than %.5f", kind, rate, p.most)
		}
	}
}

// TestPlanted draws that many texts with a number in them: none is missed.
func TestPlanted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	kinds := make([]string, 0, len(plain))
	for kind := range plain {
		kinds = append(kinds, kind)
	}
	for range *samples {
		scheme := schemes[r.IntN(len(schemes))]
		n := dressed(number(scheme.prefix, scheme.length, func() int { return r.IntN(10) }), r.IntN(9), separators[r.IntN(len(separators))], scripts[r.IntN(len(scripts))])
		text := plain[kinds[r.IntN(len(kinds))]].draw(r) + ": " + n + "; " + plain[kinds[r.IntN(len(kinds))]].draw(r)
		if !In(text) {
			t.Fatalf("not found in %q", text)
		}
		if masked := Mask(text); In(masked) || strings.Contains(masked, n) {
			t.Fatalf("%q masked as %q", text, masked)
		}
	}
}

// TestDigits compares the values of digits with what the standard library reads.
func TestDigits(t *testing.T) {
	t.Parallel()
	found := 0
	for r := range rune(unicode.MaxRune + 1) {
		value, ok := digit(r)
		if ok != unicode.IsDigit(r) || value > 9 {
			t.Fatalf("%q: %d, %v", r, value, ok)
		}
		if ok {
			if before, _ := digit(r - 1); value > 0 && before != value-1 {
				t.Fatalf("%q is %d after %d", r, value, before)
			}
			found++
		}
	}
	if found%10 != 0 || found < 600 {
		t.Errorf("%d digits", found)
	}
}

func TestErr(t *testing.T) {
	if fault.KindOf(Err).HTTPStatus() != 422 {
		t.Error("not a 422")
	}
}

func FuzzIn(f *testing.F) {
	for _, s := range []string{"", "4111 1111 1111 1111", "call after five", "４１１１", strings.Repeat("9", 200), "%B4111111111111112^", "4111111111111112D2512101", "3782 822463 10005", "\xff4\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		digits := 0
		for _, r := range s {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		found := In(s)
		if found != In([]byte(s)) {
			t.Error("text and bytes differ")
		}
		if found && digits < digitsMin {
			t.Errorf("found a card in %d digits", digits)
		}
		if found && !In("memo: "+s) || !In(s+": 4111111111111111;") {
			t.Error("text in front hides a number")
		}
		if masked := Mask(s); In(masked) || !found && masked != s {
			t.Errorf("masked as %q", masked)
		}
	})
}
