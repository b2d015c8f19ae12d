package simplify

import (
	"strings"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// role is what differs between conversations; exchange is what they share.
type role interface {
	// take judges a message while an answer is awaited. When it is the answer,
	// the action to take before our ACK is returned.
	take(now time.Time, m Message) (protocol.Action, bool)
	// stopped is told that the PIN pad has given up what we sent. It goes on
	// with another request, or ends.
	stopped(now time.Time)
	// stray is told of a late answer to another command.
	stray(protocol.Outcome)
	// done is called when the exchange has ended with an answer, or draining
	// has ended.
	done(now time.Time)
	// failed is called when it has ended without. acted says that the PIN pad
	// may have acted on the request.
	failed(now time.Time, why protocol.Reason, acted bool)
	// leaked is called for a message that holds a card number.
	leaked(now time.Time) protocol.Action
}

type state uint8

const (
	idle       state = iota // nothing is going on; also after the end
	awaitACK                // the request is written; serial only
	awaitReply              // the request is acknowledged, or an answer has begun
	draining                // taking what comes until the line is quiet
)

// exchange is one request and its answer on the line (appendices C and D).
type exchange struct {
	link
	role  role
	state state
	by    time.Time // deadline of the state
	limit time.Time // hard limit: of draining, or of waiting for an answer

	request []byte // as it goes over the line
	ref     string // its field 7
	answer  time.Duration
	moves   bool // it moves money

	sends  int  // times that the request was written
	denied int  // of these, how many the PIN pad says it has not got
	spoken bool // bytes have come that might be an ACK or an answer
	acked  bool

	wanted    bool      // somebody wants to cancel as soon as it is possible
	cancelled int       // times that a Cancel was written
	cancelAt  time.Time // when last
	givenUp   bool      // Cancel is the last resort; by is the end
	gone      bool      // the line is lost
}

// begin writes a request and waits for its answer.
func (x *exchange) begin(now time.Time, m Message, verb protocol.Verb) {
	b, err := x.envelope(m)
	switch {
	case err != nil || !x.profile.Allows(m[FieldType]):
		x.fail(now, protocol.ReasonForbidden, false)
		return
	case x.gone:
		x.fail(now, protocol.ReasonUnplugged, false)
		return
	}
	x.request, x.ref, x.moves = b, m[FieldRef], verb == protocol.Sending
	x.answer = x.profile.Timers.Answer[m[FieldType]].Duration()
	x.sends, x.denied, x.spoken, x.acked = 1, 0, false, false
	x.bad, x.cancelled, x.givenUp, x.wanted = 0, 0, false, false
	x.limit = now.Add(x.profile.Timers.Whole.Duration())
	x.do(protocol.Action{Do: verb, Bytes: b})
	x.state, x.by = awaitACK, now.Add(x.profile.Timers.Ack.Duration())
	if x.line == TCP {
		x.await(now)
		x.present()
	}
}

// present says that the PIN pad asks for the card, as far as we know.
func (x *exchange) present() {
	if x.moves {
		x.show(protocol.StepPresent)
	}
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
		a, char, m := x.push(c)
		x.arrive(now, a, char, m)
	}
	if x.state == draining {
		x.quietFrom(now)
	}
	x.watch(now)
	return x.flush()
}

func (x *exchange) arrive(now time.Time, a arrival, char byte, m Message) {
	switch a {
	case began, noise:
		x.hear(now, a)
	case control:
		x.control(now, char)
	case whole:
		x.message(now, m)
	case damaged:
		x.damaged(now)
	case leaking:
		x.leak(now)
	}
}

// hear notes bytes that may be part of an answer: after them a request is never
// written again.
func (x *exchange) hear(now time.Time, a arrival) {
	if x.state != awaitACK {
		return
	}
	x.spoken = true
	if a == began {
		x.await(now)
	}
}

func (x *exchange) control(now time.Time, c byte) {
	switch {
	case c == frame.ACK && x.state != draining:
		x.confirmed(now)
	case c == frame.NAK && x.state == awaitACK:
		x.denied++
		x.again(now, protocol.ReasonRefused)
	case c == frame.NAK && x.state == awaitReply && x.cancelled > 0:
		x.writeCancel(now)
	case c == frame.EOT || c == frame.ENQ:
		x.hear(now, noise) // outside of a frame they mean nothing: damaged bytes
	}
}

// confirmed takes the PIN pad's acknowledgement. One that comes again, or for a
// Cancel, changes nothing.
func (x *exchange) confirmed(now time.Time) {
	if x.acked {
		return
	}
	x.acked = true
	if x.moves {
		x.do(protocol.Action{Do: protocol.Acked})
	}
	x.present()
	if x.state != awaitReply {
		x.await(now)
	}
}

// await waits for the answer from now on.
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

