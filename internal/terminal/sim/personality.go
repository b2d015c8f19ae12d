package sim

import (
	"errors"
	"slices"

	"coffer/internal/terminal/frame"
)

// Protocol names what a terminal speaks. The names are those of the drivers.
type Protocol string

// The protocols.
const (
	PAX      Protocol = "pax"
	Simplify Protocol = "simplify"
	UPA      Protocol = "upa"
)

// ErrProtocol says that a protocol's name is not one of Protocols.
var ErrProtocol = errors.New("sim: no terminal speaks this protocol")

// personalities make each protocol's terminal.
var personalities = map[Protocol]func(*Sim) personality{
	PAX:      func(s *Sim) personality { return paxTerminal{s} },
	Simplify: func(s *Sim) personality { return &simplifyTerminal{s, make(map[string][]byte)} },
	UPA:      func(s *Sim) personality { return upaTerminal{s} },
}

// Protocols returns the names of all protocols, in alphabetical order.
func Protocols() []Protocol {
	var names []Protocol
	for p := range personalities {
		names = append(names, p)
	}
	slices.Sort(names)
	return names
}

// Kinds returns the faults that a terminal of this protocol can have, in the
// order of the help.
func (p Protocol) Kinds() []Kind { return p.kinds(func(trait) bool { return true }) }

// ChaosKinds returns the kinds that chaos draws from unless told otherwise:
// those after which a till can go on without a person.
func (p Protocol) ChaosKinds() []Kind { return p.kinds(func(t trait) bool { return t.chaos }) }

func (p Protocol) kinds(ok func(trait) bool) []Kind {
	made, known := personalities[p]
	if !known {
		return nil
	}
	lacks := made(nil).lacks()
	var kinds []Kind
	for _, t := range traits {
		if ok(t) && !slices.Contains(lacks, t.kind) {
			kinds = append(kinds, t.kind)
		}
	}
	return kinds
}

// personality is the part of a terminal that is its protocol's: the shape of
// its messages on a line and what they say. Device, issuer, ledger, doors and
// faults are the same for all. Its methods run on the engine.
type personality interface {
	// lacks returns the faults for which the protocol has no place. It is
	// called without a Sim.
	lacks() []Kind
	// wire returns how messages travel on a line through that door.
	wire(d door) wire
	// parse reads a message of the driver.
	parse(payload []byte) (order, error)
	// result answers the command of a transaction that has ended so, with
	// Sim.reply. The line is what the ledger says of it, or would say.
	result(t *tx, v verdict, line Truth)
	// progress returns a report of what the screen shows, or nil.
	progress(t *tx, screen Screen) []byte
	// clear reports whether a reply tells the end of its command beyond doubt.
	clear(reply []byte) bool
}

// order is one message of the driver.
type order interface {
	// name is that of the message, as Violation has it: T00.
	name() string
	// is reports whether a fault's Message means this order or its reply.
	is(message string) bool
	class() class
	// key returns a money command's reference, and what else makes it this
	// command: another one must not bear the same reference.
	key() (ref, sense string)
	// carryOut does it: it answers with Sim.reply, or puts a transaction on
	// the device with Sim.begin.
	carryOut(t *tx)
	// refuse says that the device is busy.
	refuse(l *link, payload []byte)
	// cancel ends what runs, if it can be ended. Only of class cancelling.
	cancel(l *link, payload []byte)
	// judge reports what is wrong with the message by itself.
	judge(w *watch)
}

// class is what faults and strict need to know of an order.
type class uint8

const (
	other      class = iota
	shaking          // asks the terminal what it is, and changes nothing
	moving           // moves money
	seeking          // looks up what became of a command
	cancelling       // ends what runs
	replying         // has the name of a reply: there is no reply to it
)

// wire is how messages travel on one line. What a field is nil for does not
// exist on it.
type wire struct {
	decoder func() decoder
	frame   func(payload []byte) []byte // also one that is too long
	max     int                         // the longest payload that a driver can read
	checked bool                        // a frame ends with a check byte

	ack, nak []byte // what the terminal answers a frame
	eot      []byte // how it ends an exchange
	answered bool   // the driver answers each frame with ACK or NAK
	signals  bool   // so that it is a message too, and only its end tells it from a command
	waits    bool   // the driver waits for eot
	asks     bool   // a driver that comes back may look up at once: a busy terminal says so
}

// decoder takes a stream of bytes apart. Answers of the driver that are whole
// messages are its frame.Control events too, with the byte that they mean.
type decoder interface {
	Push(c byte) (frame.Event, bool)
	Inside() bool
	Wipe()
}
