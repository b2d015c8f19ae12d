package simplify

import (
	"errors"
	"maps"
	"testing"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// testProfile has limits that are easy to read in scripts: 3 s for an ACK,
// half a second between bytes, 180 for a payment, 30 for an inquiry.
func testProfile() protocol.Profile {
	return protocol.Profile{
		ID: "simplify-test", Protocol: "simplify", FrameMax: frame.SizeMax, Version: "1.0",
		Messages: []string{TypeSale, TypeReturn, TypeVoid, TypeInquiry, TypeHealth, TypeCancel},
		Timers: protocol.Timers{
			Ack: 3000, Byte: 500, Cancel: 15000, Whole: 240000, Quiet: 1000, Drain: 2000, Write: 1000,
			Answer: map[string]protocol.Millis{
				TypeSale: 180000, TypeReturn: 180000, TypeVoid: 90000, TypeInquiry: 30000, TypeHealth: 10000, TypeCancel: 10000,
			},
		},
		Retries:      protocol.Retries{Send: 3, NAK: 3, EOT: 1},
		Lookup:       protocol.Lookup{NotFound: []string{"NO RECORDS FOUND"}, Proof: true},
		Capabilities: protocol.Capabilities{Partial: true},
	}
}

const (
	testRef    = "100000000042"
	testSerial = "284431938"
)

func testCommand() protocol.Command {
	return protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000, Invoice: "INV7"}
}

// reply is the gateway's approval of the test command, changed by fields.
func reply(change ...Message) Message {
	m := Message{
		FieldType: TypeSale, FieldAmount: "150.00", FieldAccount: "ID:1102571965098318", FieldAuth: "CVI790", FieldRef: testRef,
		FieldBatch: "0020", FieldTrace: "000123", FieldDate: "030226", FieldTime: "090100", FieldHostRef: "410818365803", FieldProximity: "2", FieldEntry: "07",
		FieldTerminal: "TERM1", FieldTender: "010", FieldBrand: "VI", FieldGateway: "0000", FieldHostText: "APPROVED", FieldHost: "00",
		FieldText: "COMPLETE", FieldMasked: "411111XXXXXX1111", FieldAID: "A0000000031010", FieldLabel: "VISA CREDIT",
		FieldTVR: "0000008000", FieldTSI: "E800", FieldARC: "00", FieldCryptogram: "28CA0A961C31C4C0", FieldCVM: "1F0000",
		FieldSerial: testSerial,
	}
	for _, c := range change {
		maps.Copy(m, c)
	}
	maps.DeleteFunc(m, func(_ Field, v string) bool { return v == "-" })
	return m
}

// refusal is a reply with a verdict that is no approval.
func refusal(code, text string, change ...Message) Message {
	m := Message{FieldType: TypeSale, FieldAmount: "150.00", FieldRef: testRef, FieldGateway: code, FieldText: text, FieldSerial: testSerial}
	for _, c := range change {
		maps.Copy(m, c)
	}
	maps.DeleteFunc(m, func(_ Field, v string) bool { return v == "-" })
	return m
}

