package pax

import (
	"strings"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// role is what differs between conversations; exchange is what they share.
type role interface {
	// take judges a reply of the awaited command. acked says that the
	// terminal had acknowledged the request before. When the reply is the
	// answer, the action to take before our ACK is returned.
	take(now time.Time, r Response, acked bool) (protocol.Action, bool)
	// stray is told of a late answer to another command.
	stray(protocol.Outcome)
	// done is called when the exchange has ended with an answer, or draining
	// has ended.
	done(now time.Time)
	// failed is called when it has ended without. acted says that the
	// terminal may have acted on the request.
	failed(now time.Time, why protocol.Reason, acted bool)
	// leaked is called for a reply that holds a card number.
	leaked(now time.Time) protocol.Action
}

type state uint8

const (
	idle       state = iota // nothing is going on; also after the end
	awaitACK                // the request is written
	refused                 // EOT came instead of ACK: if nothing contradicts it, the terminal seems busy
	awaitReply              // the request is acknowledged, or a reply has begun
	awaitEOT                // the answer is taken and acknowledged
	draining                // taking what comes until the line is quiet
)

// exchange is one request and its answer on the line, as both sides of a
// serial line see it; on TCP there is no EOT to wait for.
type exchange struct {
	link
	role  role
	eot   bool // wait for EOT
	state state
	by    time.Time // deadline of the state
	limit time.Time // hard limit: of draining, or of waiting for a reply

	request []byte // the frame
	want    string // the reply's command
	answer  time.Duration
	money   bool

	sends  int  // times that the request was written
	denied int  // of these, how many the terminal says it has not got
	spoken bool // bytes have come that might be an ACK or a reply
	acked  bool

	acks      int       // our ACK, in awaitEOT
	wanted    bool      // somebody wants to cancel as soon as it is possible
	cancelled int       // times that A14 was written
	cancelAt  time.Time // when last
	givenUp   bool      // A14 is the last resort; by is the end
	gone      bool      // the line is lost

	lastStray *protocol.Outcome // when the frame taken last was a late answer
}

// begin writes a request and waits for its reply.
func (x *exchange) begin(now time.Time, request Request, want string, verb protocol.Verb) {
	f, err := request.Frame()
	switch {
	case err != nil:
		x.fail(now, protocol.ReasonForbidden, false)
		return
	case x.gone:
		x.fail(now, protocol.ReasonUnplugged, false)
		return
	}
	x.request, x.want = f, want
	x.answer = x.profile.Timers.Answer[request.Command].Duration()
	x.sends, x.denied, x.spoken, x.acked = 1, 0, false, false
	x.bad, x.cancelled, x.givenUp = 0, 0, false
	x.hasTaken, x.lastStray = false, nil
	x.state, x.by = awaitACK, now.Add(x.profile.Timers.Ack.Duration())
	x.limit = time.Time{}
	if w := x.profile.Timers.Whole.Duration(); w > 0 {
		x.limit = now.Add(w)
	}
	x.do(protocol.Action{Do: verb, Bytes: f})
}

// drain takes what comes, until the line has been quiet for Timers.Quiet.
func (x *exchange) drain(now time.Time) {
	x.state = draining
	x.limit = now.Add(x.profile.Timers.Drain.Duration())
	x.quietFrom(now)
}

func (x *exchange) quietFrom(now time.Time) {
	x.by = protocol.Earliest(now.Add(x.profile.Timers.Quiet.Duration()), x.limit)
}

// Receive is protocol.Machine's.
func (x *exchange) Receive(now time.Time, b []byte) []protocol.Action {
	for _, c := range b {
		if x.state == idle {
			break
		}
		a, char, r := x.push(c)
		x.arrive(now, a, char, r)
	}
	if x.state == draining {
		x.quietFrom(now)
	}
	x.watch(now)
	return x.flush()
}

func (x *exchange) arrive(now time.Time, a arrival, char byte, r Response) {
	switch a {
	case began, noise:
		x.hear(now, a)
	case control:
		x.control(now, char)
	case whole:
		x.reply(now, r)
	case packet:
		x.write(frame.ACK)
	case repeated:
		x.repeat()
	case damaged:
		x.damaged(now)
	case leaking:
		x.leak(now)
	}
}

// hear notes bytes that may be part of an answer: after them a request is
// never written again.
func (x *exchange) hear(now time.Time, a arrival) {
	if x.state != awaitACK && x.state != refused {
		return
	}
	x.spoken = true
	if a == began {
		x.await(now)
	}
}

func (x *exchange) control(now time.Time, c byte) {
	switch {
	case c == frame.ACK && (x.state == awaitACK || x.state == refused || x.state == awaitReply):
		x.ack(now)
	case c == frame.NAK && x.state == awaitACK:
		x.denied++
		x.again(now, protocol.ReasonRefused)
	case c == frame.NAK && x.state == awaitReply && x.cancelled > 0:
		x.writeCancel(now)
	case c == frame.EOT && x.state == awaitACK:
		x.state, x.by = refused, now.Add(x.profile.Timers.Settle.Duration())
	case c == frame.EOT && x.state == awaitReply && x.cancelled == 0 && (x.acked || !x.money):
		x.fail(now, protocol.ReasonEnded, true)
	case c == frame.EOT && x.state == awaitReply && x.cancelled > 0 && !x.givenUp:
		x.givenUp = true // it has taken A14: the answer comes soon, or not at all
		x.by = protocol.Earliest(x.by, now.Add(x.profile.Timers.Cancel.Duration()))
	case c == frame.EOT && x.state == awaitEOT:
		x.finish(now)
	case c == frame.ENQ:
		x.hear(now, noise) // no terminal sends it: it is a damaged byte
	}
}

// ack takes the terminal's acknowledgement. One that comes again, or for A14,
// changes nothing.
func (x *exchange) ack(now time.Time) {
	if x.acked {
		return
	}
	x.acked = true
	if x.money {
		x.do(protocol.Action{Do: protocol.Acked})
		x.show(protocol.StepPresent)
	}
	if x.state != awaitReply {
		x.await(now)
	}
}

// await waits for the reply from now on.
func (x *exchange) await(now time.Time) {
	x.state = awaitReply
	x.by = protocol.Earliest(now.Add(x.answer), x.limit)
	if x.wanted {
		x.writeCancel(now)
	}
}

// again writes the request once more if nothing speaks against it.
func (x *exchange) again(now time.Time, why protocol.Reason) {
	switch {
	case x.spoken:
		x.await(now)
	case x.sends < x.profile.Retries.Send:
		x.sends++
		x.by = now.Add(x.profile.Timers.Ack.Duration())
		x.write(x.request...)
	case x.sends > x.denied:
		x.fail(now, protocol.ReasonNoAck, true)
	default:
		x.fail(now, why, false)
	}
}

func (x *exchange) reply(now time.Time, r Response) {
	x.lastStray = nil
	if r.Command == Progress {
		x.hasTaken = false // the next report may be equal to this one
		x.progress(now, r.Text)
		return
	}
	if x.state == awaitReply && r.Command == x.want {
		if act, ok := x.role.take(now, r, x.acked); ok {
			x.close(now, act)
			return
		}
	}
	x.other(r)
}

// repeat acknowledges a frame once more. A late answer is handed on once more
// too: it may be here again because it could not be kept.
func (x *exchange) repeat() {
	if x.lastStray != nil {
		x.do(protocol.Action{Do: protocol.Stray, Outcome: *x.lastStray, Bytes: []byte{frame.ACK}})
		return
	}
	x.write(frame.ACK)
}

// stepOf reads the screen that a status report names. Whatever does not ask
// for the card is work.
func stepOf(screen string) protocol.Step {
	for _, word := range []string{"PRESENT", "TAP", "INSERT", "SWIPE"} {
		if strings.Contains(strings.ToUpper(screen), word) {
			return protocol.StepPresent
		}
	}
	return protocol.StepProcessing
}

// progress takes a status report: the terminal is at work, so its answer may
// take its full time again, within the hard limit.
func (x *exchange) progress(now time.Time, screen string) {
	x.write(frame.ACK)
	if x.state != awaitReply {
		return
	}
	if x.money && x.cancelled == 0 {
		x.show(stepOf(screen))
	}
	if !x.givenUp {
		x.by = protocol.Earliest(now.Add(x.answer), x.limit)
	}
}

// other takes a reply that answers nothing we ask now.
func (x *exchange) other(r Response) {
	if o, ok := strayOf(r); ok {
		x.role.stray(o)
		x.lastStray = &o
		x.do(protocol.Action{Do: protocol.Stray, Outcome: o, Bytes: []byte{frame.ACK}})
		return
	}
	x.hasTaken = false // the same bytes may still come as the answer
	x.write(frame.ACK)
}

// close takes the answer: act, then our ACK, then the terminal's EOT.
func (x *exchange) close(now time.Time, act protocol.Action) {
	act.Bytes = []byte{frame.ACK}
	x.do(act)
	if act.Do == protocol.Persist {
		x.show(protocol.StepResult)
	}
	if !x.eot {
		x.finish(now)
		return
	}
	x.state, x.acks = awaitEOT, 1
	x.by, x.limit = now.Add(x.profile.Timers.EOT.Duration()), time.Time{}
}

func (x *exchange) finish(now time.Time) {
	x.state = idle
	x.role.done(now)
}

func (x *exchange) fail(now time.Time, why protocol.Reason, acted bool) {
	x.state = idle
	x.dec.Wipe()
	x.forget()
	x.role.failed(now, why, acted)
}

// damaged asks for a frame again; after too many it ends the conversation.
func (x *exchange) damaged(now time.Time) {
	if x.state == awaitEOT {
		return // the answer is here; our ACK is repeated in time
	}
	x.bad++
	switch {
	case x.bad <= x.profile.Retries.NAK:
		x.write(frame.NAK)
	case x.state == draining:
		x.write(frame.EOT)
	default:
		x.write(frame.EOT)
		x.fail(now, protocol.ReasonDamaged, true)
	}
}

// leak locks the terminal, before anything else that may fail. Our ACK stops
// it from sending the frame again.
func (x *exchange) leak(now time.Time) {
	x.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonLeak})
	act := x.role.leaked(now)
	act.Bytes = []byte{frame.ACK}
	x.do(act)
	if x.state != draining && x.state != awaitEOT {
		x.fail(now, protocol.ReasonLeak, true)
	}
}

