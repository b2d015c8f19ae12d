package simplify

import "coffer/internal/terminal/frame"

// Decoder takes a TCP stream apart, where nothing but its EOT surrounds a
// payload. Its events are frame.Start, frame.Frame and frame.Oversize. The zero
// value is ready.
type Decoder struct {
	payload  []byte
	skipping bool
}

// Push takes the next byte and returns what has been found with it; ok is
// false when the byte has completed nothing.
func (d *Decoder) Push(c byte) (e frame.Event, ok bool) {
	first := len(d.payload) == 0 && !d.skipping
	switch {
	case d.skipping:
		d.skipping = c != frame.EOT
		return frame.Event{}, false
	case first:
		d.begin()
	case len(d.payload) == frame.SizeMax && c != frame.EOT:
		d.Wipe()
		d.skipping = true
		return frame.Event{Kind: frame.Oversize}, true
	}
	d.payload = frame.Extend(d.payload, c)
	switch {
	case c == frame.EOT:
		whole := d.payload
		d.payload = d.payload[:0]
		return frame.Event{Kind: frame.Frame, Payload: whole}, true
	case first:
		return frame.Event{Kind: frame.Start, Byte: c}, true
	}
	return frame.Event{}, false
}

// begin overwrites what the last payload has left.
func (d *Decoder) begin() { clear(d.payload[:cap(d.payload)]) }

// Inside reports whether a payload has begun and not yet ended.
func (d *Decoder) Inside() bool { return len(d.payload) > 0 || d.skipping }

// Wipe forgets a payload that has begun, and overwrites with zeros what the
// last one held.
func (d *Decoder) Wipe() {
	clear(d.payload[:cap(d.payload)])
	d.payload, d.skipping = d.payload[:0], false
}
