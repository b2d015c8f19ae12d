package terminaltest

import (
	"testing"

	"pgregory.net/rapid"

	"coffer/internal/terminal/protocol"
)

// linesMax is how many things an improvised peer says.
const linesMax = 25

// testMoney plays improvised peers against a payment.
func (k Kit) testMoney(t *testing.T) {
	words := k.words(false)
	rapid.Check(t, func(t *rapid.T) {
		p := k.play(t, k.money(t))
		for range rapid.IntRange(0, linesMax).Draw(t, "lines") {
			if p.over {
				break
			}
			p.improvise(t, words)
		}
		p.finish(k.Whole)
		p.concluded()
	})
}

// testOrder: an attempt is durable before its first byte, and its answer before
// that is acknowledged.
func (k Kit) testOrder(t *testing.T) {
	p := k.play(t, k.money(t))
	var first *protocol.Action
	for _, a := range p.did {
		if len(a.Bytes) > 0 && first == nil {
			first = &a
		}
	}
	if first == nil || first.Do != protocol.Sending || !k.Moves(first.Bytes) {
		t.Fatalf("the first bytes are not those of a command that was made durable: %+v", first)
	}
	p.say(word{bytes: k.Ack, ack: true})
	for _, a := range p.say(word{bytes: k.Answer(k.answers()[0])}) {
		if a.Do != protocol.Persist && !k.Confirms(a.Bytes) {
			continue
		}
		if a.Do != protocol.Persist || a.Outcome.Result != protocol.Approved {
			t.Fatalf("an answer is acknowledged before it was kept: %+v", a)
		}
		if k.Confirms(a.Bytes) == (k.Ack == nil) {
			t.Fatalf("an answer is acknowledged where nothing is, or is not: %+v", a)
		}
		return
	}
	t.Fatal("an answer is not kept")
}

// testAnswers: each answer that is wrong in one thing is no approval, and one
// that is right is.
func (k Kit) testAnswers(t *testing.T) {
	c := k.Command
	for _, a := range k.answers() {
		b := k.Answer(a)
		if b == nil {
			continue
		}
		p := k.play(t, k.money(t))
		p.say(word{bytes: k.Ack, ack: true})
		p.say(word{bytes: b, answer: &a})
		p.finish(k.Whole)
		p.concluded()
		want := protocol.InDoubt
		switch {
		case a.Ref != c.Ref, a.Kind != c.Kind, a.Says == Unknown:
		case a.Says == Declines:
			want = protocol.Declined
		case a.Says == Cancels:
			want = protocol.Cancelled
		case a.Amount == c.Amount:
			want = protocol.Approved
		case a.Amount > 0 && a.Amount < c.Amount:
			want = protocol.Partial
		}
		if got := p.end.Outcome; got.Result != want {
			t.Errorf("%+v: %s (%s), want %s", a, got.Result, got.Reason, want)
		}
	}
}

// testLost takes the line away after each byte of a good conversation: before
// the answer is whole it is in doubt, after that it is what the answer says.
func (k Kit) testLost(t *testing.T) {
	conversation := append(append([]byte(nil), k.Ack...), k.Answer(k.answers()[0])...)
	doubts := 0
	for n := range len(conversation) + 1 {
		p := k.play(t, k.money(t))
		for _, c := range conversation[:n] {
			p.say(word{bytes: []byte{c}})
		}
		p.lose()
		got := p.end.Outcome.Result
		switch {
		case p.durable == nil && got == protocol.InDoubt:
			doubts++
		case p.durable != nil && got == protocol.Approved && doubts > len(k.Ack):
		default:
			t.Errorf("lost after %d bytes: %s (kept: %v)", n, got, p.durable)
		}
	}
	if doubts <= len(k.Ack) {
		t.Errorf("the line was lost %d times before the answer", doubts)
	}
}

