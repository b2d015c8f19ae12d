package upa

import (
	"time"

	"coffer/internal/terminal/protocol"
)

// needed are the messages without which no payment can be taken safely.
var needed = []string{Ping, GetAppInfo, Sale, Cancel, GetBatch}

// sizeMax is the longest message that a profile may let in: a listing of a long
// day has some hundred bytes for each payment.
const sizeMax = 4 << 20

type driver struct{ profile protocol.Profile }

// New returns the till's side of every conversation with terminals of this
// profile.
func New(p protocol.Profile) (protocol.Driver, error) {
	for _, m := range needed {
		if !p.Allows(m) {
			return nil, protocol.ErrProfile
		}
	}
	t := p.Timers
	limits := []protocol.Millis{t.Ack, t.Byte, t.EOT, t.Settle, t.Cancel, t.Whole, t.Quiet, t.Drain, p.Lookup.Again}
	for _, m := range p.Messages {
		if m != Cancel {
			limits = append(limits, t.Answer[m])
		}
	}
	for _, limit := range limits {
		if limit <= 0 {
			return nil, protocol.ErrProfile
		}
	}
	if p.FrameMax <= 0 || p.FrameMax > sizeMax || p.Retries.Send < 1 {
		return nil, protocol.ErrProfile
	}
	return driver{p}, nil
}

func (d driver) exchange() exchange {
	return exchange{link: link{profile: d.profile, dec: NewDecoder(d.profile.FrameMax)}}
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

// Money is protocol.Driver's. A void or a refund must name the processor's
// number of the original.
func (d driver) Money(c protocol.Command) (protocol.Machine, error) {
	if !c.Sendable() || c.Kind != protocol.Sale && c.OriginalHostRef == "" {
		return nil, protocol.ErrCommand
	}
	m := &moneyTalk{exchange: d.exchange(), cmd: c}
	m.role, m.money = m, true
	return m, nil
}

// Lookup is protocol.Driver's.
func (d driver) Lookup(q protocol.Question) protocol.Machine {
	m := &lookup{exchange: d.exchange(), ask: q}
	m.role = m
	return m
}

// silent is the part of a role that has nothing to do with money.
type silent struct{}

func (silent) stray(protocol.Outcome) {}

func (silent) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

// handshake is Ping, then GetAppInfo.
type handshake struct {
	exchange
	silent
	device protocol.Device
}

func (m *handshake) Start(now time.Time) []protocol.Action {
	m.begin(now, Request{Command: Ping, ID: m.next(now)}, protocol.Write)
	return m.flush()
}

func (m *handshake) take(_ time.Time, r Reply, _ bool) (protocol.Action, bool) {
	if r.Result != Success || r.Command == GetAppInfo && r.Device.Serial == "" {
		return protocol.Action{}, false
	}
	m.device = m.deviceOf(r)
	return protocol.Action{Do: protocol.Write}, true
}

func (m *handshake) done(now time.Time) {
	if m.want == Ping {
		m.begin(now, Request{Command: GetAppInfo, ID: m.next(now)}, protocol.Write)
		return
	}
	m.do(protocol.Action{Do: protocol.End, Device: m.device})
}

func (m *handshake) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

// deviceOf returns what is kept of the answer to GetAppInfo. A terminal does not
// say which model it is.
func (l *link) deviceOf(r Reply) protocol.Device {
	return protocol.Device{Serial: protocol.Clean(r.Device.Serial, 32), OS: protocol.Clean(r.Device.OS, 32), App: protocol.Clean(r.Device.App, 32)}
}

// listen takes what comes unasked.
type listen struct {
	exchange
	silent
}

func (m *listen) Start(now time.Time) []protocol.Action {
	m.drain(now)
	return m.flush()
}

func (m *listen) take(time.Time, Reply, bool) (protocol.Action, bool) {
	return protocol.Action{}, false
}

func (m *listen) done(time.Time) { m.do(protocol.Action{Do: protocol.End}) }

func (m *listen) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

// moneyTalk is Sale, Void or Refund, and its answer.
type moneyTalk struct {
	exchange
	cmd protocol.Command
	end protocol.Outcome
}

func (m *moneyTalk) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepSending)
	c := m.cmd
	m.begin(now, Request{
		Command: commandOf(c.Kind), ID: c.Ref, Ref: c.Ref, Amount: c.Amount,
		HostRef: c.OriginalHostRef, Duplicate: c.AllowDuplicate,
	}, protocol.Sending)
	return m.flush()
}

// take accepts the answer that bears our reference as its requestId. It proves
// that the command has arrived, whether the terminal's ACK did or not.
func (m *moneyTalk) take(_ time.Time, r Reply, _ bool) (protocol.Action, bool) {
	m.end = outcomeOf(m.profile, r, m.cmd.Kind, m.cmd.Amount)
	return m.persist(), true
}

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
	if m.state == awaitReady {
		return protocol.Action{Do: protocol.Write} // the answer is already kept
	}
	m.end = m.doubt(protocol.ReasonLeak)
	return m.persist()
}
