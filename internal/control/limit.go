package control

import (
	"net"
	"sync"
)

// limited is a listener that has at most so many connections open at a time;
// further ones wait with the kernel until one is closed.
type limited struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	close  sync.Once
}

func newLimited(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a free place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &counted{Conn: c, give: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close stops listening.
func (l *limited) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	give func()
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.give()
	return c.Conn.Close()
}
