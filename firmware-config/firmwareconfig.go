// Package firmwareconfig has what Coffer must know of models of card terminals:
// their profiles, the versions of their software that are accepted, and how
// they are inspected. It is data, compiled in and checked when it is loaded; a
// directory that the clinic's own key has signed may put other files in the
// place of these (see Open). A profile with a key
// that is unknown, missing or out of its range is refused whole. A message
// that could make a terminal return card data is on no allow-list, and a
// profile that lists one is refused.
package firmwareconfig

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"regexp"
	"slices"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

// Schema is the JSON schema of a profile.
//
//go:embed schema/terminal-profile.schema.json
var Schema []byte

// UdevRules gives terminals on USB their names; it belongs in
// /etc/udev/rules.d.
//
//go:embed udev/60-coffer-terminals.rules
var UdevRules []byte

// The faults of this package.
var (
	ErrUnknown = fault.New(fault.NotFound, "There is no terminal profile of this name. See firmware-config/README.md for those that there are.")
	ErrProfile = fault.New(fault.Invalid, "This terminal profile is refused: a key is unknown, missing or out of its range.")
	ErrMessage = fault.New(fault.Invalid, "This terminal profile is refused: it allows a message that can return card data, or one that Coffer does not know.")
)

// sizeMax is the largest profile that is read, in bytes.
const sizeMax = 64 << 10

// Parse reads and checks a profile. Every key of the schema must be there, and
// no other.
func Parse(b []byte) (protocol.Profile, error) {
	p, err := decode[protocol.Profile](b)
	if err == nil {
		err = check(p)
	}
	if err != nil {
		return protocol.Profile{}, err
	}
	return p, nil
}

// decode reads one JSON object that has every key of T, and no other.
func decode[T any](b []byte) (T, error) {
	var v, none T
	if len(b) > sizeMax || !complete[T](b) {
		return none, ErrProfile
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return none, fault.Wrap(err, fault.Invalid, "This terminal profile is refused: a key is unknown, missing or out of its range.")
	}
	if _, err := d.Token(); err != io.EOF {
		return none, ErrProfile
	}
	return v, nil
}

// complete reports whether the object has every key, and each once: what is
// read and written again has the same keys.
func complete[T any](b []byte) bool {
	var p T
	var have, want any
	if json.Unmarshal(b, &p) != nil || json.Unmarshal(b, &have) != nil {
		return false
	}
	again, err := json.Marshal(p)
	if err != nil || json.Unmarshal(again, &want) != nil {
		return false
	}
	return sameKeys(have, want)
}

func sameKeys(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !sameKeys(v, w) {
				return false
			}
		}
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameKeys(a[i], b[i]) {
				return false
			}
		}
	}
	return true
}

var (
	idForm  = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	hexForm = regexp.MustCompile(`^([0-9a-f]{4})?$`)
)

// manner is what the profiles of a protocol have in common.
type manner struct {
	// messages are those that may stand on an allow-list. Anything else can
	// return card data or is not spoken by Coffer.
	messages   []string
	unanswered []string // of these, those that no answer is awaited to
	transports []string
	frameMax   int
	version    *regexp.Regexp // what is sent of the message layout
	notFound   *regexp.Regexp // what says that there is no such record
	errorCode  *regexp.Regexp // of the model's own; nil where the protocol lists them
	again      bool           // a record that is not there is looked for twice
}

var manners = map[string]manner{
	"pax": {
		messages:   []string{"A00", "A14", "A16", "A35", "B00", "R02", "T00"},
		unanswered: []string{"A14", "A35"}, // a cancellation has no answer, and a status report is one
		transports: []string{"serial", "usb-cdc", "tcp"}, frameMax: 64 << 10,
		version: regexp.MustCompile(`^[0-9]+\.[0-9]+$`), notFound: regexp.MustCompile(`^[0-9]{6}$`),
	},
	"simplify": {
		messages:   []string{"02", "09", "11", "13", "22", "73", "80"},
		transports: []string{"serial", "usb-cdc", "tcp"}, frameMax: 64 << 10,
		version: regexp.MustCompile(`^[0-9]+\.[0-9]+$`), notFound: regexp.MustCompile(`^[A-Z][A-Z ]{3,39}$`),
	},
	"upa": {
		messages:   []string{"Ping", "GetAppInfo", "Sale", "Void", "Refund", "CancelTransaction", "GetBatchDetails"},
		unanswered: []string{"CancelTransaction"}, transports: []string{"tcp"}, frameMax: 4 << 20,
		version: regexp.MustCompile(`^$`), notFound: regexp.MustCompile(`^[A-Z0-9 ]{1,40}$`),
		errorCode: regexp.MustCompile(`^[A-Z0-9]{1,12}$`), again: true,
	},
}

