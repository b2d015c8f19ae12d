package upa

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// TestDecoder: a message is found however the network has cut the bytes and
// wherever line breaks stand.
func TestDecoder(t *testing.T) {
	const message = `{"message":"MSG","data":{"command":"Sale"}}`
	broken := strings.NewReplacer("{", "{\r\n", ",", ",\r\n", "}", "}\r\n").Replace(message)
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"one":                  {"\x02\n" + message + "\n\x03\n", []string{message}},
		"two in one piece":     {"\x02\n{}\n\x03\n\x02\n[]\n\x03\n", []string{"{}", "[]"}},
		"line breaks inside":   {"\x02\r\n" + broken + "\r\n\x03\r\n", []string{message}},
		"no line breaks":       {"\x02{}\x03", []string{"{}"}},
		"broken off by one":    {"\x02\n{\"a\"\x02\n{}\n\x03\n", []string{"restarted", "{}"}},
		"noise":                {"x\x02{}\x03\x03", []string{"noise", "{}", "noise"}},
		"too long":             {"\x02" + strings.Repeat("x", 101) + "\x03\x02{}\x03", []string{"oversize", "{}"}},
		"as long as can be":    {"\x02" + strings.Repeat("x", 100) + "\x03", []string{strings.Repeat("x", 100)}},
		"too long, broken off": {"\x02" + strings.Repeat("x", 200) + "\x02{}\x03", []string{"oversize", "restarted", "{}"}},
	} {
		d := NewDecoder(100)
		var got []string
		for _, b := range []byte(c.stream) {
			switch e, ok := d.Push(b); {
			case !ok, e.Kind == frame.Start:
			case e.Kind == frame.Frame:
				got = append(got, string(e.Payload))
			default:
				got = append(got, map[frame.Kind]string{frame.Noise: "noise", frame.Oversize: "oversize", frame.Restarted: "restarted"}[e.Kind])
			}
		}
		if !reflect.DeepEqual(got, c.want) || d.Inside() {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	d := NewDecoder(100)
	for _, b := range []byte("\x02secret") {
		d.Push(b)
	}
	d.Wipe()
	if b := d.payload[:cap(d.payload)]; d.Inside() || strings.Contains(string(b), "e") {
		t.Errorf("after Wipe there is %q", b)
	}
}

// TestWalk has what is no message, and what is one all the same.
func TestWalk(t *testing.T) {
	deep := strings.Repeat(`{"a":`, depthMax) + "1" + strings.Repeat("}", depthMax)
	for _, good := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":-0.5e+10,"b":[1,"x",true,false,null,{}]}`, `{"a":{"a":[[]]}}`, `{"a":"\u0041\n\"\\\/"}`, deep,
	} {
		if _, err := ParseReply([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		``, `[]`, `1`, `"x"`, `{`, `{}}`, `{}{}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{'a':1}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`,
		`{"a":+1}`, `{"a":1e}`, `{"a":nul}`, `{"a":nulll}`, `{"a":"x}`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\x01\"}", `{"a":[1,]}`, `{"a":[1 2]}`,
		`{"a":[}`, `{"a":1 "b":2}`, `{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"\u0061":1}`, `{"` + strings.Repeat("k", keyMax+1) + `":1}`, `{"a":` + deep + `}`,
	} {
		if _, err := ParseReply([]byte(bad)); err != ErrFormat {
			t.Errorf("%s: %v", bad, err)
		}
	}
	var many strings.Builder
	for i := range keysMax + 1 {
		fmt.Fprintf(&many, `"k%d":1,`, i)
	}
	if _, err := ParseReply([]byte("{" + strings.TrimSuffix(many.String(), ",") + "}")); err != ErrFormat {
		t.Errorf("an object without an end of names: %v", err)
	}
}

