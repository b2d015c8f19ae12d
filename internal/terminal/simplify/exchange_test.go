package simplify

import (
	"strings"
	"testing"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
	"coffer/internal/terminal/terminaltest"
)

type row struct{ name, script, want string }

func check(t *testing.T, line Line, first string, machine func(t *testing.T) protocol.Machine, rows []row) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			want := strings.TrimSpace(first + " " + c.want)
			if got := terminaltest.Play(t, machine(t), c.script, language(t, line)); got != want {
				t.Errorf("script %s\n got %s\nwant %s", c.script, got, want)
			}
		})
	}
}

const (
	taken    = "acked show:present "
	approved = "persist:approved/approved=15000+ACK show:result end:approved/approved=15000"
)

// TestSaleSerial has every branch of a payment's conversation on a serial line.
func TestSaleSerial(t *testing.T) {
	sale := func(t *testing.T) protocol.Machine { return command(t, Serial, testCommand()) }
	check(t, Serial, "show:sending sending:02", sale, []row{
		{"approved", "ACK ok", taken + approved},
		{"approved, in two pieces", "ACK head tail", taken + approved},
		{"a part only", "ACK part", taken + "persist:partial/partial=9000+ACK show:result end:partial/partial=9000"},
		{"declined", "ACK decline", taken + "persist:declined/no_funds+ACK show:result end:declined/no_funds"},
		{"no card", "ACK timeout", taken + "persist:cancelled/card_timeout+ACK show:result end:cancelled/card_timeout"},
		{"the red key", "ACK red", taken + "persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"busy", "ACK busy", taken + "persist:declined/busy+ACK show:result end:declined/busy"},
		{"the gateway says duplicate", "ACK dup", taken + "persist:in_doubt/duplicate_host+ACK show:result end:in_doubt/duplicate_host"},
		{"no gateway", "ACK nohost", taken + "persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"the gateway lost the bank", "ACK switch", taken + "persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"stand-in", "ACK standin", taken + "persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"the chip undid an approval", "ACK chip", taken + "persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"words of the PIN pad that are new", "ACK new", taken + "persist:in_doubt/unknown_code+ACK show:result end:in_doubt/unknown_code"},
		{"a code that is new", "ACK strange", taken + "persist:in_doubt/unknown_code+ACK show:result end:in_doubt/unknown_code"},
		{"success in other words", "ACK odd", taken + "persist:in_doubt/mismatch+ACK show:result end:in_doubt/mismatch"},
		{"approved for more than was asked", "ACK over", taken + "persist:in_doubt/mismatch=15001+ACK show:result end:in_doubt/mismatch=15001"},
		{"approved for no amount", "ACK noamount", taken + "persist:in_doubt/mismatch+ACK show:result end:in_doubt/mismatch"},
		{"approved for what is no amount", "ACK badamount", taken + "persist:in_doubt/mismatch+ACK show:result end:in_doubt/mismatch"},

		{"NAK, then taken", "NAK ACK ok", "02 " + taken + approved},
		{"NAK three times: it never got through", "NAK NAK NAK", "02 02 end:not_sent/line_noise"},
		{"NAK after a silence: an earlier one may have got through", "+3000 NAK NAK", "02 02 end:in_doubt/no_ack"},
		{"no ACK: sent again, at most three times", "+3000 +3000 +3000", "02 02 end:in_doubt/no_ack"},
		{"no ACK, then one", "+3000 ACK ok", "02 " + taken + approved},
		{"declined, and the terminal may have got it twice", "+3000 ACK decline",
			"02 " + taken + "persist:in_doubt/no_ack+ACK show:result end:in_doubt/no_ack"},
		{"busy, and the terminal may have got it twice", "+3000 ACK busy",
			"02 " + taken + "persist:in_doubt/no_ack+ACK show:result end:in_doubt/no_ack"},
		{"declined after a NAK: it got it once", "NAK ACK decline",
			"02 " + taken + "persist:declined/no_funds+ACK show:result end:declined/no_funds"},
		{"after ACK it is never sent again", "ACK +100000 NAK", strings.TrimSpace(taken)},
		{"after noise it is never sent again", "noise +3000 +3000 NAK", ""},
		{"after an EOT it is never sent again", "EOT +3000 +3000 NAK", ""},
		{"after the start of a frame it is never sent again", "head +450 +100 +3000", "NAK"},
		{"a reply without ACK is one with ACK", "ok", approved},

		{"bad check byte", "ACK bad ok", taken + "NAK " + approved},
		{"bad check byte three times, then good", "ACK bad bad bad ok", taken + "NAK NAK NAK " + approved},
		{"bad check byte four times", "ACK bad bad bad bad", taken + "NAK NAK NAK end:in_doubt/damaged"},
		{"a frame that stops", "ACK head +500 ok", taken + "NAK " + approved},
		{"a frame that is no message", "ACK garbage ok", taken + "NAK " + approved},
		{"a frame without its EOT", "ACK unended ok", taken + "NAK " + approved},
		{"status messages", "ACK tap work mute ok", taken + "ACK show:present ACK show:processing ACK " + approved},
		{"a status message restarts the wait", "ACK +170000 work +60000 ok", taken + "ACK show:processing " + approved},
		{"reports for ever end at the hard limit", "ACK +170000 work +70000 work +15000",
			taken + "ACK show:processing 80 show:cancelling ACK end:in_doubt/no_answer"},
		{"a late answer to another", "ACK other ok", taken + "stray:approved/approved=15000+ACK " + approved},
		{"an answer without reference", "ACK noref ok", taken + "ACK " + approved},
		{"an answer of another type is a late one", "ACK returned ok", taken + "stray:approved/approved=15000+ACK " + approved},

		{"no answer: cancelled, and then known", "ACK +180000 ACK ok", taken + "80 show:cancelling " + approved},
		{"no answer at all", "ACK +180000 +15000", taken + "80 show:cancelling end:in_doubt/no_answer"},
		{"cancelled, and the gateway knows nothing", "ACK cancel ACK cancelled ACK none",
			taken + "80 show:cancelling ACK 22 persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"cancelled, and no card was read", "ACK cancel ACK cancelled ACK nomatch",
			taken + "80 show:cancelling ACK 22 persist:cancelled/aborted+ACK show:result end:cancelled/aborted"},
		{"cancelled, and yet approved", "ACK cancel ACK cancelled ACK ok", taken + "80 show:cancelling ACK 22 " + approved},
		{"cancelled, and the gateway is away", "ACK cancel ACK cancelled ACK asklost",
			taken + "80 show:cancelling ACK 22 persist:in_doubt/bank_lost+ACK show:result end:in_doubt/bank_lost"},
		{"cancelled, and nothing more is heard", "ACK cancel ACK cancelled ACK +30000",
			taken + "80 show:cancelling ACK 22 end:in_doubt/no_answer"},
		{"cancelled after a repetition, and the gateway knows nothing", "+3000 ACK cancel ACK cancelled ACK none",
			"02 " + taken + "80 show:cancelling ACK 22 persist:in_doubt/no_ack+ACK show:result end:in_doubt/no_ack"},
		{"cancelled too late", "ACK cancel ACK toolate ok", taken + "80 show:cancelling ACK " + approved},
		{"a wish before the ACK", "cancel ACK ok", "acked show:present 80 show:cancelling " + approved},
		{"two wishes at once", "ACK cancel cancel ok", taken + "80 show:cancelling " + approved},
		{"a Cancel that is refused", "ACK cancel NAK ok", taken + "80 show:cancelling 80 show:cancelling " + approved},
		{"a cancelled that nobody asked for", "ACK cancelled ok", taken + "ACK " + approved},

		{"lost before ACK", "lost", "end:in_doubt/unplugged"},
		{"lost while waiting", "ACK lost", taken + "end:in_doubt/unplugged"},
		{"lost inside the answer", "ACK head lost", taken + "end:in_doubt/unplugged"},
		{"a card number in the answer", "ACK leak", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number in the words", "ACK textleak", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a card number in a late answer", "ACK strayleak", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
		{"a whitelist card", "ACK white", taken + "alarm:pan_leak persist:in_doubt/pan_leak+ACK end:in_doubt/pan_leak"},
	})
}

// TestSaleTCP: nothing is acknowledged, nothing sent again, nothing asked again.
func TestSaleTCP(t *testing.T) {
	sale := func(t *testing.T) protocol.Machine { return command(t, TCP, testCommand()) }
	const good = "persist:approved/approved=15000+ show:result end:approved/approved=15000"
	check(t, TCP, "show:sending sending:02 show:present", sale, []row{
		{"approved", "ok", good},
		{"in two pieces, with a pause", "head +2000 tail", good},
		{"it stops", "head +3000", "end:in_doubt/damaged"},
		{"no message", "garbage", "end:in_doubt/damaged"},
		{"status and a late answer to another", "work other ok", "show:processing stray:approved/approved=15000+ " + good},
		{"a silence", "+30000", ""},
		{"no answer at all", "+180000 +15000", "80 show:cancelling end:in_doubt/no_answer"},
		{"cancelled", "cancel cancelled none", "80 show:cancelling 22 persist:cancelled/aborted+ show:result end:cancelled/aborted"},
		{"declined", "decline", "persist:declined/no_funds+ show:result end:declined/no_funds"},
		{"a card number", "leak", "alarm:pan_leak persist:in_doubt/pan_leak+ end:in_doubt/pan_leak"},
		{"lost", "lost", "end:in_doubt/unplugged"},
	})
}

func TestVoid(t *testing.T) {
	void := func(t *testing.T) protocol.Machine {
		return command(t, Serial, protocol.Command{Kind: protocol.Void, Ref: testRef, Amount: 15000, OriginalRef: "100000000007"})
	}
	check(t, Serial, "show:sending sending:11(100000000007)", void, []row{
		{"done", "ACK void", taken + approved},
		{"done, before the ACK: perhaps an earlier one", "void ACK void", "ACK " + taken + approved},
		{"nothing to void", "ACK voidno", taken + "persist:declined/original_unknown+ACK show:result end:declined/original_unknown"},
		{"a late answer of the sale", "ACK stands void", taken + "stray:approved/approved=15000+ACK " + approved},
	})
}

func TestHandshake(t *testing.T) {
	shake := func(t *testing.T) protocol.Machine { return mustDriver(t, Serial).Handshake() }
	check(t, Serial, "73(1)", shake, []row{
		{"the echo names no device", "ACK echo ACK nothing", "ACK 22(1) ACK end:284431938"},
		{"the echo names the device", "ACK echosn", "ACK end:284431938"},
		{"nobody is there", "+3000 +3000 +3000", "73(1) 73(1) end:!no_ack"},
		{"no answer", "ACK +10000", "end:!no_answer"},
		{"no answer to the inquiry", "ACK echo ACK +30000", "ACK 22(1) end:!no_answer"},
		{"lost", "lost", "end:!unplugged"},
		{"a late answer", "ACK other echosn", "stray:approved/approved=15000+ACK ACK end:284431938"},
		{"a card number", "ACK strayleak", "alarm:pan_leak ACK end:!pan_leak"},
		{"a wish to cancel changes nothing", "cancel ACK cancel echosn", "ACK end:284431938"},
	})
}

func TestListen(t *testing.T) {
	listen := func(t *testing.T) protocol.Machine { return mustDriver(t, Serial).Listen() }
	check(t, Serial, "", listen, []row{
		{"quiet", "+1000", "end:"},
		{"noise up to the limit", "+900 noise +900 noise +200", "end:"},
		{"a late answer", "other +1000", "stray:approved/approved=15000+ACK end:"},
		{"a late refusal proves nothing", "decline +1000", "ACK end:"},
		{"a late void says nothing of itself", "void +1000", "ACK end:"},
		{"a status message", "work +1000", "ACK end:"},
		{"damaged, then good", "bad other +1000", "NAK stray:approved/approved=15000+ACK end:"},
		{"damaged for ever", "bad bad bad bad +1000", "NAK NAK NAK end:"},
		{"a card number", "strayleak +1000", "alarm:pan_leak ACK end:"},
		{"lost", "head lost", "end:"},
	})
}

// TestLookup is the normative inquiry.
func TestLookup(t *testing.T) {
	ask := func(t *testing.T) protocol.Machine {
		return mustDriver(t, Serial).Lookup(protocol.Question{Ref: testRef, Kind: protocol.Sale, Amount: 15000, Serial: testSerial})
	}
	const asked = "ACK 22 "
	check(t, Serial, "show:checking 80", ask, []row{
		{"approved", "ACK cancelled ACK ok", asked + "ACK end:approved/approved=15000"},
		{"approved in part", "ACK cancelled ACK part", asked + "ACK end:partial/partial=9000"},
		{"declined", "ACK cancelled ACK decline", asked + "ACK end:declined/no_funds/record_not_approved"},
		{"the gateway has no record", "ACK cancelled ACK none", asked + "ACK end:not_charged/record_not_found/host_no_record"},
		{"no record, but of which PIN pad", "ACK cancelled ACK noneof", asked + "ACK end:in_doubt/unproven"},
		{"another PIN pad is on the cable", "ACK cancelled ACK foreign", asked + "ACK alarm:substitution end:in_doubt/substitution"},
		{"the PIN pad has no account for it: no proof", "ACK cancelled ACK nomatch", asked + "ACK end:in_doubt/unproven"},
		{"the gateway is away three times", "ACK cancelled ACK asklost ACK asklost ACK asklost",
			asked + "ACK 22 ACK 22 ACK end:in_doubt/bank_lost"},
		{"the gateway is away, then there", "ACK cancelled ACK asklost ACK ok", asked + "ACK 22 ACK end:approved/approved=15000"},
		{"busy", "ACK cancelled ACK askbusy", asked + "ACK end:in_doubt/busy"},
		{"the command cannot be stopped any more", "ACK toolate", "ACK end:in_doubt/busy"},
		{"an answer that is new", "ACK cancelled ACK askwhat", asked + "ACK end:in_doubt/unknown_code"},
		{"an answer about another", "ACK cancelled ACK askother none", asked + "ACK ACK end:not_charged/record_not_found/host_no_record"},
		{"another amount", "ACK cancelled ACK over", asked + "ACK end:in_doubt/mismatch=15001"},
		{"another type", "ACK cancelled ACK returned", asked + "ACK end:in_doubt/mismatch"},
		{"voided at the PIN pad", "ACK cancelled ACK voided", asked + "ACK end:in_doubt/voided"},
		{"a rest from before is not the answer", "ACK cancelled none ACK ok", asked + "ACK ACK end:approved/approved=15000"},
		{"our own late answer", "ACK ok cancelled", "stray:approved/approved=15000+ACK ACK end:approved/approved=15000"},
		{"our own late answer, and silence", "ACK ok +10000", "stray:approved/approved=15000+ACK end:approved/approved=15000"},
		{"nobody answers", "+3000 +3000 +3000 +9000 +9000", "80 80 80 80 80 80 80 80 end:in_doubt/no_ack"},
		{"no answer to the inquiry", "ACK cancelled ACK +30000 ACK +30000 ACK +30000", asked + "22 22 end:in_doubt/no_answer"},
		{"lost", "ACK cancelled ACK lost", asked + "end:in_doubt/unplugged"},
		{"a card number", "ACK cancelled ACK leak", asked + "alarm:pan_leak ACK end:in_doubt/pan_leak"},
	})
	void := func(t *testing.T) protocol.Machine {
		return mustDriver(t, Serial).Lookup(protocol.Question{Ref: testRef, Kind: protocol.Void, Amount: 15000,
			OriginalRef: "100000000007", Serial: testSerial})
	}
	const askedVoid = "ACK 22(100000000007) "
	check(t, Serial, "show:checking 80(100000000007)", void, []row{
		{"void: done", "ACK voidgone ACK void", askedVoid + "ACK end:approved/approved=15000"},
		{"void: the sale still stands", "ACK voidgone ACK stands", askedVoid + "ACK end:not_charged/record_not_found/record_not_approved"},
		{"void: no record of either", "ACK voidgone ACK voidnone", askedVoid + "ACK end:not_charged/record_not_found/host_no_record"},
	})
	nonsense := func(t *testing.T) protocol.Machine {
		return mustDriver(t, Serial).Lookup(protocol.Question{Ref: testRef, Kind: protocol.Void, Amount: 15000})
	}
	check(t, Serial, "show:checking", nonsense, []row{{"a void of nothing", "", "end:in_doubt/forbidden"}})
}

func TestCommandsThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*protocol.Command){
		"no reference":                func(c *protocol.Command) { c.Ref = "" },
		"a padded reference":          func(c *protocol.Command) { c.Ref = "042" },
		"a long reference":            func(c *protocol.Command) { c.Ref = "1234567890123" },
		"no amount":                   func(c *protocol.Command) { c.Amount = 0 },
		"an amount above the limit":   func(c *protocol.Command) { c.Amount = money.Max + 1 },
		"a void without original":     func(c *protocol.Command) { c.Kind, c.OriginalHostRef = protocol.Void, "1" },
		"more healthcare than amount": func(c *protocol.Command) { c.Health.Dental = c.Amount + 1 },
		"negative healthcare":         func(c *protocol.Command) { c.Health = protocol.Health{Clinic: 100, Vision: -1} },
		"a refund of healthcare": func(c *protocol.Command) {
			c.Kind, c.OriginalRef, c.Health.Clinic = protocol.Refund, "7", 1
		},
		"another kind": func(c *protocol.Command) { c.Kind = "auth" },
	} {
		c := testCommand()
		spoil(&c)
		if _, err := mustDriver(t, Serial).Money(c); err != protocol.ErrCommand {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfilesThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*protocol.Profile, *Merchant){
		"no inquiry":       func(p *protocol.Profile, _ *Merchant) { p.Messages = []string{"02", "73", "80"} },
		"no time":          func(p *protocol.Profile, _ *Merchant) { p.Timers.Ack = 0 },
		"no limit":         func(p *protocol.Profile, _ *Merchant) { p.Timers.Whole = 0 },
		"no answer":        func(p *protocol.Profile, _ *Merchant) { p.Timers.Answer = nil },
		"no frame":         func(p *protocol.Profile, _ *Merchant) { p.FrameMax = 0 },
		"huge a frame":     func(p *protocol.Profile, _ *Merchant) { p.FrameMax = 1 << 30 },
		"never sent":       func(p *protocol.Profile, _ *Merchant) { p.Retries.Send = 0 },
		"no words":         func(p *protocol.Profile, _ *Merchant) { p.Lookup.NotFound = nil },
		"a line in a name": func(_ *protocol.Profile, m *Merchant) { m.Location = "RETL\r\n0003" },
	} {
		p, m := testProfile(), Merchant{}
		spoil(&p, &m)
		if _, err := New(p, Serial, m); err != protocol.ErrProfile {
			t.Errorf("%s: %v", name, err)
		}
	}
}
