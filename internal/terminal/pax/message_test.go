package pax

import (
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// captured returns the payloads of the captured frames by name.
func captured(t testing.TB) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/captures/pax-frames.tsv")
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string][]byte)
	for l := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(l), "\t")
		if strings.HasPrefix(l, "#") || len(f) != 4 || f[1] != "lrc-ok" {
			continue
		}
		raw, err := hex.DecodeString(f[3])
		if err != nil {
			t.Fatal(err)
		}
		m[f[0]] = raw[1 : len(raw)-2]
	}
	return m
}

// TestCapturedSale reads a reply of a real terminal.
func TestCapturedSale(t *testing.T) {
	payload := captured(t)["T01-1.37"]
	if leaks(payload) {
		t.Error("a captured reply trips the wire")
	}
	r, err := ParseResponse(payload)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMoneyReply(r)
	if err != nil {
		t.Fatal(err)
	}
	got := outcomeOf(m.facts(), protocol.Sale, 1)
	want := protocol.Outcome{
		Result: protocol.Approved, Reason: protocol.ReasonApproved, Kind: protocol.Sale, Ref: "123456", Requested: 1, Approved: 1,
		DeviceCode: "000000", HostCode: "00", HostText: "APPROVAL", AuthCode: "021417", HostRef: "1776874924", TerminalRef: "1",
		At: "20180605031742", Serial: "53236566",
		Card: protocol.Card{Brand: "Mastercard", LastFour: "1581", EntryMode: "chip"},
		EMV: protocol.EMV{
			AID: "A0000000041010", Label: "Debit MasterCard", TVR: "0000008000", TSI: "E800",
			IAD: "01106090012400001F9800000000000000FF", ARC: "00", Cryptogram: "28CA0A09A361C4C0", CVM: "signature",
		},
	}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "INESTA") || strings.Contains(fmt.Sprintf("%+v", got), "536133") {
		t.Error("the card holder's name or the card's first digits were kept")
	}
}

func TestCapturedTimeout(t *testing.T) {
	r, err := ParseResponse(captured(t)["T01-1.40-timeout"])
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMoneyReply(r)
	if err != nil {
		t.Fatal(err)
	}
	if o := outcomeOf(m.facts(), protocol.Sale, 1); o.Result != protocol.Cancelled || o.Reason != protocol.ReasonTimeout || o.Approved != 0 {
		t.Errorf("got %+v", o)
	}
}

func TestCapturedRequests(t *testing.T) {
	r, err := ParseRequest(captured(t)["A14-1.35"])
	if err != nil || r.Command != Cancel || r.Version != VersionSent {
		t.Fatalf("%+v %v", r, err)
	}
	if got := hex.EncodeToString(cancelFrame("1.35")); got != "024131341c312e33351c035e" {
		t.Errorf("A14 is sent as %s", got)
	}
}

// TestCapturesAgain: every captured frame that is good is read and written again
// byte for byte; and so is every trap.
func TestCapturesAgain(t *testing.T) {
	frames := captured(t)
	b, err := os.ReadFile("testdata/captures/pax-lrc-traps.txt")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		_, digits, ok := strings.Cut(strings.TrimSpace(l), " ")
		raw, err := hex.DecodeString(digits)
		if !ok || err != nil || len(raw) < 4 {
			t.Fatalf("a trap that cannot be read: %s", l)
		}
		frames[l[:6]] = raw[1 : len(raw)-2]
	}
	if len(frames) != 4+8 {
		t.Errorf("%d frames; the files are not whole", len(frames))
	}
	for name, payload := range frames {
		var again []byte
		if r, err := ParseResponse(payload); err == nil {
			again = r.Append(nil)
		} else if r, err := ParseRequest(payload); err == nil {
			again = r.Append(nil)
		}
		if string(again) != string(payload) {
			t.Errorf("%s:\n read  %q\n wrote %q", name, payload, again)
		}
	}
}

func TestMoneyOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Money
		want string
	}{
		{"sale", Money{Type: TypeSale, Amount: 15000, Ref: "163135", Invoice: "INV7"},
			"T00|1.35|01|15000||163135^INV7|||||TIPREQ=0"},
		{"sale that may be a duplicate", Money{Type: TypeSale, Amount: 15000, Ref: "163135", Invoice: "INV7", DupOverride: true},
			"T00|1.35|01|15000|^^^^^1|163135^INV7|||||TIPREQ=0"},
		{"void", Money{Type: TypeVoid, Ref: "163136", HostRef: "20006912367", TerminalRef: "2"},
			"T00|1.35|16|||163136^^^2|||||TIPREQ=0^HREF=20006912367"},
		{"refund", Money{Type: TypeReturn, Amount: 1600, Ref: "2", HostRef: "77", ReportStatus: true},
			"T00|1.35|02|1600||2|||||TIPREQ=0^HREF=77^REPORTSTATUS=1"},
	} {
		got := string(c.m.Request("1.35").Append(nil))
		if got = strings.NewReplacer("\x1c", "|", "\x1f", "^").Replace(got); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestNoCardFieldIsEverFilled: of the account group of a request only the
// override of the duplicate check can be filled.
func TestNoCardFieldIsEverFilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMoney(t)
		for i, s := range m.Request("1.35").Groups[reqAccount] {
			if i != 5 && s != "" {
				t.Fatalf("item %d of the account group is %q", i, s)
			}
		}
	})
	for i := range 3 {
		r := Money{Type: TypeSale, Amount: 1, Ref: "1"}.Request("1.35")
		r.Groups[reqAccount] = make([]string, 6)
		r.Groups[reqAccount][i] = "4111"
		if _, err := ParseMoney(r); err == nil {
			t.Errorf("a request with item %d of the account group was taken", i)
		}
	}
}

func drawMoney(t *rapid.T) Money {
	id := rapid.StringMatching(`[A-Za-z0-9-]{0,20}`)
	return Money{
		Type:   rapid.SampledFrom([]string{TypeSale, TypeReturn, TypeVoid}).Draw(t, "type"),
		Amount: money.Amount(rapid.Int64Range(0, 999_999_999_999).Draw(t, "amount")),
		Ref:    rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "ref"), Invoice: id.Draw(t, "invoice"),
		TerminalRef: id.Draw(t, "terminal ref"), HostRef: id.Draw(t, "host ref"),
		DupOverride: rapid.Bool().Draw(t, "dup"), ReportStatus: rapid.Bool().Draw(t, "report"),
	}
}

func TestMoneyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMoney(t)
		r, err := ParseRequest(m.Request("1.35").Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseMoney(r); err != nil || got != m {
			t.Fatalf("%+v became %+v (%v)", m, got, err)
		}
	})
}

func drawReply(t *rapid.T) MoneyReply {
	word := rapid.StringMatching(`[ -~]{0,12}`)
	m := MoneyReply{
		Code: rapid.StringMatching(`[0-9]{6}`).Draw(t, "code"), Text: word.Draw(t, "text"),
		Host: Host{word.Draw(t, "host"), word.Draw(t, "text"), word.Draw(t, "auth"), word.Draw(t, "ref"), word.Draw(t, "trace"), word.Draw(t, "batch")},
		Type: TypeSale, Approved: money.Amount(rapid.Int64Range(0, 999_999_999_999).Draw(t, "amount")),
		Account:       Account{rapid.StringMatching(`[0-9]{4}`).Draw(t, "four"), "4", "01"},
		Trace:         Trace{"7", rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "ref"), "20240417141656"},
		Ext:           rapid.MapOfN(rapid.StringMatching(`[A-Z]{1,8}`), word, 1, 6).Draw(t, "ext"),
		amountPresent: true,
	}
	return m
}

func TestReplyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawReply(t)
		r, err := ParseResponse(m.Response("1.43").Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseMoneyReply(r); err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v became %+v (%v)", m, got, err)
		}
	})
}

// TestPackets: however a reply is cut into packets, the whole is the same.
func TestPackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawReply(t).Response("1.43")
		l := link{profile: testProfile()}
		packets := r.Packets(rapid.IntRange(1, 300).Draw(t, "size"))
		for i, p := range packets {
			l.hasTaken = false // two packets of a reply may be equal
			a, got := l.frame(p)
			if a == leaking {
				return // the drawn text looks like a card number
			}
			if i < len(packets)-1 {
				if a != packet {
					t.Fatalf("packet %d of %d: %v", i, len(packets), a)
				}
				continue
			}
			if a != whole || string(got.Append(nil)) != string(r.Append(nil)) {
				t.Fatalf("%v: %q became %q", a, r.Append(nil), got.Append(nil))
			}
		}
	})
}

