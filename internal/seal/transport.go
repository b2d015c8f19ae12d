package seal

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"
)

const (
	answerHeaderBytes = 10
	answerBytesMax    = 4096             // largest answer of any TPM 2.0 in use
	commandTimeoutMax = 10 * time.Second // one command, software TPM
	busyTimeMax       = 5 * time.Second  // all repetitions of one command
	busyPauseFirst    = 10 * time.Millisecond
	busyPauseMax      = 500 * time.Millisecond
)

// wire sends one command and returns its answer.
type wire interface {
	exchange(ctx context.Context, command []byte) ([]byte, error)
	io.Closer
}

// dial opens the TPM at device: a character device or a unix socket.
func dial(ctx context.Context, device string) (w wire, shared bool, err error) {
	fi, err := os.Stat(device)
	switch {
	case err != nil:
		return nil, false, absent(err)
	case fi.Mode()&os.ModeSocket != 0:
		w, err = dialSocket(ctx, device)
		return w, false, err
	case fi.Mode()&os.ModeCharDevice != 0:
		w, err = openDevice(device)
		return w, true, err
	}
	return nil, false, ErrNoTPM
}

// charDevice is /dev/tpmrm0. It is used in blocking mode: the kernel answers
// a write when the command has run, and one read returns the whole answer.
type charDevice struct{ fd int }

func openDevice(path string) (wire, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, because(ErrTPMBusy, err)
	}
	if err != nil {
		return nil, absent(err)
	}
	return &charDevice{fd}, nil
}

func (d *charDevice) exchange(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, because(ErrTPMBusy, err)
	}
	if _, err := unix.Write(d.fd, command); err != nil {
		return nil, because(ErrNoTPM, err)
	}
	b := make([]byte, answerBytesMax)
	n, err := unix.Read(d.fd, b)
	if err != nil {
		return nil, because(ErrNoTPM, err)
	}
	return b[:n], nil
}

func (d *charDevice) Close() error { return unix.Close(d.fd) }

// socket is a software TPM. It serves one connection at a time, so holding
// one for the length of an operation also keeps other operations out.
type socket struct{ c net.Conn }

func dialSocket(ctx context.Context, path string) (wire, error) {
	var d net.Dialer
	for since := time.Now(); ; {
		c, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			return &socket{c}, nil
		case !errors.Is(err, unix.EAGAIN): // its queue is full
			return nil, absent(err)
		case time.Since(since) > commandTimeoutMax:
			return nil, because(ErrTPMBusy, err)
		}
		select {
		case <-ctx.Done():
			return nil, because(ErrTPMBusy, ctx.Err())
		case <-time.After(busyPauseFirst):
		}
	}
}

// absent names a TPM that cannot be opened: it is not there, or the system
// does not let it be used.
func absent(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return because(ErrTPMDenied, err)
	}
	return because(ErrNoTPM, err)
}

func (s *socket) exchange(ctx context.Context, command []byte) ([]byte, error) {
	deadline := time.Now().Add(commandTimeoutMax)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := s.c.SetDeadline(deadline); err != nil {
		return nil, because(ErrNoTPM, err)
	}
	defer context.AfterFunc(ctx, func() {
		_ = s.c.SetDeadline(time.Unix(1, 0)) // a connection that is closed already needs none
	})()
	if _, err := s.c.Write(command); err != nil {
		return nil, silent(err)
	}
	head := make([]byte, answerHeaderBytes, answerBytesMax)
	if _, err := io.ReadFull(s.c, head); err != nil {
		return nil, silent(err)
	}
	size := binary.BigEndian.Uint32(head[2:])
	if size < answerHeaderBytes || size > answerBytesMax {
		return nil, ErrBusTampered
	}
	answer := head[:size]
	if _, err := io.ReadFull(s.c, answer[answerHeaderBytes:]); err != nil {
		return nil, silent(err)
	}
	return answer, nil
}

// silent names a failure of the connection: a TPM that is there and does not
// answer is busy, one that hangs up is not there.
func silent(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return because(ErrTPMBusy, err)
	}
	return because(ErrNoTPM, err)
}

func (s *socket) Close() error { return s.c.Close() }

// insistent is the transport that go-tpm sees: it repeats what the TPM asks to
// have repeated. Such a command has not run, so its nonces and HMAC stay good
// (TPM 2.0 part 3, 5.3).
type insistent struct {
	ctx context.Context
	w   wire
}

// Send implements transport.TPM.
func (s *insistent) Send(command []byte) ([]byte, error) {
	pause, since := busyPauseFirst, time.Now()
	for {
		answer, err := s.w.exchange(s.ctx, command)
		if err != nil || !asksAgain(answer) {
			return answer, err
		}
		if time.Since(since)+pause > busyTimeMax {
			return nil, ErrTPMBusy
		}
		select {
		case <-s.ctx.Done():
			return nil, because(ErrTPMBusy, s.ctx.Err())
		case <-time.After(pause):
		}
		pause = min(2*pause, busyPauseMax)
	}
}

// asksAgain reports whether the answer tells the caller to repeat the command.
func asksAgain(answer []byte) bool {
	if len(answer) < answerHeaderBytes {
		return false
	}
	switch tpm2.TPMRC(binary.BigEndian.Uint32(answer[6:])) {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate:
		return true
	}
	return false
}
