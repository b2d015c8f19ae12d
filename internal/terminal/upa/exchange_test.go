package upa

import (
	"strings"
	"testing"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

// TestSale has every branch of a payment's conversation. sent is what always
// comes first, taken what an acknowledged command shows.
func TestSale(t *testing.T) {
	const sent = "show:sending sending:Sale "
	const taken = "acked show:present "
	kept := func(o string) string { return "persist:" + o + "+ACK show:result end:" + o }
	for _, c := range []struct{ name, script, want string }{
		{"approved", "ACK ok READY", taken + kept("approved/approved=15000")},
		{"approved, in pieces", "ACK head tail READY", taken + kept("approved/approved=15000")},
		{"ACK and answer in one piece", "both READY", taken + kept("approved/approved=15000")},
		{"the answer proves that the command came", "ok READY", kept("approved/approved=15000")},
		{"the answer stands without READY", "ACK ok +2000",
			taken + "persist:approved/approved=15000+ACK show:result warn:no_eot end:approved/approved=15000"},
		{"a failure needs no READY", "ACK aborted +2000", taken + kept("cancelled/aborted")},
		{"the answer comes twice", "ACK ok ok READY", taken + "persist:approved/approved=15000+ACK show:result ACK end:approved/approved=15000"},
		{"a part only", "ACK part READY", taken + kept("partial/partial=9000")},
		{"a part only, as the total", "ACK parttot READY", taken + kept("partial/partial=9000")},
		{"a part only, by what is due", "ACK partdue READY", taken + kept("partial/partial=9000")},
		{"a part that does not add up", "ACK partodd READY", taken + kept("in_doubt/mismatch=9000")},
		{"a part that is the whole", "ACK partall READY", taken + kept("in_doubt/mismatch=15000")},
		{"more than was asked", "ACK over READY", taken + kept("in_doubt/mismatch=15001")},
		{"no amount", "ACK nosum READY", taken + kept("in_doubt/mismatch")},
		{"another invoice", "ACK elseref READY", taken + kept("in_doubt/mismatch=15000")},
		{"no invoice: the requestId is ours", "ACK unnamed READY", taken + kept("approved/approved=15000")},
		{"declined by the bank", "ACK decline READY", taken + kept("declined/no_funds")},
		{"declined by the bank, as a failure", "ACK failno READY", taken + kept("declined/declined")},
		{"cancelled, and approved by the bank", "ACK failyes READY", taken + kept("in_doubt/mismatch")},
		{"the processor speaks of a fault, the bank of none", "ACK gateway READY", taken + kept("in_doubt/mismatch")},
		{"stored, and no bank was asked", "ACK saf READY", taken + kept("in_doubt/bank_lost")},
		{"no code of the bank", "ACK nocode READY", taken + kept("in_doubt/mismatch")},
		{"a code of the bank that is not known", "ACK strange READY", taken + kept("in_doubt/unknown_code")},
		{"a code of the terminal that is not known", "ACK unknown READY", taken + kept("in_doubt/unknown_code")},
		{"no card", "ACK timeout READY", taken + kept("cancelled/card_timeout")},
		{"no host", "ACK netdown READY", taken + kept("declined/bank_unreachable")},
		{"the host lost", "ACK netlost READY", taken + kept("in_doubt/bank_lost")},
		{"duplicate at the terminal describes the original", "ACK dup READY", taken + kept("duplicate/duplicate_terminal=15000")},
		{"duplicate at the processor", "ACK hostdup READY", taken + kept("duplicate/duplicate_host=15000")},

		// before ACK
		{"no ACK: it is not sent again", "+7000", "end:in_doubt/no_ack"},
		{"NAK is waited out", "NAK +7000", "end:in_doubt/no_ack"},
		{"NAK, then ACK", "NAK ACK ok READY", taken + kept("approved/approved=15000")},
		{"TO is waited out", "TO ACK ok READY", taken + kept("approved/approved=15000")},
		{"a word that nobody knows", "what ACK ok READY", taken + kept("approved/approved=15000")},
		{"busy", "BUSY +1000", "end:not_sent/busy"},
		{"busy, and more", "NAK BUSY +1000", "end:in_doubt/busy"},
		{"BUSY of the last conversation, then ACK", "BUSY ACK ok READY", taken + kept("approved/approved=15000")},
		{"BUSY of the last conversation, then the answer", "BUSY ok READY", kept("approved/approved=15000")},
		{"READY of the last conversation", "READY ACK ok READY", taken + kept("approved/approved=15000")},
		{"a late answer first", "other ACK ok READY", "stray:approved/approved=15000+ACK " + taken + kept("approved/approved=15000")},
		{"a late answer twice: it could not be kept", "other other ACK ok READY",
			"stray:approved/approved=15000+ACK stray:approved/approved=15000+ACK " + taken + kept("approved/approved=15000")},

		// after ACK
		{"a late refusal", "ACK otherno ok READY", taken + "stray:cancelled/aborted+ACK " + kept("approved/approved=15000")},
		{"a late repetition is dropped", "ACK otherdup ok READY", taken + "ACK " + kept("approved/approved=15000")},
		{"the answer to another command", "ACK kind ok READY", taken + "stray:approved/approved=15000+ACK " + kept("approved/approved=15000")},
		{"the terminal ends without an answer", "ACK READY", taken + "end:in_doubt/ended"},
		{"ACK twice", "ACK ACK ok READY", taken + kept("approved/approved=15000")},
		{"BUSY while it works", "ACK BUSY ok READY", taken + kept("approved/approved=15000")},
		{"what cannot be read", "ACK garbage +1000", taken + "end:in_doubt/damaged"},
		{"what cannot be read comes again", "ACK garbage ok READY", taken + kept("approved/approved=15000")},
		{"the answer breaks off", "ACK head +500 +1000", taken + "end:in_doubt/damaged"},
		{"no answer", "ACK +180000 +15000", taken + "CancelTransaction show:cancelling end:in_doubt/no_answer"},
		{"no answer, then one", "ACK +180000 aborted READY", taken + "CancelTransaction show:cancelling " + kept("cancelled/aborted")},
		{"no answer, then an approval", "ACK +180000 ok READY", taken + "CancelTransaction show:cancelling " + kept("approved/approved=15000")},

		// cancelling
		{"cancelled here", "ACK cancel ACK aborted READY", taken + "CancelTransaction show:cancelling " + kept("cancelled/aborted")},
		{"cancelled here, with an answer of its own", "ACK cancel ACK cancel! aborted READY",
			taken + "CancelTransaction show:cancelling ACK " + kept("cancelled/aborted")},
		{"too late to cancel", "ACK cancel BUSY ok READY", taken + "CancelTransaction show:cancelling " + kept("approved/approved=15000")},
		{"cancelled before ACK", "cancel ACK aborted READY", taken + "CancelTransaction show:cancelling " + kept("cancelled/aborted")},
		{"cancelled, and READY only", "ACK cancel READY +15000", taken + "CancelTransaction show:cancelling end:in_doubt/no_answer"},
		{"cancelled twice at once", "ACK cancel cancel aborted READY", taken + "CancelTransaction show:cancelling " + kept("cancelled/aborted")},
		{"cancelled again later", "ACK cancel +8000 cancel aborted READY",
			taken + "CancelTransaction show:cancelling CancelTransaction show:cancelling " + kept("cancelled/aborted")},
		{"cancelled after the answer", "ACK ok cancel READY", taken + kept("approved/approved=15000")},

		// the line is lost
		{"lost before ACK", "lost", "end:in_doubt/unplugged"},
		{"lost while waiting", "ACK lost", taken + "end:in_doubt/unplugged"},
		{"lost inside the answer", "ACK head lost", taken + "end:in_doubt/unplugged"},
		{"lost after the answer", "ACK ok lost", taken + kept("approved/approved=15000")},

		// card data
		{"a card number in the answer", "ACK leak", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a field of card data", "ACK pan", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number in a late answer", "ACK leakelse", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number after the answer", "ACK ok leakelse READY",
			taken + "persist:approved/approved=15000+ACK show:result alarm:pan_leak ACK end:approved/approved=15000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.TrimSpace(sent + c.want)
			if got := terminaltest.Play(t, &scripted{Machine: sale(t)}, c.script, language()); got != want {
				t.Errorf("script %s\n got %s\nwant %s", c.script, got, want)
			}
		})
	}
}

