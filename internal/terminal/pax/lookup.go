package pax

import (
	"strconv"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// phase is where a lookup is.
type phase uint8

const (
	clearing  phase = iota // A14, and what comes then: nothing may be running
	shaking                // A00: only an idle terminal answers
	searching              // R02 by reference
	first                  // R02 for the first record, which also tells the total
	newest                 // R02 for the last one
)

// lookup finds out what became of a command. It first makes sure that the
// terminal is idle, because a card could still be presented to a command
// that it has not given up, and that it is the terminal that got the command:
// a cable can be moved to another one without the line being lost. Then it
// asks for the record; and when there is none, it looks whether the terminal's
// records prove that.
type lookup struct {
	exchange
	ref    string
	kind   protocol.Kind
	amount money.Amount
	serial string // of the terminal that got the command; empty expects none

	phase phase
	tries int
	late  *protocol.Outcome // our own late answer, come while clearing
	other bool              // another terminal answers
	found FindReply
	total int
}

func (m *lookup) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepChecking)
	m.write(cancelFrame(m.profile.Version)...)
	m.drain(now)
	return m.flush()
}

func (m *lookup) ask(now time.Time, p phase) {
	if m.phase != p {
		m.tries = 0
	}
	m.phase = p
	m.tries++
	version := m.profile.Version
	switch p {
	case shaking:
		m.begin(now, bare(Initialise, version), "A01", protocol.Write)
	case searching:
		m.begin(now, Find{Ref: m.ref}.Request(version), "R03", protocol.Write)
	case first:
		m.begin(now, Find{Record: strconv.Itoa(m.profile.Lookup.First)}.Request(version), "R03", protocol.Write)
	case newest:
		n := m.profile.Lookup.First + m.total - 1
		m.begin(now, Find{Record: strconv.Itoa(n)}.Request(version), "R03", protocol.Write)
	}
}

func (m *lookup) take(_ time.Time, r Response, acked bool) (protocol.Action, bool) {
	if !acked {
		return protocol.Action{}, false // the rest of an earlier conversation
	}
	ok := protocol.Action{Do: protocol.Write}
	if m.phase == shaking {
		return m.recognise(r)
	}
	f, err := ParseFindReply(r)
	if err != nil {
		return protocol.Action{}, false
	}
	m.found = f
	return ok, true
}

// recognise takes the answer that says what the terminal is.
func (m *lookup) recognise(r Response) (protocol.Action, bool) {
	d, err := ParseDevice(r)
	if err != nil || r.Code != CodeOK {
		return protocol.Action{}, false
	}
	device := d.device()
	m.other = m.serial != "" && device.Serial != m.serial
	return protocol.Action{Do: protocol.Recognise, Device: device}, true
}

// stray keeps our own late answer. It has become durable as a stray before
// the terminal gets its ACK.
func (m *lookup) stray(o protocol.Outcome) {
	if o.Ref == m.ref && o.Kind == m.kind {
		o = o.Agree(m.kind, m.amount)
		m.late = &o
	}
}

func (m *lookup) done(now time.Time) {
	if m.late != nil && m.late.Result.Final() {
		m.conclude(*m.late)
		return
	}
	switch m.phase {
	case clearing:
		m.ask(now, shaking)
	case shaking:
		if m.other {
			m.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonSubstitute})
			m.doubt(protocol.ReasonSubstitute)
			return
		}
		m.ask(now, searching)
	case searching:
		m.searched(now)
	case first:
		m.sawFirst(now)
	case newest:
		m.sawNewest()
	}
}

func (m *lookup) searched(now time.Time) {
	switch {
	case m.notFound():
		m.total = m.found.Total
		m.ask(now, first)
	case m.found.Code != CodeOK:
		m.doubt(protocol.ReasonUnproven)
	case m.found.Trace.Ref != m.ref:
		m.doubt(protocol.ReasonMismatch)
	case m.serial != "" && m.found.Ext["SN"] != "" && m.found.Ext["SN"] != m.serial:
		m.doubt(protocol.ReasonSubstitute)
	case m.kind == protocol.Sale && m.found.Type == TypeVoidSale:
		m.doubt(protocol.ReasonVoided)
	default:
		o := outcomeOf(m.found.facts(), m.kind, m.amount)
		if o.Result == protocol.Declined || o.Result == protocol.Cancelled {
			o.Evidence = protocol.EvidenceRecord
		}
		m.conclude(o)
	}
}

func (m *lookup) sawFirst(now time.Time) {
	switch {
	case m.notFound() && m.total <= 0:
		m.proven(protocol.EvidenceEmpty)
	case m.found.Code != CodeOK || m.found.Total < 1 || !protocol.OlderRef(m.found.Trace.Ref, m.ref):
		m.doubt(protocol.ReasonUnproven)
	case m.found.Total == 1:
		m.proven(protocol.EvidenceOlder)
	default:
		m.total = m.found.Total
		m.ask(now, newest)
	}
}

func (m *lookup) sawNewest() {
	if m.found.Code != CodeOK || m.found.Total != m.total || !protocol.OlderRef(m.found.Trace.Ref, m.ref) {
		m.doubt(protocol.ReasonUnproven)
		return
	}
	m.proven(protocol.EvidenceOlder)
}

func (m *lookup) notFound() bool {
	for _, code := range m.profile.Lookup.NotFound {
		if m.found.Code == code {
			return true
		}
	}
	return false
}

// failed asks again, as often as any frame: these messages move no money.
func (m *lookup) failed(now time.Time, why protocol.Reason, _ bool) {
	switch {
	case m.late != nil && m.late.Result.Final():
		m.conclude(*m.late)
	case why == protocol.ReasonUnplugged, why == protocol.ReasonLeak, why == protocol.ReasonForbidden,
		m.phase == clearing, m.tries >= m.profile.Retries.Send:
		m.doubt(why)
	default:
		m.ask(now, m.phase)
	}
}

func (m *lookup) leaked(time.Time) protocol.Action { return protocol.Action{Do: protocol.Write} }

func (m *lookup) blank(r protocol.Result, why protocol.Reason) protocol.Outcome {
	return protocol.Outcome{Result: r, Kind: m.kind, Ref: m.ref, Requested: m.amount, Reason: why}
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
