package simplify

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"coffer/internal/pan"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

func FuzzParse(f *testing.F) {
	for _, p := range published {
		f.Add([]byte(p))
	}
	for _, m := range vocabulary() {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		leaking := leaks(payload)
		m, err := ParseMessage(payload)
		if err != nil {
			return
		}
		again, err := ParseMessage(m.Append(nil))
		if err != nil || !maps.Equal(m, again) {
			t.Fatalf("a message changes when it is written again: %q", payload)
		}
		for _, k := range []protocol.Kind{protocol.Sale, protocol.Void, protocol.Refund} {
			plain(t, outcomeOf(m, k, 15000), leaking)
		}
		if o, ok := strayOf(m); ok && (o.Result != protocol.Approved || o.Approved <= 0 || o.Ref == "") {
			t.Fatalf("a late answer is %+v", o)
		}
	})
}

// plain checks what every kept text must be.
func plain(t *testing.T, o protocol.Outcome, leaking bool) {
	t.Helper()
	for _, s := range []string{o.Ref, o.DeviceCode, o.HostCode, o.HostText, o.AuthCode, o.HostRef, o.TerminalRef, o.Batch,
		o.Card.Brand, o.Card.LastFour, o.Card.EntryMode, o.At, o.Serial, o.EMV.AID, o.EMV.Label, o.EMV.TVR, o.EMV.TSI,
		o.EMV.IAD, o.EMV.ARC, o.EMV.Cryptogram, o.EMV.CVM} {
		if len(s) > 64 {
			t.Fatalf("a text of %d bytes was kept", len(s))
		}
		for _, c := range []byte(s) {
			if c < 0x20 || c > 0x7e {
				t.Fatalf("a byte %02x was kept in %q", c, s)
			}
		}
	}
	for _, s := range []string{o.HostText, o.EMV.Label, o.HostRef, o.AuthCode, o.Batch, o.Serial} {
		if pan.In(s) {
			t.Fatalf("a card number was kept (found by the tripwire: %v)", leaking)
		}
	}
	if (o.Result == protocol.Approved || o.Result == protocol.Partial) && (o.Approved <= 0 || o.Approved > 15000) {
		t.Fatalf("%s for %v", o.Result, o.Approved)
	}
}

// FuzzSale plays any bytes against a payment, over a serial line and over TCP.
// The byte F0 lets the time pass to the next deadline, F1 cancels. Whatever
// comes: the conversation ends, memory is bounded, the command is written at
// most three times (once over TCP) and never after a byte of an answer, and an
// approval is made durable before its ACK.
func FuzzSale(f *testing.F) {
	for _, line := range []Line{Serial, TCP} {
		words := language(f, line).Words
		for _, script := range [][]string{
			{"ACK", "ok"}, {"ok"}, {"ACK", "work", "other", "part"}, {"NAK", "ACK", "decline"}, {"ACK", "leak"},
			{"ACK", "bad", "ok"}, {"noise", "EOT"}, {"ACK", "head"},
		} {
			var b []byte
			for _, w := range script {
				b = append(b, words[w]...)
			}
			f.Add(b, bool(line))
		}
		f.Add(append(append([]byte{frame.ACK, 0xf1, frame.ACK}, words["cancelled"]...), words["none"]...), bool(line))
	}
	f.Add([]byte{0xf0, 0xf0, 0xf0}, true)
	f.Add([]byte{frame.NAK, frame.EOT, frame.ACK, frame.STX, 'x', 0xf0, 0xf0, 0xf0, 0xf0}, true)
	f.Fuzz(func(t *testing.T, script []byte, serial bool) {
		m := command(t, Line(serial), testCommand())
		now := time.Unix(0, 0)
		w := &watcher{t: t, most: 3}
		if !serial {
			w.most = 1
		}
		w.take(m.Start(now))
		for _, c := range script {
			if w.over {
				return
			}
			switch c {
			case 0xf0:
				if by := m.Deadline(); by.After(now) {
					now = by
				}
				w.take(m.Tick(now))
			case 0xf1:
				w.take(m.Cancel(now))
			default:
				w.spoken = w.spoken || c != frame.NAK
				w.take(m.Receive(now, []byte{c}))
			}
		}
		for range 100 {
			if w.over {
				return
			}
			if by := m.Deadline(); by.After(now) {
				now = by
			}
			w.take(m.Tick(now))
		}
		t.Fatal("the conversation does not end")
	})
}

type watcher struct {
	t       *testing.T
	over    bool
	spoken  bool
	sends   int
	most    int
	durable protocol.Outcome
}

func (w *watcher) take(actions []protocol.Action) {
	for _, a := range actions {
		if bytes.Contains(a.Bytes, []byte("0001,02\r\n")) {
			if w.sends++; w.sends > w.most || w.spoken {
				w.t.Fatalf("the command is written for the %d. time; an answer had begun: %v", w.sends, w.spoken)
			}
		}
		switch a.Do {
		case protocol.Persist:
			w.durable = a.Outcome
		case protocol.End:
			w.over = true
			moved := a.Outcome.Result == protocol.Approved || a.Outcome.Result == protocol.Partial
			if moved && a.Outcome != w.durable {
				w.t.Fatalf("%+v ends a payment and was never made durable", a.Outcome)
			}
			if moved && a.Outcome.Ref != testRef {
				w.t.Fatalf("the approval of %q was taken", a.Outcome.Ref)
			}
			plain(w.t, a.Outcome, false)
		}
	}
}