func check(p protocol.Profile) error {
	m, known := manners[p.Protocol]
	if !known {
		return ErrProfile
	}
	for i, name := range p.Messages {
		if !slices.Contains(m.messages, name) || slices.Contains(p.Messages[:i], name) {
			return ErrMessage
		}
	}
	ok := idForm.MatchString(p.ID) && p.Vendor != "" && p.Model != "" && m.version.MatchString(p.Version) &&
		p.FrameMax >= 1024 && p.FrameMax <= m.frameMax &&
		checkTimers(p, m) && checkRetries(p.Retries) && checkLookup(p.Lookup, m) && checkCodes(p.ErrorCodes, m) &&
		len(p.Transports) > 0 && !slices.ContainsFunc(p.Transports, func(t protocol.Transport) bool {
		return !slices.Contains(m.transports, t.Kind) || badTransport(t)
	})
	if !ok {
		return ErrProfile
	}
	return nil
}

// limitMax is the longest time limit of a conversation: ten minutes.
const limitMax protocol.Millis = 600_000

func checkTimers(p protocol.Profile, m manner) bool {
	t := p.Timers
	for _, limit := range []protocol.Millis{t.Ack, t.Byte, t.EOT, t.Settle, t.Cancel, t.Whole, t.Quiet, t.Drain, t.Write, t.RetryMin, t.RetryMax} {
		if limit < 1 || limit > limitMax {
			return false
		}
	}
	for message, limit := range t.Answer {
		if limit < 1 || limit > limitMax || !slices.Contains(m.messages, message) {
			return false
		}
	}
	for _, message := range p.Messages {
		if !slices.Contains(m.unanswered, message) && t.Answer[message] == 0 {
			return false
		}
	}
	return t.RetryMin <= t.RetryMax && t.Quiet >= t.Byte && t.Quiet <= t.Drain && t.KeepAlive >= 0 && t.KeepAlive <= 86_400_000
}

func checkRetries(r protocol.Retries) bool {
	for _, n := range []int{r.Send, r.NAK, r.EOT} {
		if n < 1 || n > 10 {
			return false
		}
	}
	return true
}

func checkLookup(l protocol.Lookup, m manner) bool {
	return len(l.NotFound) > 0 && (l.First == 0 || l.First == 1) && l.Again >= 0 && l.Again <= limitMax && l.Again > 0 == m.again &&
		!slices.ContainsFunc(l.NotFound, func(c string) bool { return !m.notFound.MatchString(c) }) &&
		(m.again || len(l.Standing) == 0) && !slices.Contains(l.Standing, "")
}

// checkCodes lets an error code state only what a terminal can state.
func checkCodes(codes map[string]protocol.Reason, m manner) bool {
	for code, r := range codes {
		if _, known := protocol.Stated(r); !known || m.errorCode == nil || !m.errorCode.MatchString(code) {
			return false
		}
	}
	return true
}

// bauds are the speeds that the line layer can set.
var bauds = []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400}

func badTransport(t protocol.Transport) bool {
	if !hexForm.MatchString(t.Match.Vendor) || !hexForm.MatchString(t.Match.Product) || t.Flow != "none" {
		return true
	}
	switch t.Kind {
	case "tcp":
		return t.Port < 1 || t.Port > 65535
	case "serial", "usb-cdc":
		return len(t.Baud) == 0 || slices.ContainsFunc(t.Baud, func(b int) bool { return !slices.Contains(bauds, b) }) ||
			(t.Data != 7 && t.Data != 8) || !slices.Contains([]string{"N", "O", "E"}, t.Parity) || (t.Stop != 1 && t.Stop != 2)
	}
	return true
}
