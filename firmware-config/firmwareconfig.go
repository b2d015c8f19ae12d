// Package firmwareconfig has the approved profiles of card terminals: data
// that is compiled in and checked when it is loaded. A profile with a key
// that is unknown, missing or out of its range is refused whole. A message
// that could make a terminal return card data is on no allow-list, and a
// profile that lists one is refused.
package firmwareconfig

import (
	"bytes"
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/terminal/protocol"
)

//go:embed profiles/*.json
var profiles embed.FS

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

// IDs returns the names of all profiles, in alphabetical order.
func IDs() []string {
	names, err := fs.Glob(profiles, "profiles/*.json")
	if err != nil {
		return nil // the pattern is a constant, and good
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(n, "profiles/"), ".json")
	}
	slices.Sort(names)
	return names
}

// Profile returns the profile of this name, or ErrUnknown.
func Profile(id string) (protocol.Profile, error) {
	if !slices.Contains(IDs(), id) {
		return protocol.Profile{}, ErrUnknown
	}
	b, err := profiles.ReadFile("profiles/" + id + ".json")
	if err != nil {
		return protocol.Profile{}, ErrUnknown
	}
	p, err := Parse(b)
	if err == nil && p.ID != id {
		err = ErrProfile
	}
	if err != nil {
		return protocol.Profile{}, err
	}
	return p, nil
}

// sizeMax is the largest profile that is read, in bytes.
const sizeMax = 64 << 10

// Parse reads and checks a profile. Every key of the schema must be there, and
// no other.
func Parse(b []byte) (protocol.Profile, error) {
	var p protocol.Profile
	if len(b) > sizeMax || !complete(b) {
		return p, ErrProfile
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return protocol.Profile{}, fault.Wrap(err, fault.Invalid, "This terminal profile is refused: a key is unknown, missing or out of its range.")
	}
	if _, err := d.Token(); err != io.EOF {
		return protocol.Profile{}, ErrProfile
	}
	if err := check(p); err != nil {
		return protocol.Profile{}, err
	}
	return p, nil
}

// complete reports whether the profile has every key, and each once: what is
// read and written again has the same keys.
func complete(b []byte) bool {
	var p protocol.Profile
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
	idForm      = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	versionForm = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
	hexForm     = regexp.MustCompile(`^([0-9a-f]{4})?$`)

	// notFoundForms is how each protocol says that it has no record: PAX by a
	// code, Simplify by the gateway's words.
	notFoundForms = map[string]*regexp.Regexp{
		"pax":      regexp.MustCompile(`^[0-9]{6}$`),
		"simplify": regexp.MustCompile(`^[A-Z][A-Z ]{3,39}$`),
	}
)

// messages are those that may stand on an allow-list. Anything else can
// return card data or is not spoken by Coffer.
var messages = map[string][]string{
	"pax":      {"A00", "A14", "A16", "A35", "B00", "R02", "T00"},
	"simplify": {"02", "09", "11", "13", "22", "73", "80"},
}

func check(p protocol.Profile) error {
	allowed, known := messages[p.Protocol]
	if !known {
		return ErrProfile
	}
	for i, m := range p.Messages {
		if !slices.Contains(allowed, m) || slices.Contains(p.Messages[:i], m) {
			return ErrMessage
		}
	}
	ok := idForm.MatchString(p.ID) && p.Vendor != "" && p.Model != "" && versionForm.MatchString(p.Version) &&
		p.FrameMax >= 1024 && p.FrameMax <= 64<<10 &&
		checkTimers(p) && checkRetries(p.Retries) && checkLookup(p.Lookup, notFoundForms[p.Protocol]) &&
		len(p.Transports) > 0 && !slices.ContainsFunc(p.Transports, badTransport)
	if !ok {
		return ErrProfile
	}
	return nil
}

// limitMax is the longest time limit of a conversation: ten minutes.
const limitMax protocol.Millis = 600_000

func checkTimers(p protocol.Profile) bool {
	t := p.Timers
	for _, m := range []protocol.Millis{t.Ack, t.Byte, t.EOT, t.Settle, t.Cancel, t.Whole, t.Quiet, t.Drain, t.Write, t.RetryMin, t.RetryMax} {
		if m < 1 || m > limitMax {
			return false
		}
	}
	for _, m := range t.Answer {
		if m < 1 || m > limitMax {
			return false
		}
	}
	for _, message := range p.Messages {
		// A cancellation has no answer, and a status report is one.
		if message != "A14" && message != "A35" && t.Answer[message] == 0 {
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

func checkLookup(l protocol.Lookup, form *regexp.Regexp) bool {
	return len(l.NotFound) > 0 && (l.First == 0 || l.First == 1) && l.Again >= 0 && l.Again <= limitMax &&
		!slices.ContainsFunc(l.NotFound, func(c string) bool { return !form.MatchString(c) })
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
