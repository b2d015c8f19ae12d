package protocol

import (
	"time"

	"coffer/internal/fault"
)

// ErrProfile is returned for a profile that does not allow what the till
// needs.
var ErrProfile = fault.New(fault.Invalid, "This terminal profile does not allow a message that Coffer needs, or lacks its time limits.")

// Millis is a span of time in milliseconds, as profiles state it.
type Millis int64

// Duration returns the span.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Profile is what Coffer has to know of a model of terminal that is not in
// its protocol: data, so that it can be corrected without a new program.
type Profile struct {
	ID         string      `json:"id"`
	Vendor     string      `json:"vendor"`
	Model      string      `json:"model"`
	Protocol   string      `json:"protocol"` // "pax", "simplify" or "upa"
	Simulated  bool        `json:"simulated"`
	Transports []Transport `json:"transports"`
	Timers     Timers      `json:"timers"`
	Retries    Retries     `json:"retries"`
	FrameMax   int         `json:"max_frame"`    // bytes of payload, all packets together
	Version    string      `json:"version_sent"` // of the message layout
	Messages   []string    `json:"allowed_messages"`
	Lookup     Lookup      `json:"lookup"`
	// ErrorCodes are the model's own codes for what went wrong, each with the
	// Reason that it states, where the protocol has no list of them.
	ErrorCodes   map[string]Reason `json:"error_codes"`
	Capabilities Capabilities      `json:"capabilities"`
	Settings     []Setting         `json:"required_terminal_settings"`
	PTS          PTS               `json:"pts"`
	Notes        []string          `json:"notes"`
}

// Transport is one way in which the model can be connected.
type Transport struct {
	Kind   string `json:"kind"` // "serial", "usb-cdc" or "tcp"
	Match  Match  `json:"match"`
	Baud   []int  `json:"baud"`   // in the order to try; serial only
	Data   int    `json:"data"`   // bits
	Parity string `json:"parity"` // "N", "O" or "E"
	Stop   int    `json:"stop"`   // bits
	Flow   string `json:"flow"`   // "none"
	Port   int    `json:"tcp_port"`
	TLS    bool   `json:"tls"`
}

// Match finds a USB device, by hexadecimal numbers.
type Match struct {
	Vendor       string `json:"vid"`
	Product      string `json:"pid"`
	SerialPrefix string `json:"serial_prefix"`
}

// Timers are the time limits of a conversation.
type Timers struct {
	Ack       Millis            `json:"ack"`        // from a frame to its ACK
	Byte      Millis            `json:"ibt"`        // between two bytes of a frame
	EOT       Millis            `json:"eot"`        // from our ACK to the terminal's EOT
	Settle    Millis            `json:"settle"`     // after a refusal by EOT, for an ACK that contradicts it
	Answer    map[string]Millis `json:"rsp"`        // by message: from ACK to the answer
	Cancel    Millis            `json:"cancel"`     // from A14 to giving up
	Whole     Millis            `json:"whole"`      // from the first byte to A14, whatever the terminal reports
	Quiet     Millis            `json:"quiet"`      // silence that ends draining
	Drain     Millis            `json:"drain"`      // limit of draining
	KeepAlive Millis            `json:"keep_alive"` // between handshakes when idle; 0 is never
	Write     Millis            `json:"write"`      // for the line to take a frame
	RetryMin  Millis            `json:"retry_min"`  // before the first attempt to attach again
	RetryMax  Millis            `json:"retry_max"`  // between later ones
}

// Retries count how often something is done, the first time included.
type Retries struct {
	Send int `json:"send"` // the same frame, while nothing has answered it
	NAK  int `json:"nak"`  // asking for a damaged frame again
	EOT  int `json:"eot"`  // our ACK, while no EOT comes
}

// Lookup has what differs between models in asking for a past payment.
type Lookup struct {
	NotFound []string `json:"not_found"` // codes that mean: no such record
	First    int      `json:"first"`     // the number of the first record, 0 or 1
	Again    Millis   `json:"again"`     // before a record that is not there is looked for once more; 0 is never
	Standing []string `json:"standing"`  // what a record says of itself when its money stands
	// Proof: the model's records are complete, so that one that is not there, and
	// would have to be, proves that nothing was charged. Without it people decide.
	Proof bool `json:"proof"`
}

// Capabilities say what a model can do.
type Capabilities struct {
	RefundByRef bool `json:"refund_ref"`
	Partial     bool `json:"partial"`
	Surcharge   bool `json:"surcharge"`
	HSA         bool `json:"hsa"`
	Contactless bool `json:"contactless"`
	Signature   bool `json:"signature"`
	Reprint     bool `json:"reprint"`
	Lookup      bool `json:"lookup"`
}

// Setting is one that must be made on the terminal itself.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// PTS is the model's approval by the card industry's council. The clinic
// fills it in from the council's own list; Coffer ships none.
type PTS struct {
	Approval *string `json:"approval"`
	Expiry   *string `json:"expiry"`
}

// Allows reports whether the profile's allow-list has the message.
func (p Profile) Allows(message string) bool {
	for _, m := range p.Messages {
		if m == message {
			return true
		}
	}
	return false
}
