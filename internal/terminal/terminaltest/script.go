package terminaltest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/terminal/protocol"
)

// Language is how scripts speak of a protocol.
type Language struct {
	Words map[string][]byte            // what the terminal sends, by name
	Say   func([]byte) (string, error) // names what the driver has written
}

// Play runs a script against a machine and returns what it did, in words
// separated by spaces. A script is words separated by spaces: those of the
// language are bytes that come in; cancel and lost are calls; +n lets n
// milliseconds pass, with a Tick at each deadline.
func Play(t testing.TB, m protocol.Machine, script string, l Language) string {
	t.Helper()
	s := &scene{t: t, m: m, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), language: l}
	s.take(m.Start(s.now))
	for w := range strings.FieldsSeq(script) {
		s.step(w)
	}
	return strings.Join(s.did, " ")
}

// scene is a machine under a script, and what it did.
type scene struct {
	t        testing.TB
	m        protocol.Machine
	now      time.Time
	language Language
	did      []string
	over     bool
}

func (s *scene) step(w string) {
	s.t.Helper()
	b, known := s.language.Words[w]
	switch {
	case known:
		s.take(s.m.Receive(s.now, b))
	case w == "cancel":
		s.take(s.m.Cancel(s.now))
	case w == "lost":
		s.take(s.m.Lost(s.now))
	case w[0] == '+':
		ms, err := strconv.Atoi(w[1:])
		if err != nil {
			s.t.Fatalf("script word %q", w)
		}
		s.pass(time.Duration(ms) * time.Millisecond)
	default:
		s.t.Fatalf("script word %q", w)
	}
}

func (s *scene) pass(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for {
		by := s.m.Deadline()
		if by.IsZero() || by.After(end) {
			s.now = end
			return
		}
		if by.After(s.now) {
			s.now = by
		}
		before := len(s.did)
		s.take(s.m.Tick(s.now))
		if again := s.m.Deadline(); !again.IsZero() && !again.After(s.now) && len(s.did) == before {
			s.t.Fatalf("Tick at the deadline changes nothing: a busy loop")
		}
	}
}

func (s *scene) take(actions []protocol.Action) {
	s.t.Helper()
	for _, a := range actions {
		if s.over {
			s.t.Errorf("an action after the end: %+v", a)
		}
		s.did = append(s.did, s.words(a))
		s.over = s.over || a.Do == protocol.End
	}
}

// words says an action in short.
func (s *scene) words(a protocol.Action) string {
	s.t.Helper()
	switch a.Do {
	case protocol.Write, protocol.Recognise:
		return s.wire(a.Bytes)
	case protocol.Sending:
		return "sending:" + s.wire(a.Bytes)
	case protocol.Acked:
		return "acked"
	case protocol.Persist:
		return "persist:" + short(a.Outcome) + "+" + s.wire(a.Bytes)
	case protocol.Stray:
		return "stray:" + short(a.Outcome) + "+" + s.wire(a.Bytes)
	case protocol.Show:
		return "show:" + string(a.Step)
	case protocol.Warn:
		return "warn:" + string(a.Reason)
	case protocol.Alarm:
		return "alarm:" + string(a.Reason)
	}
	switch {
	case a.Outcome != (protocol.Outcome{}):
		return "end:" + short(a.Outcome)
	case a.Reason != "":
		return "end:!" + string(a.Reason)
	}
	return "end:" + a.Device.Serial
}

func short(o protocol.Outcome) string {
	w := fmt.Sprintf("%s/%s", o.Result, o.Reason)
	if o.Evidence != "" {
		w += "/" + o.Evidence
	}
	if o.Approved != 0 {
		w += fmt.Sprintf("=%d", int64(o.Approved))
	}
	return w
}

func (s *scene) wire(b []byte) string {
	s.t.Helper()
	w, err := s.language.Say(b)
	if err != nil {
		s.t.Fatalf("bytes are written that are no message: %q", b)
	}
	return w
}