// TestCommands: what each kind of command asks of the terminal, to the byte.
func TestCommands(t *testing.T) {
	for _, c := range []struct {
		cmd  protocol.Command
		want string
	}{
		{protocol.Command{Kind: protocol.Sale, Ref: "7", Amount: 1201, Invoice: "INV7"},
			`{"data":{"EcrId":"13","command":"Sale","data":{"params":{"tokenRequest":"0"},"transaction":{"baseAmount":"12.01","invoiceNbr":"7","taxAmount":"0.00","tipAmount":"0.00"}},"requestId":"7"},"message":"MSG"}`},
		{protocol.Command{Kind: protocol.Sale, Ref: "7", Amount: 5, AllowDuplicate: true},
			`{"data":{"EcrId":"13","command":"Sale","data":{"params":{"tokenRequest":"0"},"transaction":{"allowDuplicate":1,"baseAmount":"0.05","invoiceNbr":"7","taxAmount":"0.00","tipAmount":"0.00"}},"requestId":"7"},"message":"MSG"}`},
		{protocol.Command{Kind: protocol.Void, Ref: "8", Amount: 1201, OriginalHostRef: "200"},
			`{"data":{"EcrId":"13","command":"Void","data":{"transaction":{"invoiceNbr":"8","referenceNumber":"200"}},"requestId":"8"},"message":"MSG"}`},
		{protocol.Command{Kind: protocol.Refund, Ref: "9", Amount: 100000, OriginalHostRef: "200", OriginalTerminalRef: "0003"},
			`{"data":{"EcrId":"13","command":"Refund","data":{"transaction":{"invoiceNbr":"9","referenceNumber":"200","totalAmount":"1000.00"}},"requestId":"9"},"message":"MSG"}`},
	} {
		m := command(t, c.cmd)
		actions := m.Start(testTime)
		last := actions[len(actions)-1]
		if last.Do != protocol.Sending || string(last.Bytes) != "\x02\n"+c.want+"\n\x03\n" {
			t.Errorf("%s:\n got %q\nwant %q", c.cmd.Kind, last.Bytes, c.want)
		}
	}
}