func TestRecordRoundTrip(t *testing.T) {
	for _, f := range []FindReply{
		record(nil), {Code: "100023", Text: "NOT FOUND", Total: 3, Record: -1}, {Code: "100023", Total: 0, Record: -1},
	} {
		r, err := ParseResponse(f.Response("1.43").Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseFindReply(r)
		got.amountPresent = false
		if len(got.Ext) == 0 {
			got.Ext = nil
		}
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v became %+v (%v)", f, got, err)
		}
	}
}

// TestTolerance: groups and items that lack at the end are empty, extra ones
// are dropped, and the extended data is read in any case.
func TestTolerance(t *testing.T) {
	parse := func(payload string) MoneyReply {
		t.Helper()
		payload = strings.NewReplacer("|", "\x1c", "^", "\x1f").Replace(payload)
		r, err := ParseResponse([]byte(payload))
		if err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		m, err := ParseMoneyReply(r)
		if err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		return m
	}
	if m := parse("0|T01|1.43|000000"); m.Code != CodeOK || m.Text != "" {
		t.Errorf("a bare reply: %+v", m)
	}
	m := parse("0|T01|1.54|000000|OK|00^APPROVAL^1|01|15000|1111^4|2^99|||^^|^href=5^SN=7=8^nothing^SN=9^|x|y^z|||more")
	if m.Ext["HREF"] != "5" || m.Ext["SN"] != "7=8" || len(m.Ext) != 2 || m.Trace.Ref != "99" || m.Approved != 15000 {
		t.Errorf("a long reply: %+v", m)
	}
	for _, bad := range []string{"", "0", "0|T01|1.43", "00|T01|1.43|000000", "x|T01|1.43|000000", "0|T1|1.43|000000", "0|t01|1.43|0"} {
		if _, err := ParseResponse([]byte(strings.ReplaceAll(bad, "|", "\x1c"))); err != ErrFormat {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"-1", "1.00", "1234567890123", "12a", " 1"} {
		r := reply(nil).Response("1.43")
		r.Groups[repAmounts][0] = bad
		if _, err := ParseMoneyReply(r); err != ErrFormat {
			t.Errorf("amount %q: %v", bad, err)
		}
	}
}

// TestTripwire has what must lock a terminal, and what must not.
func TestTripwire(t *testing.T) {
	const card = "4111111111111111"
	put := func(group, n int, s string) []byte {
		r := reply(nil).Response("1.54")
		for len(r.Groups) <= group {
			r.Groups = append(r.Groups, nil)
		}
		for len(r.Groups[group]) <= n {
			r.Groups[group] = append(r.Groups[group], "")
		}
		r.Groups[group][n] = s
		return r.Append(nil)
	}
	inRecord := record(nil).Response("1.43")
	inRecord.Groups[recAccount][0] = card
	for name, payload := range map[string][]byte{
		"account":                 put(repAccount, 0, card),
		"account, 13 digits":      put(repAccount, 0, "4222222222222"),
		"account, no Luhn":        put(repAccount, 0, "4111111111111112"),
		"account, five digits":    put(repAccount, 0, "41111"),
		"account, weak mask":      put(repAccount, 0, "41111111XXXX1111"),
		"account of a record":     inRecord.Append(nil),
		"new account":             put(repAccount, 5, "5500000000000004"),
		"holder":                  put(repAccount, 7, "MX "+card),
		"text of the bank":        put(repHost, 1, "CARD 4111 1111 1111 1111"),
		"text with dashes":        put(repHost, 1, "4111-1111-1111-1111"),
		"track 2":                 put(14, 0, card+"=25121011000012345678"),
		"track 2 with D":          put(14, 0, card+"D25121011000012345678"),
		"track 1":                 put(14, 0, "B"+card+"^DOE/J^2512"),
		"run on":                  put(14, 0, "99"+card+"2512101"),
		"unknown key":             put(repExt, 6, "PAN="+card),
		"known key with a track":  put(repExt, 6, "TOKEN="+card+"=2512"),
		"Mastercard, second part": put(14, 0, "2223000048400011"),
		"American Express":        put(14, 0, "378282246310005"),
		"19 digits":               put(14, 0, "6304000000000000000"),
		"terminal's text":         MoneyReply{Code: CodeOK, Text: card}.Response("1.43").Append(nil),
		"another message":         Response{Status: '0', Command: "A31", Version: "1.43", Code: CodeOK, Text: "OK", Groups: [][]string{{card}}}.Append(nil),
	} {
		if !leaks(payload) {
			t.Errorf("%s: not noticed", name)
		}
	}
	for name, payload := range map[string][]byte{
		"a plain reply":         reply(nil).Response("1.43").Append(nil),
		"a masked account":      put(repAccount, 0, "651000XXXXXX0216"),
		"stars":                 put(repAccount, 0, "************1111"),
		"nibbles":               put(repAccount, 0, "EEEEEEEEEEEE1111"),
		"no account":            put(repAccount, 0, ""),
		"host reference":        put(repHost, 3, card),
		"network id":            put(repHost, 6, card),
		"terminal reference":    put(repTrace, 0, card),
		"GLOBALUID":             put(repExt, 6, "GLOBALUID="+card),
		"token":                 put(repExt, 6, "TOKEN="+card),
		"cryptogram":            put(repExt, 6, "tc="+card),
		"a number without Luhn": put(14, 0, "4111111111111112"),
		"no issuer":             put(14, 0, "1111111111111117"),
		"12 digits":             put(14, 0, "411111111111"),
		"captured":              captured(t)["T01-1.37"],
	} {
		if leaks(payload) {
			t.Errorf("%s: taken for a card number", name)
		}
	}
}

// TestLeakOverPackets: a number that is cut in two by packets is noticed when
// they are joined, and nothing of it stays in memory.
func TestLeakOverPackets(t *testing.T) {
	r := reply(func(m *MoneyReply) { m.Host.Text = "4111111111111111" }).Response("1.43")
	for size := 30; size < 80; size++ {
		l := link{profile: testProfile()}
		last := arrival(nothing)
		for _, p := range r.Packets(size) {
			l.hasTaken = false
			if last, _ = l.frame(p); last == leaking {
				break
			}
		}
		if last != leaking {
			t.Errorf("packets of %d bytes: not noticed", size)
		}
		if strings.Contains(string(l.parts[:cap(l.parts)]), "1111") {
			t.Errorf("packets of %d bytes: the number is still in memory", size)
		}
	}
}

// TestPacketsAreBounded: packets that never end are refused.
func TestPacketsAreBounded(t *testing.T) {
	l := link{profile: testProfile()}
	l.profile.FrameMax = 2000
	for i := range 100 {
		p := Response{Status: StatusMore, Command: "T01", Version: "1.43", Code: CodeOK, Text: "OK", Groups: [][]string{{fmt.Sprint(i), strings.Repeat("x", 100)}}}
		a, _ := l.frame(p.Append(nil))
		if a == damaged {
			if len(l.parts) != 0 {
				t.Error("the packets were refused and kept")
			}
			return
		}
		if len(l.parts) > 2000 {
			t.Fatalf("%d bytes are kept", len(l.parts))
		}
	}
	t.Error("a hundred packets were taken")
}

func TestTextsAreCleaned(t *testing.T) {
	m := reply(func(m *MoneyReply) {
		m.Host.Text = "  APPR\x80VÉ\x1b[31m" + strings.Repeat("x", 100)
		m.Host.Auth = "<script>"
		m.Host.Ref, m.Ext = "", map[string]string{"HREF": strings.Repeat("9", 41), "AID": "A00000000310", "APPLAB": "VISA\x00CREDIT", "TVR": "zz", "SN": "a b"}
		m.Trace.At = "yesterday"
		m.Account.LastFour, m.Account.CardType = "x", "99"
	})
	o := outcomeOf(m.facts(), protocol.Sale, 15000)
	if len(o.HostText) > 40 || !strings.HasPrefix(o.HostText, "APPR V") {
		t.Errorf("HostText %q", o.HostText)
	}
	for _, c := range []byte(o.HostText + o.EMV.Label) {
		if c < 0x20 || c > 0x7e {
			t.Errorf("a byte %02x was kept", c)
		}
	}
	if o.AuthCode != "" || o.HostRef != "" || o.EMV.TVR != "" || o.At != "" || o.Serial != "" || o.Card.LastFour != "" {
		t.Errorf("fields that are not well formed were kept: %+v", o)
	}
	if o.Card.Brand != "Card" || o.EMV.Label != "VISA CREDIT" || o.EMV.AID != "A00000000310" {
		t.Errorf("good fields were dropped: %+v", o)
	}
}

// TestVerdicts: each code of the table ends in a result that can be right,
// with words for the counter; an unknown code is in doubt.
func TestVerdicts(t *testing.T) {
	fallback := protocol.Words("unknown")
	for code, v := range deviceVerdicts {
		if w := protocol.Words(v.Reason); w == fallback && v.Reason != protocol.ReasonTerminalError {
			t.Errorf("device code %s: no words for %s", code, v.Reason)
		}
		if got := verdictOf(code, "00"); got.Result == protocol.Approved || got.Result == protocol.Declined || got.Result == protocol.Cancelled {
			t.Errorf("device code %s beside an approval of the bank is %s", code, got.Result)
		}
	}
	for n := range 1000 {
		code := fmt.Sprintf("%02d", n)
		got := verdictOf(CodeOK, code)
		if _, known := protocol.HostVerdict(code); !known && !protocol.HostApproves(code) && got.Result != protocol.InDoubt {
			t.Errorf("bank's code %s is not known, and %s", code, got.Result)
		}
		if got.Result == protocol.Approved && !protocol.HostApproves(code) {
			t.Errorf("bank's code %s approves", code)
		}
	}
	unknown := protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}
	for _, c := range []struct {
		device, host string
		want         protocol.Verdict
	}{
		{CodeOK, "00", protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{CodeOK, "0", protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{CodeOK, "85", protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{CodeOK, "", protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}},
		{CodeOK, "ZZ", unknown},
		{CodeDecline, "", protocol.Verdict{Result: protocol.Declined, Reason: protocol.ReasonDeclined}},
		{CodeDecline, "51", protocol.Verdict{Result: protocol.Declined, Reason: protocol.ReasonFunds}},
		{CodeDecline, "00", protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}},
		{"000002", "05", protocol.Verdict{Result: protocol.Declined, Reason: protocol.ReasonDeclined}},
		{"777777", "", unknown},
		{"777777", "00", protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}},
		{"", "", unknown},
	} {
		if got := verdictOf(c.device, c.host); got != c.want {
			t.Errorf("%q %q: %v, want %v", c.device, c.host, got, c.want)
		}
	}
}

