package protocol

import (
	"time"

	"coffer/internal/money"
)

// Driver makes the conversations of one make of terminal.
type Driver interface {
	// Handshake asks the terminal what it is. It ends with a Device.
	Handshake() Machine
	// Listen takes what a terminal sends unasked: late answers become Stray.
	// It ends by itself once the line has been quiet for Timers.Quiet, or
	// after Timers.Drain, whichever comes first.
	Listen() Machine
	// Money carries out a command. It ends with an Outcome.
	Money(Command) (Machine, error)
	// Lookup finds out what became of a command, by messages that can never
	// move money. It ends with an Outcome: the attempt's own when the record
	// agrees with the question, else NotCharged with Evidence, else
	// InDoubt with a Reason.
	Lookup(Question) Machine
}

// Question asks what became of a command.
type Question struct {
	Ref    string
	Kind   Kind
	Amount money.Amount
	// OriginalRef, OriginalHostRef and OriginalTerminalRef are those of the
	// command: some protocols ask with all elements of it.
	OriginalRef         string
	OriginalHostRef     string
	OriginalTerminalRef string
	OriginalToken       Token
	// Serial is the serial number of the terminal that got the command. Another
	// terminal is not asked: its silence would prove nothing. Empty asks any.
	Serial string
}

// Machine is one conversation with a terminal, from its first byte to its
// last. Each method returns the actions to take, in their order. After an
// action with Do End the conversation is over and its methods return nothing.
type Machine interface {
	// Start begins. It is called once, first.
	Start(now time.Time) []Action
	// Receive takes bytes that came in, as they came.
	Receive(now time.Time, b []byte) []Action
	// Tick says that Deadline has come.
	Tick(now time.Time) []Action
	// Cancel asks the terminal to stop. The answer may still be an approval.
	Cancel(now time.Time) []Action
	// Lost says that the line is gone, and ends the conversation.
	Lost(now time.Time) []Action
	// Deadline returns when to call Tick; the zero time is never.
	Deadline() time.Time
}

// Verb is what an Action asks for.
type Verb uint8

// The verbs.
const (
	Write     Verb = iota // write Bytes
	Sending               // make it durable that the command will be sent; then write Bytes
	Acked                 // the terminal has taken the command
	Persist               // make Outcome durable; only then write Bytes
	Stray                 // keep Outcome, the late answer to another command; only then write Bytes
	Show                  // show Step
	Warn                  // note Reason in the log; the conversation goes on
	Alarm                 // quarantine the terminal for Reason
	Recognise             // take note of Device, which answers now; then write Bytes
	End                   // the conversation is over: Outcome, or Device, or Reason when it failed
)

// Action is one thing that a Machine asks of the line's owner. An action whose
// deed fails writes no Bytes.
type Action struct {
	Do      Verb
	Bytes   []byte
	Outcome Outcome
	Step    Step
	Device  Device
	Reason  Reason
}

// Earliest returns the earlier of two times, where the zero time is never.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
