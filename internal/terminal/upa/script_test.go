package upa

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// testProfile has limits that are easy to read in scripts: 7 s for an ACK, two
// for READY, 180 for a payment.
func testProfile() protocol.Profile {
	return protocol.Profile{
		ID: "upa-test", Protocol: "upa", FrameMax: 256 << 10,
		Messages: []string{Ping, GetAppInfo, Sale, Void, Refund, Cancel, GetBatch},
		Timers: protocol.Timers{
			Ack: 7000, Byte: 500, EOT: 2000, Settle: 1000, Cancel: 15000, Whole: 240000, Quiet: 1000, Drain: 2000, Write: 1000,
			Answer: map[string]protocol.Millis{Ping: 10000, GetAppInfo: 10000, Sale: 180000, Void: 180000, Refund: 180000, GetBatch: 15000},
		},
		Retries: protocol.Retries{Send: 3, NAK: 3, EOT: 7},
		Lookup:  protocol.Lookup{NotFound: []string{"EMPTY BATCH"}, Again: 10000, Standing: []string{"Approved"}, Proof: true},
		ErrorCodes: map[string]protocol.Reason{
			"USR001": protocol.ReasonAborted, "USR002": protocol.ReasonTimeout, "DUP001": protocol.ReasonLocalDuplicate,
			"NET001": protocol.ReasonHostDown, "NET002": protocol.ReasonHostLost, "REF001": protocol.ReasonNoOriginal,
		},
	}
}

const (
	testRef    = "100000000042"
	testSerial = "1234567890"
)

