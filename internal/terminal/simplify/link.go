package simplify

import (
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// Line says what the conversation runs over.
type Line bool

// The two manners.
const (
	Serial Line = true  // frames with a check byte, each answered with ACK or NAK
	TCP    Line = false // payloads that end with EOT, and nothing else
)

// decoder finds payloads in a stream of bytes.
type decoder interface {
	Push(c byte) (frame.Event, bool)
	Inside() bool
	Wipe()
}

// link turns the bytes of the line into whole messages: it checks frames, asks
// for damaged ones again and looks for card numbers, before anything of a
// payload becomes text.
type link struct {
	driver
	dec    decoder
	out    []protocol.Action
	byteBy time.Time // when the next byte of a begun payload is due
	bad    int       // damaged payloads in a row
}

// arrival is what link makes of one event of the decoder.
type arrival uint8

const (
	nothing arrival = iota
	began           // a payload has begun
	control         // a control byte
	noise           // a byte that means nothing
	whole           // a message is complete
	damaged         // a payload that cannot be read
	leaking         // a payload that holds a card number; it is wiped
)

// push feeds one byte.
func (l *link) push(c byte) (arrival, byte, Message) {
	e, ok := l.dec.Push(c)
	if !ok {
		return nothing, 0, nil
	}
	switch e.Kind {
	case frame.Start, frame.Restarted:
		return began, 0, nil
	case frame.Control:
		return control, e.Byte, nil
	case frame.Noise:
		return noise, e.Byte, nil
	case frame.Frame:
		return l.payload(e.Payload)
	}
	return damaged, 0, nil
}

// payload takes a payload whose check byte is good. The decoder's buffer is
// wiped when it returns.
func (l *link) payload(b []byte) (arrival, byte, Message) {
	defer l.dec.Wipe()
	if leaks(b) {
		return leaking, 0, nil
	}
	m, err := ParseMessage(b)
	if err != nil || len(b) > l.profile.FrameMax {
		return damaged, 0, nil
	}
	l.bad = 0
	return whole, 0, m
}

// watch sets when the next byte is due. On TCP a pause is the network's and
// damages nothing: only a payload that does not go on for as long as an ACK may
// take is given up.
func (l *link) watch(now time.Time) {
	l.byteBy = time.Time{}
	gap := l.profile.Timers.Byte
	if l.line == TCP {
		gap = l.profile.Timers.Ack
	}
	if l.dec.Inside() {
		l.byteBy = now.Add(gap.Duration())
	}
}

// envelope returns a message as it goes over the line.
func (l *link) envelope(m Message) ([]byte, error) {
	payload := m.Append(nil)
	if l.line == TCP {
		return payload, nil
	}
	return frame.Append(nil, payload)
}

// ack returns our acknowledgement; TCP has none.
func (l *link) ack() []byte {
	if l.line == TCP {
		return nil
	}
	return []byte{frame.ACK}
}

func (l *link) do(a protocol.Action) { l.out = append(l.out, a) }

func (l *link) write(b ...byte) {
	if len(b) > 0 {
		l.do(protocol.Action{Do: protocol.Write, Bytes: b})
	}
}

func (l *link) show(s protocol.Step) { l.do(protocol.Action{Do: protocol.Show, Step: s}) }

// flush returns the actions gathered so far.
func (l *link) flush() []protocol.Action {
	out := l.out
	l.out = nil
	return out
}
