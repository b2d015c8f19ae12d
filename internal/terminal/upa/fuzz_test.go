package upa

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coffer/internal/pan"
	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// FuzzParse: whatever is read is JSON, is the same when it is written again, and
// what is kept of it is plain.
func FuzzParse(f *testing.F) {
	for _, b := range language().Words {
		for p := range bytes.SplitSeq(b, []byte{frame.STX}) {
			f.Add(bytes.Trim(p, "\n\x03"))
		}
	}
	for _, c := range []string{Sale, Void, Refund, Ping, GetBatch} {
		f.Add(Request{Command: c, ID: "7", Ref: "7", Amount: 1201, HostRef: "9"}.JSON())
	}
	f.Add([]byte(`{"a":"\u00e9\ud83d","b":[{"c":-1.5e9},null,true]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if kind, r, err := ParseRequest(payload); err == nil && kind == Msg {
			if r.Amount < 0 || !json.Valid(payload) {
				t.Fatalf("a command was read from %q", payload)
			}
		}
		r, err := ParseReply(payload)
		if err != nil {
			return
		}
		if !json.Valid(payload) {
			t.Fatalf("a message was read from what is no JSON: %q", payload)
		}
		plainOutcome(t, outcomeOf(testProfile(), r, protocol.Sale, 15000))
		if o, ok := strayOf(testProfile(), r); ok && protocol.Ref(o.Ref) == "" {
			t.Fatalf("a late answer to %q", o.Ref)
		}
		for _, rec := range r.Records {
			l := lookup{ask: protocol.Question{Ref: testRef, Kind: protocol.Sale, Amount: 15000}}
			plainOutcome(t, l.record(rec))
		}
	})
}

// plainOutcome checks what every kept text must be.
func plainOutcome(t *testing.T, o protocol.Outcome) {
	t.Helper()
	for _, s := range []string{o.Ref, o.DeviceCode, o.HostCode, o.HostText, o.AuthCode, o.HostRef, o.TerminalRef, o.Batch,
		o.Card.Brand, o.Card.LastFour, o.Card.EntryMode, o.At, o.EMV.AID, o.EMV.Label, o.EMV.TVR, o.EMV.TSI,
		o.EMV.IAD, o.EMV.ARC, o.EMV.Cryptogram, o.EMV.CVM} {
		if len(s) > 64 || strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
			t.Fatalf("%q was kept", s)
		}
	}
	for _, s := range []string{o.HostText, o.EMV.Label, o.HostRef, o.AuthCode} {
		if pan.In(s) {
			t.Fatal("a card number was kept")
		}
	}
	if (o.Result == protocol.Approved || o.Result == protocol.Partial) && (o.Approved <= 0 || o.Approved > 15000) {
		t.Fatalf("%s for %v", o.Result, o.Approved)
	}
}

// FuzzSale plays any bytes against a payment. The byte F0 lets the time pass to
// the next deadline, F1 cancels. Whatever comes: the conversation ends, memory
// is bounded, the command is written once, and an approval is made durable
// before its ACK.
func FuzzSale(f *testing.F) {
	words := language().Words
	for _, script := range []string{"ACK ok READY", "ACK part READY", "ACK leak", "BUSY", "other both READY", "ACK garbage ok", "NAK TO READY", "ACK READY"} {
		var b []byte
		for w := range strings.FieldsSeq(script) {
			b = append(b, words[w]...)
		}
		f.Add(b)
	}
	f.Add([]byte{0xf0, 0xf0, 0xf0})
	f.Add(append(bytes.Clone(words["ACK"]), 0xf1, 0xf0, 0x02, 'x', 0xf0, 0xf0, 0xf0))
	f.Fuzz(func(t *testing.T, script []byte) {
		m, err := mustDriver(t, nil).Money(protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(0, 0)
		w := &watcher{t: t}
		w.take(m.Start(now))
		tick := func() {
			if by := m.Deadline(); by.After(now) {
				now = by
			}
			w.take(m.Tick(now))
		}
		for _, c := range script {
			switch {
			case w.over:
				return
			case c == 0xf0:
				tick()
			case c == 0xf1:
				w.take(m.Cancel(now))
			default:
				w.take(m.Receive(now, []byte{c}))
			}
		}
		for range 20 {
			if w.over {
				return
			}
			tick()
		}
		t.Fatal("the conversation does not end")
	})
}

type watcher struct {
	t       *testing.T
	over    bool
	sends   int
	durable protocol.Outcome
}

func (w *watcher) take(actions []protocol.Action) {
	for _, a := range actions {
		if kind, r, err := said(a.Bytes); err == nil && kind == Msg && r.Command == Sale {
			if w.sends++; w.sends > 1 || a.Do != protocol.Sending {
				w.t.Fatalf("the command is written for the %d. time", w.sends)
			}
		}
		switch a.Do {
		case protocol.Persist:
			w.durable = a.Outcome
		case protocol.End:
			w.over = true
			moved := a.Outcome.Result == protocol.Approved || a.Outcome.Result == protocol.Partial
			if moved && (a.Outcome != w.durable || a.Outcome.Ref != testRef) {
				w.t.Fatalf("%+v ends a payment; durable is %+v", a.Outcome, w.durable)
			}
			plainOutcome(w.t, a.Outcome)
		}
	}
}
