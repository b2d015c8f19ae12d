package terminaltest

import (
	"testing"
	"time"

	"coffer/internal/money"
	"coffer/internal/terminal/protocol"
)

// CardNumber is a published test number. It stands where a Kit is asked to
// leak.
const CardNumber = "4111111111111111"

// Says is what an answer of the terminal says.
type Says uint8

// What an answer can say.
const (
	Approves  Says = iota
	Declines       // the bank refuses
	Cancels        // somebody pressed the red key
	Unknown        // it bears a code that stands nowhere
	Leaks          // it approves, and holds CardNumber where an account belongs
	Elsewhere      // it approves, and holds CardNumber in a field that nobody reads
)

// Answer is what a terminal answers to Kit.Command, or its record of it.
type Answer struct {
	Says   Says
	Ref    string
	Kind   protocol.Kind
	Amount money.Amount // that was approved
}

// Kit is what Run has to know of a driver and of its protocol.
type Kit struct {
	Driver  protocol.Driver
	Command protocol.Command // a sale; its reference has more digits than "7"
	Serial  string           // of the terminal

	// Whole is how long a conversation about money may last, whatever comes; Ask
	// the same of a handshake or a look-up.
	Whole, Ask time.Duration
	// Sends is how often the command may be written while nothing answers it.
	Sends int

	// Moves reports whether bytes of the driver hold a message that moves money.
	Moves func(b []byte) bool
	// Confirms reports whether bytes of the driver acknowledge an answer.
	Confirms func(b []byte) bool

	Ack     []byte              // the terminal has the command; nil where nothing is acknowledged
	Denials [][]byte            // it has not, or does not take it
	Chatter [][]byte            // all else that it may say of itself
	GivenUp []byte              // the command was cancelled, where that is no answer to it; or nil
	Noise   []byte              // single bytes that answer nothing, to be glued in
	Answer  func(Answer) []byte // the answer to Command; nil where there is none
	Record  func(Answer) []byte // the answer to a look-up; nil where there is none
	Lookup  [][]byte            // other answers to the questions of a look-up or a handshake
	// Before is what an idle terminal answers to a look-up, in this order, until
	// it is asked for the record.
	Before [][]byte

	// Wrap, if set, stands between the suite and a machine.
	Wrap func(protocol.Machine) protocol.Machine
}

func (k Kit) machine(m protocol.Machine) protocol.Machine {
	if k.Wrap != nil {
		return k.Wrap(m)
	}
	return m
}

func (k Kit) money(t failer) protocol.Machine {
	m, err := k.Driver.Money(k.Command)
	if err != nil {
		t.Fatalf("the command is refused: %v", err)
	}
	return k.machine(m)
}

func (k Kit) lookup() protocol.Machine {
	c := k.Command
	return k.machine(k.Driver.Lookup(protocol.Question{Ref: c.Ref, Kind: c.Kind, Amount: c.Amount, Serial: k.Serial}))
}

// Run holds the driver to every property, each a test of its own.
func Run(t *testing.T, k Kit) {
	t.Run("Money", k.testMoney)
	t.Run("Order", k.testOrder)
	t.Run("Answers", k.testAnswers)
	t.Run("Lost", k.testLost)
	t.Run("Silence", k.testSilence)
	t.Run("Lookup", k.testLookup)
	t.Run("Unasked", k.testUnasked)
	t.Run("Leaks", k.testLeaks)
}
