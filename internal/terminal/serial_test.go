package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/terminal/frame"
	"coffer/internal/terminal/pax"
	"coffer/internal/terminal/protocol"
)

// pty opens a pair: the end of the device, and the name of the port.
func pty(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { f.Close() })
	return f, fmt.Sprintf("/dev/pts/%d", n)
}

func openPort(t *testing.T, port string) *serialLine {
	t.Helper()
	l, err := openSerial(port, serialTransport(protocol.Profile{}), 115200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// within tries a measurement up to five times: on a machine that is busy a
// single one says nothing.
func within(t *testing.T, limit time.Duration, measure func() time.Duration) {
	t.Helper()
	best := time.Hour
	for range 5 {
		if best = min(best, measure()); best <= limit {
			return
		}
	}
	t.Errorf("took %v at best, want %v at most", best, limit)
}

func TestSerialCarriesEveryByte(t *testing.T) {
	device, port := pty(t)
	l := openPort(t, port)
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	if _, err := device.Write(all); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, l, len(all)); !bytes.Equal(got, all) {
		t.Errorf("came in as %x", got)
	}
	if err := l.Write(all, time.Second); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(all))
	for n := 0; n < len(got); {
		m, err := device.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if !bytes.Equal(got, all) {
		t.Errorf("went out as %x", got)
	}
}

// readAll reads n bytes.
func readAll(t *testing.T, l line, n int) []byte {
	t.Helper()
	var got []byte
	buf := make([]byte, 4096)
	end := time.Now().Add(10 * time.Second)
	for len(got) < n {
		m, err := l.Read(buf, end)
		if err != nil && !(errors.Is(err, errTick) && time.Now().Before(end)) {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:m]...)
	}
	return got
}

