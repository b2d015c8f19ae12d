package sim

import (
	"bytes"
	"time"

	"coffer/internal/terminal/frame"
)

// noise is what a bad line adds: each control byte, and two that are none.
var noise = []byte{frame.STX, frame.ETX, frame.ACK, 0x10, frame.NAK, 0xff}

// damage returns the writes that put a parcel on the wire, with the faults of
// its bytes.
func (l *link) damage(p *parcel) []piece {
	b := l.wire.frame(p.payload)
	s := l.s
	if l.wire.checked {
		b = l.noisy(b, p.flaws)
	}
	if take(p.flaws, Duplicate) {
		b = append(b, b...)
	}
	switch {
	case take(p.flaws, DropFrame):
		return []piece{{}}
	case take(p.flaws, HangUp):
		f := find(p.flaws, HangUp)
		k := s.position(b, f.At)
		return []piece{{data: b[:k]}, {pause: linger, then: func() { s.hangUp(time.Duration(f.Delay)) }}}
	case take(p.flaws, Gap):
		f := find(p.flaws, Gap)
		k := s.position(b, f.At)
		return []piece{{data: b[:k]}, {pause: orElse(time.Duration(f.Delay), s.o.gap()), data: b[k:]}}
	case take(p.flaws, Split):
		return s.pieces(b, find(p.flaws, Split).At)
	}
	return []piece{{data: b}}
}

// noisy applies what only a line without the guarantees of TCP does to a frame.
func (l *link) noisy(b []byte, flaws []*Fault) []byte {
	if take(flaws, WrongLRC) {
		b[len(b)-1] ^= 0x55
	}
	if take(flaws, FlipBit) {
		b = l.flip(b, find(flaws, FlipBit).At)
	}
	if take(flaws, DropByte) {
		k := l.s.position(b, find(flaws, DropByte).At)
		b = append(b[:k], b[k+1:]...)
	}
	if take(flaws, NoiseBefore) {
		b = append(bytes.Clone(noise), b...)
	}
	if take(flaws, NoiseAfter) {
		b = append(b, noise...)
	}
	return b
}

// pieces cuts b in two at byte at, or in several at random.
func (s *Sim) pieces(b []byte, at int) []piece {
	if at > 0 {
		k := s.position(b, at)
		return []piece{{data: b[:k]}, {pause: s.o.splitPause(), data: b[k:]}}
	}
	var out []piece
	for len(b) > 0 {
		n := min(1+s.chaos.IntN(max(len(b)/3, 1)), len(b))
		out = append(out, piece{pause: s.o.splitPause(), data: b[:n]})
		b = b[n:]
	}
	return out
}

// position returns the index of byte at (counted from 1), or draws one.
func (s *Sim) position(b []byte, at int) int {
	if at <= 0 {
		return s.chaos.IntN(len(b))
	}
	return min(at, len(b)) - 1
}

// flip turns one bit. A drawn one is such that the check byte shows it: the
// exclusive or cannot show a bit that cuts the frame where it happens to fit.
func (l *link) flip(b []byte, at int) []byte {
	s := l.s
	for {
		c := bytes.Clone(b)
		c[s.position(b, at)] ^= 1 << s.chaos.IntN(8)
		if at > 0 || !l.wire.readable(c) {
			return c
		}
	}
}

// readable reports whether a driver would take a frame out of b.
func (w wire) readable(b []byte) bool {
	d := w.decoder()
	for _, c := range b {
		if e, ok := d.Push(c); ok && e.Kind == frame.Frame {
			return true
		}
	}
	return false
}
