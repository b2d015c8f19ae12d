package simplify

import (
	"testing"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// TestConformance holds the driver to what every driver must keep, on a serial
// line and on TCP.
func TestConformance(t *testing.T) {
	for name, line := range map[string]Line{"serial": Serial, "TCP": TCP} {
		t.Run(name, func(t *testing.T) { terminaltest.Run(t, kit(t, line)) })
	}
}

func kit(t *testing.T, line Line) terminaltest.Kit {
	words := language(t, line).Words
	k := terminaltest.Kit{
		Driver:  mustDriver(t, line),
		Command: testCommand(),
		Serial:  testSerial,
		Whole:   5 * time.Minute, Ask: 10 * time.Minute,
		Sends: 3,
		Moves: func(b []byte) bool {
			said, err := say(b)
			return err == nil && (said == TypeSale || said == TypeReturn || said == TypeVoid)
		},
		Confirms: func(b []byte) bool { return len(b) == 1 && b[0] == frame.ACK },
		Chatter:  [][]byte{words["tap"], words["work"], words["mute"], words["garbage"], words["odd"], words["toolate"]},
		GivenUp:  words["cancelled"],
		Noise:    []byte{0x02, 0x03, 0x07, '1', ',', 'x', 0xff},
		Lookup: [][]byte{words["echo"], words["echosn"], words["nothing"], words["none"], words["noneof"], words["foreign"], words["asklost"],
			words["askbusy"], words["askwhat"], words["askother"], words["voided"]},
		Before: [][]byte{{frame.ACK}, words["cancelled"], {frame.ACK}, words["echosn"], {frame.ACK}},
	}
	if line == Serial {
		k.Ack, k.Denials = []byte{frame.ACK}, [][]byte{{frame.NAK}}
	}
	l := link{driver: driver{line: line}}
	k.Answer = func(a terminaltest.Answer) []byte {
		b, err := l.envelope(conforming(a))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	k.Record = k.Answer // an inquiry is answered with the original's reply
	return k
}

func conforming(a terminaltest.Answer) Message {
	m := reply(Message{FieldRef: a.Ref, FieldType: map[protocol.Kind]string{protocol.Sale: TypeSale, protocol.Refund: TypeReturn, protocol.Void: TypeVoid}[a.Kind],
		FieldAmount: Dollars(a.Amount)})
	switch a.Says {
	case terminaltest.Declines:
		m[FieldGateway], m[FieldText], m[FieldHost] = "0060", "DECLINED", "05"
	case terminaltest.Cancels:
		m = refusal("0027", "*SLR CANCELLED.")
	case terminaltest.Unknown:
		m = refusal("1234", "WHAT")
	case terminaltest.Leaks:
		m[FieldMasked] = terminaltest.CardNumber
	case terminaltest.Elsewhere:
		m[9998] = terminaltest.CardNumber
	}
	if a.Ref == "" {
		delete(m, FieldRef)
	}
	return m
}
