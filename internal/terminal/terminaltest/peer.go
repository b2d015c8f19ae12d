package terminaltest

import (
	"time"

	"pgregory.net/rapid"

	"coffer/internal/pan"
	"coffer/internal/terminal/protocol"
)

// word is something that a terminal may say.
type word struct {
	bytes  []byte
	ack    bool    // it says that the command has been taken
	denial bool    // it says that it has not
	answer *Answer // it is an answer, or a record
}

// words returns what a terminal may say to a command; records are of a look-up.
func (k Kit) words(records bool) []word {
	var list []word
	if k.Ack != nil {
		list = append(list, word{bytes: k.Ack, ack: true})
	}
	for _, b := range k.Denials {
		list = append(list, word{bytes: b, denial: true})
	}
	for _, b := range k.Chatter {
		list = append(list, word{bytes: b})
	}
	if k.GivenUp != nil {
		list = append(list, word{bytes: k.GivenUp, answer: &Answer{Cancels, k.Command.Ref, k.Command.Kind, 0}})
	}
	for _, a := range k.answers() {
		if b := k.Answer(a); b != nil {
			list = append(list, word{bytes: b, answer: &a})
		}
		if b := k.Record(a); records && b != nil {
			list = append(list, word{bytes: b, answer: &a})
		}
	}
	for _, b := range k.Lookup {
		list = append(list, word{bytes: b})
	}
	return list
}

// answers returns every kind of answer: right, and wrong in one thing.
func (k Kit) answers() []Answer {
	c := k.Command
	good := Answer{Approves, c.Ref, c.Kind, c.Amount}
	list := []Answer{good}
	change := func(edit func(*Answer)) {
		a := good
		edit(&a)
		list = append(list, a)
	}
	change(func(a *Answer) { a.Amount = c.Amount / 2 })
	change(func(a *Answer) { a.Amount = c.Amount + 1 })
	change(func(a *Answer) { a.Amount = 0 })
	change(func(a *Answer) { a.Ref = "7" })
	change(func(a *Answer) { a.Ref = "" })
	change(func(a *Answer) { a.Kind = protocol.Refund })
	change(func(a *Answer) { a.Kind = protocol.Void })
	for _, s := range []Says{Declines, Cancels, Unknown} {
		change(func(a *Answer) { a.Says, a.Amount = s, 0 })
	}
	return list
}

// failer is a test, or a rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// peer plays a terminal against a machine, and keeps what the machine does.
type peer struct {
	t    failer
	kit  Kit
	m    protocol.Machine
	from time.Time
	now  time.Time

	did      []protocol.Action
	over     bool
	end      protocol.Action
	durable  *protocol.Outcome // by the last Persist
	sends    int               // that the command was written
	sending  bool              // Sending has been asked for
	answered bool              // something has come that may be an answer
	taken    bool              // the terminal has said that it has the command
	given    []Answer          // that have come whole
	alarms   []protocol.Reason
}

func (k Kit) play(t failer, m protocol.Machine) *peer {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	p := &peer{t: t, kit: k, m: m, from: start, now: start}
	p.take(m.Start(p.now))
	return p
}

// say lets a word come in.
func (p *peer) say(w word) []protocol.Action {
	p.t.Helper()
	if p.over {
		return nil // nobody hears it
	}
	p.answered = p.answered || !w.denial && len(w.bytes) > 0
	p.taken = p.taken || w.ack || w.answer != nil && w.answer.Ref == p.kit.Command.Ref
	if w.answer != nil {
		p.given = append(p.given, *w.answer)
	}
	return p.take(p.m.Receive(p.now, w.bytes))
}

// pass lets time pass, with a Tick at each deadline, until d is over or the
// conversation is.
func (p *peer) pass(d time.Duration) {
	p.t.Helper()
	end := p.now.Add(d)
	for range 10_000 {
		by := p.m.Deadline()
		if p.over || by.IsZero() || by.After(end) {
			p.now = end
			return
		}
		if by.After(p.now) {
			p.now = by
		}
		p.take(p.m.Tick(p.now))
	}
	p.t.Fatalf("Tick at the deadline changes nothing: a busy loop")
}

// finish lets time pass until the conversation is over.
func (p *peer) finish(limit time.Duration) {
	p.t.Helper()
	for range 10_000 {
		if p.over {
			break
		}
		by := p.m.Deadline()
		if by.IsZero() {
			p.t.Fatalf("the conversation waits for ever")
		}
		p.pass(max(by.Sub(p.now), 0))
	}
	if took := p.now.Sub(p.from); !p.over || took > limit {
		p.t.Fatalf("the conversation lasted %v, over is %v; it may take %v", took, p.over, limit)
	}
}

func (p *peer) take(actions []protocol.Action) []protocol.Action {
	p.t.Helper()
	for _, a := range actions {
		if p.over {
			p.t.Fatalf("an action after the end: %+v", a)
		}
		p.did = append(p.did, a)
		p.watch(a)
	}
	if p.over && !p.m.Deadline().IsZero() {
		p.t.Fatalf("there is a deadline after the end")
	}
	return actions
}

