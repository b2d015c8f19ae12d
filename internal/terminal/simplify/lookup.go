package simplify

import (
	"time"

	"coffer/internal/terminal/protocol"
)

// lookup is the normative inquiry ("Inquiry Message"). It first cancels what
// may still run, because a card could yet be presented to it; then it sends the
// command once more as type 22, which can move nothing, and reads the answer:
//
//   - a reply of the command's type is the command's own result;
//   - type 22 in the words of Lookup.NotFound: the gateway has not processed it;
//   - type 22 that says that the gateway was not reached: ask again. Here that is
//     done as often as any message is sent; the till goes on asking with longer
//     and longer pauses until it knows, or two people decide.
type lookup struct {
	exchange
	question protocol.Question
	named    string // field 7 of the command
	asking   bool   // the inquiry has been sent
	busy     bool   // the PIN pad is too far to be stopped
	tries    int
	late     *protocol.Outcome // our own late answer, come in between
	found    Message
}

// command is what is asked about, as it was sent.
func (m *lookup) command() protocol.Command {
	q := m.question
	return protocol.Command{Kind: q.Kind, Ref: q.Ref, Amount: q.Amount,
		OriginalRef: q.OriginalRef, OriginalHostRef: q.OriginalHostRef, OriginalTerminalRef: q.OriginalTerminalRef, OriginalToken: q.OriginalToken}
}

func (m *lookup) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepChecking)
	if !sendable(m.command()) {
		m.doubt(protocol.ReasonForbidden)
		return m.flush()
	}
	m.ask(now)
	return m.flush()
}

// ask sends what is to be sent now, once more.
func (m *lookup) ask(now time.Time) {
	m.tries++
	r := m.inquiry(m.command(), now)
	m.named = r[FieldRef]
	if !m.asking {
		r = m.stamped(TypeCancel, m.named, now)
	}
	m.begin(now, r, protocol.Write)
}

// take accepts the answer to what was asked. On a line with ACKs it counts only
// after the ACK: before, it may be the rest of an earlier conversation. Before
// the inquiry, an approval of the command is a late answer, and taken as such.
func (m *lookup) take(_ time.Time, r Message) (protocol.Action, bool) {
	if r[FieldRef] != m.named || m.line == Serial && !m.acked {
		return protocol.Action{}, false
	}
	switch typ := r[FieldType]; {
	case !m.asking && typ == TypeCancel:
		m.busy = r[FieldGateway] != ""
	case m.asking && typ != TypeCancel && typ != TypeHealth:
		m.found = r
	default:
		return protocol.Action{}, false
	}
	return protocol.Action{Do: protocol.Write}, true
}

// stray keeps our own late answer. It has become durable as a stray before the
// terminal gets its ACK.
func (m *lookup) stray(o protocol.Outcome) {
	if o.Ref == m.question.Ref && o.Kind == m.question.Kind {
		o = o.Agree(m.question.Kind, m.question.Amount)
		m.late = &o
	}
}

func (m *lookup) done(now time.Time) {
	switch {
	case m.late != nil && m.late.Result.Final():
		m.conclude(*m.late)
	case m.asking:
		m.judge(now)
	case m.busy:
		m.doubt(protocol.ReasonBusy)
	default:
		m.asking, m.tries = true, 0
		m.ask(now)
	}
}

// judge reads the answer to the inquiry.
func (m *lookup) judge(now time.Time) {
	q, r := m.question, m.found
	serial := protocol.Word(r[FieldSerial], 32)
	switch v := verdictOf(r); {
	case q.Serial != "" && serial != "" && serial != q.Serial:
		m.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonSubstitute})
		m.doubt(protocol.ReasonSubstitute)
	case r[FieldType] == typeOf(q.Kind):
		m.record(r)
	case q.Kind == protocol.Sale && r[FieldType] == TypeVoid:
		m.doubt(protocol.ReasonVoided)
	case q.Kind == protocol.Void && r[FieldType] == TypeSale && v.Result == protocol.Approved:
		m.proven(protocol.EvidenceRecord) // the sale still stands
	case r[FieldType] != TypeInquiry:
		m.doubt(protocol.ReasonMismatch)
	case m.notFound(r) && q.Serial != "" && serial == "":
		m.doubt(protocol.ReasonUnproven)
	case m.notFound(r):
		m.proven(protocol.EvidenceHost)
	case v.Reason == protocol.ReasonHostLost && m.tries < m.profile.Retries.Send:
		m.ask(now)
	case v.Result == protocol.InDoubt, v.Reason == protocol.ReasonBusy:
		m.doubt(v.Reason)
	default:
		m.doubt(protocol.ReasonUnproven)
	}
}

// record takes the command's own reply.
func (m *lookup) record(r Message) {
	o := outcomeOf(r, m.question.Kind, m.question.Amount)
	o.Ref = m.question.Ref
	if o.Result == protocol.Declined || o.Result == protocol.Cancelled {
		o.Evidence = protocol.EvidenceRecord
	}
	m.conclude(o)
}

// stopped is for a Cancel that was sent while waiting; a lookup sends its own.
func (m *lookup) stopped(time.Time) {}

// failed asks again, as often as any message: these move no money.
func (m *lookup) failed(now time.Time, why protocol.Reason, _ bool) {
	switch {
	case m.late != nil && m.late.Result.Final():
		m.conclude(*m.late)
	case why == protocol.ReasonUnplugged, why == protocol.ReasonLeak, why == protocol.ReasonForbidden,
		m.tries >= m.profile.Retries.Send:
		m.doubt(why)
	default:
		m.ask(now)
	}
}

func (m *lookup) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

func (m *lookup) blank(r protocol.Result, why protocol.Reason) protocol.Outcome {
	q := m.question
	return protocol.Outcome{Result: r, Kind: q.Kind, Ref: q.Ref, Requested: q.Amount, Reason: why}
}

func (m *lookup) doubt(why protocol.Reason) { m.conclude(m.blank(protocol.InDoubt, why)) }

func (m *lookup) proven(evidence string) {
	if !m.profile.Lookup.Proof {
		m.doubt(protocol.ReasonUnproven)
		return
	}
	o := m.blank(protocol.NotCharged, protocol.ReasonNotFound)
	o.Evidence = evidence
	m.conclude(o)
}

func (m *lookup) conclude(o protocol.Outcome) {
	m.state = idle
	m.do(protocol.Action{Do: protocol.End, Outcome: o})
}
