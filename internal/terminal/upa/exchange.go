package upa

import (
	"strconv"
	"time"

	"coffer/internal/terminal/protocol"
)

// role is what differs between conversations; exchange is what they share.
type role interface {
	// take judges an answer to the command and of the requestId that are
	// awaited. acked says that the terminal had acknowledged the command before.
	// When it is the answer, the action to take before our ACK is returned.
	take(now time.Time, r Reply, acked bool) (protocol.Action, bool)
	// stray is told of a late answer to another command.
	stray(protocol.Outcome)
	// done is called when the exchange has ended with an answer, or draining or
	// the wait has ended.
	done(now time.Time)
	// failed is called when it has ended without. acted says that the terminal
	// may have acted on the command.
	failed(now time.Time, why protocol.Reason, acted bool)
	// leaked is called for a message that holds a card number.
	leaked(now time.Time) protocol.Action
}

type state uint8

const (
	idle       state = iota // nothing is going on; also after the end
	awaitACK                // the command is written
	refused                 // BUSY came instead of ACK: if nothing contradicts it, the command was refused
	awaitReply              // the command is acknowledged
	awaitReady              // the answer is taken and acknowledged
	draining                // taking what comes until the line is quiet
	waiting                 // taking what comes for a while
)

// exchange is one command and its answer.
type exchange struct {
	link
	role  role
	state state
	by    time.Time // deadline of the state
	limit time.Time // hard limit: of draining, or of waiting for an answer

	want   string // the command
	id     string // its requestId
	last   int64  // the last requestId of our own making
	answer time.Duration
	money  bool

	spoken bool // something has come that might belong to the command
	unread bool // something has come that could not be read
	acked  bool
	quiet  bool // the answer was a failure, after which no READY need come

	wanted    bool      // somebody wants to cancel as soon as it is possible
	cancelled int       // times that CancelTransaction was written
	cancelAt  time.Time // when last
	givenUp   bool      // CancelTransaction is the last resort; by is the end
	gone      bool      // the line is lost

	lastStray *protocol.Outcome // when the answer taken last was a late one
}

// begin writes a command, once, and waits for its answer.
func (x *exchange) begin(now time.Time, r Request, verb protocol.Verb) {
	if !x.profile.Allows(r.Command) {
		x.fail(now, protocol.ReasonForbidden, false)
		return
	}
	if x.gone {
		x.fail(now, protocol.ReasonUnplugged, false)
		return
	}
	x.want, x.id = r.Command, r.ID
	x.answer = x.profile.Timers.Answer[r.Command].Duration()
	x.spoken, x.unread, x.acked, x.quiet = false, false, false, false
	x.cancelled, x.givenUp = 0, false
	x.hasTaken, x.lastStray = false, nil
	x.state, x.by = awaitACK, now.Add(x.profile.Timers.Ack.Duration())
	x.limit = now.Add(x.profile.Timers.Whole.Duration())
	x.do(protocol.Action{Do: verb, Bytes: Frame(r.JSON())})
}

// next returns a requestId that no other command of this line has: of more
// digits than a payment's reference.
func (x *exchange) next(now time.Time) string {
	x.last = max(x.last+1, now.UnixMilli(), idMin)
	return strconv.FormatInt(x.last, 10)
}

// idMin has one digit more than a reference can have.
const idMin = 1_000_000_000_000

// drain takes what comes, until the line has been quiet for Timers.Quiet.
func (x *exchange) drain(now time.Time) {
	x.state = draining
	x.limit = now.Add(x.profile.Timers.Drain.Duration())
	x.quietFrom(now)
}

// wait takes what comes for a while.
func (x *exchange) wait(now time.Time, d time.Duration) {
	x.state, x.by = waiting, now.Add(d)
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
		a, r := x.push(c)
		x.arrive(now, a, r)
	}
	if x.state == draining {
		x.quietFrom(now)
	}
	x.watch(now)
	return x.flush()
}

func (x *exchange) arrive(now time.Time, a arrival, r Reply) {
	switch a {
	case noise:
		x.spoken = true
	case whole:
		x.message(now, r)
	case repeated:
		x.repeat()
	case damaged:
		x.damaged(now)
	case leaking:
		x.leak(now)
	}
}

func (x *exchange) message(now time.Time, r Reply) {
	switch r.Kind {
	case Msg:
		x.reply(now, r)
	case Ack:
		x.ack(now)
	case Busy:
		if x.state == awaitACK {
			x.state, x.by = refused, now.Add(x.profile.Timers.Settle.Duration())
		}
	case Ready:
		x.ready(now)
	default: // NAK, TO and what nobody knows: what is awaited may still come
		x.spoken = true
	}
}