// watch holds one action to what is true of every conversation.
func (p *peer) watch(a protocol.Action) {
	p.t.Helper()
	if len(a.Bytes) > 0 && p.kit.Moves(a.Bytes) {
		p.sends++
		switch {
		case a.Do != protocol.Sending && !p.sending:
			p.t.Fatalf("money is moved before the attempt is durable: %v", a.Do)
		case a.Do == protocol.Sending && p.sending:
			p.t.Fatalf("the attempt is made durable twice")
		case p.answered:
			p.t.Fatalf("the command is written after something has answered it")
		case p.sends > p.kit.Sends:
			p.t.Fatalf("the command is written for the %d. time", p.sends)
		}
	}
	switch a.Do {
	case protocol.Sending:
		p.sending = true
	case protocol.Persist:
		if p.durable != nil {
			p.t.Fatalf("a second answer is kept: %+v", a.Outcome)
		}
		p.durable = &a.Outcome
		p.plain(a.Outcome)
	case protocol.Stray:
		p.plain(a.Outcome)
	case protocol.Alarm:
		p.alarms = append(p.alarms, a.Reason)
	case protocol.End:
		p.over, p.end = true, a
		p.plain(a.Outcome)
	}
}

// plain holds the texts of an outcome to what protocol promises of them.
func (p *peer) plain(o protocol.Outcome) {
	p.t.Helper()
	for _, s := range []string{o.Ref, o.DeviceCode, o.HostCode, o.HostText, o.AuthCode, o.HostRef, o.TerminalRef, o.Batch, o.At, o.Serial,
		o.Card.Brand, o.Card.LastFour, o.Card.EntryMode, o.EMV.AID, o.EMV.Label, o.EMV.TVR, o.EMV.TSI, o.EMV.IAD, o.EMV.ARC,
		o.EMV.Cryptogram, o.EMV.CVM, o.Evidence} {
		for _, c := range []byte(s) {
			if c < 0x20 || c > 0x7e || len(s) > 64 {
				p.t.Fatalf("%q is kept", s)
			}
		}
		if pan.In(s) {
			p.t.Fatalf("a card number is kept")
		}
	}
}

// concluded holds the end of a command to what has come.
func (p *peer) concluded() {
	p.t.Helper()
	o := p.end.Outcome
	c := p.kit.Command
	if p.durable != nil && o != *p.durable {
		p.t.Fatalf("it ends as %+v, and %+v was kept", o, *p.durable)
	}
	if o.Kind != c.Kind || o.Requested != c.Amount {
		p.t.Fatalf("the end is not the command's: %+v", o)
	}
	switch o.Result {
	case protocol.InDoubt:
	case protocol.NotSent:
		if p.taken || p.durable != nil {
			p.t.Fatalf("it was never sent, and the terminal had it")
		}
	case protocol.NotCharged:
		p.t.Fatalf("a command has no evidence of its own")
	default:
		if p.durable == nil {
			p.t.Fatalf("it ends %s, and that was not kept", o.Result)
		}
		p.backed(o)
	}
}

// backed holds an outcome to the answers that have come: one of them must say so.
func (p *peer) backed(o protocol.Outcome) {
	p.t.Helper()
	c := p.kit.Command
	says := map[protocol.Result]Says{
		protocol.Approved: Approves, protocol.Partial: Approves, protocol.Declined: Declines, protocol.Cancelled: Cancels,
	}
	for _, a := range p.given {
		moved := o.Result == protocol.Approved || o.Result == protocol.Partial
		switch {
		case a.Says != says[o.Result], a.Ref != c.Ref && (moved || a.Ref != ""):
		case moved && (o.Ref != c.Ref || a.Kind != c.Kind || a.Amount != o.Approved || o.Result == protocol.Approved && a.Amount != c.Amount):
		case o.Result == protocol.Partial && (a.Amount <= 0 || a.Amount >= c.Amount):
		default:
			return
		}
	}
	p.t.Fatalf("it ends %s (%v), and no answer said so: %+v", o.Result, o.Approved, p.given)
}

// improvise says something drawn: a word, parts of words with noise between
// them, silence; it calls off, or cuts the line.
func (p *peer) improvise(t *rapid.T, words []word) {
	p.t.Helper()
	switch rapid.IntRange(0, 12).Draw(t, "what comes") {
	case 0, 1, 2, 3, 4, 5:
		p.say(words[rapid.IntRange(0, len(words)-1).Draw(t, "word")])
	case 6:
		w := words[rapid.IntRange(0, len(words)-1).Draw(t, "cut word")]
		at := rapid.IntRange(1, len(w.bytes)).Draw(t, "at")
		p.say(word{bytes: w.bytes[:at], denial: w.denial, answer: w.answer}) // it may be whole already
		p.pass(rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, time.Second}).Draw(t, "gap"))
		w.bytes = w.bytes[at:]
		p.say(w)
	case 7:
		a, b := words[rapid.IntRange(0, len(words)-1).Draw(t, "one")], words[rapid.IntRange(0, len(words)-1).Draw(t, "other")]
		if a.denial || b.denial {
			p.say(a)
			p.say(b)
			return
		}
		if b.answer != nil {
			p.given = append(p.given, *b.answer)
		}
		p.say(word{bytes: append(append([]byte(nil), a.bytes...), b.bytes...), ack: a.ack || b.ack, answer: a.answer})
	case 8:
		p.say(word{bytes: rapid.SliceOfN(rapid.SampledFrom(p.kit.Noise), 1, 8).Draw(t, "noise")})
	case 9:
		p.take(p.m.Cancel(p.now))
	case 10:
		p.pass(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
	case 11:
		if by := p.m.Deadline(); by.After(p.now) {
			p.pass(by.Sub(p.now))
		}
	case 12:
		if rapid.IntRange(0, 3).Draw(t, "cut the line") == 0 {
			p.lose()
		}
	}
}

// lose takes the line away: that ends the conversation at once.
func (p *peer) lose() {
	p.t.Helper()
	p.take(p.m.Lost(p.now))
	if !p.over {
		p.t.Fatalf("the line is gone, and the conversation is not over")
	}
}
