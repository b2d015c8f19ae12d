package pax

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"coffer/internal/pan"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

func FuzzParse(f *testing.F) {
	for _, p := range captured(f) {
		f.Add(p)
	}
	f.Add([]byte("0\x1cR03\x1c1.43\x1c000000\x1cOK\x1c9\x1c9\x1c00\x1c01\x1c01"))
	f.Add([]byte("T00\x1c1.35\x1c01\x1c15000\x1c\x1f\x1f\x1f\x1f\x1f1\x1c1"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		leaks(payload)
		if r, err := ParseRequest(payload); err == nil {
			again, err := ParseRequest(r.Append(nil))
			if err != nil || !bytes.Equal(again.Append(nil), r.Append(nil)) {
				t.Fatalf("a request changes when it is written again: %q", payload)
			}
			if m, err := ParseMoney(r); err == nil && m.Amount < 0 {
				t.Fatalf("a negative amount from %q", payload)
			}
		}
		r, err := ParseResponse(payload)
		if err != nil {
			return
		}
		again, err := ParseResponse(r.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), r.Append(nil)) {
			t.Fatalf("a response changes when it is written again: %q", payload)
		}
		if m, err := ParseMoneyReply(r); err == nil {
			plain(t, outcomeOf(m.facts(), protocol.Sale, 15000))
		}
		if m, err := ParseFindReply(r); err == nil {
			plain(t, outcomeOf(m.facts(), protocol.Sale, 15000))
		}
		strayOf(r)
	})
}

// plain checks what every kept text must be.
func plain(t *testing.T, o protocol.Outcome) {
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
	if pan.In(o.HostText) || pan.In(o.EMV.Label) {
		t.Fatal("a card number was kept")
	}
	if (o.Result == protocol.Approved || o.Result == protocol.Partial) && (o.Approved <= 0 || o.Approved > 15000) {
		t.Fatalf("%s for %v", o.Result, o.Approved)
	}
}

// FuzzSale plays any bytes against a payment. The byte F0 lets the time pass
// to the next deadline, F1 cancels. Whatever comes: the conversation ends,
// memory is bounded, the command is written at most three times and never
// after a byte of an answer, and an approval is made durable before its ACK.
func FuzzSale(f *testing.F) {
	for _, p := range captured(f) {
		framedPayload, err := frame.Append([]byte{frame.ACK}, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(framedPayload, frame.EOT))
	}
	f.Add([]byte{0xf0, 0xf0, 0xf0})
	f.Add([]byte{frame.ACK, 0xf1, frame.EOT, 0xf0, 0xf0})
	f.Add([]byte{frame.NAK, frame.EOT, frame.ACK, frame.STX, 'x', 0xf0, 0xf0, 0xf0, 0xf0})
	ok, err := frame.Append([]byte{frame.ACK}, reply(nil).Response("1.43").Append(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(ok, frame.EOT))
	f.Fuzz(func(t *testing.T, script []byte) {
		d, err := New(testProfile(), Serial)
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.Money(protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(0, 0)
		w := &watcher{t: t}
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
				if c != frame.NAK && c != frame.EOT {
					w.spoken = true
				}
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
	durable protocol.Outcome
}

func (w *watcher) take(actions []protocol.Action) {
	for _, a := range actions {
		if bytes.Contains(a.Bytes, []byte("T00")) {
			if w.sends++; w.sends > 3 || w.spoken {
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
			if moved && strings.TrimSpace(a.Outcome.Ref) != testRef {
				w.t.Fatalf("the approval of %q was taken", a.Outcome.Ref)
			}
			plain(w.t, a.Outcome)
		}
	}
}
