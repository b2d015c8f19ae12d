package pax

import (
	"strconv"
	"testing"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// testProfile has limits that are easy to read in scripts: 7 s for an ACK,
// half a second between bytes, three for EOT, 180 for a payment.
func testProfile() protocol.Profile {
	return protocol.Profile{
		ID: "pax-test", Protocol: "pax", FrameMax: frame.SizeMax, Version: VersionSent,
		Messages: []string{"A00", "A14", "A16", "A35", "B00", "R02", "T00"},
		Timers: protocol.Timers{
			Ack: 7000, Byte: 500, EOT: 3000, Settle: 1000, Cancel: 15000, Whole: 240000, Quiet: 1000, Drain: 2000, Write: 1000,
			Answer: map[string]protocol.Millis{"A00": 10000, "R02": 15000, "T00": 180000},
		},
		Retries: protocol.Retries{Send: 3, NAK: 3, EOT: 7},
		Lookup:  protocol.Lookup{NotFound: []string{"100023"}, First: 1, Proof: true},
	}
}

const testRef = "100000000042"

// reply returns a T01 for the test command, changed by edit.
func reply(edit func(*MoneyReply)) MoneyReply {
	m := MoneyReply{
		Code: CodeOK, Text: "OK",
		Host: Host{Code: "00", Text: "APPROVAL", Auth: "611529", Ref: "410818365803", Batch: "3"},
		Type: TypeSale, Approved: 15000,
		Account: Account{LastFour: "1111", EntryMode: "4", CardType: "01"},
		Trace:   Trace{TerminalRef: "2", Ref: testRef, At: "20240417141656"},
		Ext:     map[string]string{"HREF": "20006912367", "SN": "53236566", "AID": "A0000000031010", "TC": "28CA0A961C31C4C0"},
	}
	if edit != nil {
		edit(&m)
	}
	return m
}

// record returns an R03 that agrees with the test command, changed by edit.
func record(edit func(*FindReply)) FindReply {
	m := reply(nil)
	f := FindReply{
		Code: CodeOK, Text: "OK", Total: 9, Record: 9, Host: m.Host, Type: TypeSale, Approved: m.Approved,
		Account: m.Account, Trace: m.Trace, Ext: m.Ext,
	}
	if edit != nil {
		edit(&f)
	}
	return f
}

// language has the frames of the scripts, and names what is written.
func language(t *testing.T) terminaltest.Language {
	t.Helper()
	words := vocabulary(t)
	words["ACK"], words["NAK"], words["EOT"], words["noise"] = []byte{frame.ACK}, []byte{frame.NAK}, []byte{frame.EOT}, []byte{0x07}
	return terminaltest.Language{Words: words, Say: wire}
}

// wire says bytes that are written.
func wire(b []byte) (string, error) {
	if len(b) == 1 {
		return map[byte]string{frame.ACK: "ACK", frame.NAK: "NAK", frame.EOT: "EOT"}[b[0]], nil
	}
	var d frame.Decoder
	for _, c := range b {
		e, ok := d.Push(c)
		if !ok || e.Kind != frame.Frame {
			continue
		}
		r, err := ParseRequest(e.Payload)
		if err != nil || r.Command != FindRecord {
			return r.Command, err
		}
		f, err := ParseFind(r)
		return "R02(" + f.Ref + f.Record + ")", err
	}
	return "", ErrFormat
}

func framed(t *testing.T, r Response) []byte {
	t.Helper()
	f, err := frame.Append(nil, r.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// spoilt returns the frame with a wrong check byte.
func spoilt(f []byte) []byte {
	f = append([]byte(nil), f...)
	f[len(f)-1] ^= 0x40
	return f
}

func mustDriver(t *testing.T, line Line) protocol.Driver {
	t.Helper()
	d, err := New(testProfile(), line)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sale(t *testing.T, line Line) protocol.Machine {
	t.Helper()
	return command(t, line, protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000, Invoice: "INV7"})
}

func command(t *testing.T, line Line, c protocol.Command) protocol.Machine {
	t.Helper()
	m, err := mustDriver(t, line).Money(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// vocabulary has the frames of the scripts.
func vocabulary(t *testing.T) map[string][]byte {
	t.Helper()
	t01 := func(edit func(*MoneyReply)) []byte { return framed(t, reply(edit).Response("1.43")) }
	r03 := func(edit func(*FindReply)) []byte { return framed(t, record(edit).Response("1.43")) }
	v := map[string][]byte{
		"ok":         t01(nil),
		"part":       t01(func(m *MoneyReply) { m.Approved, m.Due = 9000, 6000; m.Host.Code = "10" }),
		"over":       t01(func(m *MoneyReply) { m.Approved = 15001 }),
		"return":     t01(func(m *MoneyReply) { m.Type = TypeReturn }),
		"noref":      t01(func(m *MoneyReply) { m.Trace.Ref = "" }),
		"other":      t01(func(m *MoneyReply) { m.Trace.Ref = "100000000041" }),
		"decline":    t01(func(m *MoneyReply) { m.Code = CodeDecline; m.Host.Code, m.Host.Text = "51", "NSF"; m.Approved = 0 }),
		"hostno":     t01(func(m *MoneyReply) { m.Host.Code, m.Approved = "05", 0 }),
		"dup":        t01(func(m *MoneyReply) { m.Code = CodeLocalDuplicate; m.Trace.Ref = "100000000001" }),
		"hostdup":    t01(func(m *MoneyReply) { m.Code = CodeHostDuplicate; m.Trace.Ref = "100000000001" }),
		"lostbank":   t01(func(m *MoneyReply) { m.Code = "100009"; m.Host = Host{} }),
		"timeout":    framed(t, MoneyReply{Code: CodeTimeout, Text: "TIMEOUT"}.Response("1.40")),
		"aborted":    framed(t, MoneyReply{Code: CodeAborted, Text: "ABORTED"}.Response("1.40")),
		"t03":        framed(t, Response{Status: '0', Command: "T03", Version: "1.43", Code: CodeOK, Text: "OK"}),
		"progress":   framed(t, Response{Status: '0', Command: Progress, Version: "1.43", Code: CodeOK, Text: "PROCESSING"}),
		"screen":     framed(t, Response{Status: '0', Command: Progress, Version: "1.43", Code: CodeOK, Text: "Please tap or insert card"}),
		"host94":     t01(func(m *MoneyReply) { m.Code, m.Host.Code = CodeDecline, "94" }),
		"found94":    r03(func(f *FindReply) { f.Host.Code = "94" }),
		"foreign":    framed(t, Device{Serial: "99887766", Model: "A35"}.Response("1.43")),
		"foundelse":  r03(func(f *FindReply) { f.Ext = map[string]string{"SN": "99887766"} }),
		"hrefleak":   t01(func(m *MoneyReply) { m.Ext = map[string]string{"HREF": "4111111111111111"} }),
		"a01":        framed(t, Device{Serial: "53236566", Model: "A35"}.Response("1.43")),
		"found":      r03(nil),
		"foundpart":  r03(func(f *FindReply) { f.Approved = 9000; f.Host.Code = "10" }),
		"foundother": r03(func(f *FindReply) { f.Trace.Ref = "100000000041" }),
		"foundless":  r03(func(f *FindReply) { f.Approved = 16000 }),
		"foundkind":  r03(func(f *FindReply) { f.Type = TypeReturn }),
		"foundvoid":  r03(func(f *FindReply) { f.Type, f.OriginalType = TypeVoidSale, TypeSale }),
		"foundno":    r03(func(f *FindReply) { f.Host.Code, f.Approved = "05", 0 }),
		"older":      r03(func(f *FindReply) { f.Trace.Ref, f.Record = "100000000041", 9 }),
		"oldest":     r03(func(f *FindReply) { f.Trace.Ref, f.Record = "100000000007", 1 }),
		"only":       r03(func(f *FindReply) { f.Trace.Ref, f.Record, f.Total = "100000000007", 1, 1 }),
		"newer":      r03(func(f *FindReply) { f.Trace.Ref = "100000000043" }),
		"noname":     r03(func(f *FindReply) { f.Trace.Ref = "" }),
		"none":       framed(t, FindReply{Code: "100023", Text: "NOT FOUND", Total: 9}.Response("1.43")),
		"empty":      framed(t, FindReply{Code: "100023", Text: "NOT FOUND", Total: 0}.Response("1.43")),
		"refusal":    framed(t, FindReply{Code: "100004", Text: "UNSUPPORTED", Total: -1}.Response("1.43")),
		"leak":       t01(func(m *MoneyReply) { m.Account.LastFour = "4111111111111111" }),
		"garbage":    mustFrame(t, "no message"),
	}
	v["bad"] = spoilt(v["ok"])
	v["head"], v["tail"] = v["ok"][:9], v["ok"][9:]
	v["strayleak"] = t01(func(m *MoneyReply) { m.Trace.Ref = "100000000041"; m.Host.Text = "CARD 4111 1111 1111 1111" })
	packets := reply(nil).Response("1.43").Packets(70)
	for i, p := range packets {
		v["p"+strconv.Itoa(i+1)] = mustFrame(t, string(p))
	}
	return v
}

func mustFrame(t *testing.T, payload string) []byte {
	t.Helper()
	f, err := frame.Append(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const testAmount = money.Amount(15000)
