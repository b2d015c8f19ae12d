package pax

import (
	"bytes"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/terminal/frame"
)

// The messages that this package sends or takes. A reply bears the next odd
// number.
const (
	Initialise = "A00" // → A01
	Cancel     = "A14" // no reply; the terminal answers EOT
	Reset      = "A16" // → A17
	Progress   = "A35" // comes unasked while a command runs
	Credit     = "T00" // → T01
	FindRecord = "R02" // → R03
	CloseBatch = "B00" // → B01
)

// VersionSent is the message layout that all public client kits state.
const VersionSent = "1.35"

// The status of a reply.
const (
	StatusLast byte = '0' // the last packet, or the only one
	StatusMore byte = '1' // more packets follow; each repeats the header and continues the groups
)

// ErrFormat is returned for a payload that is not a message.
var ErrFormat = fault.New(fault.Invalid, "The terminal sent something that is not a message of its protocol.")

// Request is a message from the till to the terminal:
// command, version, groups.
type Request struct {
	Command string
	Version string
	Groups  [][]string // of items; Latin-1 text
}

// bare returns a request that says nothing but its name. The client kits end it
// with the separator of a group that is not there.
func bare(command, version string) Request {
	return Request{Command: command, Version: version, Groups: [][]string{nil}}
}

// ParseRequest reads a request's payload.
func ParseRequest(payload []byte) (Request, error) {
	parts := split(payload, frame.FS)
	if len(parts) < 2 || !isCommand(parts[0]) {
		return Request{}, ErrFormat
	}
	return Request{Command: parts[0], Version: parts[1], Groups: groups(parts[2:])}, nil
}

// Append appends the request's payload to dst.
func (r Request) Append(dst []byte) []byte {
	dst = append(dst, r.Command...)
	dst = append(dst, frame.FS)
	dst = append(dst, r.Version...)
	return appendGroups(dst, r.Groups)
}

// Frame returns the request framed. A group that holds a control byte gives
// frame.ErrPayload.
func (r Request) Frame() ([]byte, error) { return frame.Append(nil, r.Append(nil)) }

// Response is a message from the terminal: status, command, version, code,
// text, groups.
type Response struct {
	Status  byte
	Command string
	Version string
	Code    string
	Text    string
	Groups  [][]string
}

// ParseResponse reads a response's payload. Groups and items missing at the
// end are as good as empty ones; extra ones are kept for the caller to drop.
func ParseResponse(payload []byte) (Response, error) {
	parts := split(payload, frame.FS)
	if len(parts) < 4 || len(parts[0]) != 1 || !isCommand(parts[1]) {
		return Response{}, ErrFormat
	}
	if s := parts[0][0]; s < '0' || s > '9' {
		return Response{}, ErrFormat
	}
	r := Response{Status: parts[0][0], Command: parts[1], Version: parts[2], Code: parts[3]}
	if len(parts) > 4 {
		r.Text, r.Groups = parts[4], groups(parts[5:])
	}
	return r, nil
}

// Append appends the response's payload to dst.
func (r Response) Append(dst []byte) []byte {
	dst = append(dst, r.Status, frame.FS)
	dst = append(dst, r.Command...)
	for _, s := range []string{r.Version, r.Code, r.Text} {
		dst = append(dst, frame.FS)
		dst = append(dst, s...)
	}
	return appendGroups(dst, r.Groups)
}

// Packets returns the response's payloads when none may be longer than
// sizeMax bytes: each repeats the header, all but the last have StatusMore,
// and the bytes after the headers joined are the groups of the whole.
func (r Response) Packets(sizeMax int) [][]byte {
	body := appendGroups(nil, r.Groups)
	head := Response{Status: StatusLast, Command: r.Command, Version: r.Version, Code: r.Code, Text: r.Text}.Append(nil)
	room := max(sizeMax-len(head), 1)
	var packets [][]byte
	for {
		n := min(room, len(body))
		p := append(bytes.Clone(head), body[:n]...)
		body = body[n:]
		packets = append(packets, p)
		if len(body) == 0 {
			return packets
		}
		p[0] = StatusMore
	}
}

// headerSize returns how many bytes of a response's payload stand before the
// separator of its first group, or all of them when it has no group.
func headerSize(payload []byte) int {
	n := 0
	for i, c := range payload {
		if c == frame.FS {
			if n++; n == 5 {
				return i
			}
		}
	}
	return len(payload)
}

// item returns an item of a group, or "" where there is none.
func item(groups [][]string, group, n int) string {
	if group < len(groups) && n < len(groups[group]) {
		return groups[group][n]
	}
	return ""
}

// Ext reads KEY=VALUE items. Keys become upper case; a value may hold '='; of
// a key that comes twice the first stands; items without '=' are dropped.
func Ext(items []string) map[string]string {
	m := make(map[string]string)
	for _, s := range items {
		key, value, ok := strings.Cut(s, "=")
		key = strings.ToUpper(strings.TrimSpace(key))
		if _, dup := m[key]; !ok || dup || key == "" {
			continue
		}
		m[key] = value
	}
	return m
}

func isCommand(s string) bool {
	return len(s) == 3 && s[0] >= 'A' && s[0] <= 'Z' && isDigits(s[1:])
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// split cuts b at each sep. The bytes are Latin-1 and stay as they are.
func split(b []byte, sep byte) []string {
	return strings.Split(string(b), string([]byte{sep}))
}

func groups(parts []string) [][]string {
	if len(parts) == 0 {
		return nil
	}
	g := make([][]string, len(parts))
	for i, p := range parts {
		g[i] = split([]byte(p), frame.US)
	}
	return g
}

// appendGroups appends each group after an FS.
func appendGroups(dst []byte, groups [][]string) []byte {
	for _, g := range groups {
		dst = append(dst, frame.FS)
		for i, s := range g {
			if i > 0 {
				dst = append(dst, frame.US)
			}
			dst = append(dst, s...)
		}
	}
	return dst
}

// trim cuts trailing empty items and groups off, as the client kits do.
func trim(groups [][]string) [][]string {
	for i, g := range groups {
		for len(g) > 0 && g[len(g)-1] == "" {
			g = g[:len(g)-1]
		}
		groups[i] = g
	}
	for len(groups) > 0 && len(groups[len(groups)-1]) == 0 {
		groups = groups[:len(groups)-1]
	}
	return groups
}
