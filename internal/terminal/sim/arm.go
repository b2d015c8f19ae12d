package sim

import (
	"fmt"
	"slices"
)

// reach says what a kind meets when a fault names no message.
type reach uint8

const (
	anyCommand  reach = iota // every command but A14
	answers                  // money commands and look-ups
	moneyOnly                // money commands
	attachments              // no command: the next attach
)

// trait is what the engine knows of a kind.
type trait struct {
	kind  Kind
	reach reach
	bytes bool // a fault of the reply's bytes: Count is of sendings
	chaos bool // drawn by chaos
	about string
}

// traits lists the kinds in the order in which the help shows them. Chaos
// draws no fault after which the rules of a till ask for a person: another
// device, a leaked number, a repetition that is none.
var traits = []trait{
	{DropByte, answers, true, true, "one byte of the reply is lost"},
	{DropFrame, answers, true, true, "the reply is lost; it is sent again when no ACK comes"},
	{FlipBit, answers, true, true, "one bit of the reply is wrong"},
	{NoiseBefore, answers, true, true, "02 03 06 10 15 FF before the reply"},
	{NoiseAfter, answers, true, true, "02 03 06 10 15 FF after the reply"},
	{WrongLRC, answers, true, true, "the reply's check byte is wrong, COUNT times"},
	{Gap, answers, true, true, "a pause inside the reply"},
	{Split, answers, true, true, "the reply arrives in pieces"},
	{Duplicate, answers, true, true, "the reply arrives twice"},
	{HangUp, answers, true, true, "the line goes away within the reply, and comes back"},
	{Merge, answers, false, true, "the ACK arrives in one piece with the reply"},
	{LateReply, answers, false, true, "the reply comes after the driver has given up"},
	{EOTForReply, answers, false, true, "EOT comes instead of the reply"},
	{MissingEOT, answers, false, true, "no EOT after the reply"},
	{MultiPacket, answers, false, true, "the reply comes in two packets"},
	{ExtraGroups, answers, false, true, "unknown groups and items in the reply"},
	{LowerCaseKeys, answers, false, true, "keys of the extended data in lower case"},
	{UpperCaseKeys, answers, false, true, "keys of the extended data in upper case"},
	{NonASCII, answers, false, true, "a Latin-1 byte in the card's label"},
	{CheckByte, answers, false, true, "the check byte has the value of a control byte"},
	{Oversize, answers, false, true, "a reply longer than 64 KiB"},
	{WrongCommand, answers, false, true, "the reply is one to another command"},
	{WrongRef, moneyOnly, false, true, "the reply names another ECR reference"},
	{PANLeak, moneyOnly, false, false, "a whole test card number in the account group"},
	{NoAck, answers, false, true, "the command's ACK is lost"},
	{NoAckBusy, moneyOnly, false, true, "the ACK is lost, and the command's repetition refused"},
	{EOTForAck, moneyOnly, false, true, "EOT comes instead of the ACK, and the command is carried out"},
	{LateAck, answers, false, true, "the command's ACK comes late"},
	{DropCommand, anyCommand, false, true, "the command does not reach the terminal"},
	{Nak, anyCommand, false, true, "the command is refused with NAK, COUNT times"},
	{Busy, anyCommand, false, true, "the command is refused with EOT"},
	{Reboot, anyCommand, false, true, "the terminal restarts when the command comes"},
	{PowerBefore, moneyOnly, false, true, "the power fails before the issuer is asked; also of a batch close, when named"},
	{PowerAfter, moneyOnly, false, true, "the power fails after the issuer's answer; also of a batch close, when named"},
	{Chatter, moneyOnly, false, true, "status reports nobody asked for"},
	{Timeout, moneyOnly, false, true, "nobody presents a card"},
	{HostDown, moneyOnly, false, true, "the issuer cannot be reached"},
	{SlowHost, moneyOnly, false, true, "the issuer takes long"},
	{Partial, moneyOnly, false, true, "the issuer approves half"},
	{LocalDup, moneyOnly, false, false, "100011 with the newest charge of the same amount"},
	{HostDup, moneyOnly, false, false, "the host's duplicate, with the newest charge of the same amount"},
	{Offline, moneyOnly, false, true, "the terminal approves by itself, and tells the bank later"},
	{ClockJump, moneyOnly, false, true, "the terminal's clock jumps by a day and two hours, until power-off"},
	{Stale, attachments, false, true, "the last reply once more, at the next attach"},
	{Downgrade, anyCommand, false, false, "an older firmware answers, until power-off"},
	{Swap, anyCommand, false, false, "another device: other serial number, until power-off"},
}

