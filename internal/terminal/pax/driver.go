package pax

import (
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// needed are the messages without which no payment can be taken safely.
var needed = []string{Initialise, Cancel, Credit, FindRecord}

// Line says what the conversation runs over.
type Line bool

// The two manners.
const (
	Serial Line = true  // each exchange ends with the terminal's EOT
	TCP    Line = false // it ends with our ACK
)

type driver struct {
	profile protocol.Profile
	line    Line
}

// New returns the till's side of every conversation with terminals of this
// profile.
func New(p protocol.Profile, line Line) (protocol.Driver, error) {
	for _, m := range needed {
		if !p.Allows(m) {
			return nil, protocol.ErrProfile
		}
	}
	t := p.Timers
	for _, limit := range []protocol.Millis{t.Ack, t.Byte, t.EOT, t.Settle, t.Cancel, t.Whole, t.Quiet, t.Drain,
		t.Answer[Initialise], t.Answer[Credit], t.Answer[FindRecord]} {
		if limit <= 0 {
			return nil, protocol.ErrProfile
		}
	}
	if p.FrameMax <= 0 || p.FrameMax > frame.SizeMax || p.Retries.Send < 1 || p.Version == "" {
		return nil, protocol.ErrProfile
	}
	return driver{p, line}, nil
}

func (d driver) exchange() exchange {
	return exchange{link: link{profile: d.profile}, eot: bool(d.line)}
}

// Handshake is protocol.Driver's.
func (d driver) Handshake() protocol.Machine {
	m := &handshake{exchange: d.exchange()}
	m.role = m
	return m
}

// Listen is protocol.Driver's.
func (d driver) Listen() protocol.Machine {
	m := &listen{exchange: d.exchange()}
	m.role = m
	return m
}

// Money is protocol.Driver's.
func (d driver) Money(c protocol.Command) (protocol.Machine, error) {
	if !c.Sendable() || c.Kind != protocol.Sale && c.OriginalHostRef+c.OriginalTerminalRef == "" {
		return nil, protocol.ErrCommand
	}
	m := &moneyTalk{exchange: d.exchange(), cmd: c}
	m.role, m.money = m, true
	return m, nil
}

// Lookup is protocol.Driver's.
func (d driver) Lookup(q protocol.Question) protocol.Machine {
	m := &lookup{exchange: d.exchange(), ref: q.Ref, kind: q.Kind, amount: q.Amount, serial: q.Serial}
	m.role = m
	return m
}

// handshake is A00 → A01.
type handshake struct {
	exchange
	device protocol.Device
}

func (m *handshake) Start(now time.Time) []protocol.Action {
	m.begin(now, bare(Initialise, m.profile.Version), "A01", protocol.Write)
	return m.flush()
}

func (m *handshake) take(_ time.Time, r Response, _ bool) (protocol.Action, bool) {
	d, err := ParseDevice(r)
	if err != nil || r.Code != CodeOK {
		return protocol.Action{}, false
	}
	m.device = d.device()
	return protocol.Action{Do: protocol.Write}, true
}

func (m *handshake) stray(protocol.Outcome) {}

func (m *handshake) done(time.Time) {
	m.do(protocol.Action{Do: protocol.End, Device: m.device})
}

func (m *handshake) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

func (m *handshake) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

// listen takes what comes unasked.
type listen struct{ exchange }

func (m *listen) Start(now time.Time) []protocol.Action {
	m.drain(now)
	return m.flush()
}

func (m *listen) take(time.Time, Response, bool) (protocol.Action, bool) {
	return protocol.Action{}, false
}

func (m *listen) stray(protocol.Outcome) {}

func (m *listen) done(time.Time) { m.do(protocol.Action{Do: protocol.End}) }

func (m *listen) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

func (m *listen) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

// moneyTalk is T00 → T01.
type moneyTalk struct {
	exchange
	cmd protocol.Command
	end protocol.Outcome
}

func (m *moneyTalk) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepSending)
	m.begin(now, Money{
		Type: typeOf(m.cmd.Kind), Amount: m.cmd.Amount, Ref: m.cmd.Ref, Invoice: m.cmd.Invoice,
		TerminalRef: m.cmd.OriginalTerminalRef, HostRef: m.cmd.OriginalHostRef,
		DupOverride: m.cmd.AllowDuplicate, ReportStatus: m.profile.Allows(Progress),
	}.Request(m.profile.Version), "T01", protocol.Sending)
	return m.flush()
}

// take accepts a reply that bears our reference; one without any reference,
// or about an original, only after the terminal has acknowledged the command:
// before that it may be the rest of an earlier conversation.
func (m *moneyTalk) take(_ time.Time, r Response, acked bool) (protocol.Action, bool) {
	reply, err := ParseMoneyReply(r)
	if err != nil {
		if !acked {
			return protocol.Action{}, false
		}
		m.end = m.doubt(protocol.ReasonMismatch)
		return m.persist(), true
	}
	about := reply.Code == CodeLocalDuplicate || reply.Code == CodeHostDuplicate
	if reply.Trace.Ref != m.cmd.Ref && (!acked || reply.Trace.Ref != "" && !about) {
		return protocol.Action{}, false
	}
	m.end = outcomeOf(reply.facts(), m.cmd.Kind, m.cmd.Amount)
	if reply.Trace.Ref == "" {
		m.end.Ref = ""
		if m.end.Result == protocol.Approved || m.end.Result == protocol.Partial {
			m.end.Result, m.end.Reason = protocol.InDoubt, protocol.ReasonMismatch
		}
	}
	if m.twice() && (m.end.Result == protocol.Declined || m.end.Result == protocol.Cancelled) {
		m.end.Result, m.end.Reason = protocol.InDoubt, protocol.ReasonNoAck
	}
	return m.persist(), true
}

// twice reports whether the terminal may have got the command more than once.
// Then a refusal may answer the first copy while the second waits for a card:
// only a lookup tells.
func (m *moneyTalk) twice() bool { return m.sends > m.denied+1 }

func (m *moneyTalk) persist() protocol.Action {
	return protocol.Action{Do: protocol.Persist, Outcome: m.end}
}

func (m *moneyTalk) doubt(why protocol.Reason) protocol.Outcome {
	return protocol.Outcome{Result: protocol.InDoubt, Kind: m.cmd.Kind, Ref: m.cmd.Ref, Requested: m.cmd.Amount, Reason: why}
}

func (m *moneyTalk) stray(protocol.Outcome) {}

func (m *moneyTalk) done(time.Time) { m.do(protocol.Action{Do: protocol.End, Outcome: m.end}) }

func (m *moneyTalk) failed(_ time.Time, why protocol.Reason, acted bool) {
	m.end = m.doubt(why)
	if !acted {
		m.end.Result = protocol.NotSent
	}
	m.do(protocol.Action{Do: protocol.End, Outcome: m.end})
}

func (m *moneyTalk) leaked(time.Time) protocol.Action {
	if m.state == awaitEOT {
		return protocol.Action{Do: protocol.Write} // the answer is already kept
	}
	m.end = m.doubt(protocol.ReasonLeak)
	return m.persist()
}
