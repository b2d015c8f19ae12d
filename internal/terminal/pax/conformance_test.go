package pax

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
	words := vocabulary(t)
	for name, line := range map[string]Line{"serial": Serial, "TCP": TCP} {
		t.Run(name, func(t *testing.T) {
			terminaltest.Run(t, terminaltest.Kit{
				Driver:  mustDriver(t, line),
				Command: protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: testAmount},
				Serial:  "53236566",
				Whole:   5 * time.Minute, Ask: time.Hour,
				Sends: 3,
				Moves: func(b []byte) bool {
					said, err := wire(b)
					return err == nil && said == Credit
				},
				Confirms: func(b []byte) bool { return len(b) == 1 && b[0] == frame.ACK },
				Ack:      []byte{frame.ACK},
				Denials:  [][]byte{{frame.NAK}, {frame.EOT}},
				Chatter:  [][]byte{words["progress"], words["t03"], words["garbage"], words["bad"]},
				Noise:    []byte{0x02, 0x03, 0x05, 0x07, 0x10, 0x1c, 'x', 0xff},
				Answer:   func(a terminaltest.Answer) []byte { return framed(t, conforming(a).Response("1.43")) },
				Record:   func(a terminaltest.Answer) []byte { return conformingRecord(t, a) },
				Lookup:   [][]byte{words["a01"], words["foreign"], words["none"], words["empty"], words["older"], words["oldest"], words["newer"], words["refusal"]},
				Before:   [][]byte{{frame.ACK}, words["a01"], {frame.EOT}, {frame.ACK}},
			})
		})
	}
}

func conforming(a terminaltest.Answer) MoneyReply {
	return reply(func(m *MoneyReply) {
		m.Type, m.Trace.Ref, m.Approved = typeOf(a.Kind), a.Ref, a.Amount
		switch a.Says {
		case terminaltest.Declines:
			m.Host.Code = "05"
		case terminaltest.Cancels:
			m.Code, m.Host = CodeAborted, Host{}
		case terminaltest.Unknown:
			m.Code, m.Host = "777777", Host{}
		case terminaltest.Leaks:
			m.Account.LastFour = terminaltest.CardNumber
		case terminaltest.Elsewhere:
			m.Ext["HOLDER"] = terminaltest.CardNumber
		}
	})
}

func conformingRecord(t *testing.T, a terminaltest.Answer) []byte {
	m := conforming(a)
	return framed(t, record(func(f *FindReply) {
		f.Type, f.Trace, f.Approved, f.Host = m.Type, m.Trace, m.Approved, m.Host
		if a.Says == terminaltest.Unknown {
			f.Host.Code = "ZZ"
		}
	}).Response("1.43"))
}
