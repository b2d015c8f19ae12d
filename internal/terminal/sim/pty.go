package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tty is the door of a pseudo-terminal: a serial line to whoever opens link.
// It holds the slave side open itself, so that drivers may come and go, as
// they do at a serial port.
type tty struct {
	s      *Sim
	link   string   // symbolic link to the slave
	slave  *os.File // kept after a hang-up until the next raise, so that the next slave has another name
	master *os.File
}

// ServePTY opens the terminal at a new pseudo-terminal and makes link, a path,
// point to it. After a hang-up link is gone; it comes back with another slave.
// A link that exists already is replaced; any other file is an error.
func (s *Sim) ServePTY(link string) error {
	if st, err := os.Lstat(link); err == nil && st.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("sim: %s exists and is not a symbolic link", link)
	}
	d := &tty{s: s, link: link}
	return s.do(func() error {
		if s.reachable() {
			if err := d.raise(); err != nil {
				return err
			}
		}
		s.doors = append(s.doors, d)
		return nil
	})
}

func (d *tty) sticky() bool { return true }

func (d *tty) raise() error {
	if d.master != nil {
		return nil
	}
	master, slave, err := openPTY()
	if err != nil {
		return err
	}
	if err := point(d.link, slave.Name()); err != nil {
		return errors.Join(err, master.Close(), slave.Close())
	}
	d.release()
	d.master, d.slave = master, slave
	d.s.attach(master, d)
	return nil
}

func (d *tty) lower() {
	if d.master == nil {
		return
	}
	os.Remove(d.link) // whether it is there or not, it is gone now
	d.master.Close()  // the line hangs up, whatever Close says
	d.master = nil
}

func (d *tty) end() {
	d.lower()
	d.release()
}

func (d *tty) release() {
	if d.slave != nil {
		d.slave.Close() // nothing was written through it
		d.slave = nil
	}
}

// point makes link point to target, in one step.
func point(link, target string) error {
	dir, name := filepath.Split(link)
	tmp := filepath.Join(dir, "."+name+".new")
	os.Remove(tmp) // a left-over of ours, or nothing
	if err := os.Symlink(target, tmp); err != nil {
		return fmt.Errorf("sim: cannot make the link: %w", err)
	}
	if err := os.Rename(tmp, link); err != nil {
		return fmt.Errorf("sim: cannot make the link: %w", errors.Join(err, os.Remove(tmp)))
	}
	return nil
}

// openPTY returns both sides of a new pseudo-terminal in raw mode.
func openPTY() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("sim: cannot open /dev/ptmx: %w", err)
	}
	fail := func(err error) (*os.File, *os.File, error) {
		return nil, nil, fmt.Errorf("sim: cannot make a pseudo-terminal: %w", errors.Join(err, unix.Close(fd)))
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fail(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return fail(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", n)
	other, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	if err := makeRaw(other); err != nil {
		return fail(errors.Join(err, unix.Close(other)))
	}
	return os.NewFile(uintptr(fd), "/dev/ptmx"), os.NewFile(uintptr(other), name), nil
}

// makeRaw makes a line pass every byte as it is.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// deserted reports whether nobody but the terminal itself has the slave open.
// A driver that goes is not to be heard at the master, as the terminal keeps
// the slave open. Processes that may not be looked into count as absent.
func (d *tty) deserted() bool {
	if d.slave == nil {
		return false
	}
	names, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil || len(names) == 0 {
		return false
	}
	open := 0
	for _, name := range names {
		if at, err := os.Readlink(name); err == nil && at == d.slave.Name() {
			open++
		}
	}
	return open == 1
}
