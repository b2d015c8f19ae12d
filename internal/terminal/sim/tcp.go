package sim

import (
	"errors"
	"fmt"
	"net"
)

// socket is the door of a listening TCP socket.
type socket struct{ listener net.Listener }

func (d *socket) raise() error { return nil }
func (d *socket) lower()       {}
func (d *socket) sticky() bool { return false }
func (d *socket) end() {
	d.listener.Close() // ends accept; there is nothing left to lose
}

// ServeTCP opens the terminal at a TCP address such as "127.0.0.1:10009" and
// returns the address it listens at. While the terminal is unplugged or
// switched off, connections are closed as soon as they are made.
func (s *Sim) ServeTCP(addr string) (net.Addr, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("sim: cannot listen: %w", err)
	}
	d := &socket{listener: ln}
	if err := s.do(func() error { s.doors = append(s.doors, d); s.wg.Go(func() { s.accept(d) }); return nil }); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln.Addr(), nil
}

func (s *Sim) accept(d *socket) {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return // the listener is closed
		}
		attached := s.do(func() error {
			if !s.reachable() {
				return ErrAway
			}
			s.attach(conn, d)
			return nil
		})
		if attached != nil {
			conn.Close() // nobody is there
		}
	}
}