func TestVoidWithoutAnAmount(t *testing.T) {
	r := reply(func(m *MoneyReply) { m.Type = TypeVoid }).Response("1.43")
	r.Groups[repAmounts] = nil
	m, err := ParseMoneyReply(r)
	if err != nil {
		t.Fatal(err)
	}
	if o := outcomeOf(m.facts(), protocol.Void, 15000); o.Result != protocol.Approved || o.Approved != 15000 {
		t.Errorf("a void without an amount: %+v", o)
	}
	if o := outcomeOf(m.facts(), protocol.Sale, 15000); o.Result != protocol.InDoubt {
		t.Errorf("the same as an answer to a sale: %+v", o)
	}
	m.Approved, m.amountPresent = 9000, true
	if o := outcomeOf(m.facts(), protocol.Void, 15000); o.Result != protocol.InDoubt {
		t.Errorf("a void of a part: %+v", o)
	}
}

func TestBrands(t *testing.T) {
	for code, want := range map[string]string{
		"01": "Visa", "02": "Mastercard", "03": "American Express", "04": "Discover", "05": "Diners Club", "07": "JCB",
		"1": "Visa", "99": "Card", "x": "Card", "": "",
	} {
		if got := brand(code); got != want {
			t.Errorf("card type %q is %q, want %q", code, got, want)
		}
	}
}
