package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// driver is a client of the terminal that shares no code with it: it knows
// bytes, and what the public descriptions of the protocol say of them.
type driver struct {
	t    testing.TB
	conn conn
	buf  []byte
}

type conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// check is the exclusive or of the bytes after STX up to and including ETX.
func check(b []byte) byte {
	var x byte
	for _, c := range b {
		x ^= c
	}
	return x
}

// raw frames a message written with | for FS and ~ for US.
func raw(message string) []byte {
	body := append([]byte(strings.NewReplacer("|", "\x1c", "~", "\x1f").Replace(message)), 0x03)
	return append(append([]byte{0x02}, body...), check(body))
}

func sale(ref string, cents int) []byte {
	return raw(fmt.Sprintf("T00|1.35|01|%d||%s~INV7|||||TIPREQ=0", cents, ref))
}

func (d *driver) write(b []byte) {
	d.t.Helper()
	if _, err := d.conn.Write(b); err != nil {
		d.t.Fatalf("write: %v", err)
	}
}

// next returns the next byte, or an error when none comes within the limit.
func (d *driver) next(limit time.Duration) (byte, error) {
	if len(d.buf) == 0 {
		if err := d.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return 0, err
		}
		b := make([]byte, 1<<17)
		n, err := d.conn.Read(b)
		if n == 0 {
			return 0, err
		}
		d.buf = b[:n]
	}
	c := d.buf[0]
	d.buf = d.buf[1:]
	return c, nil
}

func (d *driver) expect(want byte, limit time.Duration) {
	d.t.Helper()
	if c, err := d.next(limit); err != nil || c != want {
		d.t.Fatalf("got %#02x, %v; want %#02x", c, err, want)
	}
}

// silent checks that nothing comes for a while.
func (d *driver) silent(limit time.Duration) {
	d.t.Helper()
	if c, err := d.next(limit); !errors.Is(err, os.ErrDeadlineExceeded) {
		d.t.Fatalf("got %#02x, %v; want silence", c, err)
	}
}

// gone checks that the line ends.
func (d *driver) gone(limit time.Duration) {
	d.t.Helper()
	for {
		_, err := d.next(limit)
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			d.t.Fatal("the line is still there")
		}
		return
	}
}

// frame returns the next frame, STX to check byte, whatever that is.
func (d *driver) frame(limit time.Duration) []byte {
	d.t.Helper()
	d.expect(0x02, limit)
	return d.rest([]byte{0x02})
}

func (d *driver) rest(b []byte) []byte {
	d.t.Helper()
	for ended := false; ; {
		c, err := d.next(5 * time.Second)
		if err != nil {
			d.t.Fatalf("inside a frame: %v after %q", err, b)
		}
		b = append(b, c)
		if ended {
			return b
		}
		ended = c == 0x03
	}
}

// message is a reply taken apart.
type message struct {
	status, command, code, text string
	groups                      [][]string
}

func (m message) item(group, n int) string {
	if group < len(m.groups) && n < len(m.groups[group]) {
		return m.groups[group][n]
	}
	return ""
}

func (m message) ext(group int, key string) string {
	if group >= len(m.groups) {
		return ""
	}
	for _, s := range m.groups[group] {
		if k, v, _ := strings.Cut(s, "="); k == key {
			return v
		}
	}
	return ""
}

func parse(t testing.TB, frame []byte) message {
	t.Helper()
	if n := len(frame); n < 4 || check(frame[1:n-1]) != frame[n-1] {
		t.Fatalf("the check byte of %q is wrong", frame)
	}
	p := strings.Split(string(frame[1:len(frame)-2]), "\x1c")
	if len(p) < 5 {
		t.Fatalf("%q is too short", p)
	}
	m := message{status: p[0], command: p[1], code: p[3], text: p[4]}
	for _, g := range p[5:] {
		m.groups = append(m.groups, strings.Split(g, "\x1f"))
	}
	return m
}

const patience = 5 * time.Minute

// exchange sends a command and plays the whole exchange by the book.
func (d *driver) exchange(command []byte) message {
	d.t.Helper()
	d.write(command)
	d.expect(0x06, time.Second)
	return d.answer()
}

// answer takes a reply and acknowledges it.
func (d *driver) answer() message {
	d.t.Helper()
	m := parse(d.t, d.frame(patience))
	d.write([]byte{0x06})
	d.expect(0x04, time.Second)
	return m
}

// quick is a terminal for tests: no delays, no rules.
func quick(t testing.TB, o Options) *Sim {
	t.Helper()
	if o.Rules == nil {
		o.Rules = NoRules()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func drive(t testing.TB, s *Sim) *driver { return &driver{t: t, conn: s.Pipe()} }

func (d *driver) close() {
	d.t.Helper()
	if err := d.conn.Close(); err != nil {
		d.t.Error(err)
	}
}

var _ conn = net.Conn(nil)

// sampleFrames returns the published frames by name.
func sampleFrames(t testing.TB) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/pax-frames.tsv")
	if err != nil {
		t.Fatal(err)
	}
	frames := make(map[string][]byte)
	for line := range bytes.Lines(b) {
		f := strings.Split(strings.TrimSpace(string(line)), "\t")
		if len(f) == 4 {
			var raw []byte
			if _, err := fmt.Sscanf(f[3], "%x", &raw); err != nil {
				t.Fatal(err)
			}
			frames[f[0]] = raw
		}
	}
	if len(frames) < 4 {
		t.Fatalf("only %d frames", len(frames))
	}
	return frames
}

// trapFrames returns whole frames whose check byte looks like something else.
func trapFrames(t testing.TB) (frames [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/pax-lrc-traps.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if _, text, ok := strings.Cut(string(line), " 02"); ok && strings.HasPrefix(string(line), "lrc=") {
			var f []byte
			if _, err := fmt.Sscanf("02"+text, "%x", &f); err != nil {
				t.Fatal(err)
			}
			frames = append(frames, f)
		}
	}
	return frames
}
