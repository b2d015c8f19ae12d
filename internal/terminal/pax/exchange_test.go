package pax

import (
	"strings"
	"testing"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// TestSaleSerial has every branch of a payment's conversation on a serial
// line. sent is what always comes first.
func TestSaleSerial(t *testing.T) {
	const sent = "show:sending sending:T00"
	for _, c := range []struct{ name, script, want string }{
		{"approved", "ACK ok EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"approved, byte for byte split", "ACK head tail EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a part only", "ACK part EOT",
			"acked show:present persist:partial/partial=9000+ACK show:result end:partial/partial=9000"},
		{"declined by the terminal", "ACK decline EOT",
			"acked show:present persist:declined/no_funds+ACK show:result end:declined/no_funds"},
		{"the bank speaks of a repetition, the terminal of none", "ACK host94 EOT",
			"acked show:present persist:in_doubt/duplicate_host+ACK show:result end:in_doubt/duplicate_host"},
		{"a card number as a reference", "ACK hrefleak",
			"acked show:present alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"declined by the bank", "ACK hostno EOT",
			"acked show:present persist:declined/declined+ACK show:result end:declined/declined"},
		{"no card", "ACK timeout EOT",
			"acked show:present persist:cancelled/card_timeout+ACK show:result end:cancelled/card_timeout"},
		{"duplicate at the terminal describes the original", "ACK dup EOT",
			"acked show:present persist:duplicate/duplicate_terminal=15000+ACK show:result end:duplicate/duplicate_terminal=15000"},
		{"duplicate at the bank", "ACK hostdup EOT",
			"acked show:present persist:duplicate/duplicate_host=15000+ACK show:result end:duplicate/duplicate_host=15000"},
		{"the terminal lost the bank", "ACK lostbank EOT",
			"acked show:present persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"approved for more than was asked", "ACK over EOT",
			"acked show:present persist:in_doubt/mismatch=15001+ACK show:result end:in_doubt/mismatch=15001"},
		{"approved as another kind", "ACK return EOT",
			"acked show:present persist:in_doubt/mismatch=15000+ACK show:result end:in_doubt/mismatch=15000"},
		{"approved without a reference", "ACK noref EOT",
			"acked show:present persist:in_doubt/mismatch=15000+ACK show:result end:in_doubt/mismatch=15000"},

		// WAIT_ACK
		{"NAK, then taken", "NAK ACK ok EOT",
			"T00 acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"NAK three times: it never got through", "NAK NAK NAK",
			"T00 T00 end:not_sent/line_noise"},
		{"NAK after a silence: an earlier one may have got through", "+7000 NAK NAK",
			"T00 T00 end:in_doubt/no_ack"},
		{"no ACK: sent again, at most three times", "+7000 +7000 +7000",
			"T00 T00 end:in_doubt/no_ack"},
		{"no ACK, then one", "+7000 ACK ok EOT",
			"T00 acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"no card, and the terminal may have got it twice", "+7000 ACK timeout EOT",
			"T00 acked show:present persist:in_doubt/no_ack+ACK show:result end:in_doubt/no_ack"},
		{"declined, and the terminal may have got it twice", "+7000 ACK decline EOT",
			"T00 acked show:present persist:in_doubt/no_ack+ACK show:result end:in_doubt/no_ack"},
		{"declined after a NAK: it got it once", "NAK ACK decline EOT",
			"T00 acked show:present persist:declined/no_funds+ACK show:result end:declined/no_funds"},
		{"after ACK it is never sent again", "ACK +100000 NAK", "acked show:present"},
		{"after noise it is never sent again", "noise +7000 +7000 NAK", ""},
		{"after the start of a frame it is never sent again", "head +450 +100 +7000", "NAK"},
		{"busy", "EOT +1000", "end:in_doubt/busy"},
		{"an EOT of the last conversation, then ACK", "EOT ACK ok EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"an EOT of the last conversation, then a reply", "EOT ok EOT",
			"persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"an EOT after a repetition: the first one may have got through", "+7000 EOT +1000",
			"T00 end:in_doubt/busy"},
		{"an EOT after NAK", "NAK EOT +1000", "T00 end:in_doubt/busy"},
		{"an EOT after noise", "noise EOT +1000", "end:in_doubt/busy"},
		{"a reply without ACK is one with ACK", "ok EOT",
			"persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a rest of the last conversation without reference is not the answer", "timeout ACK ok EOT",
			"ACK acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"the same rest, and then the same as the answer", "timeout ACK timeout EOT",
			"ACK acked show:present persist:cancelled/card_timeout+ACK show:result end:cancelled/card_timeout"},
		{"a late duplicate of another is not the answer", "dup ACK ok EOT",
			"ACK acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},

		// WAIT_RSP
		{"bad checksum", "ACK bad ok EOT",
			"acked show:present NAK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"bad checksum three times, then good", "ACK bad bad bad ok EOT",
			"acked show:present NAK NAK NAK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"bad checksum four times", "ACK bad bad bad bad",
			"acked show:present NAK NAK NAK EOT end:in_doubt/damaged"},
		{"a frame that stops", "ACK head +500 ok EOT",
			"acked show:present NAK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a good frame that is no message", "ACK garbage ok EOT",
			"acked show:present NAK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"EOT without an answer", "ACK EOT", "acked show:present end:in_doubt/ended"},
		{"status reports", "ACK progress progress ok EOT",
			"acked show:present ACK show:processing ACK show:processing persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a status report that asks for the card", "ACK screen progress ok EOT",
			"acked show:present ACK show:present ACK show:processing persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a status report restarts the wait", "ACK +170000 progress +60000 ok EOT",
			"acked show:present ACK show:processing persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"reports for ever end at the hard limit", "ACK +170000 progress +70000 progress +15000",
			"acked show:present ACK show:processing A14 show:cancelling ACK end:in_doubt/no_answer"},
		{"a late answer to another", "ACK other ok EOT",
			"acked show:present stray:approved/approved=15000+ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a late answer that comes again is handed on again", "ACK other other ok EOT",
			"acked show:present stray:approved/approved=15000+ACK stray:approved/approved=15000+ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"an answer to another message", "ACK t03 ok EOT",
			"acked show:present ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"several packets", "ACK p1 p2 p3 p4 EOT",
			"acked show:present ACK ACK ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a packet that comes twice", "ACK p1 p1 p2 p2 p3 p4 EOT",
			"acked show:present ACK ACK ACK ACK ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"packets that another message interrupts", "ACK p1 other ok EOT",
			"acked show:present ACK ACK persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"no answer: stop, wait, doubt", "ACK +180000 +14999 +1",
			"acked show:present A14 show:cancelling end:in_doubt/no_answer"},
		{"no answer, and the terminal stops", "ACK +180000 EOT aborted EOT",
			"acked show:present A14 show:cancelling persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"no answer, and the approval wins", "ACK +180000 EOT ok EOT",
			"acked show:present A14 show:cancelling persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},

		// cancel
		{"cancelled by a person", "ACK cancel EOT aborted EOT",
			"acked show:present A14 show:cancelling persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"cancelled, and the approval wins", "ACK cancel ok EOT",
			"acked show:present A14 show:cancelling persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"cancelled, and silence", "ACK cancel EOT +15000",
			"acked show:present A14 show:cancelling end:in_doubt/no_answer"},
		{"cancelled before ACK: as soon as it can be", "cancel ACK EOT aborted EOT",
			"acked show:present A14 show:cancelling persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"cancelled twice at once is cancelled once", "ACK cancel cancel +7000 cancel",
			"acked show:present A14 show:cancelling A14 show:cancelling"},
		{"A14 was damaged", "ACK cancel NAK aborted EOT",
			"acked show:present A14 show:cancelling A14 show:cancelling persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"after the result there is nothing to cancel", "ACK ok cancel EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},

		// WAIT_EOT
		{"the answer again", "ACK ok ok EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result ACK end:approved/approved=15000"},
		{"no EOT", "ACK ok +3000 +3000 +3000 +3000 +3000 +3000 +3000",
			"acked show:present persist:approved/approved=15000+ACK show:result ACK ACK ACK ACK ACK ACK warn:no_eot end:approved/approved=15000"},
		{"a damaged repetition changes nothing", "ACK ok bad EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"a late answer after ours", "ACK ok other EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result stray:approved/approved=15000+ACK end:approved/approved=15000"},

		// the line is lost
		{"lost before ACK", "lost", "end:in_doubt/unplugged"},
		{"lost while waiting", "ACK lost", "acked show:present end:in_doubt/unplugged"},
		{"lost inside the answer", "ACK head lost", "acked show:present end:in_doubt/unplugged"},
		{"lost after the answer", "ACK ok lost",
			"acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},

		// a card number
		{"a card number in the answer", "ACK leak",
			"acked show:present alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number in a late answer", "ACK strayleak",
			"acked show:present alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number after the answer", "ACK ok strayleak EOT",
			"acked show:present persist:approved/approved=15000+ACK show:result alarm:pan_leak ACK end:approved/approved=15000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := terminaltest.Play(t, sale(t, Serial), c.script, language(t))
			want := strings.TrimSpace(sent + " " + c.want)
			if got != want {
				t.Errorf("script %s\n got %s\nwant %s", c.script, got, want)
			}
		})
	}
}

// TestSaleTCP: over TCP our ACK ends the exchange.
func TestSaleTCP(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"ACK ok", "show:sending sending:T00 acked show:present persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"ok", "show:sending sending:T00 persist:approved/approved=15000+ACK show:result end:approved/approved=15000"},
		{"EOT ACK timeout", "show:sending sending:T00 acked show:present persist:cancelled/card_timeout+ACK show:result end:cancelled/card_timeout"},
	} {
		got := terminaltest.Play(t, sale(t, TCP), c.script, language(t))
		if got != c.want {
			t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
		}
	}
}

func TestHandshake(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"ACK a01 EOT", "A00 ACK end:53236566"},
		{"a01 EOT", "A00 ACK end:53236566"},
		{"+7000 +7000 +7000", "A00 A00 A00 end:!no_ack"},
		{"ACK +10000", "A00 end:!no_answer"},
		{"EOT +1000", "A00 end:!busy"},
		{"ACK EOT", "A00 end:!ended"},
		{"lost", "A00 end:!unplugged"},
		{"ACK other a01 EOT", "A00 stray:approved/approved=15000+ACK ACK end:53236566"},
		{"ACK strayleak", "A00 alarm:pan_leak ACK end:!pan_leak"},
		{"cancel ACK cancel a01 EOT", "A00 ACK end:53236566"},
	} {
		got := terminaltest.Play(t, mustDriver(t, Serial).Handshake(), c.script, language(t))
		if got != c.want {
			t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"+1000", "end:"},
		{"+900 noise +900 noise +200", "end:"}, // the limit of draining
		{"other EOT +1000", "stray:approved/approved=15000+ACK end:"},
		{"other other +1000", "stray:approved/approved=15000+ACK stray:approved/approved=15000+ACK end:"},
		{"decline +1000", "stray:declined/no_funds+ACK end:"},
		{"progress +1000", "ACK end:"},
		{"timeout +1000", "ACK end:"},
		{"dup +1000", "ACK end:"},
		{"found +1000", "ACK end:"},
		{"bad other +1000", "NAK stray:approved/approved=15000+ACK end:"},
		{"bad bad bad bad +1000", "NAK NAK NAK EOT end:"},
		{"strayleak +1000", "alarm:pan_leak ACK end:"},
		{"head lost", "end:"},
	} {
		got := terminaltest.Play(t, mustDriver(t, Serial).Listen(), c.script, language(t))
		if got != c.want {
			t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	const clear = "show:checking A14 "
	const idle = clear + "A00 ACK R02(" + testRef + ") "
	for _, c := range []struct{ name, script, want string }{
		{"found", "EOT +1000 ACK a01 EOT ACK found EOT", idle + "ACK end:approved/approved=15000"},
		{"found in part", "+1000 ACK a01 EOT ACK foundpart EOT", idle + "ACK end:partial/partial=9000"},
		{"found declined", "+1000 ACK a01 EOT ACK foundno EOT", idle + "ACK end:declined/declined/record_not_approved"},
		{"another reference", "+1000 ACK a01 EOT ACK foundother EOT", idle + "ACK end:in_doubt/mismatch"},
		{"another amount", "+1000 ACK a01 EOT ACK foundless EOT", idle + "ACK end:in_doubt/mismatch=16000"},
		{"another kind", "+1000 ACK a01 EOT ACK foundkind EOT", idle + "ACK end:in_doubt/mismatch=15000"},
		{"voided at the terminal", "+1000 ACK a01 EOT ACK foundvoid EOT", idle + "ACK end:in_doubt/voided"},
		{"not found, newest is older", "+1000 ACK a01 EOT ACK none EOT ACK oldest EOT ACK older EOT",
			idle + "ACK R02(1) ACK R02(9) ACK end:not_charged/record_not_found/newest_record_older"},
		{"not found, the only record is older", "+1000 ACK a01 EOT ACK none EOT ACK only EOT",
			idle + "ACK R02(1) ACK end:not_charged/record_not_found/newest_record_older"},
		{"not found, newest is newer", "+1000 ACK a01 EOT ACK none EOT ACK oldest EOT ACK newer EOT",
			idle + "ACK R02(1) ACK R02(9) ACK end:in_doubt/unproven"},
		{"not found, the first is newer", "+1000 ACK a01 EOT ACK none EOT ACK newer EOT",
			idle + "ACK R02(1) ACK end:in_doubt/unproven"},
		{"not found, the newest has no reference", "+1000 ACK a01 EOT ACK none EOT ACK oldest EOT ACK noname EOT",
			idle + "ACK R02(1) ACK R02(9) ACK end:in_doubt/unproven"},
		{"no records", "+1000 ACK a01 EOT ACK empty EOT ACK empty EOT",
			idle + "ACK R02(1) ACK end:not_charged/record_not_found/no_records"},
		{"not found but nine records, and no first", "+1000 ACK a01 EOT ACK none EOT ACK none EOT",
			idle + "ACK R02(1) ACK end:in_doubt/unproven"},
		{"the terminal cannot look up", "+1000 ACK a01 EOT ACK refusal EOT", idle + "ACK end:in_doubt/unproven"},
		{"busy", "+1000 EOT +1000 EOT +1000 EOT +1000", clear + "A00 A00 A00 end:in_doubt/busy"},
		{"no answer to the look-up", "+1000 ACK a01 EOT ACK +15000 ACK +15000 ACK +15000",
			idle + "R02(" + testRef + ") R02(" + testRef + ") end:in_doubt/no_answer"},
		{"a damaged record, then a good one", "+1000 ACK a01 EOT ACK bad found EOT", idle + "NAK ACK end:approved/approved=15000"},
		{"our own late answer", "ok EOT +1000", clear + "stray:approved/approved=15000+ACK end:approved/approved=15000"},
		{"our own late answer, a part", "part EOT +1000", clear + "stray:approved/approved=9000+ACK end:partial/partial=9000"},
		{"our own late refusal", "decline EOT +1000", clear + "stray:declined/no_funds+ACK end:declined/no_funds"},
		{"our late answer with another amount is no answer", "over EOT +1000 ACK a01 EOT ACK found EOT",
			clear + "stray:approved/approved=15001+ACK A00 ACK R02(" + testRef + ") ACK end:approved/approved=15000"},
		{"a running command is stopped", "aborted EOT +1000 ACK a01 EOT ACK found EOT",
			clear + "ACK A00 ACK R02(" + testRef + ") ACK end:approved/approved=15000"},
		{"a reply from before is not the answer", "+1000 ACK a01 EOT found ACK found EOT", idle + "ACK ACK end:approved/approved=15000"},
		{"lost while clearing", "lost", clear + "end:in_doubt/unplugged"},
		{"lost while asking", "+1000 ACK a01 EOT ACK lost", idle + "end:in_doubt/unplugged"},
		{"lost between two questions", "+1000 ACK a01 lost", clear + "A00 ACK end:in_doubt/unplugged"},
		{"another terminal on the cable is not asked", "+1000 ACK foreign EOT", clear + "A00 ACK alarm:substitution end:in_doubt/substitution"},
		{"a record of another terminal", "+1000 ACK a01 EOT ACK foundelse EOT", idle + "ACK end:in_doubt/substitution"},
		{"a record that the bank calls a repetition", "+1000 ACK a01 EOT ACK found94 EOT", idle + "ACK end:in_doubt/duplicate_host"},
		{"a card number", "+1000 ACK a01 EOT ACK strayleak", idle + "alarm:pan_leak ACK end:in_doubt/pan_leak"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustDriver(t, Serial).Lookup(protocol.Question{Ref: testRef, Kind: protocol.Sale, Amount: testAmount, Serial: "53236566"})
			got := terminaltest.Play(t, m, c.script, language(t))
			if got != strings.TrimSpace(c.want) {
				t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
			}
		})
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	good := protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 1}
	for name, spoil := range map[string]func(*protocol.Command){
		"no reference":              func(c *protocol.Command) { c.Ref = "" },
		"a long reference":          func(c *protocol.Command) { c.Ref = "1234567890123" },
		"letters in the reference":  func(c *protocol.Command) { c.Ref = "12a" },
		"no amount":                 func(c *protocol.Command) { c.Amount = 0 },
		"a negative amount":         func(c *protocol.Command) { c.Amount = -1 },
		"an amount above the limit": func(c *protocol.Command) { c.Amount = money.Max + 1 },
		"a separator in a field":    func(c *protocol.Command) { c.Invoice = "A\x1cB" },
		"a long invoice":            func(c *protocol.Command) { c.Invoice = "12345678901234567" },
		"a sale with an original":   func(c *protocol.Command) { c.OriginalHostRef = "1" },
		"a void without one":        func(c *protocol.Command) { c.Kind = protocol.Void },
		"a refund without one":      func(c *protocol.Command) { c.Kind = protocol.Refund },
		"a void by our reference":   func(c *protocol.Command) { c.Kind, c.OriginalRef = protocol.Void, "1" },
		"another kind":              func(c *protocol.Command) { c.Kind = "auth" },
	} {
		c := good
		spoil(&c)
		if _, err := mustDriver(t, Serial).Money(c); err != protocol.ErrCommand {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mustDriver(t, Serial).Money(good); err != nil {
		t.Errorf("the unspoilt command: %v", err)
	}
}

func TestProfilesThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*protocol.Profile){
		"no lookup":    func(p *protocol.Profile) { p.Messages = []string{"A00", "A14", "T00"} },
		"no time":      func(p *protocol.Profile) { p.Timers.Ack = 0 },
		"no limit":     func(p *protocol.Profile) { p.Timers.Whole = 0 },
		"no answer":    func(p *protocol.Profile) { p.Timers.Answer = nil },
		"no frame":     func(p *protocol.Profile) { p.FrameMax = 0 },
		"never sent":   func(p *protocol.Profile) { p.Retries.Send = 0 },
		"no version":   func(p *protocol.Profile) { p.Version = "" },
		"huge a frame": func(p *protocol.Profile) { p.FrameMax = 1 << 30 },
	} {
		p := testProfile()
		spoil(&p)
		if _, err := New(p, Serial); err != protocol.ErrProfile {
			t.Errorf("%s: %v", name, err)
		}
	}
}