// testSilence: nobody says anything, or only that the command has not come.
func (k Kit) testSilence(t *testing.T) {
	p := k.play(t, k.money(t))
	p.finish(k.Whole)
	if got := p.end.Outcome.Result; got != protocol.InDoubt {
		t.Errorf("no answer at all: %s", got)
	}
	p = k.play(t, k.money(t))
	p.say(word{bytes: k.Ack, ack: true})
	p.finish(k.Whole)
	if got := p.end.Outcome.Result; got != protocol.InDoubt {
		t.Errorf("no answer after ACK: %s", got)
	}
	for _, b := range k.Denials {
		p = k.play(t, k.money(t))
		for range 20 {
			if !p.over {
				p.say(word{bytes: b, denial: true})
			}
		}
		p.finish(k.Whole)
		p.concluded()
	}
	for name, m := range map[string]protocol.Machine{"a look-up": k.lookup(), "a handshake": k.machine(k.Driver.Handshake())} {
		p = k.play(t, m)
		p.finish(k.Ask)
		if p.end.Reason == protocol.ReasonNone && p.end.Outcome.Result != protocol.InDoubt {
			t.Errorf("%s that nobody answers ends: %+v", name, p.end)
		}
	}
}

// testLookup plays improvised peers against a look-up: it moves no money, and
// believes only what agrees with the question.
func (k Kit) testLookup(t *testing.T) {
	words := k.words(true)
	rapid.Check(t, func(t *rapid.T) {
		p := k.play(t, k.lookup())
		if rapid.Bool().Draw(t, "idle") {
			p.pass(p.m.Deadline().Sub(p.now)) // nothing was running
			for _, b := range k.Before {
				p.say(word{bytes: b})
			}
		}
		for range rapid.IntRange(0, 2*linesMax).Draw(t, "lines") {
			if p.over {
				break
			}
			p.improvise(t, words)
		}
		p.finish(k.Ask)
		p.harmless()
		switch o := p.end.Outcome; o.Result {
		case protocol.InDoubt:
			if o.Reason == protocol.ReasonNone {
				t.Fatalf("in doubt, and nobody knows why")
			}
		case protocol.NotCharged:
			if o.Evidence == "" || o.Ref != k.Command.Ref {
				t.Fatalf("not charged without evidence: %+v", o)
			}
		case protocol.Duplicate, protocol.NotSent:
			t.Fatalf("a look-up ends %s", o.Result)
		default:
			p.backed(o)
		}
	})
}

// testUnasked plays improvised peers against a handshake, and against a till
// that only listens.
func (k Kit) testUnasked(t *testing.T) {
	words := k.words(true)
	rapid.Check(t, func(t *rapid.T) {
		m := k.Driver.Listen()
		if rapid.Bool().Draw(t, "handshake") {
			m = k.Driver.Handshake()
		}
		p := k.play(t, k.machine(m))
		for range rapid.IntRange(0, linesMax).Draw(t, "lines") {
			if p.over {
				break
			}
			p.improvise(t, words)
		}
		p.finish(k.Ask)
		p.harmless()
	})
}

// harmless holds a conversation to moving no money.
func (p *peer) harmless() {
	p.t.Helper()
	for _, a := range p.did {
		switch {
		case len(a.Bytes) > 0 && p.kit.Moves(a.Bytes):
			p.t.Fatalf("a message that moves money is written")
		case a.Do == protocol.Sending, a.Do == protocol.Persist, a.Do == protocol.Acked:
			p.t.Fatalf("an action of a command: %v", a.Do)
		}
	}
}

// testLeaks: card data raises the alarm in every conversation, before the
// message is acknowledged, and ends a payment in doubt.
func (k Kit) testLeaks(t *testing.T) {
	c := k.Command
	for _, says := range []Says{Leaks, Elsewhere} {
		b := k.Answer(Answer{says, c.Ref, c.Kind, c.Amount})
		for name, m := range map[string]protocol.Machine{
			"a payment": k.money(t), "a look-up": k.lookup(), "listening": k.machine(k.Driver.Listen()), "a handshake": k.machine(k.Driver.Handshake()),
		} {
			p := k.play(t, m)
			if name == "a payment" {
				p.say(word{bytes: k.Ack, ack: true})
			}
			for _, a := range p.say(word{bytes: b}) {
				if k.Confirms(a.Bytes) && len(p.alarms) == 0 {
					t.Errorf("%s: acknowledged before the alarm", name)
				}
			}
			p.finish(k.Whole)
			if len(p.alarms) == 0 || p.alarms[0] != protocol.ReasonLeak {
				t.Errorf("%s: no alarm (%v)", name, p.alarms)
			}
			if name == "a payment" && (p.end.Outcome.Result != protocol.InDoubt || p.end.Outcome.Reason != protocol.ReasonLeak) {
				t.Errorf("%s ends %+v", name, p.end.Outcome)
			}
		}
	}
}