// ack takes the terminal's acknowledgement. One that comes again, or for
// CancelTransaction, changes nothing.
func (x *exchange) ack(now time.Time) {
	if x.acked || x.state != awaitACK && x.state != refused {
		return
	}
	x.acked = true
	if x.money {
		x.do(protocol.Action{Do: protocol.Acked})
		x.show(protocol.StepPresent)
	}
	x.state = awaitReply
	x.by = protocol.Earliest(now.Add(x.answer), x.limit)
	if x.wanted {
		x.writeCancel(now)
	}
}

// ready is the terminal's end of an exchange: of ours once the answer is here.
// One that comes before our ACK belongs to an earlier exchange.
func (x *exchange) ready(now time.Time) {
	switch {
	case x.state == awaitReady:
		x.finish(now)
	case x.state != awaitReply, x.givenUp:
	case x.cancelled == 0:
		x.fail(now, protocol.ReasonEnded, true)
	default:
		x.givenUp = true // it may end the cancellation: the answer comes soon, or not at all
		x.by = protocol.Earliest(x.by, now.Add(x.profile.Timers.Cancel.Duration()))
	}
}

func (x *exchange) reply(now time.Time, r Reply) {
	x.lastStray = nil
	awaited := x.state == awaitACK || x.state == refused || x.state == awaitReply
	if awaited && r.Command == x.want && r.ID == x.id {
		if act, ok := x.role.take(now, r, x.acked); ok {
			x.close(now, r, act)
			return
		}
	}
	x.spoken = x.spoken || r.ID == x.id
	x.other(r)
}

// other takes an answer to nothing that we ask now.
func (x *exchange) other(r Reply) {
	if o, ok := strayOf(x.profile, r); ok {
		x.role.stray(o)
		x.lastStray = &o
		x.do(acknowledged(protocol.Action{Do: protocol.Stray, Outcome: o}))
		return
	}
	x.hasTaken = false // the same bytes may still come as the answer
	x.do(acknowledged(protocol.Action{Do: protocol.Write}))
}

// repeat acknowledges an answer once more. A late one is handed on once more
// too: it may be here again because it could not be kept.
func (x *exchange) repeat() {
	act := protocol.Action{Do: protocol.Write}
	if x.lastStray != nil {
		act = protocol.Action{Do: protocol.Stray, Outcome: *x.lastStray}
	}
	x.do(acknowledged(act))
}

// close takes the answer: act, then our ACK, then the terminal's READY. The
// answer stands, whether READY comes or not.
func (x *exchange) close(now time.Time, r Reply, act protocol.Action) {
	x.do(acknowledged(act))
	if act.Do == protocol.Persist {
		x.show(protocol.StepResult)
	}
	x.quiet = r.Result == Failed
	x.state, x.by = awaitReady, now.Add(x.profile.Timers.EOT.Duration())
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

// damaged is a message that cannot be read. There is no way to ask for it again;
// it may come again by itself.
func (x *exchange) damaged(now time.Time) {
	x.spoken, x.unread = true, true
	if x.state == awaitReply {
		x.givenUp = true
		x.by = protocol.Earliest(x.by, now.Add(x.profile.Timers.Settle.Duration()))
	}
}

// leak locks the terminal, before anything else that may fail. Our ACK stops it
// from sending the message again.
func (x *exchange) leak(now time.Time) {
	x.do(protocol.Action{Do: protocol.Alarm, Reason: protocol.ReasonLeak})
	x.do(acknowledged(x.role.leaked(now)))
	if x.state != draining && x.state != waiting && x.state != awaitReady {
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
		x.fail(now, protocol.ReasonNoAck, true)
	case refused:
		x.fail(now, protocol.ReasonBusy, x.spoken)
	case awaitReply:
		x.overdue(now)
	case awaitReady:
		if !x.quiet {
			x.do(protocol.Action{Do: protocol.Warn, Reason: protocol.ReasonNoEOT})
		}
		x.finish(now)
	case draining, waiting:
		x.finish(now)
	}
}

// overdue asks the terminal to stop, waits a last time, and gives up.
func (x *exchange) overdue(now time.Time) {
	switch {
	case x.unread && x.givenUp:
		x.fail(now, protocol.ReasonDamaged, true)
	case x.givenUp || !x.money:
		x.fail(now, protocol.ReasonNoAnswer, true)
	default:
		x.writeCancel(now)
		x.givenUp = true
		x.by = now.Add(x.profile.Timers.Cancel.Duration())
	}
}

// Cancel is protocol.Machine's. It is possible while an answer is awaited; an
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

// writeCancel writes CancelTransaction, as often as the profile has it at most.
func (x *exchange) writeCancel(now time.Time) {
	x.wanted = false
	if x.cancelled >= x.profile.Retries.Send {
		return
	}
	x.cancelled++
	x.cancelAt = now
	x.write(Request{Command: Cancel, ID: x.next(now)}.JSON())
	if x.money {
		x.show(protocol.StepCancelling)
	}
}

// Lost is protocol.Machine's.
func (x *exchange) Lost(now time.Time) []protocol.Action {
	x.gone = true
	switch x.state {
	case idle:
	case awaitReady, draining, waiting:
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
