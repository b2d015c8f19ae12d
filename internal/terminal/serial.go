package terminal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"coffer/internal/terminal/protocol"
)

// serialLine is a serial port opened twice: by tarm/serial, which sets its
// speed and reads it, and by a control descriptor of our own, which makes
// that safe.
//
// tarm alone cannot tell a timeout from an unplugged cable (both are io.EOF,
// and after an unplug it returns at once, for ever), its Close waits for a
// Read that waits, its Write to a stalled port never returns, and two
// programs may open one port. So here poll on the control descriptor says
// whether there is anything to read and whether the line is gone; Read is
// called only then, and with a timeout in any case; Write goes through the
// control descriptor, which does not block; flock and TIOCEXCL keep others
// out. Nothing ever discards what is in the port's buffers: it may be the
// answer to a payment.
type serialLine struct {
	port *serial.Port
	ctl  int // control descriptor
	wake int // eventfd

	reading sync.Mutex
	writing sync.Mutex
	life    sync.Mutex // guards closed, and wake's number against reuse
	closed  bool
}

// readTick is the timeout that tarm gets: its shortest. Zero would block.
const readTick = 100 * time.Millisecond

// openSerial opens the port at path.
func openSerial(path string, t protocol.Transport, baud int) (_ *serialLine, err error) {
	ctl, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, portFault(err)
	}
	l := &serialLine{ctl: ctl, wake: -1}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	if err := unix.Flock(ctl, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, portFault(err)
	}
	if _, err := unix.IoctlGetTermios(ctl, unix.TCGETS); err != nil {
		return nil, ErrNoPort
	}
	// By the descriptor's own name, so that both are the same device.
	l.port, err = serial.OpenPort(&serial.Config{
		Name: fmt.Sprintf("/proc/self/fd/%d", ctl), Baud: baud, ReadTimeout: readTick,
		Size: byte(t.Data), Parity: parityOf(t.Parity), StopBits: serial.StopBits(t.Stop),
	})
	if err != nil {
		return nil, portFault(err)
	}
	if err := unix.IoctlSetInt(ctl, unix.TIOCEXCL, 0); err != nil {
		return nil, portFault(err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, portFault(err)
	}
	return l, nil
}

func portFault(err error) error {
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EBUSY) {
		return ErrPortBusy
	}
	return ErrNoPort
}

func parityOf(p string) serial.Parity {
	if p == "" {
		return serial.ParityNone
	}
	return serial.Parity(p[0])
}

func dirOf(path string) string { return filepath.Dir(path) }

// gone are the poll events that mean that the device is no longer there.
const gone = unix.POLLHUP | unix.POLLERR | unix.POLLNVAL

func (l *serialLine) Read(b []byte, until time.Time) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	for {
		if l.isClosed() {
			return 0, errGone
		}
		fds := []unix.PollFd{{Fd: int32(l.ctl), Events: unix.POLLIN}, {Fd: int32(l.wake), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, millisUntil(until))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, errGone
		case n == 0, fds[1].Revents != 0 && !l.isClosed():
			l.calm()
			return 0, errTick
		case fds[1].Revents != 0:
			return 0, errGone
		}
		return l.take(b, fds[0].Revents)
	}
}

// take reads what poll has announced. Bytes that came before the line was
// lost are still read.
func (l *serialLine) take(b []byte, events int16) (int, error) {
	if events&unix.POLLIN == 0 {
		return 0, errGone
	}
	n, err := l.port.Read(b)
	switch {
	case n > 0:
		return n, nil
	case events&gone != 0:
		return 0, errGone
	case err == nil, errors.Is(err, io.EOF):
		return 0, errTick
	}
	return 0, errGone
}

// millisUntil returns the timeout for poll, rounded up; -1 is never.
func millisUntil(until time.Time) int {
	if until.IsZero() {
		return -1
	}
	d := time.Until(until)
	if d <= 0 {
		return 0
	}
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

// writeSlice is how long a stalled Write waits before it looks whether the
// line was closed.
const writeSlice = 50 * time.Millisecond

func (l *serialLine) Write(b []byte, within time.Duration) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	end := time.Now().Add(within)
	for len(b) > 0 {
		if l.isClosed() {
			return errGone
		}
		n, err := unix.Write(l.ctl, b)
		switch {
		case n > 0:
			b = b[n:]
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && !errors.Is(err, unix.EAGAIN):
			return errGone
		}
		left := time.Until(end)
		if left <= 0 {
			return errStalled
		}
		fds := []unix.PollFd{{Fd: int32(l.ctl), Events: unix.POLLOUT}}
		_, err = unix.Poll(fds, millisUntil(time.Now().Add(min(left, writeSlice))))
		if err != nil && !errors.Is(err, unix.EINTR) || fds[0].Revents&gone != 0 {
			return errGone
		}
	}
	return nil
}

func (l *serialLine) Wake() {
	l.life.Lock()
	defer l.life.Unlock()
	if !l.closed {
		l.ring()
	}
}

// ring makes the eventfd readable.
func (l *serialLine) ring() {
	// It fails only when it is readable already 2^64-2 times.
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// calm makes the eventfd unreadable again.
func (l *serialLine) calm() {
	var b [8]byte
	// It fails when nobody has rung, which is as good.
	_, _ = unix.Read(l.wake, b[:])
}

func (l *serialLine) isClosed() bool {
	l.life.Lock()
	defer l.life.Unlock()
	return l.closed
}

// Close wakes a Read and a Write that wait, and then closes the port: Read
// needs up to readTick to return if it is just taking bytes.
func (l *serialLine) Close() error {
	l.life.Lock()
	if l.closed {
		l.life.Unlock()
		return nil
	}
	l.closed = true
	l.ring()
	l.life.Unlock()

	l.reading.Lock()
	defer l.reading.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.release()
}

// release closes what is open. Others may open the port again only after
// TIOCNXCL: the flag would outlive us while the device stays.
func (l *serialLine) release() error {
	var err error
	if l.port != nil {
		// The device may be gone; then there is no flag to take back.
		_ = unix.IoctlSetInt(l.ctl, unix.TIOCNXCL, 0)
		err = l.port.Close()
	}
	if l.wake >= 0 {
		err = errors.Join(err, unix.Close(l.wake))
	}
	return errors.Join(err, unix.Close(l.ctl))
}
