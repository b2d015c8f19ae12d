package sim

import (
	"io"
	"sync"
	"time"
)

// piece is one write: data after a pause, then an event on the engine.
type piece struct {
	pause time.Duration
	data  []byte
	then  func() // run by the engine once data has been written; may be nil
}

// line moves bytes between a connection and the engine. A reader and a writer
// goroutine serve it, so that a driver that does not read cannot stop the
// terminal.
type line struct {
	s    *Sim
	conn io.ReadWriteCloser

	mu     sync.Mutex
	queue  []piece
	wake   chan struct{} // one token: the queue has something
	closed chan struct{}
	once   sync.Once
}

// newLine starts a line. got and gone run on the engine.
func (s *Sim) newLine(conn io.ReadWriteCloser, got func([]byte), gone func()) *line {
	l := &line{s: s, conn: conn, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	s.wg.Go(func() { l.read(got, gone) })
	s.wg.Go(l.write)
	return l
}

func (l *line) read(got func([]byte), gone func()) {
	buf := make([]byte, 4096)
	for {
		n, err := l.conn.Read(buf)
		if n > 0 {
			b := append([]byte(nil), buf[:n]...)
			l.s.post(func() { got(b) })
		}
		if err != nil {
			l.close()
			l.s.post(gone)
			return
		}
	}
}

// send queues pieces; it never waits.
func (l *line) send(pieces ...piece) {
	l.mu.Lock()
	l.queue = append(l.queue, pieces...)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *line) next() (piece, bool) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			p := l.queue[0]
			l.queue = l.queue[1:]
			l.mu.Unlock()
			return p, true
		}
		l.mu.Unlock()
		select {
		case <-l.wake:
		case <-l.closed:
			return piece{}, false
		}
	}
}

func (l *line) write() {
	for {
		p, ok := l.next()
		if !ok || !l.sleep(p.pause) {
			return
		}
		if !l.put(p.data) {
			l.close() // the reader reports it
			return
		}
		if p.then != nil {
			l.s.post(p.then)
		}
	}
}

// paceBytes is how many bytes go out between two pauses when pacing.
const paceBytes = 16

// put writes b at the pace of the line.
func (l *line) put(b []byte) bool {
	step, pause := len(b), time.Duration(0)
	if baud := l.s.o.Baud; baud > 0 {
		step = paceBytes
		pause = 10 * time.Second / time.Duration(baud)
	}
	due := time.Now()
	for len(b) > 0 {
		n := min(step, len(b))
		due = due.Add(time.Duration(n) * pause)
		if pause > 0 && !l.sleep(time.Until(due)) {
			return false
		}
		if _, err := l.conn.Write(b[:n]); err != nil {
			return false
		}
		l.s.sent.Add(int64(n))
		b = b[n:]
	}
	return true
}

// sleep waits, and reports false when the line was closed meanwhile.
func (l *line) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.closed:
		return false
	}
}

// close drops what has not been written and closes the connection.
func (l *line) close() {
	l.once.Do(func() {
		close(l.closed)
		l.conn.Close() // the line is given up: nothing is left to be said about it
	})
}