// answer returns the answer to the test command, changed by edit.
func answer(edit func(*Reply)) Reply {
	r := Reply{
		Kind: Msg, Command: Sale, ID: testRef, Result: Success,
		Host: Host{
			Code: "00", Text: "APPROVAL", Gateway: "0", Auth: "611529", Ref: "20006912367", TerminalRef: "0012", Batch: "3",
			At: "2026-03-02T09:00:05.000-05:00", Partial: "0", Total: Of(15000), Due: Of(0),
		},
		Payment: Payment{Brand: "VISA", Masked: "************1111", EntryMode: "Contact", Ref: testRef},
		EMV: map[string]string{
			"4f": "A0000000031010", "50": "5649534120435245444954", "95": "0000008000", "9b": "E800", "9f10": "06010A03A00000",
			"9f26": "28CA0A961C31C4C0", "9f34": "1E0300", "8a": "3030",
		},
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

// failure returns a refusal of the terminal itself.
func failure(code, text string) Reply {
	return Reply{Kind: Msg, Command: Sale, ID: testRef, Result: Failed, Code: code, Text: text}
}

// record returns a record that agrees with the test command, changed by edit.
func record(ref string, edit func(*Record)) Record {
	a := answer(nil)
	r := Record{Type: Sale, Status: "Approved", Ref: ref, Host: a.Host, Payment: a.Payment}
	r.Payment.Ref = ""
	if edit != nil {
		edit(&r)
	}
	return r
}

func listingOf(records ...Record) Reply {
	return Reply{Kind: Msg, Command: GetBatch, Result: Success, Total: strconv.Itoa(len(records)), Records: records}
}

// anyID in an answer becomes the requestId of whatever the driver asked last.
const anyID = "ID"

// scripted is a machine whose scripts need not know the driver's requestIds.
type scripted struct {
	protocol.Machine
	id string
}

func (s *scripted) Start(now time.Time) []protocol.Action { return s.note(s.Machine.Start(now)) }
func (s *scripted) Tick(now time.Time) []protocol.Action  { return s.note(s.Machine.Tick(now)) }
func (s *scripted) Receive(now time.Time, b []byte) []protocol.Action {
	return s.note(s.Machine.Receive(now, bytes.ReplaceAll(b, []byte(`"ID"`), []byte(`"`+s.id+`"`))))
}

func (s *scripted) note(actions []protocol.Action) []protocol.Action {
	for _, a := range actions {
		if kind, r, err := said(a.Bytes); err == nil && kind == Msg && r.Command != Cancel {
			s.id = r.ID
		}
	}
	return actions
}

// said reads what the driver has written.
func said(b []byte) (string, Request, error) {
	d := NewDecoder(1 << 20)
	for _, c := range b {
		if e, ok := d.Push(c); ok && e.Kind == frame.Frame {
			return ParseRequest(e.Payload)
		}
	}
	return "", Request{}, ErrFormat
}

// wire names what the driver has written.
func wire(b []byte) (string, error) {
	kind, r, err := said(b)
	switch {
	case kind == Msg:
		return r.Command, err
	case err == nil && kind != Ack:
		err = ErrFormat
	}
	return kind, err
}

func framed(r Reply) []byte { return Frame(r.JSON()) }

// language has the messages of the scripts.
func language() terminaltest.Language {
	ans := func(edit func(*Reply)) []byte { return framed(answer(edit)) }
	device := func(serial string) []byte {
		return framed(Reply{Kind: Msg, Command: GetAppInfo, ID: anyID, Result: Success, Device: Device{Serial: serial, App: "1.52.00", OS: "10"}})
	}
	list := func(records ...Record) []byte {
		l := listingOf(records...)
		l.ID = anyID
		return framed(l)
	}
	mine := func(edit func(*Record)) []byte { return list(record("100000000041", nil), record(testRef, edit)) }
	half := listingOf(record("100000000040", nil))
	half.ID, half.More, half.Total = anyID, true, "2"
	rest := listingOf(record("100000000041", nil))
	rest.ID, rest.Total = anyID, "2"
	short := listingOf(record("100000000041", nil))
	short.ID, short.Total = anyID, "2"
	w := map[string][]byte{
		"ACK": Frame(Signal(Ack)), "NAK": Frame(Signal(Nak)), "BUSY": Frame(Signal(Busy)), "READY": Frame(Signal(Ready)),
		"TO": Frame(Signal("TO")), "noise": {0x07}, "garbage": Frame([]byte("no message")), "what": Frame([]byte(`{"message":"WHAT"}`)),

		"ok": ans(nil),
		"part": ans(func(r *Reply) {
			r.Host.Code, r.Host.Partial, r.Host.Authorized, r.Host.Due = "10", "1", Of(9000), Of(6000)
		}),
		"parttot":  ans(func(r *Reply) { r.Host.Code, r.Host.Total = "10", Of(9000) }),
		"partdue":  ans(func(r *Reply) { r.Host.Partial, r.Host.Due = "1", Of(6000) }),
		"partodd":  ans(func(r *Reply) { r.Host.Code, r.Host.Authorized, r.Host.Due = "10", Of(9000), Of(5000) }),
		"partall":  ans(func(r *Reply) { r.Host.Code = "10" }),
		"over":     ans(func(r *Reply) { r.Host.Total = Of(15001) }),
		"nosum":    ans(func(r *Reply) { r.Host.Total, r.Host.Due = Sum{}, Sum{} }),
		"elseref":  ans(func(r *Reply) { r.Payment.Ref = "100000000041" }),
		"unnamed":  ans(func(r *Reply) { r.Payment.Ref = "" }),
		"kind":     ans(func(r *Reply) { r.Command = Refund }),
		"decline":  ans(func(r *Reply) { r.Host.Code, r.Host.Text, r.Host.Total = "51", "NSF", Of(0) }),
		"failno":   ans(func(r *Reply) { r.Result, r.Code, r.Host.Code = Failed, "HOST01", "05" }),
		"failyes":  ans(func(r *Reply) { r.Result, r.Code = Failed, "USR001" }),
		"gateway":  ans(func(r *Reply) { r.Host.Gateway = "30" }),
		"hostdup":  ans(func(r *Reply) { r.Result, r.Host.Gateway, r.Host.Code = Failed, "2", "" }),
		"saf":      ans(func(r *Reply) { r.Host.Stored = "1" }),
		"nocode":   ans(func(r *Reply) { r.Host.Code = "" }),
		"strange":  ans(func(r *Reply) { r.Host.Code = "ZZ" }),
		"aborted":  framed(failure("USR001", "CANCELLED")),
		"timeout":  framed(failure("USR002", "TIMEOUT")),
		"netdown":  framed(failure("NET001", "NO HOST")),
		"netlost":  framed(failure("NET002", "HOST LOST")),
		"unknown":  framed(failure("XYZ999", "SOMETHING")),
		"dup":      ans(func(r *Reply) { r.Result, r.Code, r.Payment.Ref = Failed, "DUP001", "100000000001" }),
		"other":    ans(func(r *Reply) { r.ID, r.Payment.Ref = "100000000041", "100000000041" }),
		"otherno":  ans(func(r *Reply) { r.ID, r.Result, r.Code, r.Host = "100000000041", Failed, "USR001", Host{} }),
		"otherdup": ans(func(r *Reply) { r.ID, r.Result, r.Code = "100000000041", Failed, "DUP001" }),
		"cancel!":  framed(Reply{Kind: Msg, Command: Cancel, ID: "1", Result: Success}),
		"leak":     ans(func(r *Reply) { r.Payment.Masked = "4111111111111111" }),
		"pan":      Frame([]byte(`{"message":"MSG","data":{"response":"Sale","requestId":"` + testRef + `","data":{"PAN":{"clearPAN":"1"}}}}`)),
		"leakelse": ans(func(r *Reply) { r.ID, r.Host.Text = "100000000041", "CARD 4111 1111 1111 1111" }),

		"pong":   framed(Reply{Kind: Msg, Command: Ping, ID: anyID, Result: Success}),
		"nopong": framed(Reply{Kind: Msg, Command: Ping, ID: anyID, Result: Failed, Code: "X"}),
		"info":   device(testSerial), "foreign": device("99887766"), "blank": device(""),

		"found":     mine(nil),
		"foundpart": mine(func(r *Record) { r.Host.Authorized, r.Host.Due = Of(9000), Of(6000) }),
		"foundless": mine(func(r *Record) { r.Host.Total = Of(16000) }),
		"foundkind": mine(func(r *Record) { r.Type = Refund }),
		"foundvoid": mine(func(r *Record) { r.Status = "VOIDED" }),
		"foundodd":  mine(func(r *Record) { r.Status = "P" }),
		"foundsaf":  mine(func(r *Record) { r.Host.Stored = "1" }),
		"foundbare": mine(func(r *Record) { r.Status = "" }),
		"foundno":   mine(func(r *Record) { r.Host.Code = "05" }),
		"foundby":   mine(func(r *Record) { r.ID, r.Ref = testRef, "" }),
		"twice":     list(record(testRef, nil), record(testRef, nil)),
		"older":     list(record("100000000040", nil), record("100000000041", nil)),
		"newer":     list(record("100000000041", nil), record("100000000043", nil)),
		"nameless":  list(record("100000000041", nil), record("", nil)),
		"empty":     list(), "half": framed(half), "rest": framed(rest), "short": framed(short),
		"emptyno": framed(Reply{Kind: Msg, Command: GetBatch, ID: anyID, Result: Failed, Code: "B1", Text: "EMPTY BATCH"}),
		"refusal": framed(Reply{Kind: Msg, Command: GetBatch, ID: anyID, Result: Failed, Code: "B2", Text: "NOT SUPPORTED"}),
		"stale":   framed(Reply{Kind: Msg, Command: GetBatch, ID: "5", Result: Success, Total: "0"}),
	}
	w["head"], w["tail"] = w["ok"][:9], w["ok"][9:]
	w["both"] = append(bytes.Clone(w["ACK"]), w["ok"]...)
	return terminaltest.Language{Words: w, Say: wire}
}

func mustDriver(t testing.TB, edit func(*protocol.Profile)) protocol.Driver {
	t.Helper()
	p := testProfile()
	if edit != nil {
		edit(&p)
	}
	d, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func command(t testing.TB, c protocol.Command) protocol.Machine {
	t.Helper()
	m, err := mustDriver(t, nil).Money(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sale(t testing.TB) protocol.Machine {
	return command(t, protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000, Invoice: "INV7"})
}

var testTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
