package protocol

import (
	"testing"

	"coffer/internal/money"
)

// TestHostCodes: each code of the bank that refuses has words for the counter,
// and none approves.
func TestHostCodes(t *testing.T) {
	if len(hostVerdicts) < 37 {
		t.Errorf("only %d codes of the bank are known", len(hostVerdicts))
	}
	for code := range hostVerdicts {
		v, known := HostVerdict(code)
		if !known || v.Result == Approved || v.Result == Partial || HostApproves(code) {
			t.Errorf("code %s: %v", code, v)
		}
		if _, ok := words[v.Reason]; !ok {
			t.Errorf("code %s: no words for %s", code, v.Reason)
		}
	}
	for _, code := range []string{"", "ZZ", "00 ", "000000", "1"} {
		if _, known := HostVerdict(code); known || HostApproves(code) {
			t.Errorf("code %q is known", code)
		}
	}
}

func TestOlderRef(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "2", true}, {"2", "1", false}, {"2", "2", false}, {"9", "10", true}, {"0009", "10", true},
		{"99", "100000000000", true}, {"", "1", false}, {"1", "", false}, {"1a", "2", false},
	} {
		if got := OlderRef(c.a, c.b); got != c.want {
			t.Errorf("%q before %q: %v", c.a, c.b, got)
		}
	}
}

func TestLastFour(t *testing.T) {
	for s, four := range map[string]string{
		"1111": "1111", "************1111": "1111", "651000XXXXXX0216": "0216", "EEEE1111": "1111",
		"": "", "x": "", "41111": "", "4111111111111111": "", "4111111XXX1111": "", "6510 XXX 0216": "",
	} {
		if got := LastFour(s); got != four {
			t.Errorf("%q shows %q, want %q", s, got, four)
		}
	}
}

func TestTexts(t *testing.T) {
	if got := Text("  APPR\x80V\x1b[31m  ", 40); got != "APPR V [31m" {
		t.Errorf("Text %q", got)
	}
	if Text("CARD 4111111111111111", 40) != "" || Word("4111111111111111", 20) != "" {
		t.Error("a card number was kept")
	}
	if Word(" a-1 ", 3) != "a-1" || Word("a b", 9) != "" || Word("abcd", 3) != "" {
		t.Error("Word")
	}
	if Digits("1234", 4) != "1234" || Digits("123", 4) != "" || Digits("12x4", 4) != "" {
		t.Error("Digits")
	}
	if Hexadecimal("a0F", 4) != "A0F" || Hexadecimal("g0", 4) != "" || Hexadecimal("00000", 4) != "" || Hexadecimal("4111111111111111", 16) != "" {
		t.Error("Hexadecimal")
	}
	for s, want := range map[string]string{"": "", "1": "1", "123456789012": "123456789012", "1234567890123": "", "1a": ""} {
		if got := Ref(s); got != want {
			t.Errorf("Ref(%q) = %q", s, got)
		}
	}
}

// TestAgree: an approval stands only for what was asked for.
func TestAgree(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		approved int64
		want     Result
	}{
		{Sale, 100, Approved}, {Sale, 99, Partial}, {Sale, 101, InDoubt}, {Sale, 0, InDoubt}, {Sale, -1, InDoubt},
		{Void, 100, Approved}, {Void, 99, InDoubt}, {Refund, 99, InDoubt},
	} {
		o := Outcome{Result: Approved, Approved: money.Amount(c.approved)}.Agree(c.kind, 100)
		if o.Result != c.want || o.Requested != 100 {
			t.Errorf("%s of 100, approved %d: %s", c.kind, c.approved, o.Result)
		}
		if o = (Outcome{Result: Declined}).Agree(c.kind, 100); o.Result != Declined {
			t.Errorf("a refusal became %s", o.Result)
		}
	}
}
