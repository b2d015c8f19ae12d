package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kind names a fault. The names are those of scripts, of the control socket
// and of the command's help.
type Kind string

// The faults. Unless a script says otherwise, a fault of the reply meets the
// next reply to a money command or look-up, and a fault of the command meets
// the next command.
const (
	DropByte      Kind = "drop-byte"     // one byte of the reply is lost
	DropFrame     Kind = "drop-frame"    // the reply is lost whole; it is sent again when no ACK comes
	FlipBit       Kind = "flip-bit"      // one bit of the reply is wrong
	NoiseBefore   Kind = "noise-before"  // 02 03 06 10 15 FF stand before the reply
	NoiseAfter    Kind = "noise-after"   // 02 03 06 10 15 FF stand after the reply
	WrongLRC      Kind = "wrong-lrc"     // the check byte is wrong, Count times
	Gap           Kind = "gap"           // a pause inside the reply, longer than an inter-byte timer
	Split         Kind = "split"         // the reply arrives in pieces
	Merge         Kind = "merge"         // the ACK of the command arrives in one piece with the reply
	Duplicate     Kind = "duplicate"     // the reply arrives twice
	LateReply     Kind = "late-reply"    // the reply arrives after the driver has given up
	Stale         Kind = "stale"         // at the next attach, the last reply is sent once more
	WrongRef      Kind = "wrong-ref"     // the reply names another ECR reference
	WrongCommand  Kind = "wrong-command" // the reply is one to another command
	NoAck         Kind = "no-ack"        // the command is carried out, its ACK is lost
	DropCommand   Kind = "drop-command"  // the command never reaches the terminal
	Nak           Kind = "nak"           // the command is refused with NAK, Count times
	LateAck       Kind = "late-ack"      // the ACK comes after Delay
	MissingEOT    Kind = "missing-eot"   // the exchange ends without EOT
	EOTForReply   Kind = "eot-for-reply" // EOT comes instead of the reply; what was done is done
	MultiPacket   Kind = "multi-packet"  // the reply comes in two packets, the first with status 1
	Chatter       Kind = "chatter"       // status reports (A35) come although nobody asked
	ExtraGroups   Kind = "extra-groups"  // unknown groups and items stand at the end
	LowerCaseKeys Kind = "lower-case"    // the keys of the extended data are in lower case
	UpperCaseKeys Kind = "upper-case"    // the same in upper case
	Oversize      Kind = "oversize"      // the reply is longer than 64 KiB
	HangUp        Kind = "hang-up"       // the line goes away at byte At of the reply, and comes back
	PowerBefore   Kind = "power-before"  // the power fails before the issuer is asked, and comes back
	PowerAfter    Kind = "power-after"   // the power fails after the issuer's answer, and comes back
	Reboot        Kind = "reboot"        // the terminal restarts when the command arrives
	EOTForAck     Kind = "eot-for-ack"   // EOT comes instead of the command's ACK, and the command is carried out
	Busy          Kind = "busy"          // the command is refused with EOT, nothing is done
	Swap          Kind = "swap"          // another device answers: another serial number, until it restarts
	Downgrade     Kind = "downgrade"     // the device answers with an older firmware, until it restarts
	ClockJump     Kind = "clock-jump"    // the device's clock jumps by Delay, until it restarts; default a day and two hours
	Offline       Kind = "offline"       // the device approves by itself and tells the bank after Options.SlowHost (store and forward)
	PANLeak       Kind = "pan-leak"      // a whole test card number stands in the account group
	Partial       Kind = "partial"       // the issuer approves half
	LocalDup      Kind = "local-dup"     // 100011, describing the newest charge of the same amount, if there is one
	HostDup       Kind = "host-dup"      // the host says duplicate (PAX 103000, describing it) for the newest charge of the same amount, if there is one
	CheckByte     Kind = "check-byte"    // the reply is padded so that its check byte is Byte
	HostDown      Kind = "host-down"     // the issuer cannot be reached: nothing is charged
	SlowHost      Kind = "slow-host"     // the issuer takes long
	Timeout       Kind = "timeout"       // nobody presents a card
	NonASCII      Kind = "non-ascii"     // a Latin-1 byte stands in the card's label
	NoAckBusy     Kind = "no-ack-busy"   // the command is carried out, its ACK is lost, and its repetition is refused with EOT
)

// Fault is one entry of a script.
type Fault struct {
	Kind Kind `json:"kind"`
	// Message is the command (T00, R02, …; for Simplify its type: 02, 22, …) or
	// its reply (T01, R03, …) that the fault meets; "" is any that the kind meets by itself.
	Message string `json:"message,omitempty"`
	// Nth is which matching occasion, counted from 1 when the fault is given;
	// 0 means 1.
	Nth int `json:"nth,omitempty"`
	// Count repeats the fault: on as many sendings of the same reply when it
	// is one of the reply's bytes, else on as many occasions in a row; 0 means 1.
	Count int `json:"count,omitempty"`
	// At is the byte of the frame at which it strikes, counted from 1 (the
	// STX), for drop-byte, flip-bit, gap, split and hang-up; 0 draws one.
	At int `json:"at,omitempty"`
	// Delay is for gap, late-ack, late-reply, hang-up (until the line is back),
	// power faults (until the power is back) and clock-jump, where it may be
	// negative; 0 takes the kind's default.
	Delay Duration `json:"delay,omitempty"`
	// Byte is the check byte that check-byte asks for.
	Byte byte `json:"byte,omitempty"`
}

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

// MarshalJSON writes the duration as Go does: "1.5s".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads "1.5s".
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("sim: a duration is a string such as \"1.5s\": %w", err)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("sim: a duration is a string such as \"1.5s\": %w", err)
	}
	*d = Duration(v)
	return nil
}

// ErrKind says that the terminal's protocol has no fault of this name.
var ErrKind = errors.New("sim: no fault has this name; fault without a name lists them")
