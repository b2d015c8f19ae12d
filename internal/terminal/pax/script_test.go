package pax

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
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
		Lookup:  protocol.Lookup{NotFound: []string{"100023"}, First: 1},
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

// scene is a machine under a script, and what it did.
type scene struct {
	t     *testing.T
	m     protocol.Machine
	now   time.Time
	did   []string
	over  bool
	last  protocol.Action
	words map[string][]byte
}

// play runs a script: words separated by spaces. ACK, NAK, EOT and noise are
// bytes that come in; cancel and lost are calls; +n lets n milliseconds pass,
// with a Tick at each deadline; every other word is one of words.
func play(t *testing.T, m protocol.Machine, script string, words map[string][]byte) *scene {
	t.Helper()
	s := &scene{t: t, m: m, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), words: words}
	s.take(m.Start(s.now))
	for w := range strings.FieldsSeq(script) {
		s.step(w)
	}
	return s
}

func (s *scene) step(w string) {
	bytes := map[string][]byte{"ACK": {frame.ACK}, "NAK": {frame.NAK}, "EOT": {frame.EOT}, "noise": {0x07}}
	switch b, ok := bytes[w]; {
	case ok:
		s.take(s.m.Receive(s.now, b))
	case w == "cancel":
		s.take(s.m.Cancel(s.now))
	case w == "lost":
		s.take(s.m.Lost(s.now))
	case w[0] == '+':
		ms, err := strconv.Atoi(w[1:])
		if err != nil {
			s.t.Fatalf("script word %q", w)
		}
		s.pass(time.Duration(ms) * time.Millisecond)
	default:
		b, ok := s.words[w]
		if !ok {
			s.t.Fatalf("script word %q", w)
		}
		s.take(s.m.Receive(s.now, b))
	}
}

func (s *scene) pass(d time.Duration) {
	end := s.now.Add(d)
	for {
		by := s.m.Deadline()
		if by.IsZero() || by.After(end) {
			s.now = end
			return
		}
		if by.After(s.now) {
			s.now = by
		}
		before := len(s.did)
		s.take(s.m.Tick(s.now))
		if again := s.m.Deadline(); !again.IsZero() && !again.After(s.now) && len(s.did) == before {
			s.t.Fatalf("Tick at the deadline changes nothing: a busy loop")
		}
	}
}

func (s *scene) take(actions []protocol.Action) {
	for _, a := range actions {
		if s.over {
			s.t.Errorf("an action after the end: %+v", a)
		}
		s.did = append(s.did, words(s.t, a))
		if a.Do == protocol.End {
			s.over, s.last = true, a
		}
	}
}

// words says an action in short.
func words(t *testing.T, a protocol.Action) string {
	t.Helper()
	w := ""
	switch a.Do {
	case protocol.Write:
		return wire(t, a.Bytes)
	case protocol.Sending:
		return "sending:" + wire(t, a.Bytes)
	case protocol.Acked:
		return "acked"
	case protocol.Persist:
		w = "persist:" + verdictWords(a.Outcome)
	case protocol.Stray:
		w = "stray:" + verdictWords(a.Outcome)
	case protocol.Show:
		return "show:" + string(a.Step)
	case protocol.Warn:
		return "warn:" + string(a.Reason)
	case protocol.Recognise:
		return wire(t, a.Bytes)
	case protocol.Alarm:
		return "alarm:" + string(a.Reason)
	case protocol.End:
		switch {
		case a.Outcome != (protocol.Outcome{}):
			return "end:" + verdictWords(a.Outcome)
		case a.Reason != "":
			return "end:!" + string(a.Reason)
		}
		return "end:" + a.Device.Serial
	}
	return w + "+" + wire(t, a.Bytes)
}

func verdictWords(o protocol.Outcome) string {
	w := fmt.Sprintf("%s/%s", o.Result, o.Reason)
	if o.Evidence != "" {
		w += "/" + o.Evidence
	}
	if o.Approved != 0 {
		w += fmt.Sprintf("=%d", int64(o.Approved))
	}
	return w
}

// wire says bytes that are written.
func wire(t *testing.T, b []byte) string {
	t.Helper()
	names := map[byte]string{frame.ACK: "ACK", frame.NAK: "NAK", frame.EOT: "EOT"}
	if len(b) == 1 {
		return names[b[0]]
	}
	var d frame.Decoder
	for _, c := range b {
		if e, ok := d.Push(c); ok && e.Kind == frame.Frame {
			r, err := ParseRequest(e.Payload)
			if err != nil {
				t.Fatalf("a request is written that is none: %q", b)
			}
			if r.Command == FindRecord {
				f, err := ParseFind(r)
				if err != nil {
					t.Fatal(err)
				}
				return "R02(" + f.Ref + f.Record + ")"
			}
			return r.Command
		}
	}
	t.Fatalf("bytes are written that are no frame: %q", b)
	return ""
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
