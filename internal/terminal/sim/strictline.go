package sim

import (
	"time"

	"coffer/internal/terminal/frame"
)

// Judging the bytes of a line, before they are messages.

// started is the first byte of a frame.
func (w *watch) started(l *link) {
	l.conduct.within = l.conduct.continues()
	if w.chunk == l && !l.conduct.within && l.wire.waits {
		w.report(EarlyWrite, "a command began before EOT was sent")
	}
	w.chunk = nil
}

// read is the end of the bytes that came in one piece.
func (w *watch) read(l *link) { w.chunk, l.conduct.bad = nil, false }

// good is a frame or a control byte that belongs where it stands: what comes
// after it is judged afresh.
func (w *watch) good(l *link) {
	l.conduct.until, l.conduct.bad, l.conduct.within = time.Time{}, false, false
}

// continues reports whether what means nothing now belongs to the fault reported
// last.
func (c *conduct) continues() bool { return c.bad || !time.Now().After(c.until) }

// stray is a byte that belongs to nothing. One after the other they are one
// fault.
func (w *watch) stray(l *link, rule, text string) {
	known := l.conduct.continues()
	l.extend(w.s.o.GapTimeout)
	if !known {
		w.report(rule, text)
	}
}

// broken is a frame that cannot be read. What comes of it within tail belongs
// to it.
func (w *watch) broken(l *link, rule, text string, tail time.Duration) {
	known := l.conduct.within
	if known {
		tail = max(tail, w.s.o.GapTimeout)
	}
	if tail > 0 {
		l.extend(tail)
	}
	l.conduct.bad, l.conduct.within = true, true // whatever else is found of the same frame
	if !known {
		w.report(rule, text)
	}
}

// extend lets the fault reported last include what comes within d.
func (l *link) extend(d time.Duration) {
	if t := time.Now().Add(d); t.After(l.conduct.until) {
		l.conduct.until = t
	}
}

// noise is a byte outside of frames that is no control byte.
func (w *watch) noise(l *link, c byte) {
	if l.cur != nil && c >= ' ' && c <= '~' {
		w.stray(l, ASCIIAck, "text came where an acknowledgement is due; that is the single byte 06")
		return
	}
	w.stray(l, Garbage, "bytes came that belong to no frame")
}

// control judges a control byte before it takes effect.
func (w *watch) control(l *link, c byte) {
	text := ""
	rule := StrayControl
	switch c {
	case frame.ACK, frame.NAK:
		if l.conduct.unanswered == 0 && !l.garbled && l.noEOT.IsZero() {
			text = "ACK or NAK came, and there was nothing to answer"
		}
		l.conduct.unanswered = max(l.conduct.unanswered-1, 0)
	case frame.EOT:
		rule, text = w.eot(l)
	default:
		text = "ENQ came; this protocol has no use for it"
	}
	if text != "" {
		w.stray(l, rule, text)
		return
	}
	w.good(l)
}

// eot judges EOT: it gives up a reply that cannot be read, and nothing else.
func (w *watch) eot(l *link) (rule, text string) {
	switch {
	case l.garbled, l.cur != nil && (l.cur.stale || l.unreadable(l.cur)):
		return "", ""
	case l.cur != nil:
		return BrokenOff, "EOT came in place of the reply's ACK"
	case w.s.tx != nil && w.s.tx.link == l:
		return BrokenOff, "EOT came while a command runs; A14 is what cancels it"
	}
	return StrayControl, "EOT came, and there was nothing to end"
}
