package sim

import (
	"io"
	"slices"
	"time"
)

// reachable reports whether somebody can attach.
func (s *Sim) reachable() bool { return s.powered && s.plugged && s.screen != Booting }

// attach makes a connection a link of the terminal.
func (s *Sim) attach(conn io.ReadWriteCloser, d door) {
	w := s.p.wire(d)
	l := &link{s: s, door: d, wire: w, dec: w.decoder()}
	s.watch.attached(l)
	l.line = s.newLine(conn, l.receive, func() { s.watch.left(l); s.dropLinks(l) })
	s.links = append(s.links, l)
	if s.staleNext && s.lastReply != nil {
		s.staleNext = false
		l.garbled = true
		l.push(&parcel{payload: s.lastReply, stale: true})
	}
}

// dropLinks forgets one link, or all when l is nil.
func (s *Sim) dropLinks(l *link) {
	for _, x := range slices.Clone(s.links) {
		if l == nil || x == l {
			x.drop()
			s.links = slices.DeleteFunc(s.links, func(y *link) bool { return y == x })
		}
	}
}

func (s *Sim) unplug() {
	if !s.plugged {
		return
	}
	s.plugged = false
	s.lowerDoors()
}

func (s *Sim) lowerDoors() {
	for _, d := range s.doors {
		d.lower()
	}
	s.dropLinks(nil)
}

func (s *Sim) plug() error {
	s.plugged = true
	return s.raiseDoors()
}

func (s *Sim) raiseDoors() error {
	if !s.reachable() {
		return nil
	}
	for _, d := range s.doors {
		if err := d.raise(); err != nil {
			return err
		}
	}
	return nil
}

// hangUp is the cable pulled by a fault, and put back by itself.
func (s *Sim) hangUp(d time.Duration) {
	if d == 0 {
		d = s.o.PlugDelay
	}
	s.unplug()
	s.after(d, func() {
		if err := s.plug(); err != nil {
			s.o.Log.Error("The line could not be opened again.", "error", err)
		}
	})
}

func (s *Sim) powerOff() {
	if !s.powered {
		return
	}
	s.powered = false
	s.stop(&s.power)
	s.clearDevice()
	s.screen = Off
	s.lastReply = nil
	s.lowerDoors()
}

func (s *Sim) powerOn() {
	if s.powered || s.broken != nil {
		return
	}
	s.powered = true
	s.serial, s.app, s.skew = s.o.Serial, s.o.App, 0
	s.screen = Booting
	s.power = s.after(s.o.BootDelay, s.booted)
}

// booted is the end of the boot: what the terminal knows, it knows from the
// ledger file, and what it had stored for the bank it has told it by then.
func (s *Sim) booted() {
	if err := s.reload(); err != nil {
		s.broken = err
		s.powerOff()
		return
	}
	s.screen = Idle
	clear(s.stored)
	if err := s.raiseDoors(); err != nil {
		s.o.Log.Error("The line could not be opened again.", "error", err)
	}
}

// reload reads the ledger file afresh.
func (s *Sim) reload() error {
	if s.o.Ledger == "" {
		return nil
	}
	b, err := openBook(s.o.Ledger)
	if err != nil {
		return err
	}
	old := s.book
	s.book = b
	return old.close()
}

// powerCycle is the power failing by a fault, and coming back by itself.
func (s *Sim) powerCycle(d time.Duration) {
	s.powerOff()
	s.after(d, s.powerOn)
}
