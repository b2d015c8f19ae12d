package pax

import (
	"bytes"
	"crypto/sha256"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/protocol"
)

// link turns the bytes of the line into whole replies: it checks frames, asks
// for damaged ones again, joins packets, drops repeated frames and looks for
// card numbers, before anything of a frame becomes text.
type link struct {
	profile protocol.Profile
	dec     frame.Decoder
	out     []protocol.Action

	byteBy time.Time // when the next byte of a begun frame is due
	bad    int       // damaged frames in a row

	taken    [sha256.Size]byte // hash of the last frame that was taken
	hasTaken bool
	parts    []byte // the packets so far of a reply that comes in several
}

// arrival is what link makes of one event of the decoder.
type arrival uint8

const (
	nothing  arrival = iota
	began            // a frame has begun
	control          // a control byte
	noise            // a byte that means nothing
	whole            // a reply is complete
	repeated         // the frame that was taken last, once more
	packet           // a packet that is not the last
	damaged          // a frame that cannot be read
	leaking          // a frame that holds a card number; it is wiped
)

// push feeds one byte.
func (l *link) push(c byte) (arrival, byte, Response) {
	e, ok := l.dec.Push(c)
	if !ok {
		return nothing, 0, Response{}
	}
	switch e.Kind {
	case frame.Start, frame.Restarted:
		return began, 0, Response{}
	case frame.Control:
		return control, e.Byte, Response{}
	case frame.Noise:
		return noise, e.Byte, Response{}
	case frame.Frame:
		a, r := l.frame(e.Payload)
		return a, 0, r
	}
	return damaged, 0, Response{}
}

// frame takes a frame whose checksum is good. The decoder's buffer is wiped
// when it returns.
func (l *link) frame(payload []byte) (arrival, Response) {
	defer l.dec.Wipe()
	sum := sha256.Sum256(payload)
	if l.hasTaken && sum == l.taken {
		return repeated, Response{}
	}
	if len(l.parts) == 0 {
		if leaks(payload) {
			return leaking, Response{}
		}
		r, err := ParseResponse(payload)
		if err != nil {
			return damaged, Response{}
		}
		l.took(sum)
		if r.Status != StatusMore {
			return whole, r
		}
		l.parts = frame.Extend(l.parts, payload...)
		return packet, Response{}
	}
	return l.join(payload, sum)
}

// join adds a packet to those before it. Its header must be that of the first
// one, status aside; what stands after that many bytes goes on where the last
// packet ended.
func (l *link) join(payload []byte, sum [sha256.Size]byte) (arrival, Response) {
	head := headerSize(l.parts)
	if len(payload) < head || !bytes.Equal(payload[1:head], l.parts[1:head]) {
		l.forget() // another message has come between: the first is given up
		return l.frame(payload)
	}
	if len(l.parts)+len(payload) > l.profile.FrameMax {
		l.forget()
		return damaged, Response{}
	}
	l.took(sum)
	l.parts = frame.Extend(l.parts, payload[head:]...)
	// What a field is depends on the groups before it: only the whole tells.
	if leaks(l.parts) {
		l.forget()
		return leaking, Response{}
	}
	if payload[0] == StatusMore {
		return packet, Response{}
	}
	defer l.forget()
	r, err := ParseResponse(l.parts)
	if err != nil {
		return damaged, Response{}
	}
	r.Status = StatusLast
	return whole, r
}

func (l *link) took(sum [sha256.Size]byte) { l.taken, l.hasTaken, l.bad = sum, true, 0 }

// forget overwrites and drops the packets so far.
func (l *link) forget() {
	clear(l.parts[:cap(l.parts)])
	l.parts = l.parts[:0]
}

// watch sets when the next byte is due.
func (l *link) watch(now time.Time) {
	l.byteBy = time.Time{}
	if l.dec.Inside() {
		l.byteBy = now.Add(l.profile.Timers.Byte.Duration())
	}
}

func (l *link) do(a protocol.Action) { l.out = append(l.out, a) }

func (l *link) write(b ...byte) { l.do(protocol.Action{Do: protocol.Write, Bytes: b}) }

func (l *link) show(s protocol.Step) { l.do(protocol.Action{Do: protocol.Show, Step: s}) }

// flush returns the actions gathered so far.
func (l *link) flush() []protocol.Action {
	out := l.out
	l.out = nil
	return out
}
