package simplify

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"

	"pgregory.net/rapid"
)

// published are messages of Elavon's developer guides, as they go over TCP.
var published = map[string]string{
	"health": "0001,73\r\n0007,7765\r\n0013,092815\r\n0014,143005\r\n\x04",
	"cancel that came too late": "0001,80\r\n0007,7765\r\n0013,092818\r\n0014,143005\r\n1003,0030\r\n1004,0030\r\n" +
		"1009,0030\r\n1010,*SLR Busy.\r\n5002,284431938\r\n\x04",
	"void": "0001,11\r\n0002,125.98\r\n0003,ID:1102571965098318\r\n0004,1215\r\n0007,1025\r\n0109,TERM1\r\n0110,205\r\n" +
		"0115,010\r\n8002,RETL01\r\n8006,TSTLAR\r\n\x04",
}

func TestPublishedMessages(t *testing.T) {
	for name, payload := range published {
		m, err := ParseMessage([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(m.Append(nil)); got != payload {
			t.Errorf("%s is written again as %q", name, got)
		}
		if leaks([]byte(payload)) {
			t.Errorf("%s is said to leak", name)
		}
	}
}

func TestParseMessage(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    Message
	}{
		{"1,02\n7,5\n\x04", Message{1: "02", 7: "5"}},
		{"0007,5\r\n0001,02\r\n\x04", Message{1: "02", 7: "5"}},
		{"0001,02\r\n1010,A, B\r\n\x04", Message{1: "02", 1010: "A, B"}},
		{"0001,02\r\n0002,\r\n\x04", Message{1: "02", 2: ""}},
		{"0001,02\x04", Message{1: "02"}},
		{"0001,02\r\n1327,CAF\xc9\r\n\x04", Message{1: "02", 1327: "CAF\xc9"}},
		{"", nil}, {"\x04", nil},
		{"0001,02\r\n", nil},                       // no EOT
		{"0001,02\r\n0001,02\r\n\x04", nil},        // twice
		{"0001,02\r\n1,11\r\n\x04", nil},           // twice, in other digits
		{"00001,02\r\n\x04", nil},                  // five digits
		{",02\r\n\x04", nil},                       // none
		{"0000,1\r\n0001,02\r\n\x04", nil},         // there is no field 0
		{"00a1,02\r\n\x04", nil},                   // a letter
		{"0001\r\n\x04", nil},                      // no comma
		{"0001,02\r\n\r\n\x04", nil},               // an empty line
		{"0007,5\r\n\x04", nil},                    // no type
		{"0001,0\x02\r\n\x04", nil},                // a control byte
		{"0001,02\r\n0007,5\x04\r\n\x04", nil},     // EOT inside
		{"0001,02\r\n0007,5\x00\r\n\x04", nil},     // NUL
		{"0001,02\r\n0007,5\r5\r\n\x04", nil},      // CR inside
		{"0001,02\r\n\x040007,5\r\n\x04", nil},     // two payloads
		{strings.Repeat("x", 70000) + "\x04", nil}, // nothing of it
	} {
		m, err := ParseMessage([]byte(c.payload))
		if (err == nil) != (c.want != nil) || !maps.Equal(m, c.want) {
			t.Errorf("%.40q is read as %v, %v", c.payload, m, err)
		}
	}
}

// TestRoundTrip: any message reads as it was written, also through a frame and
// through a stream cut anywhere.
func TestRoundTrip(t *testing.T) {
	value := rapid.StringMatching(`[ -~]{0,30}`)
	rapid.Check(t, func(t *rapid.T) {
		m := Message(rapid.MapOf(rapid.Map(rapid.Uint16Range(1, 9999), func(n uint16) Field { return Field(n) }), value).Draw(t, "fields"))
		m[FieldType] = rapid.StringMatching(`[0-9]{2}`).Draw(t, "type")
		payload := m.Append(nil)
		again, err := ParseMessage(payload)
		if err != nil || !maps.Equal(m, again) {
			t.Fatalf("%q: %v", payload, err)
		}
		var d Decoder
		stream := append(append([]byte(nil), payload...), payload...)
		found := 0
		for _, c := range stream {
			if e, ok := d.Push(c); ok && e.Kind == frame.Frame {
				if found++; !bytes.Equal(e.Payload, payload) {
					t.Fatalf("payload %d is %q", found, e.Payload)
				}
				d.Wipe()
			}
		}
		if found != 2 || d.Inside() {
			t.Fatalf("%d payloads found", found)
		}
	})
}

func TestDecoder(t *testing.T) {
	var d Decoder
	kinds := ""
	feed := func(s string) {
		for i := range len(s) {
			if e, ok := d.Push(s[i]); ok {
				kinds += fmt.Sprint(map[frame.Kind]string{frame.Start: "start ", frame.Frame: "frame ", frame.Oversize: "oversize "}[e.Kind])
			}
		}
	}
	feed("\x04ab\x04")
	feed(strings.Repeat("x", frame.SizeMax+10) + "\x04" + "c\x04")
	if want := "frame start frame start oversize start frame "; kinds != want {
		t.Errorf("found %q, want %q", kinds, want)
	}
	feed("secret")
	d.Wipe()
	if b := d.payload[:cap(d.payload)]; bytes.Contains(b, []byte("secret")) || d.Inside() {
		t.Error("a wiped payload can still be read")
	}
	feed("4111111111111111\x04x")
	if bytes.Contains(d.payload[:cap(d.payload)], []byte("111111")) {
		t.Error("the last payload can still be read behind the next one")
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		text string
		want money.Amount
		good bool
	}{
		{"1.00", 100, true}, {"150.05", 15005, true}, {"2000", 2000, true}, {"", 0, true}, {"0.01", 1, true},
		{"1.0", 0, false}, {"1.000", 0, false}, {".50", 0, false}, {"-1.00", 0, false}, {"1,00", 0, false}, {"1.0x", 0, false},
		{"9999999999.99", 999999999999, true}, {"99999999999.99", 0, false}, {"1.+1", 0, false}, {" 1.00", 0, false},
	} {
		got, err := ParseAmount(c.text)
		if (err == nil) != c.good || got != c.want {
			t.Errorf("%q is %v, %v", c.text, got, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := money.Amount(rapid.Int64Range(0, 999_999_999_999).Draw(t, "cents"))
		if got, err := ParseAmount(Dollars(a)); err != nil || got != a {
			t.Fatalf("%v is read as %v: %v", a, got, err)
		}
	})
}

// TestVerdicts: each code of the gateway and each verdict of the PIN pad has a
// reason with words and a result that is no approval; a code that is not known
// is in doubt.
func TestVerdicts(t *testing.T) {
	check := func(what string, v protocol.Verdict) {
		words := protocol.Outcome{Result: v.Result, Reason: v.Reason}.Words()
		if v.Reason == "" || words.What == "" || words.Next == "" {
			t.Errorf("%s has no words", what)
		}
		switch v.Result {
		case protocol.Declined, protocol.Cancelled, protocol.InDoubt:
		default:
			t.Errorf("%s is %s", what, v.Result)
		}
	}
	if n := len(gatewayVerdicts) + len(padVerdicts); n < 40 {
		t.Errorf("only %d verdicts", n)
	}
	for code, want := range gatewayVerdicts {
		check(code, want)
		for _, written := range []string{code, "000" + code, "-" + code} {
			if got := verdictOf(Message{FieldGateway: written, FieldText: "SOME WORDS"}); got != want {
				t.Errorf("code %s: %v, want %v", written, got, want)
			}
		}
	}
	for _, p := range padVerdicts {
		check(p.says, p.verdict)
		for _, code := range []string{"0000", "0060", "7777", ""} {
			if got := verdictOf(Message{FieldGateway: code, FieldText: strings.ToLower(p.says) + "."}); got != p.verdict {
				t.Errorf("%s with %s: %v, want %v", p.says, code, got, p.verdict)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := Message{
			FieldGateway: rapid.StringMatching(`-?[0-9]{0,4}`).Draw(t, "code"), FieldHost: rapid.StringMatching(`([0-9]{2})?`).Draw(t, "host"),
			FieldText: rapid.SampledFrom([]string{"", "COMPLETE", "DECLINED", "*SLR NEW", "*ICC", "PENDING"}).Draw(t, "text"),
		}
		v := verdictOf(m)
		if approved := v.Result == protocol.Approved; approved != (m[FieldText] == complete && bare(m[FieldGateway]) == "0") {
			t.Fatalf("%v is %v", m, v)
		}
		if _, known := gatewayVerdicts[bare(m[FieldGateway])]; !known && v.Result != protocol.Approved && v.Result != protocol.InDoubt {
			t.Fatalf("%v is not known and yet %v", m, v)
		}
	})
	if got := verdictOf(Message{FieldGateway: "60", FieldText: "DECLINED", FieldHost: "54"}); got.Reason != protocol.ReasonExpired {
		t.Errorf("the processor's own code is lost: %v", got)
	}
	if got := verdictOf(Message{FieldGateway: "60", FieldText: "DECLINED", FieldHost: "00"}); got.Result != protocol.InDoubt {
		t.Errorf("a refusal beside an approval of the bank: %v", got)
	}
}

// TestLeaks: a card number in any field is found, however it is spelt; tokens,
// masked accounts, chip data and encrypted data are none.
func TestLeaks(t *testing.T) {
	for _, m := range []Message{
		reply(), refusal("0", "*SLR STAND-IN.", Message{FieldAccount: "bW9ja2VkIGVuY3J5cHRlZCBkYXRh"}),
		{FieldType: "02", FieldAccount: "ID:4111111111111111"}, {FieldType: "02", FieldMasked: "ID:"}, {FieldType: "02", FieldMasked: "1111"},
		{FieldType: "02", FieldHostRef: "4111111111111111", FieldCryptogram: "4111111111111111"}, {FieldType: "02", 1378: "MERCHANT COPY, TOTAL 150.00"},
	} {
		if leaks(m.Append(nil)) {
			t.Errorf("%v is said to leak", m)
		}
	}
	for _, m := range []Message{
		{FieldAccount: "4111111111111111"}, {FieldAccount: "4111111111111112"}, {FieldAccount: "4111111111111111=2512101"},
		{FieldAccount: "ID:4111111111111111=2512"}, {FieldMasked: "4111111111111111"}, {FieldMasked: "411111XX11111111"},
		{FieldAccount: "%B4111111111111111^DOE/J^2512"}, {FieldHostText: "4111-1111-1111-1111"}, {1378: "CARD 4111 1111 1111 1111"},
		{5001: "5555555555554444"}, {FieldText: "*SLR WHITELIST."}, {FieldText: "*slr whitelist"}, {FieldRef: "4111111111111111"},
	} {
		m[FieldType] = "02"
		if !leaks(m.Append(nil)) {
			t.Errorf("%v is not found", m)
		}
	}
	if !leaks([]byte("a line that is none 4111111111111111\r\n\x04")) {
		t.Error("a line that cannot be read is not searched")
	}
	if o := kept(reply(Message{FieldHostRef: "4111111111111111", FieldRetrieval: "5555555555554444", FieldCryptogram: "4111111111111111"})); o.HostRef+o.EMV.Cryptogram != "" {
		t.Errorf("a number that looks like a card's is kept: %s %s", o.HostRef, o.EMV.Cryptogram)
	}
}

func TestKept(t *testing.T) {
	o := outcomeOf(reply(), protocol.Sale, 15000)
	want := protocol.Outcome{
		Result: protocol.Approved, Kind: protocol.Sale, Ref: testRef, Requested: 15000, Approved: 15000,
		DeviceCode: "0000", HostCode: "00", HostText: "APPROVED", AuthCode: "CVI790", HostRef: "410818365803", TerminalRef: "000123", Batch: "0020",
		Card:  protocol.Card{Brand: "Visa", LastFour: "1111", EntryMode: "contactless"},
		Token: "1102571965098318",
		EMV: protocol.EMV{AID: "A0000000031010", Label: "VISA CREDIT", TVR: "0000008000", TSI: "E800", ARC: "00",
			Cryptogram: "28CA0A961C31C4C0", CVM: "none"},
		At: "20260302090100", Serial: testSerial, Reason: protocol.ReasonApproved,
	}
	if o != want {
		t.Errorf("kept %+v\nwant %+v", o, want)
	}
	for cvm, want := range map[string]string{"": "", "1F0000": "none", "1E0300": "signature", "420300": "pin", "440302": "pin", "5E0300": "signature", "zz": "", "3F": ""} {
		if got := kept(Message{FieldCVM: cvm}).EMV.CVM; got != want {
			t.Errorf("CVM %s is %q, want %q", cvm, got, want)
		}
	}
	for entry, want := range map[string]string{"01": "manual", "05": "chip", "07": "contactless", "80": "fallback", "90": "swipe", "": ""} {
		if got := kept(Message{FieldEntry: entry}).Card.EntryMode; got != want {
			t.Errorf("entry mode %s is %q, want %q", entry, got, want)
		}
	}
	if got := kept(Message{FieldBrand: "ZZ"}).Card.Brand; got != "Card" {
		t.Errorf("an unknown brand is %q", got)
	}
}

// TestRequests has the messages as they go out.
func TestRequests(t *testing.T) {
	d := driver{profile: testProfile(), merchant: Merchant{Terminal: "TERM1", Location: "RETL01", Chain: "TSTLAR"}}
	now := time.Date(2026, 3, 2, 9, 1, 0, 0, time.UTC)
	sale := Message{
		FieldType: "02", FieldAmount: "150.00", FieldRef: testRef, FieldDate: "030226", FieldTime: "090100", FieldCashback: "0.00",
		FieldTerminal: "TERM1", FieldTender: "010", FieldTip: "0.00", FieldPartial: "1", FieldMasked: "ID:", FieldLocation: "RETL01", FieldChain: "TSTLAR",
	}
	if got := d.compose(testCommand(), now); !maps.Equal(got, sale) {
		t.Errorf("a sale is %v", got)
	}
	d.profile.Capabilities.HSA = true
	hsa := maps.Clone(sale)
	hsa[1074], hsa[1075], hsa[1076] = "00;4S;840;C;000000130.50", "00;4U;840;C;000000010.50", "00;4W;840;C;000000120.00"
	c := testCommand()
	c.Health = protocol.Health{Prescription: 1050, Clinic: 12000}
	if got := d.compose(c, now); !maps.Equal(got, hsa) {
		t.Errorf("a sale for a health account is %v", got)
	}
	if got := d.compose(testCommand(), now); !maps.Equal(got, sale) {
		t.Errorf("a sale without healthcare is %v", got)
	}
	sale[FieldType] = "22"
	if got := d.inquiry(testCommand(), now); !maps.Equal(got, sale) {
		t.Errorf("an inquiry is %v, and should have all elements of the sale", got)
	}
	void := Message{
		FieldType: "11", FieldAmount: "150.00", FieldRef: "100000000007", FieldDate: "030226", FieldTime: "090100",
		FieldTerminal: "TERM1", FieldTender: "010", FieldLocation: "RETL01", FieldChain: "TSTLAR",
	}
	if got := d.compose(protocol.Command{Kind: protocol.Void, Ref: testRef, Amount: 15000, OriginalRef: "100000000007"}, now); !maps.Equal(got, void) {
		t.Errorf("a void is %v", got)
	}
	void[FieldAccount] = "ID:1102571965098318"
	if got := d.compose(protocol.Command{Kind: protocol.Void, Ref: testRef, Amount: 15000, OriginalRef: "100000000007", OriginalToken: "1102571965098318"}, now); !maps.Equal(got, void) {
		t.Errorf("a void with a token is %v", got)
	}
	d.merchant = Merchant{}
	if got := d.compose(testCommand(), now); got[FieldTerminal] != "" || got[FieldLocation] != "" {
		t.Errorf("names that the clinic has not are sent: %v", got)
	}
}