func vocabulary() map[string]Message {
	inquiry := Message{FieldType: TypeInquiry}
	void := Message{FieldType: TypeVoid, FieldRef: "100000000007"}
	return map[string]Message{
		"ok":        reply(),
		"part":      reply(Message{FieldAmount: "90.00", FieldHost: "10"}),
		"over":      reply(Message{FieldAmount: "150.01"}),
		"noamount":  reply(Message{FieldAmount: "-"}),
		"badamount": reply(Message{FieldAmount: "15O.00"}),
		"other":     reply(Message{FieldRef: "100000000041"}),
		"noref":     reply(Message{FieldRef: "-"}),
		"returned":  reply(Message{FieldType: TypeReturn}),
		"odd":       reply(Message{FieldText: "PENDING"}),
		"decline":   refusal("0060", "DECLINED", Message{FieldHost: "51", FieldHostText: "NSF"}),
		"dup":       refusal("0005", "DUPLICATE"),
		"busy":      refusal("0030", "*SLR BUSY."),
		"nohost":    refusal("3", "*SLR COMMUNICATIONS ERROR."),
		"switch":    refusal("88", "*SLR SWITCH TIMEOUT."),
		"standin":   refusal("0", "*SLR STAND-IN.", Message{FieldAccount: "bW9ja2VkIGVuY3J5cHRlZCBkYXRh"}),
		"chip":      refusal("0000", "*ICC DECLINED.", Message{FieldHost: "00"}),
		"new":       refusal("0099", "*SLR SOMETHING NEW."),
		"strange":   refusal("1234", "WHAT"),
		"timeout":   refusal("0026", "*SLR TIMEOUT."),
		"red":       refusal("0027", "*SLR CANCELLED."),
		"white":     refusal("0000", "*SLR WHITELIST.", Message{FieldAccount: "6220000000000000=2512"}),
		"leak":      reply(Message{FieldMasked: "4111111111111111"}),
		"textleak":  reply(Message{FieldHostText: "CARD 4111 1111 1111 1111"}),
		"strayleak": reply(Message{FieldRef: "100000000041", FieldAccount: "4111111111111111"}),
		"cancelled": {FieldType: TypeCancel, FieldRef: testRef},
		"toolate":   {FieldType: TypeCancel, FieldRef: testRef, FieldGateway: "0030", FieldText: "*SLR Busy."},
		"tap":       {FieldType: "36", FieldText: "Please tap or insert card"},
		"work":      {FieldType: "36", FieldText: "PROCESSING"},
		"mute":      {FieldType: "51"},
		"none":      refusal("0007", "NO RECORDS FOUND", inquiry),
		"noneof":    refusal("0007", "NO RECORDS FOUND", inquiry, Message{FieldSerial: "-"}),
		"nomatch":   refusal("-7", "*SLR NO MATCHING RECORDS.", inquiry),
		"asklost":   refusal("3", "*SLR COMMUNICATIONS ERROR.", inquiry),
		"askbusy":   refusal("0030", "*SLR BUSY.", inquiry),
		"askwhat":   refusal("1234", "WHAT", inquiry),
		"askother":  refusal("0007", "NO RECORDS FOUND", inquiry, Message{FieldRef: "100000000041"}),
		"foreign":   refusal("0007", "NO RECORDS FOUND", inquiry, Message{FieldSerial: "99887766"}),
		"voided":    reply(Message{FieldType: TypeVoid}),
		"echo":      {FieldType: TypeHealth, FieldRef: nobody},
		"echosn":    {FieldType: TypeHealth, FieldRef: nobody, FieldSerial: testSerial},
		"nothing":   {FieldType: TypeInquiry, FieldRef: nobody, FieldGateway: "0007", FieldText: "NO RECORDS FOUND", FieldSerial: testSerial},
		"void":      reply(void),
		"voidno":    refusal("0007", "NO MATCHING RECORDS", void),
		"stands":    reply(Message{FieldRef: "100000000007"}),
		"voidnone":  refusal("0007", "NO RECORDS FOUND", void, inquiry),
		"voidgone":  {FieldType: TypeCancel, FieldRef: "100000000007"},
	}
}

// language returns what scripts may say on a line.
func language(t testing.TB, line Line) terminaltest.Language {
	t.Helper()
	l := link{driver: driver{line: line}}
	words := map[string][]byte{"ACK": {frame.ACK}, "NAK": {frame.NAK}, "EOT": {frame.EOT}, "noise": {0x07}}
	for name, m := range vocabulary() {
		b, err := l.envelope(m)
		if err != nil {
			t.Fatal(err)
		}
		words[name] = b
	}
	ok := words["ok"]
	words["head"], words["tail"] = ok[:9], ok[9:]
	words["bad"] = append([]byte(nil), ok...)
	words["bad"][len(ok)-1] ^= 0x40
	words["garbage"] = framed(t, line, "no message\x04")
	words["unended"] = framed(t, line, "0001,02\r\n")
	return terminaltest.Language{Words: words, Say: say}
}

func framed(t testing.TB, line Line, payload string) []byte {
	t.Helper()
	if line == TCP {
		return []byte(payload)
	}
	b, err := frame.Append(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var errSay = errors.New("no message")

// say names what the driver has written: a control byte, or a message by its
// type, with the reference where it is not the test command's.
func say(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	if len(b) == 1 {
		return map[byte]string{frame.ACK: "ACK", frame.NAK: "NAK"}[b[0]], nil
	}
	if b[0] == frame.STX {
		payload := b[1 : len(b)-2]
		if frame.LRC(payload) != b[len(b)-1] {
			return "", errSay
		}
		b = payload
	}
	m, err := ParseMessage(b)
	if err != nil {
		return "", err
	}
	if m[FieldRef] != testRef {
		return m[FieldType] + "(" + m[FieldRef] + ")", nil
	}
	return m[FieldType], nil
}

func mustDriver(t testing.TB, line Line) protocol.Driver {
	t.Helper()
	d, err := New(testProfile(), line, Merchant{Terminal: "TERM1", Location: "RETL01", Chain: "TSTLAR"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func command(t testing.TB, line Line, c protocol.Command) protocol.Machine {
	t.Helper()
	m, err := mustDriver(t, line).Money(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