// TestSerialCheckByteTraps sends, over a real port, a frame for each control
// byte whose check byte has just that value.
func TestSerialCheckByteTraps(t *testing.T) {
	for _, trap := range []byte{0x02, 0x03, 0x04, 0x06, 0x15} {
		t.Run(fmt.Sprintf("%02x", trap), func(t *testing.T) {
			device, port := pty(t)
			l := openPort(t, port)
			payload := []byte("0\x1cT01\x1c1.43\x1c000000\x1cOK\x1c@@")
			// Two bytes that are no control bytes make the sum what it has to be.
			payload[len(payload)-1] ^= frame.LRC(payload) ^ trap
			f, err := frame.Append(nil, payload)
			if err != nil {
				t.Fatal(err)
			}
			if f[len(f)-1] != trap {
				t.Fatalf("the check byte is %02x", f[len(f)-1])
			}
			stream := append(append([]byte{frame.ACK}, f...), frame.EOT)
			for _, c := range stream {
				if _, err := device.Write([]byte{c}); err != nil {
					t.Fatal(err)
				}
			}
			var dec frame.Decoder
			var got []string
			for _, c := range readAll(t, l, len(stream)) {
				if e, ok := dec.Push(c); ok {
					got = append(got, fmt.Sprintf("%d:%02x:%s", e.Kind, e.Byte, e.Payload))
				}
			}
			want := []string{
				fmt.Sprintf("%d:06:", frame.Control), fmt.Sprintf("%d:02:", frame.Start),
				fmt.Sprintf("%d:00:%s", frame.Frame, payload), fmt.Sprintf("%d:04:", frame.Control),
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestSerialUnplugIsNoticed(t *testing.T) {
	within(t, 200*time.Millisecond, func() time.Duration {
		device, port := pty(t)
		l := openPort(t, port)
		reading, ended := make(chan struct{}), make(chan error)
		go func() {
			close(reading)
			_, err := l.Read(make([]byte, 16), time.Time{})
			ended <- err
		}()
		<-reading
		start := time.Now()
		device.Close()
		err := <-ended
		took := time.Since(start)
		if !errors.Is(err, errGone) {
			t.Fatalf("the read ended with %v", err)
		}
		if _, err := l.Read(make([]byte, 16), time.Time{}); !errors.Is(err, errGone) {
			t.Fatalf("the next read: %v", err)
		}
		if err := l.Write([]byte("x"), time.Second); !errors.Is(err, errGone) {
			t.Fatalf("a write: %v", err)
		}
		return took
	})
}

// TestSerialWaitsWithoutWork: a read that waits takes no processor time, and
// as long as it was told to.
func TestSerialWaitsWithoutWork(t *testing.T) {
	_, port := pty(t)
	l := openPort(t, port)
	const wait = 250 * time.Millisecond
	within(t, wait+50*time.Millisecond, func() time.Duration {
		before := cpu(t)
		start := time.Now()
		if n, err := l.Read(make([]byte, 16), start.Add(wait)); n != 0 || !errors.Is(err, errTick) {
			t.Fatalf("%d %v", n, err)
		}
		took := time.Since(start)
		if took < wait {
			t.Fatalf("returned after %v already", took)
		}
		if used := cpu(t) - before; used > wait/2 {
			t.Errorf("%v of processor time were used in waiting", used)
		}
		return took
	})
}

// cpu returns the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSerialIsExclusive(t *testing.T) {
	_, port := pty(t)
	l := openPort(t, port)
	if _, err := openSerial(port, serialTransport(protocol.Profile{}), 115200); !errors.Is(err, ErrPortBusy) {
		t.Errorf("the second open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openPort(t, port)
}

func TestSerialOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := openFiles(t)
	for _, path := range []string{file, file + "-that-is-not-there", t.TempDir()} {
		if _, err := openSerial(path, serialTransport(protocol.Profile{}), 115200); !errors.Is(err, ErrNoPort) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

func TestSerialStalledWrite(t *testing.T) {
	_, port := pty(t)
	l := openPort(t, port)
	within(t, 600*time.Millisecond, func() time.Duration {
		start := time.Now()
		if err := l.Write(make([]byte, 1<<20), 300*time.Millisecond); !errors.Is(err, errStalled) {
			t.Fatalf("a write that nobody takes: %v", err)
		}
		return time.Since(start)
	})
}

func TestSerialCloseUnblocksWrite(t *testing.T) {
	_, port := pty(t)
	l := openPort(t, port)
	ended := make(chan error)
	go func() { ended <- l.Write(make([]byte, 1<<20), time.Minute) }()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, errGone) {
		t.Errorf("the write ended with %v", err)
	}
}

func TestSerialCloseUnblocksRead(t *testing.T) {
	within(t, 150*time.Millisecond, func() time.Duration {
		_, port := pty(t)
		l := openPort(t, port)
		reading, ended := make(chan struct{}), make(chan error)
		go func() {
			close(reading)
			_, err := l.Read(make([]byte, 16), time.Time{})
			ended <- err
		}()
		<-reading
		start := time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		if err := <-ended; !errors.Is(err, errGone) {
			t.Fatalf("the read ended with %v", err)
		}
		return took
	})
}

func TestSerialWake(t *testing.T) {
	_, port := pty(t)
	l := openPort(t, port)
	l.Wake()
	if _, err := l.Read(make([]byte, 16), time.Time{}); !errors.Is(err, errTick) {
		t.Errorf("a read after Wake: %v", err)
	}
	start := time.Now()
	if _, err := l.Read(make([]byte, 16), start.Add(50*time.Millisecond)); !errors.Is(err, errTick) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("the read after that: %v in %v; one Wake ends one Read", err, time.Since(start))
	}
	ended := make(chan error)
	go func() {
		_, err := l.Read(make([]byte, 16), time.Time{})
		ended <- err
	}()
	l.Wake()
	if err := <-ended; !errors.Is(err, errTick) {
		t.Errorf("a read that waits: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l.Wake() // must not touch what is no longer ours
}

// TestSerialReopen: nothing of an old reader is left to take the new one's
// bytes.
func TestSerialReopen(t *testing.T) {
	device, port := pty(t)
	for i := range 5 {
		l := openPort(t, port)
		reading, ended := make(chan struct{}), make(chan struct{})
		go func() {
			close(reading)
			defer close(ended)
			// It ends by Close, with errGone.
			_, _ = l.Read(make([]byte, 16), time.Time{})
		}()
		<-reading
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		<-ended
		text := fmt.Sprintf("FIRST and %d", i)
		l = openPort(t, port)
		if _, err := device.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, l, len(text)); string(got) != text {
			t.Errorf("round %d: %q", i, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// TestSerialTerminal is a terminal on a real port: a payment, the cable pulled
// in the middle of the next, another port under the same name, and the
// look-up. At the end neither a goroutine nor a descriptor is left.
func TestSerialTerminal(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	serialTerminal(t)
	end := time.After(10 * time.Second)
	for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
		select {
		case <-end:
			t.Fatalf("%d goroutines became %d, %d descriptors %d", goroutines, runtime.NumGoroutine(), files, openFiles(t))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func serialTerminal(t *testing.T) {
	d := newDevice()
	name := filepath.Join(t.TempDir(), "term-1")
	plug(t, d, name)
	tm := Start(Config{Name: "Front desk", Address: "serial:" + name, Profile: quick()})
	defer tm.Close()
	attached(t, tm, true)
	o, err := tm.Run(t.Context(), sale("42"), Hooks{})
	if err != nil || o.Result != protocol.Approved {
		t.Fatalf("%+v %v", o, err)
	}

	charged := make(chan struct{})
	d.set(func(d *device) {
		d.answer = func(d *device, r pax.Request) {
			d.charge(r)
			d.say(frame.ACK)
			close(charged)
		}
	})
	ended := make(chan protocol.Outcome)
	go func() {
		o, err := tm.Run(context.WithoutCancel(t.Context()), sale("43"), Hooks{})
		if err != nil {
			t.Error(err)
		}
		ended <- o
	}()
	<-charged
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	d.unplug()
	if o := <-ended; o.Result != protocol.InDoubt || o.Reason != protocol.ReasonUnplugged {
		t.Errorf("%+v", o)
	}
	attached(t, tm, false)
	if o, err := tm.Run(t.Context(), sale("44"), never(t)); err != nil || o.Result != protocol.NotSent {
		t.Errorf("unplugged: %+v %v", o, err)
	}

	plug(t, d, name)
	attached(t, tm, true)
	o, err = tm.Lookup(t.Context(), protocol.Question{Ref: "43", Kind: protocol.Sale, Amount: 15000})
	if err != nil || o.Result != protocol.Approved {
		t.Errorf("look-up: %+v %v", o, err)
	}
	if err := tm.Close(); err != nil {
		t.Error(err)
	}
	d.unplug()
}

// plug puts the device behind a port of this name.
func plug(t *testing.T, d *device, name string) {
	t.Helper()
	end, port := pty(t)
	// Before the terminal opens it, the port would echo.
	raw, err := unix.IoctlGetTermios(int(end.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	raw.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(end.Fd()), unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plug(end)
	if err := os.Symlink(port, name); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	w := watchDir(dir)
	defer w.stop()
	if err := os.Symlink("/dev/null", filepath.Join(dir, "term-1")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.C:
	case <-time.After(10 * time.Second):
		t.Error("a name appeared, and nobody was told")
	}
	none := watchDir(filepath.Join(dir, "missing"))
	none.stop()
	if none.C != nil {
		t.Error("a directory that is missing is watched")
	}
}
