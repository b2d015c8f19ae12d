package sim

import "time"

// reply sends the answer to t's command to whoever is there to hear it, in one
// message or in several.
func (s *Sim) reply(t *tx, payloads ...[]byte) {
	last := len(payloads) - 1
	if t.order.class() == moving && !t.hit(WrongCommand) {
		s.lastReply = payloads[last]
	}
	deliver := func() {
		to := s.listener(t.link)
		switch {
		case to == nil: // nobody hears it
		case t.hit(EOTForReply):
			to.put(to.wire.eot)
		default:
			for i, payload := range payloads {
				p := &parcel{payload: payload, wait: i < last, answer: t.payload, stale: to != t.link}
				if i == last {
					p.flaws = t.flaws
				}
				to.garbled = to.garbled || len(t.flaws) > 0
				to.push(p)
			}
		}
	}
	if f := find(t.flaws, LateReply); f != nil {
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

// report tells the driver what the screen shows, where the protocol can.
func (s *Sim) report(t *tx, screen Screen) {
	if payload := s.p.progress(t, screen); payload != nil {
		t.link.push(&parcel{payload: payload, wait: true})
	}
}