func traitOf(k Kind) (trait, bool) {
	i := slices.IndexFunc(traits, func(t trait) bool { return t.kind == k })
	if i < 0 {
		return trait{}, false
	}
	return traits[i], true
}

// About returns a kind's description, in a few words.
func (k Kind) About() string {
	t, _ := traitOf(k) // of an unknown kind nothing is to be said
	return t.about
}

// meets reports whether a fault of this kind can strike at an order; message
// is the fault's own, or "".
func (t trait) meets(message string, o order) bool {
	c := o.class()
	switch {
	case c == cancelling || t.reach == attachments:
		return false
	case message != "":
		return o.is(message)
	case t.reach == moneyOnly:
		return c == moving
	case t.reach == answers:
		return c == moving || c == seeking
	}
	return true
}

// armed is a fault that waits.
type armed struct {
	Fault
	seen int
}

func (s *Sim) arm(f Fault) error {
	t, ok := traitOf(f.Kind)
	if !ok || slices.Contains(s.p.lacks(), f.Kind) {
		return fmt.Errorf("%w: %q", ErrKind, string(f.Kind))
	}
	if t.reach == attachments {
		s.staleNext = true
		return nil
	}
	f.Nth, f.Count = max(f.Nth, 1), max(f.Count, 1)
	s.armed = append(s.armed, &armed{Fault: f})
	return nil
}

// strike returns the faults that meet this command, from the script and from
// chaos.
func (s *Sim) strike(o order) []*Fault {
	var flaws []*Fault
	s.armed = slices.DeleteFunc(s.armed, func(a *armed) bool {
		t, _ := traitOf(a.Kind) // arm has checked it
		if !t.meets(a.Message, o) {
			return false
		}
		a.seen++
		last := a.Nth
		if !t.bytes && a.Kind != Nak {
			last += a.Count - 1
		}
		if a.seen >= a.Nth {
			f := a.Fault
			flaws = append(flaws, &f)
		}
		return a.seen >= last
	})
	if s.o.Chaos > 0 && s.chaos.Float64() < s.o.Chaos {
		if f := s.draw(o); f != nil {
			flaws = append(flaws, f)
		}
	}
	s.stats.Faults += len(flaws)
	return flaws
}

// draw lets chaos choose a fault.
func (s *Sim) draw(o order) *Fault {
	var kinds []Kind
	for _, k := range s.o.ChaosKinds {
		if t, ok := traitOf(k); ok && (t.meets("", o) || t.reach == attachments) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	f := &Fault{Kind: kinds[s.chaos.IntN(len(kinds))], Count: 1, Byte: checkBytes[s.chaos.IntN(len(checkBytes))]}
	switch f.Kind {
	case Stale:
		s.staleNext = true
	case Nak, WrongLRC:
		f.Count = 1 + s.chaos.IntN(triesMax)
	}
	return f
}

// checkBytes are the check bytes that look like control bytes.
var checkBytes = []byte{0x02, 0x03, 0x04, 0x06, 0x15}

// take uses up one occasion of a fault and reports whether there was one.
func take(flaws []*Fault, k Kind) bool {
	f := find(flaws, k)
	if f == nil || f.Count <= 0 {
		return false
	}
	f.Count--
	return true
}
