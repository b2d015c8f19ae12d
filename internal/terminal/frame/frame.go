// Package frame is the envelope in which card terminals send their messages:
//
//	STX payload ETX LRC
//
// where LRC is the exclusive or of every byte after STX up to and including
// ETX. It may have any value, also that of STX, ETX, EOT, ACK or NAK, so the
// byte after ETX is always the LRC and never a control byte.
//
// The package is pure: it owns no port and no clock. A Decoder is fed one byte
// at a time, however the line has split or merged them, needs bounded memory
// whatever it is fed, and finds the next frame after any damage.
package frame

import "coffer/internal/fault"

// The control bytes of the line and the two separators of a payload.
const (
	STX byte = 0x02 // starts a frame
	ETX byte = 0x03 // ends the payload; one LRC byte follows
	EOT byte = 0x04 // ends the conversation
	ENQ byte = 0x05 // asks for the line; no known terminal sends it
	ACK byte = 0x06 // the frame was received whole
	NAK byte = 0x15 // the frame was damaged: send it again
	FS  byte = 0x1c // separates the groups of a payload
	US  byte = 0x1f // separates the items of a group
)

// SizeMax is the largest payload, in bytes, that is sent or received.
const SizeMax = 64 << 10

// ErrPayload is returned for a payload that no frame can carry.
var ErrPayload = fault.New(fault.Invalid, "This message does not fit in a frame: it is too long or holds a control byte.")

// LRC returns the checksum of a frame with this payload.
func LRC(payload []byte) byte {
	sum := ETX
	for _, c := range payload {
		sum ^= c
	}
	return sum
}

// Append appends the frame of payload to dst. A payload that is longer than
// SizeMax or holds STX or ETX gives ErrPayload.
func Append(dst, payload []byte) ([]byte, error) {
	if len(payload) > SizeMax {
		return dst, ErrPayload
	}
	for _, c := range payload {
		if c == STX || c == ETX {
			return dst, ErrPayload
		}
	}
	dst = append(dst, STX)
	dst = append(dst, payload...)
	return append(dst, ETX, LRC(payload)), nil
}
