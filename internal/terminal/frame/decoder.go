package frame

// Kind says what a Decoder has found.
type Kind uint8

// What a Decoder finds.
const (
	Frame     Kind = iota // a whole frame with a good checksum: Payload
	Control               // ACK, NAK, EOT or ENQ between frames: Byte
	Start                 // STX: a frame has begun
	BadSum                // a whole frame whose checksum is wrong
	Restarted             // STX inside a frame: the first one is lost, a new one has begun
	Oversize              // a payload longer than SizeMax; its rest is skipped
	Noise                 // any other byte between frames: Byte
)

// Event is one thing that a Decoder has found.
type Event struct {
	Kind    Kind
	Byte    byte   // the byte itself, of Control and Noise
	Payload []byte // of Frame; valid until the next Push or Wipe
}

type state uint8

const (
	between  state = iota // outside of any frame
	inside                // after STX
	checksum              // after ETX: the next byte is the LRC, whatever it is
	skipping              // inside a frame that has grown too long
	skipped               // after the ETX of such a frame: its LRC comes
)

// Decoder finds frames and control bytes in a stream of bytes. The zero value
// is ready.
type Decoder struct {
	state   state
	payload []byte
}

// Push takes the next byte of the line and returns what has been found with
// it; ok is false when the byte has completed nothing.
func (d *Decoder) Push(c byte) (e Event, ok bool) {
	switch d.state {
	case inside, skipping:
		return d.pushInside(c)
	case checksum:
		d.state = between
		if c != LRC(d.payload) {
			return Event{Kind: BadSum}, true
		}
		return Event{Kind: Frame, Payload: d.payload}, true
	case skipped:
		d.state = between
		return Event{}, false
	}
	return d.pushBetween(c)
}

func (d *Decoder) pushBetween(c byte) (Event, bool) {
	switch c {
	case STX:
		d.begin()
		return Event{Kind: Start, Byte: c}, true
	case ACK, NAK, EOT, ENQ:
		return Event{Kind: Control, Byte: c}, true
	}
	return Event{Kind: Noise, Byte: c}, true
}

func (d *Decoder) pushInside(c byte) (Event, bool) {
	switch {
	case c == STX:
		d.begin()
		return Event{Kind: Restarted}, true
	case c == ETX && d.state == skipping:
		d.state = skipped
	case c == ETX:
		d.state = checksum
	case d.state == skipping:
	case len(d.payload) == SizeMax:
		d.Wipe()
		d.state = skipping
		return Event{Kind: Oversize}, true
	default:
		d.payload = Extend(d.payload, c)
	}
	return Event{}, false
}

// Extend is append for bytes that must not stay behind: when b has to move, the
// place that it leaves is overwritten.
func Extend(b []byte, more ...byte) []byte {
	if len(b)+len(more) > cap(b) {
		wider := make([]byte, len(b), 2*(len(b)+len(more))+512)
		copy(wider, b)
		clear(b[:cap(b)])
		b = wider
	}
	return append(b, more...)
}

// begin starts a frame. What the last one held is overwritten first.
func (d *Decoder) begin() {
	clear(d.payload[:cap(d.payload)])
	d.payload = d.payload[:0]
	d.state = inside
}

// Inside reports whether a frame has begun and not yet ended.
func (d *Decoder) Inside() bool { return d.state != between }

// Wipe forgets a frame that has begun, and overwrites with zeros what the
// last one held. The next byte is taken as one between frames.
func (d *Decoder) Wipe() {
	clear(d.payload[:cap(d.payload)])
	d.payload, d.state = d.payload[:0], between
}
