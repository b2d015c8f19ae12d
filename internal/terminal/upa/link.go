package upa

import (
	"crypto/sha256"
	"errors"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// link turns the bytes of the line into whole messages: it takes envelopes
// apart, drops answers that come again and looks for card numbers, before
// anything of a message becomes text.
type link struct {
	profile protocol.Profile
	dec     *Decoder
	out     []protocol.Action
	byteBy  time.Time // when the next byte of a begun message is due

	taken    [sha256.Size]byte // hash of the last answer that was taken
	hasTaken bool
}

// arrival is what link makes of one byte.
type arrival uint8

const (
	nothing  arrival = iota
	noise            // a byte that means nothing
	whole            // a message is complete
	repeated         // the answer that was taken last, once more
	damaged          // a message that cannot be read
	leaking          // a message that holds a card number; it is wiped
)

// push feeds one byte.
func (l *link) push(c byte) (arrival, Reply) {
	e, ok := l.dec.Push(c)
	if !ok {
		return nothing, Reply{}
	}
	switch e.Kind {
	case frame.Start:
		return nothing, Reply{}
	case frame.Noise:
		return noise, Reply{}
	case frame.Frame:
		return l.message(e.Payload)
	}
	return damaged, Reply{}
}

// message takes a message. The decoder's buffer is wiped when it returns.
func (l *link) message(payload []byte) (arrival, Reply) {
	defer l.dec.Wipe()
	sum := sha256.Sum256(payload)
	if l.hasTaken && sum == l.taken {
		return repeated, Reply{}
	}
	r, err := ParseReply(payload)
	switch {
	case errors.Is(err, ErrLeak):
		return leaking, Reply{}
	case err != nil:
		return damaged, Reply{}
	case r.Kind == Msg:
		l.taken, l.hasTaken = sum, true
	}
	return whole, r
}

// watch sets when the next byte is due.
func (l *link) watch(now time.Time) {
	l.byteBy = time.Time{}
	if l.dec.Inside() {
		l.byteBy = now.Add(l.profile.Timers.Byte.Duration())
	}
}

func (l *link) do(a protocol.Action) { l.out = append(l.out, a) }

// write writes a message.
func (l *link) write(json []byte) { l.do(protocol.Action{Do: protocol.Write, Bytes: Frame(json)}) }

func (l *link) show(s protocol.Step) { l.do(protocol.Action{Do: protocol.Show, Step: s}) }

// flush returns the actions gathered so far.
func (l *link) flush() []protocol.Action {
	out := l.out
	l.out = nil
	return out
}

// acknowledged is the action with our ACK for its bytes.
func acknowledged(a protocol.Action) protocol.Action {
	a.Bytes = Frame(Signal(Ack))
	return a
}