// TestOtherKinds: a void and a refund answer as a sale does; only their sums
// differ.
func TestOtherKinds(t *testing.T) {
	for _, c := range []struct {
		kind protocol.Kind
		edit func(*Reply)
		want string
	}{
		{protocol.Void, func(r *Reply) {}, "approved/approved=15000"},
		{protocol.Void, func(r *Reply) { r.Host.Total, r.Host.Due = Sum{}, Sum{} }, "approved/approved=15000"},
		{protocol.Void, func(r *Reply) { r.Host.Total = Of(9000) }, "in_doubt/mismatch=9000"},
		{protocol.Void, func(r *Reply) { r.Result, r.Code, r.Host = Failed, "REF001", Host{} }, "declined/original_unknown"},
		{protocol.Refund, func(r *Reply) {}, "approved/approved=15000"},
		{protocol.Refund, func(r *Reply) { r.Host.Total, r.Host.Due = Sum{}, Sum{} }, "in_doubt/mismatch"},
		{protocol.Refund, func(r *Reply) { r.Host.Total = Of(9000) }, "in_doubt/mismatch=9000"},
	} {
		l := language()
		name := map[protocol.Kind]string{protocol.Void: Void, protocol.Refund: Refund}[c.kind]
		l.Words["it"] = framed(answer(func(r *Reply) { r.Command = name; c.edit(r) }))
		m := command(t, protocol.Command{Kind: c.kind, Ref: testRef, Amount: 15000, OriginalHostRef: "200"})
		want := "show:sending sending:" + name + " acked show:present persist:" + c.want + "+ACK show:result end:" + c.want
		if got := terminaltest.Play(t, m, "ACK it READY", l); got != want {
			t.Errorf("%s\n got %s\nwant %s", c.kind, got, want)
		}
	}
}

