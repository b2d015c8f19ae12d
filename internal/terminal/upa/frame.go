package upa

import "coffer/internal/terminal/frame"

const lf, cr byte = '\n', '\r'

// Frame returns a message in its envelope: STX LF, the JSON, LF ETX LF.
func Frame(json []byte) []byte {
	b := append(make([]byte, 0, len(json)+5), frame.STX, lf)
	b = append(b, json...)
	return append(b, lf, frame.ETX, lf)
}

// Decoder finds messages in a stream of bytes, however the network has split
// or merged them. Line breaks are no part of a message, wherever they stand:
// some clients put them in after each comma. There is no check byte, so BadSum
// is no event of it, and no control bytes.
type Decoder struct {
	max      int
	payload  []byte
	inside   bool
	skipping bool // the message has grown too long: its rest is not kept
}

// NewDecoder returns a decoder of messages of up to sizeMax bytes.
func NewDecoder(sizeMax int) *Decoder { return &Decoder{max: sizeMax} }

// Push takes the next byte of the line and returns what has been found with
// it; ok is false when the byte has completed nothing.
func (d *Decoder) Push(c byte) (e frame.Event, ok bool) {
	switch {
	case c == lf, c == cr:
		return frame.Event{}, false
	case c == frame.STX && d.inside:
		d.begin()
		return frame.Event{Kind: frame.Restarted}, true
	case c == frame.STX:
		d.begin()
		return frame.Event{Kind: frame.Start, Byte: c}, true
	case !d.inside:
		return frame.Event{Kind: frame.Noise, Byte: c}, true
	case c == frame.ETX:
		d.inside = false
		return frame.Event{Kind: frame.Frame, Payload: d.payload}, !d.skipping
	case d.skipping:
		return frame.Event{}, false
	case len(d.payload) == d.max:
		d.Wipe()
		d.inside, d.skipping = true, true
		return frame.Event{Kind: frame.Oversize}, true
	}
	d.payload = frame.Extend(d.payload, c)
	return frame.Event{}, false
}

// begin starts a message. What the last one held is overwritten first.
func (d *Decoder) begin() {
	d.Wipe()
	d.inside = true
}

// Inside reports whether a message has begun and not yet ended.
func (d *Decoder) Inside() bool { return d.inside }

// Wipe forgets a message that has begun, and overwrites with zeros what the
// last one held.
func (d *Decoder) Wipe() {
	clear(d.payload[:cap(d.payload)])
	d.payload, d.inside, d.skipping = d.payload[:0], false, false
}
