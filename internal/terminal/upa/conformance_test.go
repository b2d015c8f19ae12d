package upa

import (
	"testing"
	"time"

	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// TestConformance holds the driver to what every driver must keep.
func TestConformance(t *testing.T) {
	words := language().Words
	moves := map[string]bool{Sale: true, Void: true, Refund: true}
	terminaltest.Run(t, terminaltest.Kit{
		Driver:  mustDriver(t, nil),
		Command: protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 15000},
		Serial:  testSerial,
		Whole:   5 * time.Minute, Ask: 7 * time.Minute,
		Sends: 1,
		Moves: func(b []byte) bool {
			kind, r, err := said(b)
			return err == nil && kind == Msg && moves[r.Command]
		},
		Confirms: func(b []byte) bool {
			kind, _, err := said(b)
			return err == nil && kind == Ack
		},
		Ack:     words["ACK"],
		Denials: [][]byte{words["BUSY"]},
		Chatter: [][]byte{words["READY"], words["NAK"], words["TO"], words["what"], words["garbage"], words["cancel!"]},
		Noise:   []byte{0x02, 0x03, 0x07, '\n', '"', '{', '}', 'x', 0xff},
		Answer:  func(a terminaltest.Answer) []byte { return framed(conforming(a)) },
		Record:  conformingRecord,
		Lookup:  [][]byte{words["pong"], words["info"], words["foreign"], words["older"], words["newer"], words["empty"], words["half"], words["refusal"], words["stale"]},
		Before:  [][]byte{words["ACK"], words["pong"], words["READY"], words["ACK"], words["info"], words["READY"], words["ACK"]},
		Wrap:    func(m protocol.Machine) protocol.Machine { return &scripted{Machine: m} },
	})
}

func conforming(a terminaltest.Answer) Reply {
	return answer(func(r *Reply) {
		r.Command, r.ID, r.Payment.Ref = commandOf(a.Kind), a.Ref, a.Ref
		r.Host.Total, r.Host.Due = Of(a.Amount), Sum{}
		switch a.Says {
		case terminaltest.Declines:
			r.Host.Code = "05"
		case terminaltest.Cancels:
			r.Result, r.Code, r.Host = Failed, "USR001", Host{}
		case terminaltest.Unknown:
			r.Result, r.Code, r.Host.Code = Failed, "XYZ999", "ZZ"
		case terminaltest.Leaks:
			r.Payment.Masked = terminaltest.CardNumber
		case terminaltest.Elsewhere:
			r.EMV["9f06"] = terminaltest.CardNumber
		}
	})
}

func conformingRecord(a terminaltest.Answer) []byte {
	l := listingOf(record("100000000041", nil), record(a.Ref, func(r *Record) {
		r.Type, r.Host.Total, r.Host.Due = commandOf(a.Kind), Of(a.Amount), Sum{}
		switch a.Says {
		case terminaltest.Declines:
			r.Host.Code = "05"
		case terminaltest.Unknown:
			r.Status = "ODD"
		}
	}))
	l.ID = anyID
	if a.Says == terminaltest.Cancels {
		return nil
	}
	return framed(l)
}