func TestHandshake(t *testing.T) {
	const asked = "Ping ACK GetAppInfo "
	for _, c := range []struct{ script, want string }{
		{"ACK pong READY ACK info READY", asked + "ACK end:" + testSerial},
		{"pong +2000 info +2000", "Ping ACK warn:no_eot GetAppInfo ACK warn:no_eot end:" + testSerial},
		{"+7000", "Ping end:!no_ack"},
		{"BUSY +1000", "Ping end:!busy"},
		{"ACK READY", "Ping end:!ended"},
		{"ACK nopong +10000", "Ping ACK end:!no_answer"},
		{"ACK pong READY ACK blank +10000", asked + "ACK end:!no_answer"},
		{"lost", "Ping end:!unplugged"},
		{"ACK pong READY lost", asked + "end:!unplugged"},
		{"ACK pong lost", asked[:len("Ping ACK ")] + "end:!unplugged"},
		{"ACK other pong READY ACK info READY", "Ping stray:approved/approved=15000+ACK ACK GetAppInfo ACK end:" + testSerial},
		{"ACK leakelse", "Ping alarm:pan_leak ACK end:!pan_leak"},
		{"cancel ACK cancel pong READY ACK info READY", asked + "ACK end:" + testSerial},
	} {
		if got := terminaltest.Play(t, &scripted{Machine: mustDriver(t, nil).Handshake()}, c.script, language()); got != c.want {
			t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"+1000", "end:"},
		{"+900 noise +900 noise +200", "end:"}, // the limit of draining
		{"other READY +1000", "stray:approved/approved=15000+ACK end:"},
		{"other other +1000", "stray:approved/approved=15000+ACK stray:approved/approved=15000+ACK end:"},
		{"otherno +1000", "stray:cancelled/aborted+ACK end:"},
		{"otherdup +1000", "ACK end:"},
		{"cancel! +1000", "ACK end:"},
		{"ACK BUSY NAK READY garbage what +1000", "end:"},
		{"found +1000", "ACK end:"},
		{"leakelse +1000", "alarm:pan_leak ACK end:"},
		{"head lost", "end:"},
	} {
		if got := terminaltest.Play(t, &scripted{Machine: mustDriver(t, nil).Listen()}, c.script, language()); got != c.want {
			t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	const clear = "show:checking CancelTransaction "
	const idle = clear + "Ping ACK GetAppInfo ACK GetBatchDetails "
	const there = "ACK +1000 ACK pong READY ACK info READY "
	const again = "ACK GetBatchDetails ACK "
	twice := func(words string) string { return there + "ACK " + words + " READY +10000 ACK " + words + " READY" }
	for _, c := range []struct{ name, script, want string }{
		{"found", there + "ACK found READY", idle + "ACK end:approved/approved=15000"},
		{"found in part", there + "ACK foundpart READY", idle + "ACK end:partial/partial=9000"},
		{"found without a status", there + "ACK foundbare READY", idle + "ACK end:approved/approved=15000"},
		{"another amount", there + "ACK foundless READY", idle + "ACK end:in_doubt/mismatch=16000"},
		{"another kind", there + "ACK foundkind READY", idle + "ACK end:in_doubt/mismatch"},
		{"the reference stands elsewhere", there + "ACK foundby READY", idle + "ACK end:in_doubt/mismatch"},
		{"declined by the bank", there + "ACK foundno READY", idle + "ACK end:in_doubt/mismatch"},
		{"voided at the terminal", there + "ACK foundvoid READY", idle + "ACK end:in_doubt/voided"},
		{"a status that nobody knows", there + "ACK foundodd READY", idle + "ACK end:in_doubt/unproven"},
		{"stored only", there + "ACK foundsaf READY", idle + "ACK end:in_doubt/bank_lost"},
		{"two records", there + "ACK twice READY", idle + "ACK end:in_doubt/mismatch"},
		{"found on the second look", there + "ACK older READY +10000 ACK found READY", idle + again + "end:approved/approved=15000"},
		{"not there, all are older", twice("older"), idle + again + "end:not_charged/record_not_found/newest_record_older"},
		{"not there, one is newer", twice("newer"), idle + again + "end:in_doubt/unproven"},
		{"not there, one has no reference", twice("nameless"), idle + again + "end:in_doubt/unproven"},
		{"no records", twice("empty"), idle + again + "end:not_charged/record_not_found/no_records"},
		{"no records, as a failure", twice("emptyno"), idle + again + "end:not_charged/record_not_found/no_records"},
		{"fewer records than it says", twice("short"), idle + again + "end:in_doubt/unproven"},
		{"in two messages", there + "ACK half rest READY +10000 ACK half rest READY",
			idle + "ACK ACK GetBatchDetails ACK ACK end:not_charged/record_not_found/newest_record_older"},
		{"found in the second message", there + "ACK half found READY", idle + "ACK ACK end:approved/approved=15000"},
		{"the second message does not come", there + "ACK half +15000 ACK half +15000 ACK half +15000",
			idle + "ACK GetBatchDetails ACK GetBatchDetails ACK end:in_doubt/no_answer"},
		{"the terminal cannot look up", there + "ACK refusal READY", idle + "ACK end:in_doubt/unproven"},
		{"busy", "+1000 BUSY +1000 BUSY +1000 BUSY +1000", clear + "Ping Ping Ping end:in_doubt/busy"},
		{"an answer from before is none", there + "stale ACK found READY", idle + "ACK ACK end:approved/approved=15000"},
		{"an answer before ACK is none", there + "found ACK found READY", idle + "ACK ACK end:approved/approved=15000"},
		{"our own late answer", "ok READY +1000", clear + "stray:approved/approved=15000+ACK end:approved/approved=15000"},
		{"our own late answer, a part", "part READY +1000", clear + "stray:approved/approved=9000+ACK end:partial/partial=9000"},
		{"our own late answer, an unclear part", "partdue READY +1000 ACK pong READY ACK info READY ACK found READY",
			clear + "stray:in_doubt/mismatch+ACK Ping ACK GetAppInfo ACK GetBatchDetails ACK end:approved/approved=15000"},
		{"our own late refusal", "aborted READY +1000", clear + "stray:cancelled/aborted+ACK end:cancelled/aborted"},
		{"our own late answer while waiting", there + "ACK older READY +5000 ok +5000",
			idle + "ACK stray:approved/approved=15000+ACK end:approved/approved=15000"},
		{"lost while clearing", "lost", clear + "end:in_doubt/unplugged"},
		{"lost while asking", there + "ACK lost", idle + "end:in_doubt/unplugged"},
		{"lost after the listing", there + "ACK older lost", idle + "ACK end:in_doubt/unplugged"},
		{"lost while waiting", there + "ACK older READY lost", idle + "ACK end:in_doubt/unplugged"},
		{"another terminal is not asked", "+1000 ACK pong READY ACK foreign READY",
			clear + "Ping ACK GetAppInfo ACK alarm:substitution end:in_doubt/substitution"},
		{"a card number", there + "ACK leakelse", idle + "alarm:pan_leak ACK end:in_doubt/pan_leak"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustDriver(t, nil).Lookup(protocol.Question{Ref: testRef, Kind: protocol.Sale, Amount: 15000, Serial: testSerial})
			if got := terminaltest.Play(t, &scripted{Machine: m}, c.script, language()); got != c.want {
				t.Errorf("script %s\n got %s\nwant %s", c.script, got, c.want)
			}
		})
	}
	t.Run("a model whose listing proves nothing", func(t *testing.T) {
		d := mustDriver(t, func(p *protocol.Profile) { p.Lookup.Proof = false })
		m := d.Lookup(protocol.Question{Ref: testRef, Kind: protocol.Sale, Amount: 15000})
		want := idle + again + "end:in_doubt/unproven"
		if got := terminaltest.Play(t, &scripted{Machine: m}, twice("older"), language()); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestCommandsThatAreRefused(t *testing.T) {
	good := protocol.Command{Kind: protocol.Sale, Ref: testRef, Amount: 1}
	for name, spoil := range map[string]func(*protocol.Command){
		"no reference":              func(c *protocol.Command) { c.Ref = "" },
		"an amount above the limit": func(c *protocol.Command) { c.Amount = money.Max + 1 },
		"a quote in a field":        func(c *protocol.Command) { c.Invoice = `A"B` },
		"a void without a number":   func(c *protocol.Command) { c.Kind, c.OriginalTerminalRef = protocol.Void, "12" },
		"a refund without one":      func(c *protocol.Command) { c.Kind, c.OriginalTerminalRef = protocol.Refund, "12" },
	} {
		c := good
		spoil(&c)
		if _, err := mustDriver(t, nil).Money(c); err != protocol.ErrCommand {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mustDriver(t, nil).Money(good); err != nil {
		t.Errorf("the unspoilt command: %v", err)
	}
	forbidden := mustDriver(t, func(p *protocol.Profile) { p.Messages = []string{Ping, GetAppInfo, Sale, Cancel, GetBatch} })
	m, err := forbidden.Money(protocol.Command{Kind: protocol.Void, Ref: "1", Amount: 1, OriginalHostRef: "2"})
	if err != nil {
		t.Fatal(err)
	}
	if got := terminaltest.Play(t, m, "", language()); got != "show:sending end:not_sent/forbidden" {
		t.Errorf("a command that the profile does not have: %s", got)
	}
}

func TestProfilesThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*protocol.Profile){
		"no lookup":      func(p *protocol.Profile) { p.Messages = []string{Ping, GetAppInfo, Sale, Cancel} },
		"no time":        func(p *protocol.Profile) { p.Timers.Ack = 0 },
		"no second look": func(p *protocol.Profile) { p.Lookup.Again = 0 },
		"no answer":      func(p *protocol.Profile) { p.Timers.Answer = nil },
		"no frame":       func(p *protocol.Profile) { p.FrameMax = 0 },
		"huge a frame":   func(p *protocol.Profile) { p.FrameMax = 1 << 30 },
		"never sent":     func(p *protocol.Profile) { p.Retries.Send = 0 },
	} {
		p := testProfile()
		spoil(&p)
		if _, err := New(p); err != protocol.ErrProfile {
			t.Errorf("%s: %v", name, err)
		}
	}
}