// Tick is protocol.Machine's.
func (x *exchange) Tick(now time.Time) []protocol.Action {
	if !x.by.IsZero() && x.state != idle && !now.Before(x.by) {
		x.expire(now)
	}
	if !x.byteBy.IsZero() && !now.Before(x.byteBy) {
		x.byteBy = time.Time{}
		x.dec.Wipe()
		if x.state != idle {
			x.damaged(now)
		}
	}
	return x.flush()
}

func (x *exchange) expire(now time.Time) {
	switch x.state {
	case awaitACK:
		x.again(now, protocol.ReasonNoAck)
	case refused:
		// EOT is a bare byte: it may be the end of an earlier exchange, or stand
		// where an ACK was lost. It proves nothing about a command.
		x.fail(now, protocol.ReasonBusy, true)
	case awaitReply:
		x.overdue(now)
	case awaitEOT:
		x.ackAgain(now)
	case draining:
		x.finish(now)
	}
}

// overdue asks the terminal to stop, waits a last time, and gives up.
func (x *exchange) overdue(now time.Time) {
	if x.givenUp || !x.money {
		x.fail(now, protocol.ReasonNoAnswer, true)
		return
	}
	x.writeCancel(now)
	x.givenUp = true
	x.by = now.Add(x.profile.Timers.Cancel.Duration())
}

