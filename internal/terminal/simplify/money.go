package simplify

import (
	"time"

	"coffer/internal/terminal/protocol"
)

// moneyTalk is a command and its reply. A Cancel that the PIN pad says has
// worked is believed only after an inquiry has agreed: an approval may have been
// lost on its way.
type moneyTalk struct {
	exchange
	cmd       protocol.Command
	named     string // field 7 of the command: of a void, the original's
	repeated  bool   // the PIN pad may have got the command more than once
	verifying bool   // the command was cancelled, and the inquiry runs
	end       protocol.Outcome
}

func (m *moneyTalk) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepSending)
	r := m.compose(m.cmd, now)
	m.named = r[FieldRef]
	m.begin(now, r, protocol.Sending)
	return m.flush()
}

// take accepts a reply of the command's type that bears its reference. That of
// a void is not its own: on a line with ACKs such a reply counts only after the
// ACK, because before it may be the rest of an earlier conversation.
func (m *moneyTalk) take(_ time.Time, r Message) (protocol.Action, bool) {
	if r[FieldRef] != m.named {
		return protocol.Action{}, false
	}
	early := m.cmd.Kind == protocol.Void && m.line == Serial && !m.acked
	switch {
	case r[FieldType] == typeOf(m.cmd.Kind) && !early:
		m.end = outcomeOf(r, m.cmd.Kind, m.cmd.Amount)
	case r[FieldType] == TypeInquiry && m.verifying:
		m.end = m.verified(r)
	default:
		return protocol.Action{}, false
	}
	m.end.Ref = m.cmd.Ref
	if m.twice() && (m.end.Result == protocol.Declined || m.end.Result == protocol.Cancelled) {
		m.end.Result, m.end.Reason = protocol.InDoubt, protocol.ReasonNoAck
	}
	return m.persist(), true
}

// twice reports whether the PIN pad may have got the command more than once.
// Then a refusal may answer one copy while the other waits for a card: only a
// lookup tells.
func (m *moneyTalk) twice() bool {
	return m.repeated || !m.verifying && m.sends > m.denied+1
}

// stopped asks the gateway whether it knows nothing of a command that the PIN
// pad has given up.
func (m *moneyTalk) stopped(now time.Time) {
	m.repeated, m.verifying = m.twice(), true
	m.begin(now, m.inquiry(m.cmd, now), protocol.Write)
}

// verified reads the inquiry's answer after a cancellation. That the PIN pad
// itself has no account for the reference, too, says that no card was read.
func (m *moneyTalk) verified(r Message) protocol.Outcome {
	if m.notFound(r) || says(r, saysNoMatch) {
		return m.blank(protocol.Cancelled, protocol.ReasonAborted)
	}
	if v := verdictOf(r); v.Result == protocol.InDoubt {
		return m.blank(protocol.InDoubt, v.Reason)
	}
	return m.blank(protocol.InDoubt, protocol.ReasonUnproven)
}

// notFound reports whether the gateway says that it has no record, in the words
// that the profile has.
func (d driver) notFound(r Message) bool {
	for _, words := range d.profile.Lookup.NotFound {
		if says(r, words) {
			return true
		}
	}
	return false
}

func (m *moneyTalk) persist() protocol.Action {
	return protocol.Action{Do: protocol.Persist, Outcome: m.end}
}

func (m *moneyTalk) blank(r protocol.Result, why protocol.Reason) protocol.Outcome {
	return protocol.Outcome{Result: r, Kind: m.cmd.Kind, Ref: m.cmd.Ref, Requested: m.cmd.Amount, Reason: why}
}

func (m *moneyTalk) done(time.Time) { m.do(protocol.Action{Do: protocol.End, Outcome: m.end}) }

func (m *moneyTalk) failed(_ time.Time, why protocol.Reason, acted bool) {
	m.end = m.blank(protocol.InDoubt, why)
	if !acted && !m.verifying {
		m.end.Result = protocol.NotSent
	}
	m.do(protocol.Action{Do: protocol.End, Outcome: m.end})
}

func (m *moneyTalk) leaked(time.Time) protocol.Action {
	m.end = m.blank(protocol.InDoubt, protocol.ReasonLeak)
	return m.persist()
}

func (m *moneyTalk) stray(protocol.Outcome) {}
