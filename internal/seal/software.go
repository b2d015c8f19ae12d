package seal

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// socketPathMax is what fits sun_path of a unix socket address.
const socketPathMax = 107

// StartSoftwareTPM runs the program swtpm, a TPM 2.0 in software, with its
// state in dir (made if missing, 0700) and returns the unix socket to give to
// Provision and Unseal. The same dir is the same TPM at the next start. The
// program ends at stop, when ctx is done, or when this process dies.
//
// It protects nothing from whoever can read dir: it is for the demonstration
// and for tests.
func StartSoftwareTPM(ctx context.Context, dir string) (device string, stop func() error, err error) {
	device = filepath.Join(dir, "tpm.sock")
	if len(device) > socketPathMax {
		return "", nil, ErrSoftwareTPM
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, because(ErrSoftwareTPM, err)
	}
	if err := os.Remove(device); err != nil && !os.IsNotExist(err) {
		return "", nil, because(ErrSoftwareTPM, err)
	}
	run := startSwtpm(ctx, dir, device)
	if err := run.ready(ctx, device); err != nil {
		run.stop()
		return "", nil, because(ErrSoftwareTPM, err)
	}
	return device, run.stop, nil
}

// swtpm is one running program.
type swtpm struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the program has ended
	err    error         // how it ended; read after done
	once   sync.Once
}

// startSwtpm runs the program from a thread of its own: the kernel sends the
// parent-death signal when the thread that forked ends, so that thread waits.
func startSwtpm(ctx context.Context, dir, socket string) *swtpm {
	ctx, cancel := context.WithCancel(ctx)
	s := &swtpm{cancel: cancel, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, "swtpm", "socket", "--tpm2",
		"--tpmstate", "dir="+dir+",mode=0600",
		"--server", "type=unixio,path="+socket+",mode=0600",
		"--flags", "startup-clear", "--log", "level=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		s.err = cmd.Run()
	}()
	return s
}

// ready waits until the socket accepts, the program has ended, or ctx is done.
func (s *swtpm) ready(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", socket); err == nil {
			return c.Close()
		}
		select {
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// stop asks the program to end and waits for it. That it ends by the signal
// sent to it is no failure.
func (s *swtpm) stop() error {
	s.once.Do(s.cancel)
	<-s.done
	return nil
}