// message takes a whole message.
func (x *exchange) message(now time.Time, m Message) {
	if IsStatus(m[FieldType]) {
		x.progress(now, m[FieldText])
		return
	}
	if x.state == awaitReply {
		if m[FieldType] == TypeCancel && m[FieldRef] == x.ref && x.cancelled > 0 {
			x.cancelReply(now, m)
			return
		}
		if act, ok := x.role.take(now, m); ok {
			x.close(now, act)
			return
		}
	}
	x.other(m)
}

// progress takes a status message: the PIN pad is at work, so its answer may
// take its full time again, within the hard limit.
func (x *exchange) progress(now time.Time, screen string) {
	x.write(x.ack()...)
	if x.state != awaitReply {
		return
	}
	if x.moves && x.cancelled == 0 && screen != "" {
		x.show(stepOf(screen))
	}
	if !x.givenUp {
		x.by = protocol.Earliest(now.Add(x.answer), x.limit)
	}
}

// stepOf reads the screen that a status message names. Whatever does not ask
// for the card is work.
func stepOf(screen string) protocol.Step {
	for _, word := range []string{"PRESENT", "TAP", "INSERT", "SWIPE"} {
		if strings.Contains(strings.ToUpper(screen), word) {
			return protocol.StepPresent
		}
	}
	return protocol.StepProcessing
}

// cancelReply takes the answer to a Cancel: with a verdict it came too late and
// the command's own answer follows, without one the command is given up
// ("Cancel Message").
func (x *exchange) cancelReply(now time.Time, m Message) {
	x.write(x.ack()...)
	if m[FieldGateway] != "" {
		return
	}
	x.state = idle
	x.role.stopped(now)
}

// other takes a message that answers nothing we ask now.
func (x *exchange) other(m Message) {
	o, ok := strayOf(m)
	if !ok {
		x.write(x.ack()...)
		return
	}
	x.role.stray(o)
	x.do(protocol.Action{Do: protocol.Stray, Outcome: o, Bytes: x.ack()})
}

// close takes the answer: act, then our ACK.
func (x *exchange) close(now time.Time, act protocol.Action) {
	act.Bytes = x.ack()
	x.do(act)
	if act.Do == protocol.Persist {
		x.show(protocol.StepResult)
	}
	x.finish(now)
}

func (x *exchange) finish(now time.Time) {
	x.state = idle
	x.role.done(now)
}

func (x *exchange) fail(now time.Time, why protocol.Reason, acted bool) {
	x.state = idle
	x.dec.Wipe()
	x.role.failed(now, why, acted)
}

// damaged asks for a frame again; after too many, or where nothing can be asked
// again, it ends the conversation.
func (x *exchange) damaged(now time.Time) {
	x.bad++
	switch {
	case x.line == Serial && x.bad <= x.profile.Retries.NAK:
		x.write(frame.NAK)
	case x.state != draining:
		x.fail(now, protocol.ReasonDamaged, true)
	}
}

// leak locks the terminal, before anything else that may fail. Our ACK stops it
// from sending the message again.
func (x *exchange) leak(now time.Time) {
	x.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonLeak})
	act := x.role.leaked(now)
	act.Bytes = x.ack()
	x.do(act)
	if x.state != draining {
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
	case awaitReply:
		x.overdue(now)
	case draining:
		x.finish(now)
	}
}

// overdue asks the PIN pad to stop, waits a last time, and gives up.
func (x *exchange) overdue(now time.Time) {
	if x.givenUp || !x.moves {
		x.fail(now, protocol.ReasonNoAnswer, true)
		return
	}
	x.writeCancel(now)
	x.givenUp = true
	x.by = now.Add(x.profile.Timers.Cancel.Duration())
}

// Cancel is protocol.Machine's. It is possible while an answer is awaited; an
// earlier wish is kept until then.
func (x *exchange) Cancel(now time.Time) []protocol.Action {
	if x.moves && x.state == awaitACK {
		x.wanted = true
	}
	again := x.cancelled > 0 && now.Sub(x.cancelAt) < x.profile.Timers.Ack.Duration()
	if x.moves && x.state == awaitReply && !again {
		x.writeCancel(now)
	}
	return x.flush()
}

// writeCancel writes a Cancel under the command's reference, as often as any
// message at most.
func (x *exchange) writeCancel(now time.Time) {
	x.wanted = false
	b, err := x.envelope(x.stamped(TypeCancel, x.ref, now))
	if err != nil || x.cancelled >= x.profile.Retries.Send {
		return
	}
	x.cancelled++
	x.cancelAt = now
	x.write(b...)
	x.show(protocol.StepCancelling)
}

// Lost is protocol.Machine's.
func (x *exchange) Lost(now time.Time) []protocol.Action {
	x.gone = true
	switch x.state {
	case idle:
	case draining:
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