// ackAgain repeats our ACK while no EOT comes.
func (x *exchange) ackAgain(now time.Time) {
	if x.acks >= x.profile.Retries.EOT {
		x.do(protocol.Action{Do: protocol.Warn, Reason: protocol.ReasonNoEOT})
		x.finish(now)
		return
	}
	x.acks++
	x.by = now.Add(x.profile.Timers.EOT.Duration())
	x.write(frame.ACK)
}

// Cancel is protocol.Machine's. It is possible while a reply is awaited; an
// earlier wish is kept until then.
func (x *exchange) Cancel(now time.Time) []protocol.Action {
	if x.money && (x.state == awaitACK || x.state == refused) {
		x.wanted = true
	}
	again := x.cancelled > 0 && now.Sub(x.cancelAt) < x.profile.Timers.Ack.Duration()
	if x.money && x.state == awaitReply && !again {
		x.writeCancel(now)
	}
	return x.flush()
}

// writeCancel writes A14, as often as any frame at most.
func (x *exchange) writeCancel(now time.Time) {
	x.wanted = false
	if x.cancelled >= x.profile.Retries.Send {
		return
	}
	x.cancelled++
	x.cancelAt = now
	x.write(cancelFrame(x.profile.Version)...)
	if x.money {
		x.show(protocol.StepCancelling)
	}
}

// Lost is protocol.Machine's.
func (x *exchange) Lost(now time.Time) []protocol.Action {
	x.gone = true
	switch x.state {
	case idle:
	case awaitEOT, draining:
		x.finish(now)
	default:
		x.fail(now, protocol.ReasonUnplugged, true)
	}
	return x.flush()
}

// Deadline is protocol.Machine's.
func (x *exchange) Deadline() time.Time {
	if x.state == idle {
		return time.Time{}
	}
	return protocol.Earliest(x.by, x.byteBy)
}

// cancelFrame returns A14, framed. Its text is the program's own.
func cancelFrame(version string) []byte {
	f, err := bare(Cancel, version).Frame()
	if err != nil {
		return nil
	}
	return f
}
