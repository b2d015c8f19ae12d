package simplify

import (
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// needed are the messages without which no payment can be taken safely.
var needed = []string{TypeSale, TypeInquiry, TypeHealth, TypeCancel}

type driver struct {
	profile  protocol.Profile
	line     Line
	merchant Merchant
}

// New returns the till's side of every conversation with PIN pads of this
// profile.
func New(p protocol.Profile, line Line, merchant Merchant) (protocol.Driver, error) {
	t := p.Timers
	for _, m := range needed {
		if !p.Allows(m) || t.Answer[m] <= 0 {
			return nil, protocol.ErrProfile
		}
	}
	for _, limit := range []protocol.Millis{t.Ack, t.Byte, t.Cancel, t.Whole, t.Quiet, t.Drain} {
		if limit <= 0 {
			return nil, protocol.ErrProfile
		}
	}
	if !merchant.Valid() || p.FrameMax <= 0 || p.FrameMax > frame.SizeMax || p.Retries.Send < 1 || len(p.Lookup.NotFound) == 0 {
		return nil, protocol.ErrProfile
	}
	return driver{p, line, merchant}, nil
}

func (d driver) exchange() exchange {
	x := exchange{link: link{driver: d, dec: &frame.Decoder{}}}
	if d.line == TCP {
		x.dec = &Decoder{}
	}
	return x
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
	if !sendable(c) {
		return nil, protocol.ErrCommand
	}
	m := &moneyTalk{exchange: d.exchange(), cmd: c}
	m.role = m
	return m, nil
}

// Lookup is protocol.Driver's.
func (d driver) Lookup(q protocol.Question) protocol.Machine {
	m := &lookup{exchange: d.exchange(), question: q}
	m.role = m
	return m
}

// nobody is the reference of messages that belong to no command. The till's
// own references are never so short.
const nobody = "1"

// handshake asks whether Simplify is there, and which PIN pad it is. A Health
// message is echoed and need not name the device; then an inquiry about nothing
// is sent, whose reply does.
type handshake struct {
	exchange
	inquires bool
	device   protocol.Device
}

func (m *handshake) Start(now time.Time) []protocol.Action {
	m.begin(now, m.stamped(TypeHealth, nobody, now), protocol.Write)
	return m.flush()
}

func (m *handshake) take(_ time.Time, r Message) (protocol.Action, bool) {
	typ := r[FieldType]
	if r[FieldRef] != nobody || !m.inquires && typ != TypeHealth || m.inquires && typ != TypeInquiry {
		return protocol.Action{}, false
	}
	m.device.Serial = protocol.Word(r[FieldSerial], 32)
	return protocol.Action{Do: protocol.Write}, true
}

func (m *handshake) done(now time.Time) {
	if m.device.Serial == "" && !m.inquires {
		m.inquires = true
		about := protocol.Command{Kind: protocol.Sale, Ref: nobody, Amount: 1}
		m.begin(now, m.inquiry(about, now), protocol.Write)
		return
	}
	m.do(protocol.Action{Do: protocol.End, Device: m.device})
}

func (m *handshake) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

func (m *handshake) stopped(time.Time)                {}
func (m *handshake) stray(protocol.Outcome)           {}
func (m *handshake) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

// listen takes what comes unasked.
type listen struct{ exchange }

func (m *listen) Start(now time.Time) []protocol.Action {
	m.drain(now)
	return m.flush()
}

func (m *listen) take(time.Time, Message) (protocol.Action, bool) { return protocol.Action{}, false }

func (m *listen) done(time.Time) { m.do(protocol.Action{Do: protocol.End}) }

func (m *listen) failed(_ time.Time, why protocol.Reason, _ bool) {
	m.do(protocol.Action{Do: protocol.End, Reason: why})
}

func (m *listen) stopped(time.Time)                {}
func (m *listen) stray(protocol.Outcome)           {}
func (m *listen) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }
