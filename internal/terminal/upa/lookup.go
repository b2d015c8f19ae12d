package upa

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/internal/terminal/protocol"
)

// phase is where a lookup is.
type phase uint8

const (
	clearing phase = iota // CancelTransaction, and what comes then: nothing may be running
	pinging               // Ping: only an idle terminal answers
	shaking               // GetAppInfo: is it the terminal that got the command?
	looking               // GetBatchDetails
	pausing               // the record may not be there yet
	again                 // GetBatchDetails, for the last time
)

// lookup finds out what became of a command. It first makes sure that the
// terminal is idle, because a card could still be presented to a command that it
// has not given up, and that it is the terminal that got the command. Then it
// has the open batch listed, and looks for the record that bears the reference.
type lookup struct {
	exchange
	silent
	ask protocol.Question

	phase   phase
	tries   int
	late    *protocol.Outcome // our own late answer
	other   bool              // another terminal answers
	records []Record
	listed  Reply // the last message of the listing
	broken  bool  // the listing is not whole
}

func (m *lookup) Start(now time.Time) []protocol.Action {
	m.show(protocol.StepChecking)
	m.write(Request{Command: Cancel, ID: m.next(now)}.JSON())
	m.drain(now)
	return m.flush()
}

func (m *lookup) enter(now time.Time, p phase) {
	if m.phase != p {
		m.tries = 0
	}
	m.phase = p
	m.tries++
	command := map[phase]string{pinging: Ping, shaking: GetAppInfo, looking: GetBatch, again: GetBatch}[p]
	m.records, m.listed, m.broken = nil, Reply{}, false
	m.begin(now, Request{Command: command, ID: m.next(now)}, protocol.Write)
}

func (m *lookup) take(_ time.Time, r Reply, acked bool) (protocol.Action, bool) {
	if !acked {
		return protocol.Action{}, false // the rest of an earlier conversation
	}
	switch m.phase {
	case pinging:
		return protocol.Action{Do: protocol.Write}, r.Result == Success
	case shaking:
		return m.recognise(r)
	}
	m.listed = r
	m.broken = m.broken || r.Truncated || len(m.records)+len(r.Records) > recordsMax
	if !m.broken {
		m.records = append(m.records, r.Records...)
	}
	return protocol.Action{Do: protocol.Write}, !r.More
}

// recognise takes the answer that says what the terminal is.
func (m *lookup) recognise(r Reply) (protocol.Action, bool) {
	if r.Result != Success || r.Device.Serial == "" {
		return protocol.Action{}, false
	}
	device := m.deviceOf(r)
	m.other = m.ask.Serial != "" && device.Serial != m.ask.Serial
	return protocol.Action{Do: protocol.Recognise, Device: device}, true
}

// stray keeps our own late answer. It has become durable as a stray before the
// terminal gets its ACK.
func (m *lookup) stray(o protocol.Outcome) {
	if o.Ref == m.ask.Ref && o.Kind == m.ask.Kind {
		o = o.Agree(m.ask.Kind, m.ask.Amount)
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
		m.enter(now, pinging)
	case pinging:
		m.enter(now, shaking)
	case shaking:
		if m.other {
			m.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonSubstitute})
			m.doubt(protocol.ReasonSubstitute)
			return
		}
		m.enter(now, looking)
	case pausing:
		m.enter(now, again)
	default:
		m.judge(now)
	}
}

// judge looks for the record of the command in the listing.
func (m *lookup) judge(now time.Time) {
	empty := m.listed.Result == Failed && m.notFound()
	var mine []Record
	for _, r := range m.records {
		if r.Ref == m.ask.Ref || r.ID == m.ask.Ref {
			mine = append(mine, r)
		}
	}
	switch {
	case m.listed.Result != Success && !empty:
		m.doubt(protocol.ReasonUnproven)
	case len(mine) > 1:
		m.doubt(protocol.ReasonMismatch)
	case len(mine) == 1:
		m.conclude(m.record(mine[0]))
	case m.gone:
		m.doubt(protocol.ReasonUnplugged)
	case m.phase == looking:
		m.phase = pausing
		m.wait(now, m.profile.Lookup.Again.Duration())
	case m.broken || !m.profile.Lookup.Proof:
		m.doubt(protocol.ReasonUnproven)
	case empty, m.listed.Total == "0" && len(m.records) == 0:
		m.proven(protocol.EvidenceEmpty)
	case m.older():
		m.proven(protocol.EvidenceOlder)
	default:
		m.doubt(protocol.ReasonUnproven)
	}
}

// older reports whether the listing is whole and each of its records bears a
// reference that was given out before ours.
func (m *lookup) older() bool {
	return m.listed.Total == strconv.Itoa(len(m.records)) && len(m.records) > 0 &&
		!slices.ContainsFunc(m.records, func(r Record) bool { return !protocol.OlderRef(protocol.Ref(r.Ref), m.ask.Ref) })
}

// notFound reports whether the terminal says that its batch is empty.
func (m *lookup) notFound() bool {
	return slices.ContainsFunc(m.profile.Lookup.NotFound, func(s string) bool {
		return s == m.listed.Code || strings.EqualFold(s, strings.TrimSpace(m.listed.Text))
	})
}

// record returns the outcome that a record of our reference tells of.
func (m *lookup) record(r Record) protocol.Outcome {
	status := strings.ToLower(r.Status)
	stands := r.Status == "" || slices.ContainsFunc(m.profile.Lookup.Standing, func(s string) bool { return strings.EqualFold(s, r.Status) })
	o := kept(r.Host, r.Payment)
	o.Ref, o.Kind, o.Requested = m.ask.Ref, m.ask.Kind, m.ask.Amount
	o.Result, o.Reason = protocol.Approved, protocol.ReasonApproved
	switch {
	case r.Ref != m.ask.Ref, kindOf(r.Type) != m.ask.Kind, r.Host.Code != "" && !protocol.HostApproves(r.Host.Code):
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonMismatch
	case strings.Contains(status, "void"):
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonVoided
	case r.Host.stored(): // until the terminal has told the bank
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonHostLost
	case !stands:
		o.Result, o.Reason = protocol.InDoubt, protocol.ReasonUnproven
	default:
		return r.Host.approve(o)
	}
	return o
}

// failed asks again, as often as the profile has it: these messages move no
// money.
func (m *lookup) failed(now time.Time, why protocol.Reason, _ bool) {
	switch {
	case m.late != nil && m.late.Result.Final():
		m.conclude(*m.late)
	case why == protocol.ReasonUnplugged, why == protocol.ReasonLeak, why == protocol.ReasonForbidden,
		m.phase == clearing, m.tries >= m.profile.Retries.Send:
		m.doubt(why)
	default:
		m.enter(now, m.phase)
	}
}

func (m *lookup) blank(r protocol.Result, why protocol.Reason) protocol.Outcome {
	return protocol.Outcome{Result: r, Kind: m.ask.Kind, Ref: m.ask.Ref, Requested: m.ask.Amount, Reason: why}
}

func (m *lookup) doubt(why protocol.Reason) { m.conclude(m.blank(protocol.InDoubt, why)) }

func (m *lookup) proven(evidence string) {
	o := m.blank(protocol.NotCharged, protocol.ReasonNotFound)
	o.Evidence = evidence
	m.conclude(o)
}

func (m *lookup) conclude(o protocol.Outcome) {
	m.state = idle
	m.do(protocol.Action{Do: protocol.End, Outcome: o})
}
