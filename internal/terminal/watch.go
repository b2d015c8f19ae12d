package terminal

import (
	"errors"

	"golang.org/x/sys/unix"
)

// watch tells when a name appears in a directory. It is only a hint to try
// again at once: whoever waits tries again after a while in any case.
type watch struct {
	C    <-chan struct{} // ticks; nil when the directory cannot be watched
	stop func()
}

// watchDir watches dir. A directory that does not exist gives a watch that
// never ticks.
func watchDir(dir string) watch {
	none := watch{stop: func() {}}
	if dir == "" {
		return none
	}
	in, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return none
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(in)
		return none
	}
	if _, err := unix.InotifyAddWatch(in, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB); err != nil {
		unix.Close(in)
		unix.Close(end)
		return none
	}
	ticks, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		watchLoop(in, end, ticks)
	}()
	return watch{C: ticks, stop: func() {
		// The eventfd takes the one tick it ever gets.
		_, _ = unix.Write(end, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-done
		unix.Close(in)
		unix.Close(end)
	}}
}

func watchLoop(in, end int, ticks chan<- struct{}) {
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}, {Fd: int32(end), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if fds[1].Revents != 0 {
			return
		}
		if fds[0].Revents == 0 {
			continue
		}
		if n, err := unix.Read(in, buf); n <= 0 && !errors.Is(err, unix.EAGAIN) {
			return
		}
		select {
		case ticks <- struct{}{}:
		default:
		}
	}
}
