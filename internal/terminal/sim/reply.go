package sim

import (
	"bytes"
	"strings"
	"time"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
)

// version is the message layout that the terminal states.
const version = "1.43"

// answer is a reply before it is bytes.
type answer struct {
	tx      *tx
	command string // T01, A01, …
	code    string
	text    string
	verdict *verdict      // of the issuer; nil when it was not asked
	line    Truth         // what it says, of a verdict
	whole   *pax.Response // of any other reply; nil for one without groups
}

// plain is a reply to a money command without groups.
func (s *Sim) plain(t *tx, code, text string) *answer {
	return &answer{tx: t, command: replyTo(pax.Credit), code: code, text: text}
}

// named is a reply without groups to a command.
func (s *Sim) named(t *tx, command, code, text string) *answer {
	return &answer{tx: t, command: replyTo(command), code: code, text: text}
}

// response lays a reply out.
func (s *Sim) response(a *answer) pax.Response {
	if a.whole != nil {
		return *a.whole
	}
	if a.verdict == nil || a.verdict.host == "" {
		return pax.Response{Status: pax.StatusLast, Command: a.command, Version: version, Code: a.code, Text: a.text}
	}
	v, o := a.verdict, a.line
	host := hostOf(o)
	host.Code, host.Text = v.host, v.hostText
	typ := a.tx.typ
	if v.original != nil {
		typ = typeOf(o)
	}
	return pax.MoneyReply{
		Code: a.code, Text: a.text, Host: host, Type: typ,
		Approved: v.approved, Due: o.Requested - v.approved,
		Account: accountOf(o), Trace: traceOf(o), Ext: s.ext(o),
	}.Response(version)
}

// reply sends an answer to whoever is there to hear it.
func (s *Sim) reply(l *link, a *answer) {
	flaws := a.tx.flaws
	r := s.response(a)
	s.twist(&r, flaws)
	frames := s.frames(r, flaws)
	if r.Command == replyTo(pax.Credit) {
		s.lastReply = frames[len(frames)-1]
	}
	deliver := func() {
		to := s.listener(l)
		switch {
		case to == nil: // nobody hears it
		case find(flaws, EOTForReply) != nil:
			to.put(frame.EOT)
		default:
			for i, f := range frames {
				p := &parcel{frame: f, wait: i < len(frames)-1, answer: a.tx.payload, stale: to != l}
				if i == len(frames)-1 {
					p.flaws = flaws
				}
				to.garbled = to.garbled || len(flaws) > 0
				to.push(p)
			}
		}
	}
	if f := find(flaws, LateReply); f != nil {
		s.after(orElse(time.Duration(f.Delay), s.o.LateReply), deliver)
		return
	}
	deliver()
}

// listener returns the link that hears a reply meant for l: l itself, or when
// that is gone whoever is at the same kind of line by now.
func (s *Sim) listener(l *link) *link {
	if !l.dead {
		return l
	}
	for i := len(s.links) - 1; i >= 0; i-- {
		if s.links[i].door.sticky() && l.door.sticky() {
			return s.links[i]
		}
	}
	return nil
}

// frames returns the frames of a response.
func (s *Sim) frames(r pax.Response, flaws []*Fault) [][]byte {
	payloads := [][]byte{r.Append(nil)}
	if find(flaws, MultiPacket) != nil {
		payloads = packets(r)
	}
	var frames [][]byte
	for _, p := range payloads {
		frames = append(frames, framed(p))
	}
	return frames
}

// packets cuts a response after the group of references: the first packet has
// status 1, the second repeats the header and goes on with the next group.
func packets(r pax.Response) [][]byte {
	at, ok := placesOf(r.Command)
	if cut := at.trace + 1; ok && len(r.Groups) > cut {
		first, second := r, r
		first.Status, first.Groups, second.Groups = pax.StatusMore, r.Groups[:cut], r.Groups[cut:]
		return [][]byte{first.Append(nil), second.Append(nil)}
	}
	return r.Packets(len(r.Append(nil))*2/3 + 1)
}

// framed puts a payload in a frame, also one that is too long for a frame.
func framed(payload []byte) []byte {
	b := append([]byte{frame.STX}, payload...)
	return append(b, frame.ETX, frame.LRC(payload))
}

// Groups of the replies that faults touch.
type places struct{ account, trace, ext int }

func placesOf(command string) (places, bool) {
	switch command {
	case "T01":
		return places{3, 4, 8}, true
	case "R03":
		return places{7, 8, 12}, true
	}
	return places{}, false
}

// twist applies the faults of a reply's content.
func (s *Sim) twist(r *pax.Response, flaws []*Fault) {
	at, ok := placesOf(r.Command)
	if ok && len(r.Groups) > at.ext {
		s.twistGroups(r, at, flaws)
	}
	if find(flaws, WrongCommand) != nil {
		r.Command = "B01"
	}
}

func (s *Sim) twistGroups(r *pax.Response, at places, flaws []*Fault) {
	g := r.Groups
	if find(flaws, WrongRef) != nil {
		g[at.trace] = put(g[at.trace], 1, "999999999999")
	}
	if find(flaws, PANLeak) != nil {
		g[at.account] = put(g[at.account], 0, Cards()["visa"].number)
	}
	for i, item := range g[at.ext] {
		key, value, _ := strings.Cut(item, "=")
		if find(flaws, LowerCaseKeys) != nil {
			key = strings.ToLower(key)
		}
		if find(flaws, NonASCII) != nil && key == "APPLAB" {
			value += " \xc9L\xc8VE"
		}
		g[at.ext][i] = key + "=" + value
	}
	if find(flaws, Oversize) != nil {
		g[at.ext] = append(g[at.ext], "FILLER="+strings.Repeat("X", frame.SizeMax+64))
	}
	if find(flaws, ExtraGroups) != nil {
		g[at.account] = put(g[at.account], 24, "NEW")
		g[at.trace] = put(g[at.trace], 12, "NEW")
		g[at.ext] = append([]string{""}, append(g[at.ext], "NEWKEY=1=2", "")...)
		r.Groups = append(g, []string{"VAS"}, []string{}, []string{"", "TOR"}, []string{"more"})
	}
	if f := find(flaws, CheckByte); f != nil {
		fit(r, at.ext, f.Byte)
	}
}

// put sets item n of a group, which grows as needed.
func put(group []string, n int, v string) []string {
	for len(group) <= n {
		group = append(group, "")
	}
	group[n] = v
	return group
}

// fit adds an item to the extended data that makes the check byte want.
func fit(r *pax.Response, ext int, want byte) {
	base := append([]string(nil), r.Groups[ext]...)
	for a := byte('0'); a <= 'z'; a++ {
		for b := byte('0'); b <= 'z'; b++ {
			for _, high := range []byte{'A', 0xc1} {
				r.Groups[ext] = append(base[:len(base):len(base)], "PAD="+string([]byte{high, a, b}))
				if payload := r.Append(nil); frame.LRC(payload) == want && !bytes.ContainsAny(payload, "\x02\x03") {
					return
				}
			}
		}
	}
}

// statusReport tells the driver what the screen shows.
func (s *Sim) statusReport(l *link, screen Screen) {
	if l.dead {
		return
	}
	r := pax.Response{Status: pax.StatusLast, Command: pax.Progress, Version: version, Code: codeOK,
		Text: strings.ToUpper(string(screen))}
	l.push(&parcel{frame: framed(r.Append(nil)), wait: true})
}