// TestReading: the names of fields are known in any case and order, amounts as
// text or number, and what is not on the list leaves no trace.
func TestReading(t *testing.T) {
	r, err := ParseReply([]byte(`{"data":{"EcrId":"13","RESPONSE":"Sale","RequestId":"42","unknown":{"host":{"responseCode":"05"}},
		"data":{"host":{"totalAmount":12.5,"balanceDue":"000000.00","tranNo":12,"responseCode":"00","secret":"x"},"emv":{"9F26":"AB","5F20":"NAME"},
		"batchRecord":{"batchDetailRecords":[{"invoiceNbr":7,"totalAmount":"0012.01","more":{"invoiceNbr":"8"}},{"invoiceNbr":"9"}],"totalCnt":2},
		"multipleMessage":"1"},"cmdResult":{"result":"Success"}},"message":"MSG"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Reply{
		Kind: Msg, Command: Sale, ID: "42", Result: Success, Host: Host{Code: "00", TerminalRef: "12", Total: Of(1250), Due: Of(0)},
		EMV: map[string]string{"9f26": "AB"}, More: true, Total: "2",
		Records: []Record{{Ref: "7", Host: Host{Total: Of(1201)}}, {Ref: "9"}},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
}

func TestSums(t *testing.T) {
	for s, want := range map[string]Sum{
		"": {}, "0": Of(0), "0.00": Of(0), "12": Of(1200), "12.5": Of(1250), "12.01": Of(1201), "000012.01": Of(1201), ".05": Of(5),
		"10000000.00": Of(money.Max),
	} {
		if got := sumOf(s); got != want {
			t.Errorf("%q is %+v, want %+v", s, got, want)
		}
	}
	for _, s := range []string{"-1", "1,000.00", "$5", "1.001", "1e3", ".", "..", "x", " 1", "10000000.01", "99999999999999999999"} {
		if got := sumOf(s); !got.Bad {
			t.Errorf("%q is %+v", s, got)
		}
	}
}

func TestRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{
			Command: rapid.SampledFrom([]string{Sale, Refund, Void}).Draw(t, "command"),
			ID:      rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "id"), Ref: rapid.StringMatching(`[0-9]{1,12}`).Draw(t, "ref"),
			HostRef: rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "host"), TerminalRef: rapid.StringMatching(`[0-9]{0,4}`).Draw(t, "terminal"),
		}
		if r.Command != Void {
			r.Amount = money.Amount(rapid.Int64Range(1, int64(money.Max)).Draw(t, "amount"))
		}
		r.Duplicate = r.Command == Sale && rapid.Bool().Draw(t, "duplicate")
		kind, got, err := ParseRequest(r.JSON())
		if err != nil || kind != Msg || got != r {
			t.Fatalf("%+v became %+v (%s, %v)", r, got, kind, err)
		}
	})
}

func TestReplyRoundTrip(t *testing.T) {
	list := listingOf(record("1", nil), record("2", func(r *Record) { r.ID = "3" }))
	list.ID = "5"
	for _, r := range []Reply{
		answer(nil), failure("USR001", "CANCELLED"), list, {Kind: Ready}, {Kind: Ack}, {Kind: Busy}, {Kind: Nak},
		{Kind: Msg, Command: GetAppInfo, ID: "1", Result: Success, Device: Device{Serial: "1", App: "2", OS: "3"}},
	} {
		got, err := ParseReply(r.JSON())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v became %+v (%v)", r, got, err)
		}
	}
	var long Reply
	long.Kind, long.Command, long.ID, long.Result = Msg, GetBatch, "1", Success
	long.Records = make([]Record, recordsMax+1)
	for i := range long.Records {
		long.Records[i].Ref = "1"
	}
	if got, err := ParseReply(long.JSON()); err != nil || len(got.Records) != recordsMax || !got.Truncated {
		t.Errorf("a listing that is too long: %d records, %v, %v", len(got.Records), got.Truncated, err)
	}
}

// leaf returns an answer that has a value at a path.
func leaf(path string, value any) []byte {
	names := strings.Split(path, ".")
	for i := len(names) - 1; i >= 0; i-- {
		value = map[string]any{names[i]: value}
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return b
}

// TestTripwire has what must lock a terminal, and what must not.
func TestTripwire(t *testing.T) {
	const card = "4111111111111111"
	host, pay, emvs := "data.data.host.", "data.data.payment.", "data.data.emv."
	for name, payload := range map[string][]byte{
		"account":                 leaf(pay+"maskedPan", card),
		"account, 13 digits":      leaf(pay+"maskedPan", "4222222222222"),
		"account, no Luhn":        leaf(pay+"maskedPan", "4111111111111112"),
		"account, five digits":    leaf(pay+"maskedPan", "41111"),
		"account, weak mask":      leaf(pay+"maskedPan", "41111111XXXX1111"),
		"account, another case":   leaf(pay+"MASKEDPAN", card),
		"account of a record":     leaf("data.data.batchRecord.batchDetailRecords", []any{map[string]any{"maskedCardNumber": card}}),
		"name in clear":           leaf("data.data.PAN.clearPAN", "1"),
		"a list of tracks":        leaf("data.data.trackData", []string{"x"}),
		"encrypted track":         leaf("data.data.encryptedTrack2", "9F"),
		"PIN block":               leaf("data.data.PinDUKPT.PinBlock", "00"),
		"key serial number":       leaf("data.data.PinDUKPT.Ksn", "00"),
		"EMV account":             leaf(emvs+"5A", "4111"),
		"EMV track 2":             leaf(emvs+"57", "4111"),
		"EMV other tag":           leaf(emvs+"9F7C", card),
		"holder":                  leaf(pay+"cardHolderName", "MX "+card),
		"text of the bank":        leaf(host+"responseText", "CARD 4111 1111 1111 1111"),
		"text with dashes":        leaf(host+"responseText", "4111-1111-1111-1111"),
		"number that is shown":    leaf(host+"referenceNumber", card),
		"as a number":             leaf("data.data.other", json.Number(card)),
		"in a list":               leaf("data.data.other", []any{[]any{card}}),
		"unknown field":           leaf("x", card),
		"name of a field":         leaf("data."+card, "x"),
		"escaped":                 []byte(`{"x":"\u0034111111111111111"}`),
		"track 1":                 leaf("x", "B"+card+"^DOE/J^2512"),
		"track 2":                 leaf("x", card+"=25121011000012345678"),
		"run on":                  leaf("x", "99"+card+"2512101"),
		"Mastercard, second part": leaf("x", "2223000048400011"),
		"American Express":        leaf("x", "378282246310005"),
		"not a message":           []byte(`{"x":"` + card),
		"after a message":         []byte(`{}` + card),
	} {
		if _, err := ParseReply(payload); err != ErrLeak {
			t.Errorf("%s: not noticed (%v)", name, err)
		}
		if _, _, err := ParseRequest(payload); err != ErrLeak {
			t.Errorf("%s: not noticed in a command (%v)", name, err)
		}
	}
	for name, payload := range map[string][]byte{
		"a plain answer":        answer(nil).JSON(),
		"masked":                leaf(pay+"maskedPan", "651000XXXXXX0216"),
		"stars":                 leaf(pay+"maskedPan", "************1111"),
		"no account":            leaf(pay+"maskedPan", ""),
		"card data that is not": leaf("data.data.PAN.clearPAN", ""),
		"token":                 leaf(host+"tokenValue", card),
		"the bank's number":     leaf(host+"cardBrandTransId", card),
		"the answer's number":   leaf(host+"responseId", card),
		"cryptogram":            leaf(emvs+"9F26", card),
		"a number without Luhn": leaf("x", "4111111111111112"),
		"no issuer":             leaf("x", "1111111111111117"),
		"12 digits":             leaf("x", "411111111111"),
		"a time":                leaf(host+"respDateTime", "2026-03-02T09:00:05.000-05:00"),
	} {
		if _, err := ParseReply(payload); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLeakLeavesNothing: the number is gone from the memory of the link.
func TestLeakLeavesNothing(t *testing.T) {
	l := link{profile: testProfile(), dec: NewDecoder(1000)}
	last := nothing
	for _, c := range Frame(leaf("data.data.payment.maskedPan", "4111111111111111")) {
		if a, _ := l.push(c); a != nothing {
			last = a
		}
	}
	if last != leaking {
		t.Fatalf("got %v", last)
	}
	if b := l.dec.payload[:cap(l.dec.payload)]; strings.Contains(string(b), "1") {
		t.Errorf("there is %q", b)
	}
}

// TestVerdicts: each code of the profile, of the bank and of the processor ends
// in a result that can be right, with words for the counter; an unknown one is
// in doubt.
func TestVerdicts(t *testing.T) {
	p := testProfile()
	p.ErrorCodes = map[string]protocol.Reason{"ODD": protocol.ReasonApproved, "ODDER": "no such reason"}
	stated := 0
	fallback := protocol.Words("unknown")
	for _, r := range []protocol.Reason{
		protocol.ReasonTimeout, protocol.ReasonAborted, protocol.ReasonLocalDuplicate, protocol.ReasonHostDuplicate, protocol.ReasonDeclined,
		protocol.ReasonCallBank, protocol.ReasonFunds, protocol.ReasonExpired, protocol.ReasonPIN, protocol.ReasonPINTries, protocol.ReasonLimit,
		protocol.ReasonCard, protocol.ReasonPickUp, protocol.ReasonNotAllowed, protocol.ReasonAmount, protocol.ReasonHostDown,
		protocol.ReasonHostLost, protocol.ReasonMerchant, protocol.ReasonUnsupported, protocol.ReasonCardRead, protocol.ReasonAlreadyVoided,
		protocol.ReasonNoOriginal, protocol.ReasonBatch, protocol.ReasonTerminalError, protocol.ReasonRepeat, protocol.ReasonBusy,
	} {
		if protocol.Words(r) == fallback && r != protocol.ReasonTerminalError {
			t.Errorf("%s has no words", r)
		}
		code := fmt.Sprintf("E%03d", stated)
		stated++
		p.ErrorCodes[code] = r
		v := verdictOf(p, Reply{Result: Failed, Code: code})
		if v.Reason != r || v.Result == protocol.Approved || v.Result == protocol.Partial || v.Result == protocol.NotCharged {
			t.Errorf("error code of %s: %v", r, v)
		}
		v = verdictOf(p, Reply{Result: Failed, Code: code, Host: Host{Code: "00"}})
		if v.Result != protocol.InDoubt && v.Result != protocol.Duplicate {
			t.Errorf("error code of %s beside an approval of the bank: %v", r, v)
		}
		if v = verdictOf(p, Reply{Result: Success, Code: code}); v.Result != protocol.InDoubt {
			t.Errorf("error code of %s in a success without a code of the bank: %v", r, v)
		}
	}
	known := stated
	for n := range 1000 {
		code := fmt.Sprintf("%02d", n)
		bank, refused := protocol.HostVerdict(code)
		for _, result := range []string{Success, Failed, "", "Maybe"} {
			got := verdictOf(p, Reply{Result: result, Host: Host{Code: code}})
			switch {
			case got.Result == protocol.Approved && (result != Success || !protocol.HostApproves(code)):
				t.Errorf("%q with the bank's code %s approves", result, code)
			case refused && got != bank:
				t.Errorf("%q with the bank's code %s: %v", result, code, got)
			case !refused && !protocol.HostApproves(code) && got.Result != protocol.InDoubt:
				t.Errorf("%q with the bank's unknown code %s: %v", result, code, got)
			}
		}
		if refused {
			known++
		}
	}
	if known < 60 {
		t.Errorf("only %d codes have words", known)
	}
	for _, c := range []struct {
		r    Reply
		want protocol.Verdict
	}{
		{Reply{Result: Success, Host: Host{Code: "00", Gateway: "0"}}, protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{Reply{Result: Success, Host: Host{Code: "85", Gateway: "000"}}, protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{Reply{Result: Success, Host: Host{Code: "00", Gateway: "30"}}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonMismatch}},
		{Reply{Result: Success, Host: Host{Code: "00", Stored: "1"}}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonHostLost}},
		{Reply{Result: Success, Host: Host{Code: "00", Stored: "0"}}, protocol.Verdict{Result: protocol.Approved, Reason: protocol.ReasonApproved}},
		{Reply{Result: Failed, Host: Host{Gateway: "2"}}, protocol.Verdict{Result: protocol.Duplicate, Reason: protocol.ReasonHostDuplicate}},
		{Reply{Result: Failed, Code: "ODD"}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}},
		{Reply{Result: Failed, Code: "ODDER"}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}},
		{Reply{Result: Failed}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}},
		{Reply{}, protocol.Verdict{Result: protocol.InDoubt, Reason: protocol.ReasonUnknownCode}},
	} {
		if got := verdictOf(p, c.r); got != c.want {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
}

// TestWhatIsKept: the texts of an outcome, as a receipt shows them.
func TestWhatIsKept(t *testing.T) {
	got := outcomeOf(testProfile(), answer(nil), protocol.Sale, 15000)
	want := protocol.Outcome{
		Result: protocol.Approved, Kind: protocol.Sale, Ref: testRef, Requested: 15000, Approved: 15000,
		HostCode: "00", HostText: "APPROVAL", AuthCode: "611529", HostRef: "20006912367", TerminalRef: "0012", Batch: "3",
		Card: protocol.Card{Brand: "Visa", LastFour: "1111", EntryMode: "chip"}, At: "20260302090005", Reason: protocol.ReasonApproved,
		EMV: protocol.EMV{AID: "A0000000031010", Label: "VISA CREDIT", TVR: "0000008000", TSI: "E800", IAD: "06010A03A00000", ARC: "00",
			Cryptogram: "28CA0A961C31C4C0", CVM: "signature"},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	odd := answer(func(r *Reply) {
		r.Host.Text, r.Host.Auth, r.Host.Ref, r.Host.At = "  APPR\x80VÉ\x1b"+strings.Repeat("x", 100), "<script>", strings.Repeat("9", 41), "yesterday"
		r.Payment = Payment{Brand: "STORE CARD", Masked: "x", EntryMode: "thought"}
		r.EMV = map[string]string{"50": "zz", "95": "zz", "9f34": "zz", "84": "a0", "8a": "5A"}
	})
	o := outcomeOf(testProfile(), odd, protocol.Sale, 15000)
	if len(o.HostText) > 40 || o.AuthCode+o.HostRef+o.At+o.Card.LastFour+o.Card.EntryMode+o.EMV.Label+o.EMV.TVR+o.EMV.CVM != "" {
		t.Errorf("fields that are not well formed were kept: %+v", o)
	}
	if o.Card.Brand != "Card" || o.EMV.AID != "A0" || o.EMV.ARC != "Z" {
		t.Errorf("good fields were dropped: %+v", o)
	}
	for results, want := range map[string]string{"": "", "1F0302": "none", "5E0300": "signature", "420300": "pin", "3F0000": "", "0": ""} {
		if got := cvm(results); got != want {
			t.Errorf("CVM %q is %q, want %q", results, got, want)
		}
	}
	for name, want := range map[string]string{
		"VISA": "Visa", "mastercard": "Mastercard", "AMERICAN EXPRESS": "American Express", "DISCOVER": "Discover",
		"DINERS": "Diners Club", "JCB": "JCB", "": "",
	} {
		if got := brand(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
